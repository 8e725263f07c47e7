// ThreadIndex: small numbers for threads, and the assert for epoch guards.
//
// State that exists once per thread, such as the shards of a counter, is found by the thread's
// number. Numbers are allocated from a list that only grows and has no lock, so a child of fork()
// can use it regardless of the other threads of its parent; the numbers of those threads stay
// allocated in the child.
#ifndef CAMBIUM_UTIL_THREAD_INDEX_H_
#define CAMBIUM_UTIL_THREAD_INDEX_H_

#include <array>
#include <cassert>
#include <cstdint>

namespace cambium {

namespace thread_internal {

inline constexpr uint32_t kNoIndex = ~uint32_t{0};

// The library's state of the calling thread.
struct ThreadState {
  uint32_t index = kNoIndex;  // kNoIndex before the first use
  // Both counted only if asserts are on.
  uint32_t open_guards = 0;            // epoch guards of all domains
  std::array<uint8_t, 18> locks = {};  // mutexes held, by rank (util/mutex.h)
};

#if defined(__GNUC__)
[[gnu::tls_model("initial-exec")]]
#endif
extern constinit thread_local ThreadState this_thread;

// Allocates a number for the calling thread.
uint32_t Register();

}  // namespace thread_internal

// Returns a small number that no other living thread has. It is reused after its thread has ended;
// the next owner sees all memory that the previous owner wrote. Thread-safe.
inline uint32_t ThreadIndex() {
  const uint32_t index = thread_internal::this_thread.index;
  return index != thread_internal::kNoIndex ? index : thread_internal::Register();
}

// Returns a number that is larger than every number that ThreadIndex() has returned. Thread-safe.
uint32_t ThreadIndexLimit();

// Fails if the calling thread has an open epoch guard. Each function that may wait (for a lock, for
// I/O) or may take long (decompression) calls it: a thread that waits inside a guard delays all
// deletions of its domain.
inline void AssertNoEpochGuard() { assert(thread_internal::this_thread.open_guards == 0); }

}  // namespace cambium

#endif  // CAMBIUM_UTIL_THREAD_INDEX_H_
