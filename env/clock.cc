#include "env/clock.h"

#include <cerrno>
#include <ctime>

namespace cambium::env {
namespace {

uint64_t ReadMicros(clockid_t id) {
  timespec time = {};
  // Fails only for an unknown id.
  ::clock_gettime(id, &time);
  return static_cast<uint64_t>(time.tv_sec) * 1'000'000 +
         static_cast<uint64_t>(time.tv_nsec) / 1'000;
}

}  // namespace

uint64_t SystemClock::NowMicros() { return ReadMicros(CLOCK_MONOTONIC); }

uint64_t SystemClock::WallMicros() { return ReadMicros(CLOCK_REALTIME); }

void SystemClock::SleepMicros(uint64_t micros) {
  timespec rest = {};
  rest.tv_sec = static_cast<time_t>(micros / 1'000'000);
  rest.tv_nsec = static_cast<long>(micros % 1'000'000 * 1'000);
  while (::nanosleep(&rest, &rest) != 0 && errno == EINTR) {
  }
}

std::shared_ptr<Clock> DefaultClock() {
  // Never destroyed: databases in static objects may still use it at exit.
  static const auto& clock =
      *std::make_unique<std::shared_ptr<Clock>>(std::make_shared<SystemClock>()).release();
  return clock;
}

}  // namespace cambium::env
