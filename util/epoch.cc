#include "util/epoch.h"

#include <algorithm>
#include <cassert>
#include <deque>
#include <utility>
#include <vector>

#include "util/mutex.h"

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
namespace epoch_internal {

constinit thread_local Slot* current_slot = nullptr;
constinit std::atomic<uint64_t> counter{1};

namespace {

// A list becomes a batch at so many objects or bytes; while batches wait for a guard, sooner.
constexpr size_t kBatchObjects = 64;
constexpr size_t kBatchBytes = size_t{1} << 20;
constexpr size_t kBacklogObjects = 8;

// How often a drain looks whether the guards it waits for are closed.
constexpr uint64_t kDrainPollMicros = 50;

struct Retired {
  void* object;
  void (*deleter)(void*);
};

struct Batch {
  uint64_t stamp;  // may go when every open guard shows more
  std::vector<Retired> objects;
};

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

// The objects that one thread retired and that no batch holds yet.
struct RetireList {
  Mutex mutex;
  std::vector<Retired> objects ABSL_GUARDED_BY(mutex);
  size_t bytes ABSL_GUARDED_BY(mutex) = 0;
  bool deleting = false;  // a deleter is running in this thread; the thread's own business
};

namespace {

// The process's slots and its batches. Thread-safe.
class Registry {
 public:
  Slot* TakeSlot() {
    while (Slot* const free = OldestFreeSlot()) {
      bool taken = false;
      if (free->taken.compare_exchange_strong(taken, true, std::memory_order_acq_rel)) return free;
    }
    Slot* const slot = new Slot;
    slot->number = slot_count_.fetch_add(1, std::memory_order_relaxed);
    slot->retired = new RetireList;
    slot->has_barrier = has_barrier_;
    slot->next = slots_.load(std::memory_order_relaxed);
    while (!slots_.compare_exchange_weak(slot->next, slot, std::memory_order_seq_cst)) {
    }
    return slot;
  }

  // Of a thread that ends: what it retired becomes a batch for others to delete.
  void GiveBackSlot(Slot* slot) {
    Seal(slot->retired);
    slot->taken.store(false, std::memory_order_release);
  }

  bool HasBacklog() const { return backlog_.load(std::memory_order_relaxed); }

  // Makes a batch of the list. The list stays locked until the batch is listed: a drain that finds
  // the list empty finds the batch.
  void Seal(RetireList* list) {
    MutexLock list_lock(&list->mutex);
    if (list->objects.empty()) return;
    list->bytes = 0;
    MutexLock lock(&mutex_);
    batches_.push_back(
        Batch{counter.fetch_add(1, std::memory_order_seq_cst), std::exchange(list->objects, {})});
  }

  // Deletes every batch that no open guard can see. Nested calls, from deleters, do nothing: the
  // outer one goes on until nothing is left that may go.
  void Collect(RetireList* own) {
    if (own->deleting) return;
    own->deleting = true;
    for (;;) {
      const std::vector<Batch> ready = TakeReady();
      if (ready.empty()) break;
      for (const Batch& batch : ready) {
        for (const Retired& retired : batch.objects) retired.deleter(retired.object);
      }
      MutexLock lock(&mutex_);
      std::erase(running_, ready.front().stamp);
      deleted_.SignalAll();
    }
    own->deleting = false;
  }

  void Drain(RetireList* own) {
    for (Slot* slot = slots_.load(std::memory_order_acquire); slot != nullptr; slot = slot->next) {
      Seal(slot->retired);
    }
    const uint64_t end = counter.load(std::memory_order_seq_cst);
    for (;;) {
      Collect(own);
      MutexLock lock(&mutex_);
      const bool waiting = !batches_.empty() && batches_.front().stamp < end;
      const bool running = std::any_of(running_.begin(), running_.end(),
                                       [end](uint64_t stamp) { return stamp < end; });
      if (!waiting && !running) return;
      deleted_.WaitFor(&mutex_, kDrainPollMicros);
    }
  }

