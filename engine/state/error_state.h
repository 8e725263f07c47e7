// ErrorState: whether writes are allowed, and the error if they are not.
//
//                 no space                    any other write-side error
//   kHealthy ───────────────▶ kNoSpace ───────────────▶ kReadOnly
//      ▲  ▲                      │                          │
//      │  └── space available ───┘                          │
//      └────────────── Resume() succeeded ──────────────────┘
//
//   kHealthy   writes, flushes and compactions run
//   kNoSpace   writes return ResourceExhausted; from time to time one tries to recover first (D13)
//   kReadOnly  writes return the first error, until Resume() or a reopen (D14)
//
// Each return to kHealthy begins a new epoch. An error belongs to the epoch in which its operation
// began: an error that arrives after the recovery does not concern the recovered state, and is
// reported only to its caller.
//
// Damage found by reads (D15) is recorded separately and does not stop writes. The first cause is
// kept until writes work again.
#ifndef CAMBIUM_ENGINE_STATE_ERROR_STATE_H_
#define CAMBIUM_ENGINE_STATE_ERROR_STATE_H_

#include <algorithm>
#include <atomic>
#include <cassert>
#include <cstdint>
#include <set>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "cambium/stats.h"
#include "util/file_status.h"
#include "util/mutex.h"
#include "util/status_copy.h"

namespace cambium::engine {

// The number of times that writes were allowed again after an error.
enum class WriteEpoch : uint64_t {};

// Thread-safe.
class ErrorState {
 public:
  // The time between two attempts to write after a full disk. It doubles from the first value to
  // the last one, which is well within the two seconds of D13, and starts again from the first
  // value after a time without an attempt.
  static constexpr uint64_t kFirstProbeMicros = 250'000;
  static constexpr uint64_t kLastProbeMicros = 1'000'000;
  static constexpr uint64_t kProbeQuietMicros = 10 * kLastProbeMicros;

  // Returns ok, or the error that a write must return now. Takes no lock while the state is
  // kHealthy.
  absl::Status WriteStatus() const {
    if (writable_.load(std::memory_order_acquire)) [[likely]]
      return absl::OkStatus();
    return SlowWriteStatus();
  }
  bool writable() const { return writable_.load(std::memory_order_acquire); }

  // Returns the current epoch. Call it before the operation whose error may be recorded.
  WriteEpoch epoch() const { return WriteEpoch{epoch_.load(std::memory_order_acquire)}; }

  // Records the failure of a write-side operation (log, flush, compaction, manifest) that began in
  // `epoch`. `error` must not be ok. Does nothing if that epoch is over.
  void NoteWriteError(const absl::Status& error, WriteEpoch epoch) {
    assert(!error.ok());
    // This is not an error of the disk: the operation is repeated (env/pooled_file_system.h).
    if (IsOutOfDescriptors(error)) return;
    MutexLock lock(&mutex_);
    assert(epoch <= this->epoch());
    if (epoch != this->epoch()) return;
    const bool no_space = absl::IsResourceExhausted(error);
    if (write_state_ == Health::State::kReadOnly) return;
    if (write_state_ == Health::State::kNoSpace && no_space) return;
    write_state_ = no_space ? Health::State::kNoSpace : Health::State::kReadOnly;
    cause_ = CopyStatus(error);
    writable_.store(false, std::memory_order_release);
  }
  // Records that a read found damage in `file`.
  void NoteDamage(const absl::Status& error, const std::string& file) {
    assert(!error.ok() && !file.empty());
    MutexLock lock(&mutex_);
    if (first_damage_.ok()) first_damage_ = CopyStatus(error);
    damaged_files_.insert(file);
  }
  // Allows writes again, and begins the next epoch.
  void Clear() {
    MutexLock lock(&mutex_);
    epoch_.fetch_add(1, std::memory_order_release);
    write_state_ = Health::State::kHealthy;
    cause_ = absl::OkStatus();
    writable_.store(true, std::memory_order_release);
  }

  // Returns true from time to time: then the caller should try to recover from a full disk.
  bool ShouldProbe(uint64_t now_micros) {
    MutexLock lock(&mutex_);
    if (write_state_ != Health::State::kNoSpace) return false;
    assert(probe_micros_ >= kFirstProbeMicros && probe_micros_ <= kLastProbeMicros);
    const uint64_t waited = now_micros - last_probe_micros_;
    if (waited > kProbeQuietMicros) probe_micros_ = kFirstProbeMicros;
    if (waited < probe_micros_) return false;
    last_probe_micros_ = now_micros;
    probe_micros_ = std::min(2 * probe_micros_, kLastProbeMicros);
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
  std::atomic<uint64_t> epoch_{0};  // written under mutex_
  mutable Mutex mutex_;
  Health::State write_state_ ABSL_GUARDED_BY(mutex_) = Health::State::kHealthy;
  absl::Status cause_ ABSL_GUARDED_BY(mutex_);
  absl::Status first_damage_ ABSL_GUARDED_BY(mutex_);
  std::set<std::string> damaged_files_ ABSL_GUARDED_BY(mutex_);
  uint64_t last_probe_micros_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t probe_micros_ ABSL_GUARDED_BY(mutex_) = kFirstProbeMicros;  // until the next probe
};

}  // namespace cambium::engine

#endif  // CAMBIUM_ENGINE_STATE_ERROR_STATE_H_
