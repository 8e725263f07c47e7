// ManualClock: a clock that tests advance.
#ifndef CAMBIUM_ENV_TESTING_MANUAL_CLOCK_H_
#define CAMBIUM_ENV_TESTING_MANUAL_CLOCK_H_

#include <atomic>
#include <cstdint>

#include "cambium/clock.h"

namespace cambium::env {

// The time does not change unless it is advanced; a sleeping thread advances it by its sleep time
// and returns at once. Thread-safe.
class ManualClock final : public Clock {
 public:
  explicit ManualClock(uint64_t start_micros = 0, uint64_t start_wall_seconds = 1'000'000'000)
      : micros_(start_micros), wall_base_seconds_(start_wall_seconds - start_micros / 1'000'000) {}

  uint64_t NowMicros() override { return micros_.load(std::memory_order_relaxed); }
  uint64_t WallSeconds() override { return wall_base_seconds_ + NowMicros() / 1'000'000; }
  void SleepMicros(uint64_t micros) override { Advance(micros); }

  void Advance(uint64_t micros) { micros_.fetch_add(micros, std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> micros_;
  const uint64_t wall_base_seconds_;
};

}  // namespace cambium::env

#endif  // CAMBIUM_ENV_TESTING_MANUAL_CLOCK_H_
