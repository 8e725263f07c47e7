// TableBlocks: the blocks of an open table, in the cache or in the file.
//
// Each block of the table has a slot for its cached frame. The table has two slots per partition,
// for filter and index, next to each other; the frame of an index has one per data block. Therefore
// the memory of an open table does not grow with its data blocks, and a data block is accessed
// through the frame of its index.
//
//   Cached…  valid inside the caller's EpochGuard: a hit costs one load; reads no file
//   Pin…     valid as long as the lease, from the cache or the file; no guard may be open
//
// Index and filter partitions that were read always go into the cache; data blocks if requested.
#ifndef CAMBIUM_SSTABLE_TABLE_TABLE_BLOCKS_H_
#define CAMBIUM_SSTABLE_TABLE_TABLE_BLOCKS_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/keys.h"
#include "sstable/block/index_partition.h"
#include "sstable/cache/block_cache.h"
#include "sstable/cache/frame.h"
#include "sstable/table/table_file.h"

namespace cambium::sstable {

// The place of a data block: its partition, and its index in the partition. Plain data.
struct DataPlace {
  size_t partition = 0;
  size_t index = 0;

  friend auto operator<=>(const DataPlace&, const DataPlace&) = default;
};

// Thread-safe; immutable after construction except for the slots.
class TableBlocks {
 public:
  // Reserves its memory in the file's cache.
  TableBlocks(TableFile file, TopIndex top);
  TableBlocks(const TableBlocks&) = delete;
  TableBlocks& operator=(const TableBlocks&) = delete;
  // Removes the table's blocks from the cache.
  ~TableBlocks();

  const TopIndex& top() const { return top_; }
  const TableFile& file() const { return file_; }
  const KeyOrder& order() const { return file_.options().order; }
  size_t partition_count() const { return top_.partition_count(); }

  // Each returns the cached frame, or null. The caller must have an open EpochGuard and use the
  // frame only inside it. A cached data block counts as a hit.
  Frame* CachedFilter(size_t partition) const { return Cached(FilterSlot(partition)); }
  Frame* CachedIndex(size_t partition) const { return Cached(IndexSlot(partition)); }
  Frame* CachedData(const Frame& index, size_t block) const {
    Frame* const frame = Cached(index.data_slot(block));
    if (frame != nullptr) Count(ReadCounter::kHit);
    return frame;
  }

  // Prefetches what a search in a data block reads first, if the block is cached.
  static void PrefetchData(const Frame& index, size_t block) {
    const Frame* const frame = index.data_slot(block)->load(std::memory_order_acquire);
    if (frame != nullptr) frame->Prefetch();
  }

  // Each returns a lease of the frame of a block, and reads the block if it is not cached.
  // PinFilter requires a filter.
  absl::Status PinFilter(size_t partition, FrameLease* lease) const;
  absl::Status PinIndex(size_t partition, FrameLease* lease) const;
  // `index` must be the partition's index, and leased.
  absl::Status PinData(const DataPlace& place, Frame* index, CacheFill fill,
                       FrameLease* lease) const;

  // Returns the error for a partition whose index has no block for a key that the top index sends
  // there.
  absl::Status EndsEarly(size_t partition) const;

  // Read the block from the file without the cache. The index is checked against the top index.
  absl::StatusOr<FrameLease> ReadFilter(size_t partition) const;
  absl::StatusOr<FrameLease> ReadIndex(size_t partition) const;
  // Adds the frame of a data block that was read to the cache, or leaves it to the lease alone.
  void PublishData(Frame* index, size_t block, FrameLease* lease) const;

  // Returns `status`, the error of reading a data block or a partition, with its range of keys.
  absl::Status WithKeyRange(const absl::Status& status, const DataPlace& place,
                            const IndexView& index) const;
  absl::Status WithKeyRange(const absl::Status& status, size_t partition) const;

  void Count(ReadCounter counter) const { file_.options().cache->Count(counter); }

  // Returns the resident memory in addition to the object itself.
  size_t MemoryUsage() const;

 private:
  FrameSlot* FilterSlot(size_t partition) const { return &slots_[2 * partition]; }
  FrameSlot* IndexSlot(size_t partition) const { return &slots_[2 * partition + 1]; }
  static Frame* Cached(const FrameSlot* slot) {
    Frame* const frame = slot->load(std::memory_order_acquire);
    if (frame != nullptr) frame->MarkUsed();
    return frame;
  }
  // Pins a cached frame; returns false if there is none.
  bool PinCached(const FrameSlot* slot, FrameLease* lease) const;
  size_t SlotCount() const { return 2 * partition_count(); }

  void Publish(FrameSlot* slot, FrameLease* lease) const;
  std::string KeysFrom(size_t partition) const;

  const TableFile file_;
  const TopIndex top_;
  const std::unique_ptr<FrameSlot[]> slots_;
};

}  // namespace cambium::sstable

#endif  // CAMBIUM_SSTABLE_TABLE_TABLE_BLOCKS_H_
