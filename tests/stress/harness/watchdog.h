// Watchdog: ends the process if a thread has made no step for a minute.
#ifndef CAMBIUM_TESTS_STRESS_HARNESS_WATCHDOG_H_
#define CAMBIUM_TESTS_STRESS_HARNESS_WATCHDOG_H_

#include <array>
#include <cstdint>
#include <thread>

#include "tests/stress/harness/report.h"

namespace cambium::stress {

// Has its own thread. Confined to the thread that creates it.
class Watchdog {
 public:
  explicit Watchdog(const Reporter* reporter);
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;
  ~Watchdog();

 private:
  void Watch();
  // Prints the activity of every thread, and the stacks, and ends the process with status 3.
  [[noreturn]] void Bark(size_t stuck);

  const Reporter* const reporter_;
  std::array<uint64_t, kMaxActivities> steps_ = {};
  std::array<uint64_t, kMaxActivities> seconds_ = {};  // without a step
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

}  // namespace cambium::stress

#endif  // CAMBIUM_TESTS_STRESS_HARNESS_WATCHDOG_H_
