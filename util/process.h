// ProcessGeneration: distinguishes a process from its fork() children.
//
// A child of fork() has a copy of all memory and none of the other threads: locks that these
// threads held stay locked, and inherited files and locks belong to the parent. An object that must
// not be used or destroyed in a child stores the generation of the process that created it, and
// compares.
//
// Rejected: getpid(), which costs a system call per operation.
#ifndef CAMBIUM_UTIL_PROCESS_H_
#define CAMBIUM_UTIL_PROCESS_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <utility>

namespace cambium {

namespace process_internal {

extern constinit std::atomic<uint32_t> generation;

// An object of the parent that stays in memory forever.
struct Abandoned {
  virtual ~Abandoned() = default;
  Abandoned* next = nullptr;
};
// Adds `object` to a list, so that leak checkers can reach it. Takes no lock.
void KeepForever(Abandoned* object);

}  // namespace process_internal

// Returns a number >= 1 that differs between a child made by fork() and its parent. One load.
// Handlers of fork() increment it, so a child made by a bare clone system call is not detected.
inline uint32_t ProcessGeneration() {
  return process_internal::generation.load(std::memory_order_relaxed);
}

// Takes ownership of an object of the parent process, and never destroys it: its destructor could
// wait for a lock of a thread that does not exist in the child, or change the parent's files.
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
