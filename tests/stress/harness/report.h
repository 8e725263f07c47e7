// Reporter: the first failure, the line that repeats it, and the activity of each thread.
#ifndef CAMBIUM_TESTS_STRESS_HARNESS_REPORT_H_
#define CAMBIUM_TESTS_STRESS_HARNESS_REPORT_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>

#include "util/mutex.h"

namespace cambium::stress {

// The counters of the program's last line.
enum class Count {
  kOperations,
  kRefused,  // writes that an injected fault rejected or left unknown
  kFlushes,
  kCompactions,
  kFaults,
  kResumes,
  kOpens,
  kCrashClones,
  kSnapshots,  // re-read
  kPrefixes,   // checked
};
inline constexpr size_t kCounts = 10;

// The current activity of one thread, for the watchdog. Thread-safe.
class Activity {
 public:
  // `what` must live as long as the process.
  void Start(const char* what) {
    what_.store(what, std::memory_order_relaxed);
    steps_.fetch_add(1, std::memory_order_relaxed);
  }
  const char* what() const { return what_.load(std::memory_order_relaxed); }
  uint64_t steps() const { return steps_.load(std::memory_order_relaxed); }

 private:
  std::atomic<const char*> what_{nullptr};  // null: not running
  std::atomic<uint64_t> steps_{0};
};

// Workers first, then the others.
inline constexpr size_t kFaultActivity = 32;
inline constexpr size_t kCrashActivity = 33;
inline constexpr size_t kMainActivity = 34;
inline constexpr size_t kMaxActivities = 35;

// Approximately how much slower this build is than a plain one.
#if defined(__SANITIZE_THREAD__)
inline constexpr uint64_t kSlowness = 8;
#elif defined(__SANITIZE_ADDRESS__)
inline constexpr uint64_t kSlowness = 4;
#else
inline constexpr uint64_t kSlowness = 1;
#endif

// Thread-safe.
class Reporter {
 public:
  explicit Reporter(std::string program);

  // Sets the line that repeats the current round.
  void SetRepeatLine(std::string arguments, std::string settings);
  std::string RepeatLine() const;
  // Prints and stores the failure; the threads end when they see it.
  void Fail(const std::string& message);
  bool failed() const { return failed_.load(std::memory_order_relaxed); }

  void Add(Count count, uint64_t n = 1) {
    counts_[static_cast<size_t>(count)].fetch_add(n, std::memory_order_relaxed);
  }
  uint64_t Get(Count count) const {
    return counts_[static_cast<size_t>(count)].load(std::memory_order_relaxed);
  }
  // Returns "operations=… refused=… …".
  std::string CountsLine() const;

  Activity* activity(size_t index) { return &activities_[index]; }
  const Activity& activity(size_t index) const { return activities_[index]; }

 private:
  const std::string program_;
  std::atomic<bool> failed_{false};
  std::array<std::atomic<uint64_t>, kCounts> counts_ = {};
  std::array<Activity, kMaxActivities> activities_;
  mutable Mutex mu_;
  std::string repeat_line_ ABSL_GUARDED_BY(mu_);
  std::string settings_ ABSL_GUARDED_BY(mu_);
};

}  // namespace cambium::stress

#endif  // CAMBIUM_TESTS_STRESS_HARNESS_REPORT_H_
