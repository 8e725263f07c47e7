// ThreadIndex: a small number for each living thread, given out again when its thread has ended.
//
// What is kept a thread apart, such as the shards of a counter, is found by it.
#ifndef CAMBIUM_UTIL_THREAD_INDEX_H_
#define CAMBIUM_UTIL_THREAD_INDEX_H_

#include <cstdint>

namespace cambium {

namespace thread_index_internal {

inline constexpr uint32_t kNone = UINT32_MAX;
#if defined(__GNUC__)
[[gnu::tls_model("initial-exec")]]
#endif
extern constinit thread_local uint32_t current;
uint32_t Register();

}  // namespace thread_index_internal

// The smallest number that no other living thread had when this one first asked. Whoever has a
// number next sees all that its last owner wrote. Thread-safe.
inline uint32_t ThreadIndex() {
  const uint32_t index = thread_index_internal::current;
  return index != thread_index_internal::kNone ? index : thread_index_internal::Register();
}

}  // namespace cambium

#endif  // CAMBIUM_UTIL_THREAD_INDEX_H_
