// EpochDomain: determines when memory that lock-free readers may still use can be deleted.
//
// Readers load shared pointers inside an EpochGuard and take no reference. A writer first makes the
// object unreachable (swaps the pointer), then retires it. The object's deleter runs when every
// guard of the domain that was open at that time is closed.
//
//   reader                                      writer
//     EpochGuard guard(&domain);                  View* old = current.exchange(fresh);
//     View* view = current.load(acquire);         domain.Retire(&old->link, old, DeleteView);
//     … *view …
//
// Algorithm: a domain has a counter, and one slot (a cache line) per thread. A guard writes the
// counter's value to its thread's slot. Retired objects are collected in a list, linked through
// themselves, so that retiring never fails for lack of memory. A collection turns the list into a
// batch, stamped with the counter, and then increments the counter. A batch is deleted when every
// open guard's slot has a larger number. The number of batches is bounded: above it, retired
// objects join the newest batch. A guard's write must be visible before its reads happen. A full
// barrier for this would cost more than the rest of a guard; instead the collector makes every
// thread of the process execute a barrier, with membarrier(2), once per collection. If the kernel
// has no membarrier, and under ThreadSanitizer, both sides use read-modify-writes of the slot,
// which are ordered by themselves. Rejected: hazard pointers (a barrier per pointer) and reference
// counts (shared writes).
//
// Each database has its own domain, so a reader of one database never delays the deletion of memory
// of another. Slots are found by ThreadIndex() and are not owned by a thread: a thread leaves
// nothing behind when it ends.
//
// Invariants: the counter only grows. Batches are ordered by their stamps. Deleters run only in
// Retire, Collect, and Drain, in the caller's thread, without a lock of the domain: the caller must
// not hold a lock that a deleter may take. An open guard delays every deletion of its domain:
// guards are short, and never open during I/O, decompression, or a wait for a lock. The asserts of
// AssertNoEpochGuard() check this.
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

// The domain's data in a retired object: a member of the object, so that retiring allocates
// nothing. The domain owns it after Retire().
struct EpochLink {
  EpochLink* next;
  void* object;
  void (*deleter)(void*);
};

// A list of retired objects, in order. Does not own them.
struct EpochList {
  EpochLink* first = nullptr;
  EpochLink* last = nullptr;
  size_t size = 0;

  // `link` must not be in a list.
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
  // Deletes the remaining retired objects. No guard may be open.
  ~EpochDomain();

  // Calls each object's deleter with the object when all guards that are open now are closed: in
  // this call or in a later call of Retire, Collect, or Drain, in any thread. Readers must not be
  // able to find the objects any more. A deleter may call Retire; it must not call Drain or throw.
  void Retire(const EpochList& objects);
  void Retire(EpochLink* link, void* object, void (*deleter)(void*)) {
    *link = {nullptr, object, deleter};
    Retire({link, link, 1});
  }

  // Deletes all retired objects that no open guard can see. Does not wait.
  void Collect();

  // Blocks until all objects retired before the call have been deleted. The calling thread must
  // have no open guard.
  void Drain();

 private:
  // The data that one thread publishes to all others: its own cache line (two, as lines are fetched
  // in pairs).
  struct alignas(128) Slot {
    std::atomic<uint64_t> epoch{0};  // the counter when the outermost guard opened; 0: none is open
    uint32_t depth = 0;              // open guards; only the thread itself uses it
    bool deleting = false;           // a deleter is running; only the thread itself uses it
  };
  struct Batch {
    uint64_t stamp = 0;     // may be deleted when every open guard has a larger number
    uint64_t earliest = 0;  // its first stamp: later objects may have joined
    EpochList objects;
  };
  // A thread that runs deleters: on its stack, and linked while it runs.
  struct Running {
    uint64_t earliest = 0;  // of its first batch
    Running* next = nullptr;
  };

  static constexpr size_t kMaxBatches = 8;
  // The slots of the first threads are in the domain, the others in chunks: chunk c, created when
  // it is first needed, has kFirstSlots << c of them.
  static constexpr uint32_t kFirstSlots = 32;
  static constexpr size_t kChunkCount = 20;

  // Returns the calling thread's slot.
  Slot* OwnSlot() {
    const uint32_t thread = ThreadIndex();
    return thread < kFirstSlots ? &first_slots_[thread] : FarSlot(thread);
  }
  Slot* FarSlot(uint32_t thread);
  // Returns the smallest number of an open guard. The result may be too small if a guard's number
  // is at most `stamp`.
  uint64_t OldestGuard(uint64_t stamp);
  template <typename Read>
  uint64_t OldestShown(uint64_t oldest, Read read);
  // Returns true if an object with a stamp below `end` is waiting or being deleted.
  bool IsLeft(uint64_t end) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Makes the pending objects the newest batch, or a part of it.
  void StampPending() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Takes the objects that may be deleted. If there are any, `running` stays linked until they are
  // deleted.
  EpochList TakeReady(Running* running);

  std::atomic<bool> backlog_{false};
  std::array<std::atomic<Slot*>, kChunkCount> chunks_{};
  Mutex mutex_;
  CondVar deleted_;
  EpochList pending_ ABSL_GUARDED_BY(mutex_);                       // in no batch yet
  std::array<Batch, kMaxBatches> batches_ ABSL_GUARDED_BY(mutex_);  // oldest first
  size_t batch_count_ ABSL_GUARDED_BY(mutex_) = 0;
  Running* running_ ABSL_GUARDED_BY(mutex_) = nullptr;
  // Read by every guard, so it is on a different cache line than the data that retiring threads
  // write.
  alignas(128) std::atomic<uint64_t> counter_{1};
  const bool has_barrier_;  // membarrier replaces the guards' own barriers
  std::array<Slot, kFirstSlots> first_slots_;
};

// While a guard is open, no object of its domain that was reachable when it opened is deleted.
// Guards may be nested. Confined to the thread that created it.
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

  // Closes the guard before the end of its scope. A second call does nothing.
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
