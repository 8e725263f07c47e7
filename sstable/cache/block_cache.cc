#include "sstable/cache/block_cache.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "util/out_of_memory.h"

namespace cambium::sstable {
namespace {

// How far ahead of the hand frames are prefetched: the hand accesses them in the order of the
// array, which is not the order of memory.
constexpr size_t kHandPrefetch = 4;

// The number of partition slots that Erase() clears per hold of the lock: each may have hundreds of
// data blocks.
constexpr size_t kEraseBatch = 16;

// The limit for retired frames that wait for a collection by the domain: this fraction of the
// capacity, and at most this many bytes.
constexpr size_t kCollectParts = 32;
constexpr size_t kMaxUncollected = size_t{1} << 20;

bool IsTableMemory(const Frame& frame) { return frame.kind() != BlockKind::kData; }

Frame* FrameOf(const EpochLink& link) { return static_cast<Frame*>(link.object); }

}  // namespace

BlockCache::BlockCache(size_t capacity_bytes, EpochDomain* epochs)
    : epochs_(epochs), capacity_(capacity_bytes) {}

BlockCache::~BlockCache() {
  epochs_->Drain();
  assert(clock_.empty() && charged_.load() == 0 && retired_.load() == 0 && reserved_.load() == 0);
}

void BlockCache::SetCapacity(size_t capacity_bytes) {
  EpochList evicted;
  {
    MutexLock lock(&mutex_);
    capacity_.store(capacity_bytes, std::memory_order_relaxed);
    EvictTo(ResidentLimit(0), &evicted);
  }
  Retire(evicted);
}

size_t BlockCache::Usage() const {
  return charged_.load(std::memory_order_relaxed) + reserved_.load(std::memory_order_relaxed);
}

BlockCacheStats BlockCache::Stats() const {
  MutexLock lock(&mutex_);
  BlockCacheStats stats;
  stats.resident = resident_;
  const size_t charged = charged_.load(std::memory_order_relaxed);
  stats.detached = charged - std::min(charged, resident_);
  stats.retired = retired_.load(std::memory_order_relaxed);
  stats.reserved = reserved_.load(std::memory_order_relaxed);
  stats.table_memory = stats.reserved + resident_tables_;
  stats.frames = clock_.size();
  stats.evictions = evictions_;
  const auto sum = [this](ReadCounter counter) { return reads_.Sum(static_cast<size_t>(counter)); };
  stats.hits = sum(ReadCounter::kHit);
  stats.misses = sum(ReadCounter::kMiss);
  stats.filter_negatives = sum(ReadCounter::kFilterNegative);
  stats.bytes_read = sum(ReadCounter::kByteRead);
  return stats;
}

Frame* BlockCache::InsertBelow(Frame* index, FrameSlot* slot, Frame* frame) {
  EpochList evicted;
  Frame* published = frame;
  bool refused = false;
  {
    MutexLock lock(&mutex_);
    Frame* const quicker = slot->load(std::memory_order_relaxed);
    if (quicker != nullptr) {
      // It is in the clock, so the cache has a reference to it: this lock keeps it there.
      quicker->Ref();
      published = quicker;
    } else if (RetiredTooMuch()) {
      refused = true;
    } else {
      Admit(index, slot, frame, &evicted);
    }
  }
  if (published != frame) frame->Unref();
  Retire(evicted);
  if (refused) epochs_->Collect();
  return published;
}

void BlockCache::Admit(Frame* index, FrameSlot* slot, Frame* frame, EpochList* evicted) {
  const size_t size = frame->charge();
  const size_t limit = ResidentLimit(size);
  if (size > limit) return;
  if (index != nullptr) {
    if (!index->in_clock()) return;
    index->MarkUsed();  // so that the hand does not evict it
  }
  EvictTo(limit - size, evicted);
  if (index != nullptr && !index->in_clock()) return;
  const bool entered = IfMemoryAllows([&] {
    mutex_.AssertHeld();
    clock_.push_back(frame);
  });
  if (!entered) return;
  frame->Ref();  // for the cache
  frame->EnterClock({.slot = slot, .index = clock_.size() - 1});
  if (IsTableMemory(*frame)) frame->MarkUsed();
  resident_ += size;
  if (IsTableMemory(*frame)) resident_tables_ += size;
  slot->store(frame, std::memory_order_release);
}

void BlockCache::Erase(std::span<FrameSlot> slots) {
  while (!slots.empty()) {
    const std::span<FrameSlot> batch = slots.first(std::min(slots.size(), kEraseBatch));
    slots = slots.subspan(batch.size());
    EpochList erased;
    {
      MutexLock lock(&mutex_);
      for (FrameSlot& slot : batch) {
        Frame* const frame = slot.load(std::memory_order_relaxed);
        if (frame == nullptr) continue;
        TakeOut(frame, &erased);
      }
    }
    // No thread reads these slots any more, so none can be about to take a reference.
    for (EpochLink* link = erased.first; link != nullptr;) {
      EpochLink* const next = link->next;
      FrameOf(*link)->Unref();
      link = next;
    }
  }
}

void BlockCache::Reserve(size_t bytes) {
  EpochList evicted;
  {
    MutexLock lock(&mutex_);
    reserved_.fetch_add(bytes, std::memory_order_relaxed);
    EvictTo(ResidentLimit(0), &evicted);
  }
  Retire(evicted);
}

void BlockCache::Unreserve(size_t bytes) { reserved_.fetch_sub(bytes, std::memory_order_relaxed); }

size_t BlockCache::ResidentLimit(size_t incoming) const {
  const size_t charged = charged_.load(std::memory_order_relaxed);
  const size_t detached = charged - std::min(charged, resident_ + incoming);
  const size_t others = reserved_.load(std::memory_order_relaxed) + detached;
  const size_t capacity = capacity_.load(std::memory_order_relaxed);
  return std::max(capacity - std::min(capacity, others), capacity / 4);
}

bool BlockCache::RetiredTooMuch() const {
  return retired_.load(std::memory_order_relaxed) > capacity_.load(std::memory_order_relaxed) / 8;
}

void BlockCache::EvictTo(size_t limit, EpochList* evicted) {
  // Readers restore lives while the hand takes them: the number of steps is limited.
  size_t patience = 3 * clock_.size();
  while (resident_ > limit) {
    if (hand_ >= clock_.size()) hand_ = 0;
    if (hand_ + kHandPrefetch < clock_.size()) {
      __builtin_prefetch(clock_[hand_ + kHandPrefetch]);
    }
    Frame* const frame = clock_[hand_];
    if (patience > 0 && frame->TakeLife()) {
      --patience;
      ++hand_;
      continue;
    }
    const size_t before = evicted->size;
    TakeOut(frame, evicted);
    // The newest frame is in its place now: the hand moves past it, so that its turn is a full
    // round away.
    ++hand_;
    evictions_ += evicted->size - before;
  }
}

void BlockCache::TakeOut(Frame* frame, EpochList* taken) {
  assert(clock_[frame->place().index] == frame);
  const Frame::Place place = frame->place();
  assert(place.slot->load(std::memory_order_relaxed) == frame);
  place.slot->store(nullptr, std::memory_order_release);
  Frame* const last = clock_.back();
  clock_[place.index] = last;
  if (last != frame) last->place().index = place.index;
  clock_.pop_back();
  resident_ -= frame->charge();
  if (IsTableMemory(*frame)) resident_tables_ -= frame->charge();
  EpochLink* const link = frame->LeaveClock();
  *link = {nullptr, frame, DropRetired};
  taken->Append(link);
  for (FrameSlot& slot : frame->data_slots()) {
    Frame* const block = slot.load(std::memory_order_relaxed);
    if (block != nullptr) TakeOut(block, taken);
  }
}

void BlockCache::Retire(const EpochList& frames) {
  if (frames.size == 0) return;
  size_t bytes = 0;
  for (const EpochLink* link = frames.first; link != nullptr; link = link->next) {
    bytes += FrameOf(*link)->charge();
  }
  const size_t retired = retired_.fetch_add(bytes, std::memory_order_relaxed) + bytes;
  epochs_->Retire(frames);
  const size_t capacity = capacity_.load(std::memory_order_relaxed);
  if (retired > std::min(kMaxUncollected, capacity / kCollectParts)) epochs_->Collect();
}

void BlockCache::DropRetired(void* frame) {
  auto* const retired = static_cast<Frame*>(frame);
  retired->cache()->retired_.fetch_sub(retired->charge(), std::memory_order_relaxed);
  retired->Unref();
}

}  // namespace cambium::sstable
