// TableFile: verified blocks out of a table's file.
//
// The one place of an open table that reads the disk. A block comes back checked against its
// trailer, uncompressed and parsed (D8), or as an error that names path, offset, what was found and
// what was expected. No size that the file states is believed past the file's own (D17).
#ifndef CAMBIUM_SSTABLE_TABLE_TABLE_FILE_H_
#define CAMBIUM_SSTABLE_TABLE_TABLE_FILE_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/keys.h"
#include "cambium/file_system.h"
#include "sstable/cache/block_cache.h"
#include "sstable/cache/frame.h"
#include "sstable/table/table_format.h"
#include "util/absl_view.h"

namespace cambium::sstable {

// What a table is, beside its bytes. Plain data.
struct TableReaderOptions {
  KeyOrder order{BytewiseComparator()};
  BlockCache* cache = nullptr;  // never null; outlives the reader
  FileNumber number{0};
  std::string path;        // for messages
  uint64_t file_size = 0;  // what the manifest says
};

// Bytes that grow and are not cleared. Thread-compatible.
class ScratchBuffer {
 public:
  // At least `size` bytes; what was in it is lost where it grows.
  char* Reserve(size_t size) {
    if (size > size_) {
      bytes_ = std::make_unique_for_overwrite<char[]>(size);
      size_ = size;
    }
    return bytes_.get();
  }
  char* data() const { return bytes_.get(); }

 private:
  std::unique_ptr<char[]> bytes_;
  size_t size_ = 0;
};

// One block of a round of reads.
struct BlockRead {
  BlockHandle handle;
  BlockKind kind = BlockKind::kData;
  FrameLease frame;     // out, owned, where status is ok
  absl::Status status;  // out
};

// Movable. Thread-safe; immutable after construction.
class TableFile {
 public:
  TableFile(TableReaderOptions options, std::unique_ptr<RandomAccessFile> file)
      : options_(std::move(options)), file_(std::move(file)) {}

  // Reads every block by one call of the file.
  void ReadBlocks(std::span<BlockRead> reads) const;
  absl::StatusOr<FrameLease> ReadBlock(const BlockHandle& handle, BlockKind kind) const;

  // Fills `size` bytes at `buffer` from `offset`; DataLoss where the file ends before.
  absl::Status ReadBytes(uint64_t offset, size_t size, char* buffer) const;

  // The parts that the above is made of, for who reads many blocks at once.
  //
  // ok where a block may lie there.
  absl::Status CheckHandle(const BlockHandle& handle, BlockKind kind) const;
  // Checks stored bytes and trailer of the block at `handle`.
  absl::StatusOr<BlockTrailer> Check(std::string_view block_and_trailer, const BlockHandle& handle,
                                     BlockKind kind) const;
  // Uncompresses into `raw`, which has room for trailer.raw_size bytes.
  absl::Status Uncompress(std::string_view stored, const BlockTrailer& trailer,
                          const BlockHandle& handle, char* raw) const;
  // `status`, with what was being read put before its message.
  absl::Status Annotate(const absl::Status& status, const char* what, uint64_t offset) const;
  absl::Status Annotate(const absl::Status& status, BlockKind kind, uint64_t offset) const {
    return Annotate(status, BlockKindName(kind), offset);
  }
  // DataLoss, the same way.
  absl::Status Damaged(std::string_view message, BlockKind kind, uint64_t offset) const {
    return Annotate(absl::DataLossError(ToAbsl(message)), kind, offset);
  }

  // The file's end as blocks see it: the footer begins there.
  uint64_t footer_offset() const { return options_.file_size - kFooterSize; }
  const TableReaderOptions& options() const { return options_; }

 private:
  // The only place that reads the file. Requires that the thread has no epoch guard open.
  void ReadFile(std::span<ReadRequest> requests) const;
  // Whether a request was served whole.
  absl::Status Outcome(const ReadRequest& request, BlockKind kind) const;
  // A frame for the stored bytes and the trailer of a block.
  absl::StatusOr<FrameLease> NewFrame(BlockKind kind, size_t size) const;
  // Checks, uncompresses and parses what was read into `frame`.
  absl::StatusOr<FrameLease> Finish(FrameLease frame, const BlockHandle& handle) const;

  TableReaderOptions options_;
  std::unique_ptr<RandomAccessFile> file_;
};

// Data blocks read in the order of the file, many by one call: for walks that touch each block
// once, compaction and verification. The bytes stay in a buffer of the walk's own, the cache is
// left alone. Every block is checked as it is taken. Thread-compatible.
class SequentialBlocks {
 public:
  // `file` must outlive it. Reads at least `readahead_bytes` at a time.
  SequentialBlocks(const TableFile* file, size_t readahead_bytes)
      : file_(file), readahead_bytes_(readahead_bytes) {}

  // The data block at `handle`, valid until the next call.
  absl::StatusOr<Block> Read(const BlockHandle& handle);

 private:
  // Makes [offset, offset + size) of the file stand in the buffer.
  absl::Status Fill(uint64_t offset, size_t size);

  const TableFile* const file_;
  const size_t readahead_bytes_;
  ScratchBuffer read_;
  uint64_t read_offset_ = 0;  // of the buffer's first byte in the file
  size_t read_size_ = 0;
  ScratchBuffer raw_;
};

}  // namespace cambium::sstable

#endif  // CAMBIUM_SSTABLE_TABLE_TABLE_FILE_H_
