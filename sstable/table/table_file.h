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
#include "sstable/block_cache.h"
#include "sstable/table/frame.h"
#include "sstable/table/table_format.h"

namespace cambium::sstable {

// What a table file is, beside its bytes. Plain data.
struct TableFileOptions {
  KeyOrder order{BytewiseComparator()};
  BlockCache* cache = nullptr;  // counts the memory of frames; outlives the file
  FileNumber number{0};
  std::string path;  // for messages
  uint64_t size = 0;
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
  TableFile(TableFileOptions options, std::unique_ptr<RandomAccessFile> file)
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
  absl::Status Annotate(const absl::Status& status, BlockKind kind, uint64_t offset) const;

  // The file's end as blocks see it: the footer begins there.
  uint64_t footer_offset() const { return options_.size - kFooterSize; }
  const TableFileOptions& options() const { return options_; }

 private:
  // Whether a request was served whole.
  absl::Status Outcome(const ReadRequest& request, BlockKind kind) const;
  // A frame for the stored bytes and the trailer of a block.
  absl::StatusOr<FrameLease> NewFrame(BlockKind kind, size_t size) const;
  // Checks, uncompresses and parses what was read into `frame`.
  absl::StatusOr<FrameLease> Finish(FrameLease frame, const BlockHandle& handle) const;

  TableFileOptions options_;
  std::unique_ptr<RandomAccessFile> file_;
};

}  // namespace cambium::sstable

#endif  // CAMBIUM_SSTABLE_TABLE_TABLE_FILE_H_
