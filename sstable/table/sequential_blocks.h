// SequentialBlocks: data blocks read in the order of the file, many by one call.
//
// For walks that touch each block once: compaction and verification. The bytes stay in a buffer of
// the walk's own, the cache is left alone. Every block is checked as it is taken.
#ifndef CAMBIUM_SSTABLE_TABLE_SEQUENTIAL_BLOCKS_H_
#define CAMBIUM_SSTABLE_TABLE_SEQUENTIAL_BLOCKS_H_

#include <cstddef>
#include <cstdint>
#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "sstable/block.h"
#include "sstable/table/table_file.h"

namespace cambium::sstable {

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

// Thread-compatible.
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

#endif  // CAMBIUM_SSTABLE_TABLE_SEQUENTIAL_BLOCKS_H_
