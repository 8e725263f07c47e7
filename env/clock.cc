#include "env/clock.h"

#include <cerrno>
#include <ctime>

namespace cambium::env {
namespace {

timespec Read(clockid_t id) {
  timespec time = {};
  // Fails only for an unknown id.
  ::clock_gettime(id, &time);
  return time;
}

}  // namespace

uint64_t SystemClock::NowMicros() {
  const timespec now = Read(CLOCK_MONOTONIC);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000 + static_cast<uint64_t>(now.tv_nsec) / 1'000;
}

uint64_t SystemClock::WallSeconds() { return static_cast<uint64_t>(Read(CLOCK_REALTIME).tv_sec); }

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
