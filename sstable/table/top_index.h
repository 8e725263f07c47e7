// TopIndex: which partition of a table to look into for a key, and where the partitions lie.
//
// Resident while the table is open. Partition p covers the data blocks from first_block(p) to
// first_block(p + 1): blocks are numbered through the table in the order of the file.
//
// Format: docs/format/sstable.md, "Top index".
//
// The separators of the top index say of partitions what those of an index partition say of blocks.
#ifndef CAMBIUM_SSTABLE_TABLE_TOP_INDEX_H_
#define CAMBIUM_SSTABLE_TABLE_TOP_INDEX_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "base/keys.h"
#include "sstable/block_format.h"
#include "sstable/index_partition.h"

namespace cambium::sstable {

// One partition of a table. Plain data.
struct Partition {
  BlockHandle index;
  BlockHandle filter;        // size 0: none
  uint32_t first_block = 0;  // number of its first data block
  uint32_t block_count = 0;  // data blocks, at least 1
};

// Thread-compatible.
class TopIndexBuilder {
 public:
  // Partitions come in the order of the file; `block_count` of each counts, `first_block` does not.
  void Add(std::string_view separator, const Partition& partition);
  // The block's bytes. Requires a partition.
  std::string Finish();

 private:
  IndexBuilder index_;
  std::string records_;
  uint32_t partition_count_ = 0;
  uint32_t block_count_ = 0;
};

// Movable. Immutable after construction.
class TopIndex {
 public:
  // Copies the bytes. DataLoss, without a file name, where they are no top index.
  static absl::StatusOr<TopIndex> Parse(std::string_view bytes, const KeyOrder& order);

  size_t partition_count() const { return partitions_.size(); }
  uint32_t block_count() const { return block_count_; }

  // The first partition that can hold an entry of `key`; partition_count() where there is none.
  size_t Find(std::string_view key) const { return index_.Find(key); }

  // These require partition < partition_count().
  const Partition& partition(size_t partition) const { return partitions_[partition]; }
  std::string separator(size_t partition) const { return index_.separator(partition); }

  // Bytes of memory, beside the object itself.
  size_t MemoryUsage() const;

 private:
  TopIndex(std::unique_ptr<char[]> bytes, size_t size, IndexView index)
      : bytes_(std::move(bytes)), size_(size), index_(std::move(index)) {}

  std::unique_ptr<char[]> bytes_;  // the index part
  size_t size_;
  IndexView index_;
  std::vector<Partition> partitions_;
  uint32_t block_count_ = 0;
};

}  // namespace cambium::sstable

#endif  // CAMBIUM_SSTABLE_TABLE_TOP_INDEX_H_
