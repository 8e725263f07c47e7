// The clock of the harness: the processor's time stamp counter where it runs at a constant rate
// (8 ns a look where steady_clock takes 21), else steady_clock.
#ifndef CAMBIUM_BENCHMARKS_HARNESS_CLOCK_H_
#define CAMBIUM_BENCHMARKS_HARNESS_CLOCK_H_

#include <chrono>
#include <cstdint>

#if defined(__x86_64__)
#include <x86intrin.h>
#endif

namespace cambium::bench {

// Nanoseconds of steady_clock.
inline uint64_t SteadyNanos() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(now).count());
}

// How many nanoseconds a tick takes. Plain data.
struct TickRate {
  bool is_counter;  // ticks are the processor's counter
  double nanos_per_tick;
};
// Measured once, in 20 ms; the first caller waits for it.
const TickRate& Ticks();

inline uint64_t NowTicks(const TickRate& rate) {
#if defined(__x86_64__)
  if (rate.is_counter) return __rdtsc();
#endif
  return SteadyNanos();
}

// Sleeps until steady_clock shows `nanos`, and spins over the last microseconds, which a sleep
// would miss.
void WaitUntil(uint64_t nanos);

}  // namespace cambium::bench

#endif  // CAMBIUM_BENCHMARKS_HARNESS_CLOCK_H_
