// OpenState: whether a database takes calls: it is open, and this is the process that opened it.
//
//   open ──Close()──▶ closed          in a child of fork(): forked, whatever it was
//
// Every call asks first; the answer is two loads. A call that was let in before Close() goes on
// beside it: what it uses stays in memory until the database is destroyed. It succeeds, or fails
// with what Outcome() makes of its error.
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
  // `path` is for the messages.
  explicit OpenState(std::string path) : path_(std::move(path)) {}
  OpenState(const OpenState&) = delete;
  OpenState& operator=(const OpenState&) = delete;

  // Returns ok, or FailedPrecondition if the database takes no calls here.
  absl::Status Check() const {
    if (open_in_.load(std::memory_order_relaxed) == ProcessGeneration()) [[likely]]
      return absl::OkStatus();
    return Refusal();
  }
  // Returns what a call that was let in answers instead of `error`: one that Close() overtook may
  // have met files that are closed, or that another process has changed since.
  absl::Status Outcome(absl::Status error) const {
    if (error.ok() || Check().ok()) return error;
    return Refusal();
  }

  // True in a child of the process that opened the database: nothing of it may be used there.
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
