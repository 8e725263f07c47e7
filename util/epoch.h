// EpochDomain: decides when memory that readers without locks may still look at can be deleted.
//
// Readers load shared pointers inside an EpochGuard and take no reference. A writer first makes the
// object unreachable (swaps the pointer), then retires it. The object's deleter runs once every
// guard of the domain that was open at that moment is closed.
//
//   reader                                      writer
//     EpochGuard guard(&domain);                  View* old = current.exchange(fresh);
//     View* view = current.load(acquire);         domain.Retire(&old->link, old, DeleteView);
//     … *view …
//
// How: a domain has a counter, and one slot (a cache line) per thread. A guard writes the counter's
// value to its thread's slot. Retired objects gather in a list, linked through themselves, so that
// retiring never fails for want of memory. A collection makes the list a batch, stamped with the
// counter, which then moves on by one. A batch is deleted when every open guard shows a larger
// number. The number of batches is bounded: past it, what is retired joins the newest. A guard's
// write must be seen before its reads happen. A full barrier there would cost more than the rest of
// a guard; instead the collector makes every thread of the process pass a barrier, by
// membarrier(2), once per collection. If the kernel has no membarrier, and under ThreadSanitizer,
// both sides use read-modify-writes of the slot, which order by themselves. Rejected: hazard
// pointers (a barrier per pointer) and reference counts (shared writes).
//
// Each database has its own domain, so a reader of one never holds back memory of another. Slots
// are found by ThreadIndex() and nothing belongs to a thread: threads that end leave nothing
// behind.
//
// Invariants: the counter only grows. Batches wait in the order of their stamps. Deleters run in
// Retire, Collect and Drain alone, in the caller's thread, without a lock of the domain: the caller
// must not hold a lock that a deleter may take. An open guard holds back every deletion of its
// domain: guards are short, and never open across I/O, decompression or a wait for a lock. The
// asserts of AssertNoEpochGuard() catch that.
#ifndef CAMBIUM_UTIL_EPOCH_H_
#define CAMBIUM_UTIL_EPOCH_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "absl/base/thread_annotations.h"
#include "util/mutex.h"
#include "util/thread_index.h"

namespace cambium {

// What an object that is retired has for its domain: a part of the object, so that nothing needs to
// be allocated. It is the domain's from Retire() on.
struct EpochLink {
  EpochLink* next;
  void* object;
  void (*deleter)(void*);
};

// Objects on their way out, in order. Owns none.
struct EpochList {
  EpochLink* first = nullptr;
  EpochLink* last = nullptr;
  size_t size = 0;

  // Requires that `link` is in no list.
  void Append(EpochLink* link) {
    link->next = nullptr;
    Append({link, link, 1});
  }
  void Append(const EpochList& more);
};

// Thread-safe.
class EpochDomain {
 public:
  class Guard;  // EpochGuard, below

  EpochDomain();
  EpochDomain(const EpochDomain&) = delete;
  EpochDomain& operator=(const EpochDomain&) = delete;
  // Deletes what is still retired. Requires that no guard is open.
  ~EpochDomain();

  // Calls each object's deleter with the object once no guard that is open now is open any more: in
  // this call or in a later one of Retire, Collect or Drain, in whichever thread. No reader may be
  // able to find the objects any more. A deleter may retire; it may not call Drain, and throws
  // nothing.
  void Retire(const EpochList& objects);
  void Retire(EpochLink* link, void* object, void (*deleter)(void*)) {
    *link = {nullptr, object, deleter};
    Retire({link, link, 1});
  }

  // Deletes everything retired that no open guard can see. Does not wait.
  void Collect();

  // Blocks until everything retired before the call has been deleted. Requires: no guard of this
  // thread is open.
  void Drain();

