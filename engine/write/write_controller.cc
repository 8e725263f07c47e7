#include "engine/write/write_controller.h"

#include <algorithm>
#include <limits>

namespace cambium::engine {
namespace {

// 0 up to `start`, 1 from `stop` on, straight in between.
double Between(double value, double start, double stop) {
  if (value <= start) return 0;
  if (value >= stop) return 1;
  return (value - start) / (stop - start);
}

double RateUnder(double pressure, double drain, double least_drain) {
  return std::max(drain, least_drain) * (1 - pressure) / pressure;
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
  if (result.pressure <= 0 || result.pressure >= 1) return result;
  // Each debt at the speed of the work that pays it; the slowest counts.
  double rate = std::numeric_limits<double>::infinity();
  if (memtables > 0) {
    rate = RateUnder(memtables, load.flush_bytes_per_second, limits.least_drain_bytes_per_second);
  }
  if (const double lower = std::max(level0, debt); lower > 0) {
    rate = std::min(rate, RateUnder(lower, load.compaction_bytes_per_second,
                                    limits.least_drain_bytes_per_second));
  }
  // 2^62: far above any machine, and below what an integer holds.
  result.bytes_per_second = static_cast<uint64_t>(std::clamp(rate, 1.0, 4.6e18));
  return result;
}

void WriteController::Update(const WriteLoad& load) {
  const WritePressure now = ComputePressure(load, limits_);
  uint64_t rate = now.bytes_per_second;
  if (now.pressure <= 0) rate = kUnlimited;
  if (now.pressure >= 1) rate = 0;
  rate_.store(rate, std::memory_order_relaxed);
}

std::optional<uint64_t> WriteController::Admit(uint64_t bytes) {
  const uint64_t rate = rate_.load(std::memory_order_relaxed);
  if (rate == kUnlimited) return 0;
  if (rate == 0) return std::nullopt;
  if (unpaid_bytes_.fetch_add(bytes, std::memory_order_relaxed) + bytes < kQuantumBytes) return 0;
  // This writer pays for all that is unpaid; another may have come first.
  const uint64_t due = unpaid_bytes_.exchange(0, std::memory_order_relaxed);
  const uint64_t cost =
      static_cast<uint64_t>(static_cast<double>(due) * 1e6 / static_cast<double>(rate));
  const uint64_t now = clock_->NowMicros();
  uint64_t until = paid_until_micros_.load(std::memory_order_relaxed);
  uint64_t paid = 0;
  do {
    // Time in which nobody slept is not saved up.
    paid = std::max(until, now) + cost;
  } while (!paid_until_micros_.compare_exchange_weak(until, paid, std::memory_order_relaxed));
  // A shorter delay stays on the account until it is worth it.
  const uint64_t delay = paid - now;
  return delay < kLeastDelayMicros ? 0 : delay;
}

}  // namespace cambium::engine
