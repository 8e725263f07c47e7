// OpenState: whether a database accepts calls: it is open, and this process opened it.
//
//   open ──Close()──▶ closed          in a child of fork(): forked, in any state
//
// Every call checks this first, with two loads. A call that was accepted before Close() may still
// run during Close(): the memory that it uses exists until the database is destroyed. It succeeds,
// or fails with the error that Outcome() returns.
#ifndef CAMBIUM_ENGINE_STATE_OPEN_STATE_H_
#define CAMBIUM_ENGINE_STATE_OPEN_STATE_H_

#include <atomic>
#include <cassert>
#include <cstdint>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "util/process.h"

namespace cambium::engine {

// Thread-safe.
class OpenState {
 public:
  // `path` is used in messages.
  explicit OpenState(std::string path) : path_(std::move(path)) {}
  OpenState(const OpenState&) = delete;
  OpenState& operator=(const OpenState&) = delete;

  // Returns ok, or FailedPrecondition if the database does not accept calls in this process.
  absl::Status Check() const {
    if (open_in_.load(std::memory_order_relaxed) == ProcessGeneration()) [[likely]]
      return absl::OkStatus();
    return Refusal();
  }
  // Returns the error that an accepted call must return instead of `error`: if Close() ran during
  // the call, its files may have been closed, or changed by another process.
  absl::Status Outcome(absl::Status error) const {
    if (error.ok() || Check().ok()) return error;
    return Refusal();
  }

  // Returns true in a child of the process that opened the database: the child must not use it.
  bool forked() const { return opened_in_ != ProcessGeneration(); }
  void Close() {
    assert(!forked());
    open_in_.store(kNowhere, std::memory_order_release);
  }

 private:
  static constexpr uint32_t kNowhere = 0;

  absl::Status Refusal() const {
    return absl::FailedPreconditionError(
        forked() ? absl::StrCat("the database at ", path_,
                                " was opened before a fork: only the parent process may use it")
                 : absl::StrCat("the database at ", path_, " is closed"));
  }

  const std::string path_;
  const uint32_t opened_in_ = ProcessGeneration();
  std::atomic<uint32_t> open_in_{opened_in_};
};

}  // namespace cambium::engine

#endif  // CAMBIUM_ENGINE_STATE_OPEN_STATE_H_
