#include "tests/stress/harness/watchdog.h"

#include <chrono>
#include <cstdio>
#include <cstdlib>

#include "tests/stress/harness/stacks.h"

namespace cambium::stress {
namespace {

constexpr uint64_t kPatienceSeconds = 60 * kSlowness;
constexpr int kHangStatus = 3;

}  // namespace

Watchdog::Watchdog(const Reporter* reporter) : reporter_(reporter), thread_([this] { Watch(); }) {}

Watchdog::~Watchdog() {
  stop_.store(true);
  thread_.join();
}

void Watchdog::Watch() {
  for (uint64_t tick = 1; !stop_.load(); ++tick) {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    if (tick % 10 != 0) continue;
    for (size_t i = 0; i < kMaxActivities; ++i) {
      const Activity& activity = reporter_->activity(i);
      const uint64_t steps = activity.steps();
      const bool waits = activity.what() != nullptr && steps == steps_[i];
      seconds_[i] = waits ? seconds_[i] + 1 : 0;
      steps_[i] = steps;
      if (seconds_[i] > kPatienceSeconds) Bark(i);
    }
  }
}

void Watchdog::Bark(size_t stuck) {
  std::printf("FAILURE: hang: thread %zu has been in \"%s\" for %llu s\n%s\n", stuck,
              reporter_->activity(stuck).what(), static_cast<unsigned long long>(seconds_[stuck]),
              reporter_->RepeatLine().c_str());
  for (size_t i = 0; i < kMaxActivities; ++i) {
    const char* const what = reporter_->activity(i).what();
    if (what == nullptr) continue;
    std::printf("thread %zu: \"%s\", step %llu, %llu s\n", i, what,
                static_cast<unsigned long long>(steps_[i]),
                static_cast<unsigned long long>(seconds_[i]));
  }
  DumpStacks();
  std::_Exit(kHangStatus);
}

}  // namespace cambium::stress
