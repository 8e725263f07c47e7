// What one thread has measured, and the sum of several.
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

// What an operation is, for the histograms.
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
// db_bench's word in "Microseconds per …".
std::string_view Word(Kind kind);

// Thread-compatible, but for operations().
class Measured {
 public:
  // User bytes that went through; what was found of what was asked (found < 0: nothing was).
  struct Totals {
    uint64_t read = 0, written = 0;
    int64_t found = -1, asked = 0;
    std::string message;  // db_bench's, at the end of the line
    std::string error;    // the first, or empty
  };

  void Start();
  void Stop();
  // The next operation begins now: what was done since the last is not part of it.
  void Restart() { last_ = NowTicks(*ticks_); }
  // Time in which the benchmark stood still for a step that is not measured. For one thread alone.
  void Exclude(uint64_t nanos) { started_nanos_ += nanos; }

  // `count` operations have ended.
  void Count(int64_t count) {
    operations_.store(operations() + count, std::memory_order_relaxed);
    span_ = count > span_ ? count : span_;
  }
  // They took from the end of those before, or from `began`, when they were due by steady_clock.
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
  // Operations that one latency spans, at most: 32 keys of a MultiGet.
  int64_t span() const { return span_; }
  double ElapsedSeconds() const;
  double ThreadSeconds() const { return thread_seconds_; }
  double SlowSeconds() const { return slow_nanos_ / 1e9; }
  double OperationsPerSecond() const;
  // Nanoseconds; null where none of that kind was timed.
  const Histogram* Latencies(Kind kind) const { return latencies_[Index(kind)].get(); }
  Histogram AllLatencies() const;
  bool IsFromDue() const { return is_from_due_; }
  // What lies between the thread's CPU time at Start and at Stop.
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
