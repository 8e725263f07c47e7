// ProcessGeneration: tells a process from the children that it forks.
//
// A child of fork() has a copy of all memory and none of the other threads: locks that they held
// stay locked, files and locks that it inherited belong to the parent. What must not be used or
// destroyed in a child remembers the generation of the process that made it, and compares.
//
// Rejected: getpid(), a system call per operation.
#ifndef CAMBIUM_UTIL_PROCESS_H_
#define CAMBIUM_UTIL_PROCESS_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <utility>

namespace cambium {

namespace process_internal {

extern constinit std::atomic<uint32_t> generation;

// One object of the parent that stays in memory for good.
struct Abandoned {
  virtual ~Abandoned() = default;
  Abandoned* next = nullptr;
};
// Lists `object`, so that leak checkers can reach it. Takes no lock.
void KeepForever(Abandoned* object);

}  // namespace process_internal

// Returns a number >= 1 that is another one in a child made by fork() than in its parent. A load.
// Handlers of fork() count it: a child made by a bare clone system call is not told apart.
inline uint32_t ProcessGeneration() {
  return process_internal::generation.load(std::memory_order_relaxed);
}

// Takes over what belongs to the parent process, and never destroys it: its destructor could wait
// for a lock of a thread that does not exist here, or touch the parent's files.
template <typename T>
void Abandon(T object) {
  struct Holder final : process_internal::Abandoned {
    explicit Holder(T held) : object(std::move(held)) {}
    T object;
  };
  process_internal::KeepForever(std::make_unique<Holder>(std::move(object)).release());
}

}  // namespace cambium

#endif  // CAMBIUM_UTIL_PROCESS_H_
