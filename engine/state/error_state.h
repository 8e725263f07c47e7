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
// Each way back to kHealthy begins a new epoch. An error belongs to the epoch in which the
// operation that met it began: one that arrives after the recovery says nothing about what was
// recovered, and is only its caller's.
//
// Damage found by reads (D15) is noted beside this: it stops no write. The first cause is kept
// until writes work again.
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

// Counts how often writes were let in again after an error.
enum class WriteEpoch : uint64_t {};

// Thread-safe.
class ErrorState {
 public:
  // Between two attempts to write again after a full disk: doubled from the first to the last,
  // which is well inside the two seconds of D13; begun anew after a time without any attempt.
  static constexpr uint64_t kFirstProbeMicros = 250'000;
  static constexpr uint64_t kLastProbeMicros = 1'000'000;
  static constexpr uint64_t kProbeQuietMicros = 10 * kLastProbeMicros;

  // ok, or what a write must answer now. No lock while healthy.
  absl::Status WriteStatus() const {
    if (writable_.load(std::memory_order_acquire)) [[likely]]
      return absl::OkStatus();
    return SlowWriteStatus();
  }
  bool writable() const { return writable_.load(std::memory_order_acquire); }

  // The present epoch. To be asked before the operation whose error is going to be noted.
  WriteEpoch epoch() const { return WriteEpoch{epoch_.load(std::memory_order_acquire)}; }

  // Notes that a write-side operation (log, flush, compaction, manifest) which began in `epoch` has
  // failed. `error` is not ok. Changes nothing if that epoch is over.
  void NoteWriteError(const absl::Status& error, WriteEpoch epoch) {
    assert(!error.ok());
    // Says nothing about the disk: the operation is repeated (env/pooled_file_system.h).
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
  // A read found damage in `file`.
  void NoteDamage(const absl::Status& error, const std::string& file) {
    assert(!error.ok() && !file.empty());
    MutexLock lock(&mutex_);
    if (first_damage_.ok()) first_damage_ = CopyStatus(error);
    damaged_files_.insert(file);
  }
  // Writes work again: the next epoch begins.
  void Clear() {
    MutexLock lock(&mutex_);
    epoch_.fetch_add(1, std::memory_order_release);
    write_state_ = Health::State::kHealthy;
    cause_ = absl::OkStatus();
    writable_.store(true, std::memory_order_release);
  }

  // Returns whether the caller should now try to recover from a full disk: true now and then.
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
  uint64_t probe_micros_ ABSL_GUARDED_BY(mutex_) = kFirstProbeMicros;  // until the next one
};

}  // namespace cambium::engine

#endif  // CAMBIUM_ENGINE_STATE_ERROR_STATE_H_
