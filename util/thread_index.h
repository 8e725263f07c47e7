// ThreadIndex: small numbers for threads, and what a thread may not do inside an epoch guard.
//
// State that is kept once per thread, such as the shards of a counter, is found by the thread's
// number. Numbers are handed out through a list that only grows and holds no lock, so a child of
// fork() can use it whatever the other threads of its parent were doing; the numbers of those
// threads stay taken in the child.
#ifndef CAMBIUM_UTIL_THREAD_INDEX_H_
#define CAMBIUM_UTIL_THREAD_INDEX_H_

#include <array>
#include <cassert>
#include <cstdint>

namespace cambium {

namespace thread_internal {

inline constexpr uint32_t kNoIndex = ~uint32_t{0};

// What the library knows about the calling thread.
struct ThreadState {
  uint32_t index = kNoIndex;  // kNoIndex before the first use
  // Both counted only if asserts are on.
  uint32_t open_guards = 0;            // epoch guards of all domains
  std::array<uint8_t, 16> locks = {};  // mutexes held, by rank (util/mutex.h)
};

#if defined(__GNUC__)
[[gnu::tls_model("initial-exec")]]
#endif
extern constinit thread_local ThreadState this_thread;

// Takes a number for the calling thread.
uint32_t Register();

}  // namespace thread_internal

// Returns a small number that no other living thread has. It is used again after its thread has
// ended; the next owner sees all memory that the last owner wrote. Thread-safe.
inline uint32_t ThreadIndex() {
  const uint32_t index = thread_internal::this_thread.index;
  return index != thread_internal::kNoIndex ? index : thread_internal::Register();
}

// Returns a number that is larger than every number that ThreadIndex() has returned. Thread-safe.
uint32_t ThreadIndexLimit();

// Fails if the calling thread has an open epoch guard. Whatever may wait (for a lock, for I/O) or
// may take long (decompression) calls it: a thread that waits inside a guard holds back all
// deletions of its domain.
inline void AssertNoEpochGuard() { assert(thread_internal::this_thread.open_guards == 0); }

}  // namespace cambium

#endif  // CAMBIUM_UTIL_THREAD_INDEX_H_
