// CatchBadAlloc: converts std::bad_alloc to a status.
//
// The library's own functions may throw std::bad_alloc wherever they allocate; they then change
// nothing, or leave the cleanup to destructors. It is caught in three places: around each public
// call that returns a status; around each task of a background thread; and inside each operation
// with states that other threads wait for (a commit in flight, a running job, a segment in
// preparation), which must reach a final state.
#ifndef CAMBIUM_UTIL_OUT_OF_MEMORY_H_
#define CAMBIUM_UTIL_OUT_OF_MEMORY_H_

#include <new>
#include <system_error>
#include <type_traits>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace cambium {

// Returns a status with a message, or without one if there is no memory for it. Throws nothing.
inline absl::Status NoThrowStatus(absl::StatusCode code, absl::string_view message) noexcept {
  try {
    return absl::Status(code, message);
  } catch (const std::bad_alloc&) {
    return absl::Status(code, "");
  }
}

inline absl::Status OutOfMemory() noexcept {
  return NoThrowStatus(absl::StatusCode::kResourceExhausted, "out of memory");
}

// Returns the result of `body()`, a status or a StatusOr; ResourceExhausted if it threw
// std::bad_alloc, or could not create a thread.
template <typename Body>
std::invoke_result_t<Body> CatchBadAlloc(Body&& body) {
  try {
    return body();
  } catch (const std::bad_alloc&) {
    return OutOfMemory();
  } catch (const std::system_error& error) {
    return NoThrowStatus(absl::StatusCode::kResourceExhausted, error.what());
  }
}

// Runs `body()`; if it throws, runs `undo()`, which must not throw, and rethrows the exception.
template <typename Body, typename Undo>
void UndoIfThrown(Body&& body, Undo&& undo) {
  try {
    body();
  } catch (...) {
    undo();
    throw;
  }
}

// Runs `body()`. Returns false if it threw std::bad_alloc.
template <typename Body>
bool IfMemoryAllows(Body&& body) noexcept {
  try {
    body();
    return true;
  } catch (const std::bad_alloc&) {
    return false;
  }
}

}  // namespace cambium

#endif  // CAMBIUM_UTIL_OUT_OF_MEMORY_H_