 private:
  // What one thread shows to all others: its own cache line (two, as lines are fetched in pairs).
  struct alignas(128) Slot {
    std::atomic<uint64_t> epoch{0};  // the counter when the outermost guard opened; 0: none is open
    uint32_t depth = 0;              // open guards; only the thread itself uses it
    bool deleting = false;           // a deleter is running; only the thread itself uses it
  };
  struct Batch {
    uint64_t stamp = 0;     // may be deleted when every open guard shows more
    uint64_t earliest = 0;  // the first stamp that it had: others may have joined it since
    EpochList objects;
  };
  // A thread that runs deleters: in its stack, linked while it does.
  struct Running {
    uint64_t earliest = 0;  // of the first batch
    Running* next = nullptr;
  };

  static constexpr size_t kMaxBatches = 8;
  // Slots are in the domain for the first threads, and in chunks for the others: chunk c, made when
  // it is first needed, has kFirstSlots << c of them.
  static constexpr uint32_t kFirstSlots = 32;
  static constexpr size_t kChunkCount = 20;

  // The calling thread's slot.
  Slot* OwnSlot() {
    const uint32_t thread = ThreadIndex();
    return thread < kFirstSlots ? &first_slots_[thread] : FarSlot(thread);
  }
  Slot* FarSlot(uint32_t thread);
  // Returns the smallest number that an open guard shows. It may be too small if a guard shows at
  // most `stamp`.
  uint64_t OldestGuard(uint64_t stamp);
  template <typename Read>
  uint64_t OldestShown(uint64_t oldest, Read read);
  // Returns true if something with a stamp below `end` waits or is being deleted.
  bool IsLeft(uint64_t end) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Makes what is pending the newest batch, or a part of it.
  void StampPending() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Takes what may be deleted. If that is anything, `running` stays linked until it is deleted.
  EpochList TakeReady(Running* running);

  std::atomic<bool> backlog_{false};
  std::array<std::atomic<Slot*>, kChunkCount> chunks_{};
  Mutex mutex_;
  CondVar deleted_;
  EpochList pending_ ABSL_GUARDED_BY(mutex_);                       // in no batch yet
  std::array<Batch, kMaxBatches> batches_ ABSL_GUARDED_BY(mutex_);  // the oldest first
  size_t batch_count_ ABSL_GUARDED_BY(mutex_) = 0;
  Running* running_ ABSL_GUARDED_BY(mutex_) = nullptr;
  // What every guard reads stands apart from what retiring threads write.
  alignas(128) std::atomic<uint64_t> counter_{1};
  const bool has_barrier_;  // membarrier stands in for the guards' own barriers
  std::array<Slot, kFirstSlots> first_slots_;
};

// While it is open, nothing of its domain that was reachable when it opened is deleted. Guards
// nest. Confined to the thread that made it.
class EpochDomain::Guard {
 public:
  explicit Guard(EpochDomain* domain) : slot_(domain->OwnSlot()) {
#ifndef NDEBUG
    ++thread_internal::this_thread.open_guards;
#endif
    if (slot_->depth++ != 0) return;
    const uint64_t now = domain->counter_.load(std::memory_order_acquire);
    if (domain->has_barrier_) {
      slot_->epoch.store(now, std::memory_order_release);
      std::atomic_signal_fence(std::memory_order_seq_cst);
    } else {
      slot_->epoch.exchange(now, std::memory_order_acq_rel);
    }
  }
  ~Guard() { Close(); }
  Guard(const Guard&) = delete;
  Guard& operator=(const Guard&) = delete;

  // Ends the protection before the guard's scope ends. A second call does nothing.
  void Close() {
    if (slot_ == nullptr) return;
    if (--slot_->depth == 0) slot_->epoch.store(0, std::memory_order_release);
    slot_ = nullptr;
#ifndef NDEBUG
    --thread_internal::this_thread.open_guards;
#endif
  }

 private:
  Slot* slot_;  // null once closed
};
using EpochGuard = EpochDomain::Guard;

}  // namespace cambium

#endif  // CAMBIUM_UTIL_EPOCH_H_
