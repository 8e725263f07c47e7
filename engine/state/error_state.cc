#include "engine/state/error_state.h"

#include "absl/strings/str_cat.h"
#include "util/status_copy.h"

namespace cambium::engine {

void ErrorState::NoteWriteError(const absl::Status& error) {
  MutexLock lock(&mutex_);
  const bool no_space = absl::IsResourceExhausted(error);
  if (write_state_ == Health::State::kReadOnly) return;
  if (write_state_ == Health::State::kNoSpace && no_space) return;
  write_state_ = no_space ? Health::State::kNoSpace : Health::State::kReadOnly;
  cause_ = CopyStatus(error);
  writable_.store(false, std::memory_order_release);
}

void ErrorState::NoteDamage(const absl::Status& error, const std::string& file) {
  MutexLock lock(&mutex_);
  if (first_damage_.ok()) first_damage_ = CopyStatus(error);
  damaged_files_.insert(file);
}

void ErrorState::Clear() {
  MutexLock lock(&mutex_);
  write_state_ = Health::State::kHealthy;
  cause_ = absl::OkStatus();
  writable_.store(true, std::memory_order_release);
}

bool ErrorState::ShouldProbe(uint64_t now_micros) {
  MutexLock lock(&mutex_);
  if (write_state_ != Health::State::kNoSpace) return false;
  if (now_micros - last_probe_micros_ < kProbeMicros) return false;
  last_probe_micros_ = now_micros;
  return true;
}

Health ErrorState::Get() const {
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

absl::Status ErrorState::SlowWriteStatus() const {
  MutexLock lock(&mutex_);
  switch (write_state_) {
    case Health::State::kNoSpace:
      return absl::ResourceExhaustedError(
          absl::StrCat("writes wait for space: ", cause_.message()));
    case Health::State::kReadOnly:
      return absl::FailedPreconditionError(
          absl::StrCat("the database is read-only after: ", cause_.ToString()));
    default:
      return absl::OkStatus();
  }
}

}  // namespace cambium::engine