 private:
  // The one of the smallest number; null where every slot has its thread.
  Slot* OldestFreeSlot() const {
    Slot* free = nullptr;
    for (Slot* slot = slots_.load(std::memory_order_acquire); slot != nullptr; slot = slot->next) {
      if (!slot->taken.load(std::memory_order_relaxed)) free = slot;
    }
    return free;
  }

  // The smallest number that an open guard shows.
  uint64_t OldestGuard() const {
    // A guard that opens from here on sees whatever was unlinked before the stamps below `oldest`.
    uint64_t oldest = counter.load(std::memory_order_seq_cst);
    if (has_barrier_ && !PassBarrier()) return 0;  // out of kernel memory: later
    for (Slot* slot = slots_.load(std::memory_order_seq_cst); slot != nullptr; slot = slot->next) {
      const uint64_t shown = has_barrier_ ? slot->epoch.load(std::memory_order_seq_cst)
                                          : slot->epoch.fetch_add(0, std::memory_order_acq_rel);
      if (shown != 0) oldest = std::min(oldest, shown);
    }
    return oldest;
  }

  // Takes the batches that may go; the first one's stamp stands in running_ until they are deleted.
  std::vector<Batch> TakeReady() {
    std::vector<Batch> ready;
    {
      MutexLock lock(&mutex_);
      if (batches_.empty()) return ready;
    }
    const uint64_t oldest = OldestGuard();
    MutexLock lock(&mutex_);
    while (!batches_.empty() && batches_.front().stamp < oldest) {
      ready.push_back(std::move(batches_.front()));
      batches_.pop_front();
    }
    if (!ready.empty()) running_.push_back(ready.front().stamp);
    backlog_.store(!batches_.empty(), std::memory_order_relaxed);
    return ready;
  }

  const bool has_barrier_ = RegisterBarrier();
  std::atomic<Slot*> slots_{nullptr};  // newest first
  std::atomic<uint32_t> slot_count_{0};
  std::atomic<bool> backlog_{false};
  mutable Mutex mutex_;
  CondVar deleted_;
  std::deque<Batch> batches_ ABSL_GUARDED_BY(mutex_);
  std::vector<uint64_t> running_ ABSL_GUARDED_BY(mutex_);
};

// Never destroyed: databases may close while statics are torn down.
Registry& TheRegistry() {
  static Registry& registry = *new Registry;
  return registry;
}

// Set when the thread's slot is given back: what runs later in the thread, destructors of statics,
// takes a slot that nobody gives back.
constinit thread_local bool thread_ended = false;

// Gives the thread's slot back when the thread ends.
struct SlotOwner {
  ~SlotOwner() {
    thread_ended = true;
    if (slot == nullptr) return;
    current_slot = nullptr;
    TheRegistry().GiveBackSlot(slot);
  }
  Slot* slot = nullptr;
};
thread_local SlotOwner slot_owner;

}  // namespace

Slot* Register() {
  current_slot = TheRegistry().TakeSlot();
  if (!thread_ended) slot_owner.slot = current_slot;
  return current_slot;
}

}  // namespace epoch_internal

using epoch_internal::CurrentSlot;
using epoch_internal::TheRegistry;

void EpochRetire(void* object, void (*deleter)(void*), size_t bytes) {
  epoch_internal::RetireList* const list = CurrentSlot()->retired;
  epoch_internal::Registry& registry = TheRegistry();
  {
    MutexLock lock(&list->mutex);
    list->objects.push_back({object, deleter});
    list->bytes += bytes;
    const size_t limit =
        registry.HasBacklog() ? epoch_internal::kBacklogObjects : epoch_internal::kBatchObjects;
    if (list->objects.size() < limit && list->bytes < epoch_internal::kBatchBytes) return;
  }
  registry.Seal(list);
  registry.Collect(list);
}

void EpochDrain() {
  assert(CurrentSlot()->depth == 0);
  TheRegistry().Drain(CurrentSlot()->retired);
}

}  // namespace cambium
