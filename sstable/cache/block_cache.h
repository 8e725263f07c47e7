// BlockCache: the cached blocks of all tables, with one memory limit.
//
// The cache has no index of its own: each block has a slot (FrameSlot), and the slot of a cached
// block contains the address of its frame (sstable/cache/frame.h). A table has the slots of its
// index and filter partitions; the frame of an index partition has those of its data blocks. A hit
// is one load and takes no lock; misses use one mutex, which is held for a few instructions and
// never during I/O.
//
// Eviction is CLOCK over an array of frames: a hand passes over them; a frame with lives left loses
// one, and a frame without lives is evicted. A use gives a data block one life, and an index or
// filter partition two; a new data block has none, so that a single scan does not empty the cache.
// An evicted frame leaves the clock at once, and its memory is freed through the epoch. The data
// blocks of an evicted index partition are evicted with it: they have not been used recently, or
// the index would have been used, too.
//
// The limit covers all memory of tables: frames in the clock, frames that were evicted and are
// retired or still in use, and the memory that open tables reserve (top indexes, slots). Frames in
// the clock are evicted to make room for the others, down to a quarter of the capacity; the others
// alone may exceed the limit, because they are in use. An insertion evicts, and so retires, about
// as many bytes as it adds. Therefore, while more than an eighth of the capacity is retired and not
// freed yet, because a reader keeps its guard open, nothing is inserted: new frames stay private to
// their readers.
#ifndef CAMBIUM_SSTABLE_CACHE_BLOCK_CACHE_H_
#define CAMBIUM_SSTABLE_CACHE_BLOCK_CACHE_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "sstable/cache/frame.h"
#include "util/epoch.h"
#include "util/mutex.h"
#include "util/sharded_counter.h"

namespace cambium::sstable {

// Whether data blocks that were read stay in the cache.
enum class CacheFill : uint8_t { kYes, kNo };

// Statistics at one point in time. Plain data.
struct BlockCacheStats {
  size_t resident = 0;      // bytes of frames in the clock
  size_t detached = 0;      // bytes of frames outside it: evicted and in use, or never cached
  size_t retired = 0;       // the part of `detached` that waits for readers' guards to close
  size_t reserved = 0;      // bytes that open tables use in addition to frames
  size_t table_memory = 0;  // reserved, and the index and filter partitions in the clock
  uint64_t frames = 0;      // in the clock
  uint64_t evictions = 0;
  // Data blocks found in the cache, and read from files; keys excluded by a filter; bytes of all
  // blocks read.
  uint64_t hits = 0, misses = 0, filter_negatives = 0, bytes_read = 0;
};

// The counters of table reads.
enum class ReadCounter { kHit, kMiss, kFilterNegative, kByteRead };

// Thread-safe. Must be destroyed after all tables that use it.
class BlockCache {
 public:
  // `epochs` must outlive the cache. Slots are read inside a guard of this domain.
  BlockCache(size_t capacity_bytes, EpochDomain* epochs);
  BlockCache(const BlockCache&) = delete;
  BlockCache& operator=(const BlockCache&) = delete;
  // Waits for the frames that are retired. The caller must have no open EpochGuard.
  ~BlockCache();

  // Sets the limit; evicts at once if the usage is above it.
  void SetCapacity(size_t capacity_bytes);

  // Returns the bytes that count against the capacity.
  size_t Usage() const;
  BlockCacheStats Stats() const;

  // For tables. -----------------------------------------------------------------------------

  EpochDomain* epochs() const { return epochs_; }

  // Publishes `frame`, which has one reference, the caller's, in `slot`, and evicts other frames if
  // necessary. Returns the frame that is in the slot afterwards, with a reference for the caller:
  // if another thread was faster, its frame, and `frame` is freed. A frame that does not fit, or
  // that arrives while too much memory is retired, is not published, and is returned unchanged. The
  // caller must hold no lock and no guard.
  Frame* Insert(FrameSlot* slot, Frame* frame) { return InsertBelow(nullptr, slot, frame); }
  // Does the same for a data block. The slot belongs to `index`, to which the caller has a
  // reference. If the index is not in the cache, the frame is not published either.
  Frame* InsertData(Frame* index, size_t block, Frame* frame) {
    return InsertBelow(index, index->data_slot(block), frame);
  }

  // Removes the frames from the slots, and the data blocks of those that are indexes, and clears
  // the slots. No thread may be reading the slots.
  void Erase(std::span<FrameSlot> slots);

  // Counts bytes that a table uses in addition to frames.
  void Reserve(size_t bytes);
  void Unreserve(size_t bytes);

  // Counts the memory of a frame that is created or freed; called by Frame.
  void Charge(size_t bytes) { charged_.fetch_add(bytes, std::memory_order_relaxed); }
  void Uncharge(size_t bytes) { charged_.fetch_sub(bytes, std::memory_order_relaxed); }
  void Count(ReadCounter counter, uint64_t amount = 1) {
    reads_.Add(static_cast<size_t>(counter), amount);
  }

 private:
  // `index`: the frame that contains the slot; null if a table does.
  Frame* InsertBelow(Frame* index, FrameSlot* slot, Frame* frame);
  // Makes room and adds the frame to the slot and the clock; does nothing if it does not fit.
  void Admit(Frame* index, FrameSlot* slot, Frame* frame, EpochList* evicted)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Returns the number of bytes that frames in the clock may use now, if `incoming` bytes of other
  // frames are about to be added.
  size_t ResidentLimit(size_t incoming) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Returns true if nothing may be inserted until retired frames have been freed.
  bool RetiredTooMuch() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Evicts frames until the clock has at most `limit` bytes; the caller must retire `evicted`.
  void EvictTo(size_t limit, EpochList* evicted) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Removes a frame, and its data blocks if it is an index, from clock and slots; passes the
  // cache's references to the caller.
  void TakeOut(Frame* frame, EpochList* taken) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Drops the cache's references through the epoch.
  void Retire(const EpochList& frames);
  static void DropRetired(void* frame);

  EpochDomain* const epochs_;
  mutable Mutex mutex_{LockRank::kPool};
  std::atomic<size_t> capacity_;  // written under the lock
  size_t resident_ ABSL_GUARDED_BY(mutex_) = 0;
  size_t resident_tables_ ABSL_GUARDED_BY(mutex_) = 0;  // the part that is not data blocks
  size_t hand_ ABSL_GUARDED_BY(mutex_) = 0;
  std::vector<Frame*> clock_ ABSL_GUARDED_BY(mutex_);
  uint64_t evictions_ ABSL_GUARDED_BY(mutex_) = 0;
  std::atomic<size_t> charged_{0};  // bytes of all existing frames
  std::atomic<size_t> retired_{0};  // bytes of frames that were retired and not dropped yet
  std::atomic<size_t> reserved_{0};
  ShardedCounters<4> reads_;  // indexed by ReadCounter
};

}  // namespace cambium::sstable

#endif  // CAMBIUM_SSTABLE_CACHE_BLOCK_CACHE_H_
