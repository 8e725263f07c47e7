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
  static constexpr uint64_t kStartWallMicros = 1'000'000'000'000'000;
  explicit ManualClock(uint64_t start_micros = 0, uint64_t start_wall_micros = kStartWallMicros)
      : micros_(start_micros), wall_offset_(start_wall_micros - start_micros) {}

  uint64_t NowMicros() override { return micros_.load(std::memory_order_relaxed); }
  uint64_t WallMicros() override {
    return wall_offset_.load(std::memory_order_relaxed) + NowMicros();
  }
  void SleepMicros(uint64_t micros) override { Advance(micros); }

  void Advance(uint64_t micros) { micros_.fetch_add(micros, std::memory_order_relaxed); }
  // Changes only the wall time: forward, or back.
  void JumpWall(int64_t micros) {
    wall_offset_.fetch_add(static_cast<uint64_t>(micros), std::memory_order_relaxed);
  }

 private:
  std::atomic<uint64_t> micros_;
  std::atomic<uint64_t> wall_offset_;  // wall time minus time, modulo 2^64
};

}  // namespace cambium::env

#endif  // CAMBIUM_ENV_TESTING_MANUAL_CLOCK_H_
