// Clock: the engine's source of time.
#ifndef CAMBIUM_CLOCK_H_
#define CAMBIUM_CLOCK_H_

#include <cstdint>

#include "cambium/export.h"

namespace cambium {

// Thread-safe.
class CAMBIUM_EXPORT Clock {
 public:
  virtual ~Clock() = default;

  // Returns the microseconds since a fixed but unspecified moment. Never goes back.
  virtual uint64_t NowMicros() = 0;

  // Returns the microseconds since 1970-01-01 00:00 UTC: the time of TTLs. May jump, also back; a
  // database then stays at the latest time that it has used.
  virtual uint64_t WallMicros() = 0;

  // Blocks the caller for at least that long.
  virtual void SleepMicros(uint64_t micros) = 0;
};

}  // namespace cambium

#endif  // CAMBIUM_CLOCK_H_
