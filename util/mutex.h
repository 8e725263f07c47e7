// Mutex, MutexLock, and CondVar: std::mutex with the annotations of clang's thread-safety analysis.
//
// absl::Mutex is not used: Debian's prebuilt one is invisible to ThreadSanitizer, which then
// reports false races.
#ifndef CAMBIUM_UTIL_MUTEX_H_
#define CAMBIUM_UTIL_MUTEX_H_

#include <algorithm>
#include <atomic>
#include <cassert>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>

#include "absl/base/thread_annotations.h"
#include "util/thread_index.h"

namespace cambium {

// The place of a mutex in the lock order: a thread that holds a mutex may take only mutexes of
// greater ranks. docs/threading.md lists what each rank protects.
enum class LockRank : uint8_t {
  kCaller,
  kClose,
  kFamilies,
  kResume,
  kWakeup,
  kManifest,
  kScheduler,
  kLoad,
  kBacklog,
  kSwitch,
  kCommit,
  kTree,
  kTable,
  kLogFile,
  kLogPages,
  kLog,
  kPool,
  kLeaf,
};
static_assert(static_cast<size_t>(LockRank::kLeaf) <
              std::tuple_size_v<decltype(thread_internal::ThreadState::locks)>);

// Thread-safe. If asserts are on, taking a mutex out of order, or twice in one thread, aborts the
// program before it waits.
class ABSL_LOCKABLE Mutex {
 public:
  explicit Mutex(LockRank rank = LockRank::kLeaf) : rank_(rank) {}
  Mutex(const Mutex&) = delete;
  Mutex& operator=(const Mutex&) = delete;

  // May wait: the thread must have no open epoch guard.
  void Lock() ABSL_EXCLUSIVE_LOCK_FUNCTION() {
    AssertNoEpochGuard();
    assert(MayTake());
    LockInAnyOrder();
  }
  // Locks without checking the order; only for fork() handlers.
  void LockInAnyOrder() ABSL_EXCLUSIVE_LOCK_FUNCTION() {
    mutex_.lock();
    assert(Note(1));
  }
  void Unlock() ABSL_UNLOCK_FUNCTION() {
    assert(Note(-1));
    mutex_.unlock();
  }
  bool TryLock() ABSL_EXCLUSIVE_TRYLOCK_FUNCTION(true) {
    assert(MayTake());
    const bool locked = mutex_.try_lock();
    assert(!locked || Note(1));
    return locked;
  }
  // Asserts, and declares to the analysis, that the caller holds the mutex.
  void AssertHeld() const ABSL_ASSERT_EXCLUSIVE_LOCK() {
    assert(owner_.load(std::memory_order_relaxed) == &thread_internal::this_thread);
  }

  // For CondVar, which releases the mutex and locks it again.
  std::mutex& native() { return mutex_; }
  bool NoteOwner(const thread_internal::ThreadState* owner) {
    owner_.store(owner, std::memory_order_relaxed);
    return true;
  }

 private:
  // Returns false if the thread holds a mutex of this rank or a greater one.
  bool MayTake() const {
    const auto& locks = thread_internal::this_thread.locks;
    return std::all_of(locks.begin() + static_cast<size_t>(rank_), locks.end(),
                       [](uint8_t held) { return held == 0; });
  }
  // Records that the thread has locked the mutex (1) or is about to unlock it (-1). Returns true.
  bool Note(int taken) {
    uint8_t& held = thread_internal::this_thread.locks[static_cast<size_t>(rank_)];
    held = static_cast<uint8_t>(held + taken);
    return NoteOwner(taken > 0 ? &thread_internal::this_thread : nullptr);
  }

  std::mutex mutex_;
  const LockRank rank_;
  // Set only if asserts are on.
  std::atomic<const thread_internal::ThreadState*> owner_{nullptr};
};

// Holds a Mutex for a scope. Confined to its scope.
class ABSL_SCOPED_LOCKABLE MutexLock {
 public:
  explicit MutexLock(Mutex* mutex) ABSL_EXCLUSIVE_LOCK_FUNCTION(mutex) : mutex_(mutex) {
    mutex_->Lock();
  }
  ~MutexLock() ABSL_UNLOCK_FUNCTION() { mutex_->Unlock(); }
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

 private:
  Mutex* const mutex_;
};

// A moment in real time.
using RealTime = std::chrono::steady_clock::time_point;
// Returns the moment that is so many milliseconds from now, at most a year.
inline RealTime RealTimeAfter(uint64_t millis) {
  constexpr uint64_t kYear = uint64_t{365} * 24 * 3600 * 1000;
  return std::chrono::steady_clock::now() + std::chrono::milliseconds(std::min(millis, kYear));
}

// Thread-safe. Waits may wake without a signal: wait in a loop that checks the condition.
class CondVar {
 public:
  void Wait(Mutex* mutex) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) {
    std::unique_lock<std::mutex> lock(mutex->native(), std::adopt_lock);
    condition_.wait(lock);
    lock.release();
    assert(mutex->NoteOwner(&thread_internal::this_thread));
  }
  void WaitFor(Mutex* mutex, uint64_t micros) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) {
    std::unique_lock<std::mutex> lock(mutex->native(), std::adopt_lock);
    condition_.wait_for(lock, std::chrono::microseconds(micros));
    lock.release();
    assert(mutex->NoteOwner(&thread_internal::this_thread));
  }
  // Returns false if `end` has passed.
  bool WaitUntil(Mutex* mutex, RealTime end) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) {
    std::unique_lock<std::mutex> lock(mutex->native(), std::adopt_lock);
    const std::cv_status status = condition_.wait_until(lock, end);
    lock.release();
    assert(mutex->NoteOwner(&thread_internal::this_thread));
    return status == std::cv_status::no_timeout;
  }
  void Signal() { condition_.notify_one(); }
  void SignalAll() { condition_.notify_all(); }

 private:
  std::condition_variable condition_;
};

}  // namespace cambium

#endif  // CAMBIUM_UTIL_MUTEX_H_
