#include "util/epoch.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <utility>

#if defined(__linux__)
#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

#if defined(__SANITIZE_THREAD__)
#define CAMBIUM_EPOCH_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define CAMBIUM_EPOCH_TSAN 1
#endif
#endif

namespace cambium {
namespace {

// Retire collects at this number of pending objects; earlier while batches wait for a guard.
constexpr size_t kBatchObjects = 64;
constexpr size_t kBacklogObjects = 8;

// How often a drain checks whether the guards that it waits for are closed.
constexpr uint64_t kDrainPollMicros = 50;

#if defined(__linux__) && !defined(CAMBIUM_EPOCH_TSAN)
bool RegisterBarrier() {
  return syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) == 0;
}
bool PassBarrier() { return syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0) == 0; }
#else
bool RegisterBarrier() { return false; }
bool PassBarrier() { return false; }
#endif

}  // namespace

EpochDomain::EpochDomain() : has_barrier_(RegisterBarrier()) {}

EpochDomain::~EpochDomain() {
  for (bool drained = false; !drained;) {
    Drain();
    MutexLock lock(&mutex_);
    drained = pending_.size == 0;  // deleters may have retired more
  }
  assert(OldestShown(~uint64_t{0}, [](Slot& slot) { return slot.epoch.load(); }) == ~uint64_t{0});
  for (std::atomic<Slot*>& chunk : chunks_) delete[] chunk.load(std::memory_order_acquire);
}

EpochDomain::Slot* EpochDomain::FarSlot(uint32_t thread) {
  const auto c = static_cast<size_t>(std::bit_width(thread / kFirstSlots)) - 1;
  assert(c < kChunkCount);
  const uint32_t size = kFirstSlots << c;  // also the number of the chunk's first thread
  Slot* chunk = chunks_[c].load(std::memory_order_acquire);
  if (chunk == nullptr) {
    Slot* const made = new Slot[size];
    if (chunks_[c].compare_exchange_strong(chunk, made, std::memory_order_seq_cst)) {
      chunk = made;
    } else {
      delete[] made;
    }
  }
  return &chunk[thread - size];
}

template <typename Read>
uint64_t EpochDomain::OldestShown(uint64_t oldest, Read read) {
  const auto look = [&](Slot* slots, uint32_t count) {
    for (uint32_t i = 0; i < count; ++i) {
      const uint64_t shown = read(slots[i]);
      if (shown != 0) oldest = std::min(oldest, shown);
    }
  };
  // A thread that gets a larger number from here on opens its guards after this collection began.
  const uint32_t threads = ThreadIndexLimit();
  look(first_slots_.data(), std::min(threads, kFirstSlots));
  for (size_t c = 0; c < kChunkCount && (kFirstSlots << c) < threads; ++c) {
    const uint32_t begin = kFirstSlots << c;
    Slot* const chunk = chunks_[c].load(std::memory_order_seq_cst);
    if (chunk != nullptr) look(chunk, std::min(threads - begin, begin));
  }
  return oldest;
}

uint64_t EpochDomain::OldestGuard(uint64_t stamp) {
  // A guard that opens from here on sees everything unlinked before the stamps below `now`.
  const uint64_t now = counter_.load(std::memory_order_seq_cst);
  if (has_barrier_) {
    const auto read = [](Slot& slot) { return slot.epoch.load(std::memory_order_seq_cst); };
    // The barrier is expensive. It can only reveal more guards, so it is not needed if one is
    // known.
    const uint64_t known = OldestShown(now, read);
    if (known <= stamp || !PassBarrier()) return 0;
    return OldestShown(now, read);
  }
  return OldestShown(now,
                     [](Slot& slot) { return slot.epoch.fetch_add(0, std::memory_order_acq_rel); });
}

void EpochList::Append(const EpochList& more) {
  if (more.size == 0) return;
  assert(more.first != nullptr && more.last != nullptr && more.last->next == nullptr);
  if (size == 0) {
    first = more.first;
  } else {
    last->next = more.first;
  }
  last = more.last;
  size += more.size;
}

void EpochDomain::StampPending() {
  if (pending_.size == 0) return;
  const uint64_t stamp = counter_.fetch_add(1, std::memory_order_seq_cst);
  if (batch_count_ < kMaxBatches) batches_[batch_count_++].earliest = stamp;
  Batch& newest = batches_[batch_count_ - 1];
  assert(newest.stamp < stamp && newest.earliest <= stamp);
  newest.objects.Append(std::exchange(pending_, {}));
  newest.stamp = stamp;
}

EpochList EpochDomain::TakeReady(Running* running) {
  uint64_t first_stamp = 0;
  {
    MutexLock lock(&mutex_);
    StampPending();
    if (batch_count_ == 0) return {};
    first_stamp = batches_.front().stamp;
  }
  const uint64_t oldest = OldestGuard(first_stamp);
  EpochList ready;
  MutexLock lock(&mutex_);
  size_t taken = 0;
  for (; taken < batch_count_ && batches_[taken].stamp < oldest; ++taken) {
    assert(taken == 0 || batches_[taken - 1].stamp < batches_[taken].stamp);
    if (taken == 0) running->earliest = batches_[taken].earliest;
    ready.Append(batches_[taken].objects);
  }
  std::move(batches_.begin() + taken, batches_.begin() + batch_count_, batches_.begin());
  std::fill(batches_.begin() + (batch_count_ - taken), batches_.begin() + batch_count_, Batch());
  assert(taken <= batch_count_);
  batch_count_ -= taken;
  if (taken > 0) running->next = std::exchange(running_, running);
  backlog_.store(batch_count_ > 0, std::memory_order_relaxed);
  return ready;
}

void EpochDomain::Retire(const EpochList& objects) {
  {
    MutexLock lock(&mutex_);
    pending_.Append(objects);
    const bool backlog = backlog_.load(std::memory_order_relaxed);
    if (pending_.size < (backlog ? kBacklogObjects : kBatchObjects)) return;
  }
  Collect();
}

void EpochDomain::Collect() {
  Slot* const own = OwnSlot();
  // A call from a deleter does nothing, so that chains of deletions do not nest: objects that the
  // deleter retired are deleted by the next collection.
  if (own->deleting) return;
  Running running;
  const EpochList ready = TakeReady(&running);
  if (ready.size == 0) return;
  own->deleting = true;
  for (EpochLink* link = ready.first; link != nullptr;) {
    EpochLink* const next = link->next;  // the deleter destroys the link, too
    link->deleter(link->object);
    link = next;
  }
  own->deleting = false;
  MutexLock lock(&mutex_);
  Running** place = &running_;
  while (*place != &running) place = &(*place)->next;
  *place = running.next;
  deleted_.SignalAll();
}

bool EpochDomain::IsLeft(uint64_t end) const {
  for (const Running* one = running_; one != nullptr; one = one->next) {
    if (one->earliest < end) return true;
  }
  return batch_count_ > 0 && batches_.front().earliest < end;
}

void EpochDomain::Drain() {
  assert(OwnSlot()->depth == 0 && !OwnSlot()->deleting);
  Collect();
  const uint64_t end = counter_.load(std::memory_order_seq_cst);
  for (;;) {
    {
      MutexLock lock(&mutex_);
      if (!IsLeft(end)) return;
      deleted_.WaitFor(&mutex_, kDrainPollMicros);
    }
    Collect();
  }
}

}  // namespace cambium
