// MappingGuard: keeps the process alive when a file that it has mapped is cut short by another
// hand.
//
// A store behind the end of a mapped file raises SIGBUS, which ends the process. While a guard
// lives, the handler of this file puts memory of zeros in the place of the pages that are gone and
// sets the guard's flag, and the store goes through, into nothing. Whoever stores looks at the flag
// afterwards.
//
// The handler is installed with the first guard. A fault outside of all guarded ranges, and a
// signal that somebody sent, goes to the handler that was there before, or has the default effect.
// A program that installs its own handler later must hand on what it does not know, as this does;
// or set Options::mapped_log to false: then there is no mapping and no handler.
#ifndef CAMBIUM_ENV_MAPPING_GUARD_H_
#define CAMBIUM_ENV_MAPPING_GUARD_H_

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace cambium::env {

// A guarded range: what the handler reads. Never freed: used again.
struct GuardedRange {
  std::atomic<uintptr_t> begin{0};  // 0: free or not yet filled in
  std::atomic<uintptr_t> end{0};
  std::atomic<bool> lost{false};
  std::atomic<bool> taken{false};
  GuardedRange* next = nullptr;  // constant once listed
};

// Thread-safe.
class MappingGuard {
 public:
  // Guards `size` bytes at `begin`, whole pages, which are mapped as long as the guard lives.
  MappingGuard(const char* begin, size_t size);
  ~MappingGuard();
  MappingGuard(const MappingGuard&) = delete;
  MappingGuard& operator=(const MappingGuard&) = delete;

  // Set once pages were lost; never reset.
  const std::atomic<bool>& lost() const { return range_->lost; }

 private:
  GuardedRange* const range_;
};

}  // namespace cambium::env

#endif  // CAMBIUM_ENV_MAPPING_GUARD_H_
