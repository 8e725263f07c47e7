// Epochs: when memory that readers may still look at can be deleted.
//
// Readers load shared pointers inside an EpochGuard and take no reference. A writer first makes the
// object unreachable (swaps the pointer), then retires it; its deleter runs once every guard that
// was open at that moment is closed.
//
//   reader                                      writer
//     EpochGuard guard;                           View* old = current.exchange(fresh);
//     View* view = current.load(acquire);         EpochRetire(old, DeleteView);
//     … *view …
//
// How: a global counter and a cache line a thread. A guard writes the counter's value to its
// thread's line. Retired objects gather in lists, one a thread; a full list becomes a batch,
// stamped with the counter, which then moves on by one. A batch may go when every open guard shows
// a larger number. A guard's write must be seen before its reads happen. A full barrier there would
// cost more than the rest of a guard; instead the one who deletes makes every thread of the process
// pass a barrier, by membarrier(2), once a batch. Where the kernel has none, and under
// ThreadSanitizer, both sides use read-modify-writes of the thread's line, which order by
// themselves. Lost: hazard pointers (a barrier a pointer) and reference counts (shared writes).
//
// Invariants: the counter only grows. Batches wait in the order of their stamps. Deleters run in
// EpochRetire and EpochDrain alone, in the caller's thread, with no lock of this file
// held: so whoever calls these holds no lock that a deleter may take. One open guard holds back
// every deletion of the process: guards are short, and never open across I/O or a wait.
#ifndef CAMBIUM_UTIL_EPOCH_H_
#define CAMBIUM_UTIL_EPOCH_H_

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace cambium {

namespace epoch_internal {

struct RetireList;

// What one thread shows to all others: its own cache line (two, as lines are fetched in pairs).
struct alignas(128) Slot {
  std::atomic<uint64_t> epoch{0};  // the counter when the outermost guard opened; 0: none is open
  uint32_t depth = 0;              // open guards, the thread's own business
  bool has_barrier = false;        // whether membarrier stands in for the guard's own
  std::atomic<bool> taken{true};   // by a living thread
  uint32_t number = 0;             // constant once the slot is listed
  Slot* next = nullptr;            // all slots ever made, constant once the slot is listed
  RetireList* retired = nullptr;   // the thread's own list, constant
};

// The calling thread's slot; null before its first guard.
#if defined(__GNUC__)
[[gnu::tls_model("initial-exec")]]
#endif
extern constinit thread_local Slot* current_slot;
// Starts at 1.
extern constinit std::atomic<uint64_t> counter;

Slot* Register();

inline Slot* CurrentSlot() {
  Slot* const slot = current_slot;
  return slot != nullptr ? slot : Register();
}

}  // namespace epoch_internal

// A small number that no other living thread has, given out again when its thread has ended: what
// is kept a thread apart, such as the shards of a counter, is found by it. Whoever has a number
// next sees all that its last owner wrote. Thread-safe.
inline uint32_t ThreadIndex() { return epoch_internal::CurrentSlot()->number; }

// While it lives, nothing that was reachable when it opened is deleted. Guards nest. Confined to
// the thread that made it.
class EpochGuard {
 public:
  EpochGuard() : slot_(epoch_internal::CurrentSlot()) {
    if (slot_->depth++ != 0) return;
    const uint64_t now = epoch_internal::counter.load(std::memory_order_acquire);
    if (slot_->has_barrier) {
      slot_->epoch.store(now, std::memory_order_release);
      std::atomic_signal_fence(std::memory_order_seq_cst);
    } else {
      slot_->epoch.exchange(now, std::memory_order_acq_rel);
    }
  }
  ~EpochGuard() {
    if (--slot_->depth == 0) slot_->epoch.store(0, std::memory_order_release);
  }
  EpochGuard(const EpochGuard&) = delete;
  EpochGuard& operator=(const EpochGuard&) = delete;

 private:
  epoch_internal::Slot* const slot_;
};

// Runs `deleter(object)` once no guard that is open now is open any more: in this call or in a
// later one of EpochRetire or EpochDrain, by whichever thread. No reader may be able
// to find `object` any more. `bytes` is what the deletion gives back, about: much of it is
// collected sooner. A deleter may retire; it may not call EpochDrain. Thread-safe.
void EpochRetire(void* object, void (*deleter)(void*), size_t bytes = 0);

// Blocks until everything retired before the call has been deleted. Requires: no guard of this
// thread is open, and none of another waits for this thread. Thread-safe.
void EpochDrain();

}  // namespace cambium

#endif  // CAMBIUM_UTIL_EPOCH_H_
