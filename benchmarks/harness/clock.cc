#include "benchmarks/harness/clock.h"

#include <thread>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace cambium::bench {
namespace {

constexpr uint64_t kCalibrationNanos = 20'000'000;
constexpr uint64_t kSpinNanos = 60'000;

// Returns true if the counter has a constant rate in all processor states (CPUID 80000007h, EDX bit
// 8).
bool HasInvariantCounter() {
#if defined(__x86_64__)
  unsigned int eax = 0, ebx = 0, ecx = 0, edx = 0;
  return __get_cpuid(0x80000007, &eax, &ebx, &ecx, &edx) != 0 && (edx >> 8 & 1) != 0;
#else
  return false;
#endif
}

// Hints to the processor, if possible, that this is a spin loop.
void Pause() {
#if defined(__x86_64__)
  _mm_pause();
#endif
}

TickRate Measure() {
  if (!HasInvariantCounter()) return {false, 1};
  TickRate rate{true, 1};
  const uint64_t started = SteadyNanos();
  const uint64_t first = NowTicks(rate);
  WaitUntil(started + kCalibrationNanos);
  const uint64_t nanos = SteadyNanos() - started;
  rate.nanos_per_tick = static_cast<double>(nanos) / static_cast<double>(NowTicks(rate) - first);
  return rate;
}

}  // namespace

const TickRate& Ticks() {
  static const TickRate rate = Measure();
  return rate;
}

void WaitUntil(uint64_t nanos) {
  for (uint64_t now = SteadyNanos(); now < nanos; now = SteadyNanos()) {
    if (nanos - now > kSpinNanos) {
      std::this_thread::sleep_for(std::chrono::nanoseconds(nanos - now - kSpinNanos));
    } else {
      Pause();
    }
  }
}

}  // namespace cambium::bench
