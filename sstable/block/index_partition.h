// An index partition: which block of a table to look into for a key.
//
// Entry i says of block i: every user key in it is <= separator(i), and every user key in the
// blocks after it is >= separator(i) (equal, where versions of one key span blocks). Find(key)
// gives the first block whose separator is >= key: the first that can hold an entry of `key`, and
// the one that holds the first entry at or after it. A reader who comes to the end of that block
// goes on in the next: the versions of a key may span any number of blocks. Separators hold user
// keys alone, no trailers.
//
// The same format serves the index over data blocks and the top index over index partitions.
//
// Format: docs/format/sstable-blocks.md, "Index partition".
//
// In memory the first eight bytes of each rest stand as an integer in a static tree of nodes of
// eight (one cache line): a search costs one line a level, and compares whole rests only where
// abbreviated keys are equal. The abbreviated keys are not stored: they are made when a partition
// is loaded.
#ifndef CAMBIUM_SSTABLE_BLOCK_INDEX_PARTITION_H_
#define CAMBIUM_SSTABLE_BLOCK_INDEX_PARTITION_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "base/keys.h"
#include "sstable/block/block_format.h"

namespace cambium::sstable {

inline constexpr size_t kIndexHeaderSize = 24;

// Thread-compatible.
class IndexBuilder {
 public:
  IndexBuilder() = default;
  IndexBuilder(const IndexBuilder&) = delete;
  IndexBuilder& operator=(const IndexBuilder&) = delete;

  // Requires: `separator` is >= every user key in the block and <= every user key after it, and
  // the block lies after every block added since the last Finish(). `flags` are the caller's.
  void Add(std::string_view separator, BlockHandle handle, uint8_t flags);

  bool empty() const { return handles_.empty(); }
  size_t count() const { return handles_.size(); }
  size_t EstimatedSize() const;

  // The partition's bytes; ready for the next partition. Requires !empty().
  std::string Finish();

 private:
  std::string_view SeparatorAt(size_t index) const;

  std::string separators_;  // back to back
  std::vector<uint32_t> ends_;
  std::vector<BlockHandle> handles_;
  std::string flags_;
  size_t prefix_size_ = 0;  // common to all separators
};

// A checked view of a partition's bytes, which must outlive it, with the tree that it owns.
// Movable. Immutable after construction.
class IndexView {
 public:
  // DataLoss on bytes that are not an index. `order` must be the one that the table is sorted by.
  static absl::StatusOr<IndexView> Parse(std::string_view bytes, const KeyOrder& order);

  size_t count() const { return layout_.count; }
  // The first block whose separator is >= key; count() where there is none.
  size_t Find(std::string_view key) const;

  // These require index < count().
  BlockHandle handle(size_t index) const;
  uint8_t flags(size_t index) const;
  std::string separator(size_t index) const;

  // Bytes of memory beside the partition's own.
  size_t MemoryUsage() const;

 private:
  // A cache line of the tree.
  static constexpr size_t kFanout = 8;
  static constexpr size_t kMaxLevels = 11;  // 8^11 > 2^32
  struct alignas(64) Node {
    std::array<uint64_t, kFanout> abbreviated_keys;
  };

  // The header, decoded, and where each column begins.
  struct Layout {
    uint64_t first_offset = 0;
    uint32_t count = 0;
    uint32_t prefix_size = 0;
    uint32_t bounds = 0;  // from here on offsets in the partition
    uint32_t rests = 0;
    uint32_t offsets = 0;
    uint32_t sizes = 0;
    uint32_t flags = 0;
    uint8_t bounds_width = 0;
    uint8_t offset_width = 0;
    uint8_t size_width = 0;
  };

  IndexView(const char* data, const KeyOrder& order) : order_(order), data_(data) {}
  absl::Status ParseColumns(std::string_view bytes);
  absl::Status CheckHandles() const;
  absl::Status BuildTree();

  size_t LowerBoundAbbreviated(uint64_t abbreviated) const;
  std::string_view prefix() const { return {data_ + kIndexHeaderSize, layout_.prefix_size}; }
  std::string_view RestAt(size_t index) const;
  uint64_t AbbreviateAt(size_t index) const {
    return tree_[level_begin_[level_count_ - 1] + index / kFanout]
        .abbreviated_keys[index % kFanout];
  }

  KeyOrder order_;
  const char* data_;
  Layout layout_;
  // Level after level, the root first; empty where the order is not bytewise.
  std::vector<Node> tree_;
  std::array<uint32_t, kMaxLevels> level_begin_{};
  uint32_t level_count_ = 0;
};

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

// Which partition of a table to look into for a key, and where the partitions lie. Resident while
// the table is open. Partition p covers the data blocks from first_block on: blocks are numbered
// through the table in the order of the file. Its separators say of partitions what those of an
// index partition say of blocks. Format: docs/format/sstable.md, "Top index". Movable. Immutable
// after construction.
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

#endif  // CAMBIUM_SSTABLE_BLOCK_INDEX_PARTITION_H_
