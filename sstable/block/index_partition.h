// An index partition: finds the block of a table for a key.
//
// Entry i describes block i: every user key in it is <= separator(i), and every user key in later
// blocks is >= separator(i) (equal only if versions of one key span blocks). Find(key) returns the
// first block whose separator is >= key: the first that can contain an entry of `key`, and the one
// that contains the first entry at or after it. At the end of that block a reader must continue in
// the next one: the versions of a key may span any number of blocks. Separators are user keys
// without trailers.
//
// The index of data blocks and the top index of index partitions have the same format.
//
// Format: docs/format/sstable-blocks.md, "Index partition".
//
// In memory, the first eight bytes of each rest are stored as an integer in a static tree with
// nodes of eight (one cache line): a search reads one line per level, and compares whole rests only
// if abbreviated keys are equal. The abbreviated keys are not stored in the file: they are computed
// when a partition is loaded.
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

  // Adds a block. `separator` must be >= every user key in the block and <= every user key after
  // it, and the block must be after every block added since the last Finish(). The caller defines
  // `flags`.
  void Add(std::string_view separator, BlockHandle handle, uint8_t flags);

  bool empty() const { return handles_.empty(); }
  size_t count() const { return handles_.size(); }
  size_t EstimatedSize() const;

  // Returns the partition's bytes, and prepares for the next partition. The builder must not be
  // empty.
  std::string Finish();

 private:
  std::string_view SeparatorAt(size_t index) const;

  std::string separators_;  // concatenated
  std::vector<uint32_t> ends_;
  std::vector<BlockHandle> handles_;
  std::string flags_;
  size_t prefix_size_ = 0;  // of all separators
};

// A checked view of a partition's bytes, which must outlive it, and the tree that it owns. Movable.
// Immutable after construction.
class IndexView {
 public:
  // Returns DataLoss if the bytes are not an index. `order` must be the order of the table.
  static absl::StatusOr<IndexView> Parse(std::string_view bytes, const KeyOrder& order);
  // Returns an index without blocks, in which nothing may be searched.
  static IndexView None(const KeyOrder& order) { return IndexView(nullptr, order); }

  size_t count() const { return layout_.count; }
  // Returns the first block whose separator is >= key; count() if there is none.
  size_t Find(std::string_view key) const;

  // index must be < count().
  BlockHandle handle(size_t index) const;
  uint8_t flags(size_t index) const;
  std::string separator(size_t index) const;

  // Returns the memory used in addition to the partition's bytes.
  size_t MemoryUsage() const;

 private:
  // A cache line of the tree.
  static constexpr size_t kFanout = 8;
  static constexpr size_t kMaxLevels = 11;  // 8^11 > 2^32
  struct alignas(64) Node {
    std::array<uint64_t, kFanout> abbreviated_keys;
  };

  // The decoded header, and the start of each column.
  struct Layout {
    uint64_t first_offset = 0;
    uint32_t count = 0;
    uint32_t prefix_size = 0;
    uint32_t bounds = 0;  // this and the following: offsets in the partition
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
  // The levels in order, the root first; empty if the order is not bytewise.
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
  // Adds a partition, in the order of the file; uses `block_count` and ignores `first_block`.
  void Add(std::string_view separator, const Partition& partition);
  // Returns the block's bytes. A partition must have been added.
  std::string Finish();

 private:
  IndexBuilder index_;
  std::string records_;
  uint32_t partition_count_ = 0;
  uint32_t block_count_ = 0;
};

// Finds the partition of a table for a key, and stores the locations of the partitions. In memory
// while the table is open. Partition p covers the data blocks from first_block on: blocks are
// numbered through the table in the order of the file. Its separators have the same properties for
// partitions as those of an index partition for blocks. Format: docs/format/sstable.md, "Top
// index". Movable. Immutable after construction.
class TopIndex {
 public:
  // Copies the bytes. Returns DataLoss, without a file name, if they are not a top index.
  static absl::StatusOr<TopIndex> Parse(std::string_view bytes, const KeyOrder& order);
  // Returns the top index of a table without entries, in which nothing may be searched.
  static TopIndex None(const KeyOrder& order) { return {nullptr, 0, IndexView::None(order)}; }

  size_t partition_count() const { return partitions_.size(); }
  uint32_t block_count() const { return block_count_; }

  // Returns the first partition that can contain an entry of `key`; partition_count() if there is
  // none.
  size_t Find(std::string_view key) const { return index_.Find(key); }

  // partition must be < partition_count().
  const Partition& partition(size_t partition) const { return partitions_[partition]; }
  std::string separator(size_t partition) const { return index_.separator(partition); }

  // Returns the memory used in addition to the object itself.
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
