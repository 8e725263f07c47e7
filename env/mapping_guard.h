// MappingGuard: keeps the process alive if another program truncates a file that it has mapped.
//
// A store behind the end of a mapped file raises SIGBUS, which ends the process. While a guard
// exists, the handler of this file replaces the missing pages with zeroed memory and sets the
// guard's flag, and the store succeeds without effect on the file. The writer must check the flag
// after its stores.
//
// The first guard installs the handler. A fault outside of all guarded ranges, and a signal sent by
// a process, goes to the previous handler, or has the default effect. A program that installs its
// own handler later must forward signals that it does not handle, as this handler does; or set
// Options::mapped_log to false: then there is no mapping and no handler.
#ifndef CAMBIUM_ENV_MAPPING_GUARD_H_
#define CAMBIUM_ENV_MAPPING_GUARD_H_

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace cambium::env {

// A guarded range, which the handler reads. Never freed, but reused.
struct GuardedRange {
  std::atomic<uintptr_t> begin{0};  // 0: free or not set yet
  std::atomic<uintptr_t> end{0};
  std::atomic<bool> lost{false};
  std::atomic<bool> taken{false};
  GuardedRange* next = nullptr;  // constant once it is in the list
};

// Thread-safe.
class MappingGuard {
 public:
  // Guards `size` bytes at `begin`, whole pages, which must stay mapped as long as the guard
  // exists.
  MappingGuard(const char* begin, size_t size);
  ~MappingGuard();
  MappingGuard(const MappingGuard&) = delete;
  MappingGuard& operator=(const MappingGuard&) = delete;

  // Returns the flag that is set when pages were lost; it is never reset.
  const std::atomic<bool>& lost() const { return range_->lost; }

 private:
  GuardedRange* const range_;
};

}  // namespace cambium::env

#endif  // CAMBIUM_ENV_MAPPING_GUARD_H_
