// What a benchmark's threads have measured, and the line that is printed of it.
#ifndef CAMBIUM_BENCHMARKS_CAMBIUM_BENCH_REPORT_H_
#define CAMBIUM_BENCHMARKS_CAMBIUM_BENCH_REPORT_H_

#include <cstdint>
#include <string>

#include "util/histogram.h"

namespace cambium::bench {

// Nanoseconds of a clock that never goes back.
uint64_t NowNanos();

// One thread's measurements, and their sum. Thread-compatible.
class Measured {
 public:
  void Start() { started_ = last_ = NowNanos(); }
  void Stop() { finished_ = NowNanos(); }
  // `count` operations have ended since the last call. Latencies are taken only where asked for: a
  // look at the clock after each operation lowers the rates.
  void Done(int64_t count, bool with_latency) {
    operations += count;
    if (!with_latency) return;
    const uint64_t now = NowNanos();
    latencies_.Record(now - last_);
    last_ = now;
  }
  void Merge(const Measured& other);

  // db_bench's line: name, microseconds an operation, operations a second, and so on; then the
  // histogram where one was taken.
  void Print(const std::string& name) const;

  int64_t operations = 0;
  int64_t bytes = 0;
  int64_t found = -1;  // of `asked`, where a benchmark looks things up
  int64_t asked = 0;
  std::string error;  // the first, or empty

 private:
  uint64_t started_ = 0, last_ = 0, finished_ = 0;
  double thread_seconds_ = 0;
  Histogram latencies_;
};

}  // namespace cambium::bench

#endif  // CAMBIUM_BENCHMARKS_CAMBIUM_BENCH_REPORT_H_
