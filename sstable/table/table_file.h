// TableFile: reads verified blocks from a table's file.
//
// The only class of an open table that reads the disk. A block is checked against its trailer,
// uncompressed, and parsed (D8), or an error with the path, the offset, and the found and expected
// values is returned. No size in the file is trusted beyond the file's own size (D17).
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

// The properties of a table that are not in its file. Plain data.
struct TableReaderOptions {
  KeyOrder order{BytewiseComparator()};
  BlockCache* cache = nullptr;  // never null; must outlive the reader
  FileNumber number{0};
  std::string path;        // used in messages
  uint64_t file_size = 0;  // from the manifest
};

// Bytes that grow and are not cleared. Thread-compatible.
class ScratchBuffer {
 public:
  // Returns at least `size` bytes; the old content is lost if the buffer grows.
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

// One block of a batch of reads.
struct BlockRead {
  BlockHandle handle;
  BlockKind kind = BlockKind::kData;
  FrameLease frame;     // out, owned, if status is ok
  absl::Status status;  // out
};

// Movable. Thread-safe; immutable after construction.
class TableFile {
 public:
  TableFile(TableReaderOptions options, std::unique_ptr<RandomAccessFile> file)
      : options_(std::move(options)), file_(std::move(file)) {}

  // Reads all blocks with one call of the file.
  void ReadBlocks(std::span<BlockRead> reads) const;
  absl::StatusOr<FrameLease> ReadBlock(const BlockHandle& handle, BlockKind kind) const;

  // Reads `size` bytes from `offset` into `buffer`; returns DataLoss if the file ends before.
  absl::Status ReadBytes(uint64_t offset, size_t size, char* buffer) const;

  // The steps of the functions above, for callers that read many blocks at once.
  //
  // Returns ok if a block can be at that place.
  absl::Status CheckHandle(const BlockHandle& handle, BlockKind kind) const;
  // Checks the stored bytes and the trailer of the block at `handle`.
  absl::StatusOr<BlockTrailer> Check(std::string_view block_and_trailer, const BlockHandle& handle,
                                     BlockKind kind) const;
  // Uncompresses into `raw`, which has room for trailer.raw_size bytes.
  absl::Status Uncompress(std::string_view stored, const BlockTrailer& trailer,
                          const BlockHandle& handle, char* raw) const;
  // Returns `status` with a description of the read before its message.
  absl::Status Annotate(const absl::Status& status, const char* what, uint64_t offset) const;
  absl::Status Annotate(const absl::Status& status, BlockKind kind, uint64_t offset) const {
    return Annotate(status, BlockKindName(kind), offset);
  }
  // Returns DataLoss in the same way.
  absl::Status DamageError(std::string_view message, BlockKind kind, uint64_t offset) const {
    return Annotate(absl::DataLossError(ToAbsl(message)), kind, offset);
  }

  // Returns the offset of the footer, which is the end of the area of blocks.
  uint64_t footer_offset() const { return options_.file_size - kFooterSize; }
  const TableReaderOptions& options() const { return options_; }

 private:
  // The only function that reads the file. The thread must have no open epoch guard.
  void ReadFile(std::span<ReadRequest> requests) const;
  // Returns ok if a request was completely served.
  absl::Status Outcome(const ReadRequest& request, BlockKind kind) const;
  // Returns a frame for the stored bytes and the trailer of a block.
  absl::StatusOr<FrameLease> NewFrame(BlockKind kind, size_t size) const;
  // Checks, uncompresses, and parses the bytes in `frame`.
  absl::StatusOr<FrameLease> Finish(FrameLease frame, const BlockHandle& handle) const;

  TableReaderOptions options_;
  std::unique_ptr<RandomAccessFile> file_;
};

// Reads data blocks in the order of the file, many per call, for scans that use each block once:
// compaction and verification. The bytes are in a private buffer; the cache is not used. Every
// block is checked when it is read. Thread-compatible.
class SequentialBlocks {
 public:
  // `file` must outlive it. Reads at least `readahead_bytes` at a time.
  SequentialBlocks(const TableFile* file, size_t readahead_bytes)
      : file_(file), readahead_bytes_(readahead_bytes) {}

  // Returns the data block at `handle`, valid until the next call.
  absl::StatusOr<Block> Read(const BlockHandle& handle);

 private:
  // Reads [offset, offset + size) of the file into the buffer, unless it is there.
  absl::Status Fill(uint64_t offset, size_t size);

  const TableFile* const file_;
  const size_t readahead_bytes_;
  ScratchBuffer read_;
  uint64_t read_offset_ = 0;  // file offset of the buffer's first byte
  size_t read_size_ = 0;
  ScratchBuffer raw_;
};

}  // namespace cambium::sstable

#endif  // CAMBIUM_SSTABLE_TABLE_TABLE_FILE_H_
