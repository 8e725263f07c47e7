// The measurements of one thread, and the sum of several.
#ifndef CAMBIUM_BENCHMARKS_HARNESS_MEASURED_H_
#define CAMBIUM_BENCHMARKS_HARNESS_MEASURED_H_

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "benchmarks/harness/clock.h"
#include "util/histogram.h"

namespace cambium::bench {

// The kinds of operations, for the histograms.
enum class Kind {
  kRead,
  kWrite,
  kDelete,
  kSeek,
  kUpdate,
  kCompress,
  kUncompress,
  kChecksum,
  kOther
};
inline constexpr size_t kKinds = static_cast<size_t>(Kind::kOther) + 1;
// Returns db_bench's word in "Microseconds per …".
std::string_view Word(Kind kind);

// Thread-compatible, except operations().
class Measured {
 public:
  // User bytes processed; keys found and keys looked up (found < 0: none were looked up).
  struct Totals {
    uint64_t read = 0, written = 0;
    int64_t found = -1, asked = 0;
    std::string message;  // as in db_bench, at the end of the line
    std::string error;    // the first error, or empty
  };

  void Start();
  void Stop();
  // Begins the next operation now: excludes everything since the last one.
  void Restart() { last_ = NowTicks(*ticks_); }
  // Excludes time in which the benchmark waited for an unmeasured step. For one thread only.
  void Exclude(uint64_t nanos) { started_nanos_ += nanos; }

  // Counts `count` finished operations.
  void Count(int64_t count) {
    operations_.store(operations() + count, std::memory_order_relaxed);
    span_ = count > span_ ? count : span_;
  }
  // Times them from the end of the previous ones, or from `began`, their intended start by
  // steady_clock.
  void Time(Kind kind) {
    const uint64_t now = NowTicks(*ticks_);
    Record(kind, static_cast<double>(now - last_) * ticks_->nanos_per_tick);
    last_ = now;
  }
  void TimeFrom(Kind kind, uint64_t began) {
    is_from_due_ = true;
    Record(kind, static_cast<double>(SteadyNanos() - began));
  }

  void Merge(const Measured& other);

  // May be called by any thread.
  int64_t operations() const { return operations_.load(std::memory_order_relaxed); }
  // Returns the most operations that one latency covers: 32 keys of a MultiGet.
  int64_t span() const { return span_; }
  double ElapsedSeconds() const;
  double ThreadSeconds() const { return thread_seconds_; }
  double SlowSeconds() const { return slow_nanos_ / 1e9; }
  double OperationsPerSecond() const;
  // Returns latencies in nanoseconds; null if no operation of that kind was timed.
  const Histogram* Latencies(Kind kind) const { return latencies_[Index(kind)].get(); }
  Histogram AllLatencies() const;
  bool IsFromDue() const { return is_from_due_; }
  // Returns the thread's CPU time between Start and Stop.
  double CpuSeconds() const { return cpu_seconds_; }

  Totals totals;

 private:
  static constexpr double kSlowNanos = 1e6;
  static size_t Index(Kind kind) { return static_cast<size_t>(kind); }

  void Record(Kind kind, double nanos);

  const TickRate* ticks_ = &Ticks();
  std::atomic<int64_t> operations_{0};
  int64_t span_ = 0;
  uint64_t started_nanos_ = 0, finished_nanos_ = 0;
  uint64_t last_ = 0;  // ticks
  double thread_seconds_ = 0, cpu_seconds_ = 0, slow_nanos_ = 0;
  bool is_from_due_ = false;
  std::array<std::unique_ptr<Histogram>, kKinds> latencies_;
};

}  // namespace cambium::bench

#endif  // CAMBIUM_BENCHMARKS_HARNESS_MEASURED_H_
