#include "engine/write/write_controller.h"

#include <algorithm>
#include <cassert>
#include <limits>

namespace cambium::engine {
namespace {

// Returns 0 up to `start`, 1 from `stop` on, and interpolates linearly in between.
double Between(double value, double start, double stop) {
  if (value <= start) return 0;
  if (value >= stop) return 1;
  return (value - start) / (stop - start);
}

double RateUnder(double pressure, double drain, double first_guess) {
  return (drain > 0 ? drain : first_guess) * (1 - pressure) / pressure;
}

}  // namespace

WritePressure ComputePressure(const WriteLoad& load, const WriteLimits& limits) {
  const double memtables =
      Between(load.frozen_memtables, limits.memtables_start, limits.memtables_stop);
  const double level0 = Between(load.level0_runs, limits.level0_start, limits.level0_stop);
  const double debt = Between(static_cast<double>(load.compaction_debt_bytes),
                              limits.debt_start_bytes, limits.debt_stop_bytes);
  WritePressure result;
  result.pressure = std::max({memtables, level0, debt});
  assert(result.pressure >= 0 && result.pressure <= 1);
  if (result.pressure <= 0 || result.pressure >= 1) return result;
  // Each debt is divided by the speed of the work that reduces it; the slowest counts.
  double rate = std::numeric_limits<double>::infinity();
  if (memtables > 0) {
    rate = RateUnder(memtables, load.flush_bytes_per_second, limits.first_guess_bytes_per_second);
  }
  if (const double lower = std::max(level0, debt); lower > 0) {
    rate = std::min(rate, RateUnder(lower, load.compaction_bytes_per_second,
                                    limits.first_guess_bytes_per_second));
  }
  // 2^62: far above any machine, and below the largest integer.
  result.bytes_per_second = static_cast<uint64_t>(std::clamp(rate, 1.0, 4.6e18));
  return result;
}

void WriteController::Update(const WriteLoad& load) {
  const WritePressure now = ComputePressure(load, limits_);
  uint64_t rate = now.bytes_per_second;
  if (now.pressure <= 0) rate = kUnlimited;
  if (now.pressure >= 1) rate = 0;
  MutexLock lock(&mutex_);
  LetThrough();  // the old rate counted until now
  rate_.store(rate, std::memory_order_relaxed);
  LetThrough();  // without a limit no writer waits
}

std::optional<WriteController::Ticket> WriteController::Admit(uint64_t bytes) {
  const uint64_t rate = rate_.load(std::memory_order_relaxed);
  if (rate == kUnlimited) return std::nullopt;
  const uint64_t due = unpaid_bytes_.fetch_add(bytes, std::memory_order_relaxed) + bytes;
  if (rate != 0 && due < kQuantumBytes) return std::nullopt;
  MutexLock lock(&mutex_);
  // Time without waiting writers does not accumulate as credit.
  LetThrough();
  // This writer waits for all unpaid bytes; another writer may have come first.
  queued_ += unpaid_bytes_.exchange(0, std::memory_order_relaxed);
  return Ticket{queued_};
}

uint64_t WriteController::MicrosLeft(Ticket ticket) {
  MutexLock lock(&mutex_);
  LetThrough();
  const double bytes = static_cast<double>(ticket) - let_through_;
  if (bytes <= 0) return 0;
  const uint64_t rate = rate_.load(std::memory_order_relaxed);
  if (rate == 0) return kStepMicros;
  const double micros = bytes * 1e6 / static_cast<double>(rate);
  // A wait that is too short to sleep stays in the queue and delays the next writer.
  if (micros < kLeastDelayMicros) return 0;
  return static_cast<uint64_t>(std::min(micros + 1, double{kStepMicros}));
}

void WriteController::LetThrough() {
  const uint64_t rate = rate_.load(std::memory_order_relaxed);
  const uint64_t now = clock_->NowMicros();
  const uint64_t elapsed = now - std::min(updated_micros_, now);
  updated_micros_ = std::max(updated_micros_, now);
  let_through_ += static_cast<double>(elapsed) * static_cast<double>(rate) / 1e6;
  if (rate == kUnlimited || let_through_ > static_cast<double>(queued_)) {
    let_through_ = static_cast<double>(queued_);
  }
  assert(let_through_ >= 0 && let_through_ <= static_cast<double>(queued_));
}

}  // namespace cambium::engine
