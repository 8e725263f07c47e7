// Clock: where the engine's time comes from.
#ifndef CAMBIUM_CLOCK_H_
#define CAMBIUM_CLOCK_H_

#include <cstdint>

#include "cambium/export.h"

namespace cambium {

// Thread-safe.
class CAMBIUM_EXPORT Clock {
 public:
  virtual ~Clock() = default;

  // Microseconds since a fixed but unspecified moment; never goes back.
  virtual uint64_t NowMicros() = 0;

  // Seconds since 1970-01-01 00:00 UTC.
  virtual uint64_t WallSeconds() = 0;

  // Blocks the caller for at least that long.
  virtual void SleepMicros(uint64_t micros) = 0;
};

}  // namespace cambium

#endif  // CAMBIUM_CLOCK_H_
