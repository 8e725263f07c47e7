// ErrorState: whether writes may go on, and if not, why.
//
//                 no space                    any other write-side error
//   kHealthy ───────────────▶ kNoSpace ───────────────▶ kReadOnly
//      ▲  ▲                      │                          │
//      │  └── space came back ───┘                          │
//      └────────────── Resume() succeeded ──────────────────┘
//
//   kHealthy   writes, flushes and compactions run
//   kNoSpace   writes answer ResourceExhausted; now and then one tries to recover first (D13)
//   kReadOnly  writes answer the first error, until Resume() or reopen (D14)
//
// Damage found by reads (D15) is noted beside this: it stops no write. The first cause is kept
// until writes work again.
#ifndef CAMBIUM_ENGINE_STATE_ERROR_STATE_H_
#define CAMBIUM_ENGINE_STATE_ERROR_STATE_H_

#include <atomic>
#include <set>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "cambium/stats.h"
#include "util/mutex.h"
#include "util/status_copy.h"

namespace cambium::engine {

// Thread-safe.
class ErrorState {
 public:
  // Between two attempts to write again after a full disk: well inside the two seconds of D13.
  static constexpr uint64_t kProbeMicros = 250'000;

  // ok, or what a write must answer now. No lock while healthy.
  absl::Status WriteStatus() const {
    if (writable_.load(std::memory_order_acquire)) [[likely]]
      return absl::OkStatus();
    return SlowWriteStatus();
  }
  bool writable() const { return writable_.load(std::memory_order_acquire); }

  // A write-side operation (log, flush, compaction, manifest) failed. `error` is not ok.
  void NoteWriteError(const absl::Status& error) {
    MutexLock lock(&mutex_);
    const bool no_space = absl::IsResourceExhausted(error);
    if (write_state_ == Health::State::kReadOnly) return;
    if (write_state_ == Health::State::kNoSpace && no_space) return;
    write_state_ = no_space ? Health::State::kNoSpace : Health::State::kReadOnly;
    cause_ = CopyStatus(error);
    writable_.store(false, std::memory_order_release);
  }
  // A read found damage in `file`.
  void NoteDamage(const absl::Status& error, const std::string& file) {
    MutexLock lock(&mutex_);
    if (first_damage_.ok()) first_damage_ = CopyStatus(error);
    damaged_files_.insert(file);
  }
  // Writes work again.
  void Clear() {
    MutexLock lock(&mutex_);
    write_state_ = Health::State::kHealthy;
    cause_ = absl::OkStatus();
    writable_.store(true, std::memory_order_release);
  }

  // Whether the caller should now try to recover from a full disk: true once every kProbeMicros.
  bool ShouldProbe(uint64_t now_micros) {
    MutexLock lock(&mutex_);
    if (write_state_ != Health::State::kNoSpace) return false;
    if (now_micros - last_probe_micros_ < kProbeMicros) return false;
    last_probe_micros_ = now_micros;
    return true;
  }

  Health Get() const {
    MutexLock lock(&mutex_);
    Health health;
    health.state = write_state_;
    health.cause = CopyStatus(cause_);
    if (write_state_ == Health::State::kHealthy && !damaged_files_.empty()) {
      health.state = Health::State::kDamaged;
      health.cause = CopyStatus(first_damage_);
    }
    health.damaged_files.assign(damaged_files_.begin(), damaged_files_.end());
    return health;
  }

 private:
  absl::Status SlowWriteStatus() const {
    MutexLock lock(&mutex_);
    if (write_state_ == Health::State::kHealthy) return absl::OkStatus();
    if (write_state_ == Health::State::kNoSpace) {
      return absl::ResourceExhaustedError(
          absl::StrCat("writes wait for space: ", cause_.message()));
    }
    return absl::FailedPreconditionError(
        absl::StrCat("the database is read-only after: ", cause_.ToString()));
  }

  std::atomic<bool> writable_{true};
  mutable Mutex mutex_;
  Health::State write_state_ ABSL_GUARDED_BY(mutex_) = Health::State::kHealthy;
  absl::Status cause_ ABSL_GUARDED_BY(mutex_);
  absl::Status first_damage_ ABSL_GUARDED_BY(mutex_);
  std::set<std::string> damaged_files_ ABSL_GUARDED_BY(mutex_);
  uint64_t last_probe_micros_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace cambium::engine

#endif  // CAMBIUM_ENGINE_STATE_ERROR_STATE_H_
