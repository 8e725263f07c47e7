// SystemClock: the operating system's clock.
#ifndef CAMBIUM_ENV_CLOCK_H_
#define CAMBIUM_ENV_CLOCK_H_

#include <cstdint>
#include <memory>

#include "cambium/clock.h"

namespace cambium::env {

// Uses CLOCK_MONOTONIC, CLOCK_REALTIME, and nanosleep. Thread-safe.
class SystemClock final : public Clock {
 public:
  uint64_t NowMicros() override;
  uint64_t WallMicros() override;
  void SleepMicros(uint64_t micros) override;
};

// Returns the process's SystemClock. Never null.
std::shared_ptr<Clock> DefaultClock();

}  // namespace cambium::env

#endif  // CAMBIUM_ENV_CLOCK_H_
