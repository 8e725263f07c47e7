// The clock of the harness: the processor's time stamp counter if it runs at a constant rate (8 ns
// per read; steady_clock takes 21 ns), otherwise steady_clock.
#ifndef CAMBIUM_BENCHMARKS_HARNESS_CLOCK_H_
#define CAMBIUM_BENCHMARKS_HARNESS_CLOCK_H_

#include <chrono>
#include <cstdint>

#if defined(__x86_64__)
#include <x86intrin.h>
#endif

namespace cambium::bench {

// Returns steady_clock in nanoseconds.
inline uint64_t SteadyNanos() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(now).count());
}

// The duration of a tick in nanoseconds. Plain data.
struct TickRate {
  bool is_counter;  // ticks are the processor's counter
  double nanos_per_tick;
};
// Returns the tick rate. Measured once, in 20 ms; the first caller waits for it.
const TickRate& Ticks();

inline uint64_t NowTicks(const TickRate& rate) {
#if defined(__x86_64__)
  if (rate.is_counter) return __rdtsc();
#endif
  return SteadyNanos();
}

// Sleeps until steady_clock reaches `nanos`, and spins during the last microseconds, because a
// sleep is not precise enough.
void WaitUntil(uint64_t nanos);

}  // namespace cambium::bench

#endif  // CAMBIUM_BENCHMARKS_HARNESS_CLOCK_H_
