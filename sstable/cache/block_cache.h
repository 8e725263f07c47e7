// BlockCache: which blocks of all tables stay in memory, under one bound.
//
// The cache has no index of its own: each block has a slot (FrameSlot), and the slot of a cached
// block holds the address of its frame (sstable/table/frame.h). A table has the slots of its index
// and filter partitions; the frame of an index partition has those of its data blocks. A hit is one
// load and takes no lock; misses meet at one mutex, held for a few instructions and never during
// I/O.
//
// Eviction is CLOCK over an array of frames: a hand passes over them, a frame with lives left loses
// one, a frame without is taken out. A use gives a data block one life, an index or filter
// partition two; a new data block has none, so that one scan does not wash the cache out. What is
// taken out leaves the clock at once and the memory through the epoch. With an index partition go
// its data blocks: nobody has used them lately, or the index would have been used too.
//
// The bound holds for everything that tables keep in memory: frames in the clock, frames taken out
// and retired or still in use, and what open tables reserve (top indexes, slots). Frames in the
// clock give way to the others, down to a quarter of the capacity; the others may by themselves
// exceed the bound, for they are in use. An insertion evicts, and so retires, about as much as it
// brings. So while more than an eighth of the capacity is retired and not yet freed, because a
// reader does not close its guard, nothing is inserted: new frames stay private to their readers.
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

// Whether data blocks that had to be read stay in the cache.
enum class CacheFill : uint8_t { kYes, kNo };

// A moment's figures. Plain data.
struct BlockCacheStats {
  size_t resident = 0;      // bytes of frames in the clock
  size_t detached = 0;      // bytes of frames outside it: evicted and in use, or never cached
  size_t retired = 0;       // the part of these that waits for the readers' guards to close
  size_t reserved = 0;      // bytes that open tables hold besides frames
  size_t table_memory = 0;  // reserved, and the index and filter partitions in the clock
  uint64_t frames = 0;      // in the clock
  uint64_t evictions = 0;
  // Data blocks found, and read from files; keys that a filter ruled out; bytes of all blocks read.
  uint64_t hits = 0, misses = 0, filter_negatives = 0, bytes_read = 0;
};

// What reads of tables count.
enum class ReadCounter { kHit, kMiss, kFilterNegative, kByteRead };

// Thread-safe. Destroyed after every table that uses it.
class BlockCache {
 public:
  // `epochs` outlives the cache. Who reads slots does it inside a guard of this domain.
  BlockCache(size_t capacity_bytes, EpochDomain* epochs);
  BlockCache(const BlockCache&) = delete;
  BlockCache& operator=(const BlockCache&) = delete;
  // Waits for the frames on their way through the epoch. The caller has no EpochGuard open.
  ~BlockCache();

  // Evicts at once where the new bound is below the usage.
  void SetCapacity(size_t capacity_bytes);

  // Bytes of everything that counts against the capacity.
  size_t Usage() const;
  BlockCacheStats Stats() const;

  // For tables. -----------------------------------------------------------------------------

  EpochDomain* epochs() const { return epochs_; }

  // Publishes `frame`, which has one reference, the caller's, in `slot`, evicting first where room
  // is needed. Returns the frame that the slot holds now, with a reference for the caller: another
  // thread's if that was quicker, and `frame` is freed. A frame that does not fit, or comes while
  // too much is retired, stays outside and is returned as it came. The caller holds no lock and no
  // guard.
  Frame* Insert(FrameSlot* slot, Frame* frame) { return InsertBelow(nullptr, slot, frame); }
  // The same for a data block; the slot belongs to `index`, on which the caller has a reference.
  // Where the index is not in the cache, the frame stays outside too.
  Frame* InsertData(Frame* index, size_t block, Frame* frame) {
    return InsertBelow(index, index->data_slot(block), frame);
  }

  // Takes the frames out of the slots, and the data blocks of those that are indexes, and empties
  // the slots. Nobody may be reading the slots.
  void Erase(std::span<FrameSlot> slots);

  // Counts bytes that a table holds besides frames.
  void Reserve(size_t bytes);
  void Unreserve(size_t bytes);

  // Counts the memory of a frame that comes or goes; for Frame.
  void Charge(size_t bytes) { charged_.fetch_add(bytes, std::memory_order_relaxed); }
  void Uncharge(size_t bytes) { charged_.fetch_sub(bytes, std::memory_order_relaxed); }
  void Count(ReadCounter counter, uint64_t amount = 1) {
    reads_.Add(static_cast<size_t>(counter), amount);
  }

 private:
  // `index`: the frame that the slot belongs to; null if it is a table's.
  Frame* InsertBelow(Frame* index, FrameSlot* slot, Frame* frame);
  // Makes room and puts the frame into slot and clock; does nothing if it does not fit.
  void Admit(Frame* index, FrameSlot* slot, Frame* frame, EpochList* evicted)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Returns the bytes that frames in the clock may have now, if `incoming` bytes of frames outside
  // it are about to enter it.
  size_t ResidentLimit(size_t incoming) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Returns true if nothing may be inserted until retired frames have been freed.
  bool RetiredTooMuch() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Turns the clock until it holds at most `limit` bytes; what leaves is the caller's to retire.
  void EvictTo(size_t limit, EpochList* evicted) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Takes a frame, and its data blocks if it is an index, out of clock and slots; the cache's
  // references are the caller's.
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
  std::atomic<size_t> charged_{0};  // bytes of all frames there are
  std::atomic<size_t> retired_{0};  // bytes of frames that were retired and not dropped yet
  std::atomic<size_t> reserved_{0};
  ShardedCounters<4> reads_;  // by ReadCounter
};

}  // namespace cambium::sstable

#endif  // CAMBIUM_SSTABLE_CACHE_BLOCK_CACHE_H_
