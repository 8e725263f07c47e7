#include "benchmarks/cambium_bench/report.h"

#include <algorithm>
#include <chrono>
#include <cstdio>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace cambium::bench {

uint64_t NowNanos() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(now).count());
}

void Measured::Merge(const Measured& other) {
  operations += other.operations;
  bytes += other.bytes;
  asked += other.asked;
  if (other.found >= 0) found = std::max<int64_t>(found, 0) + other.found;
  if (error.empty()) error = other.error;
  started_ = started_ == 0 ? other.started_ : std::min(started_, other.started_);
  finished_ = std::max(finished_, other.finished_);
  thread_seconds_ += static_cast<double>(other.finished_ - other.started_) / 1e9;
  latencies_.Merge(other.latencies_);
}

void Measured::Print(const std::string& name) const {
  const double elapsed = std::max(static_cast<double>(finished_ - started_) / 1e9, 1e-9);
  const auto done = static_cast<double>(std::max<int64_t>(operations, 1));
  std::string extra;
  if (bytes > 0) {
    extra = absl::StrFormat(" %6.1f MB/s", static_cast<double>(bytes) / 1048576.0 / elapsed);
  }
  if (found >= 0) absl::StrAppend(&extra, " (", found, " of ", asked, " found)");
  std::printf("%-12s : %11.3f micros/op %lld ops/sec %.3f seconds %lld operations;%s\n",
              name.c_str(), thread_seconds_ * 1e6 / done, static_cast<long long>(done / elapsed),
              elapsed, static_cast<long long>(operations), extra.c_str());
  if (latencies_.count() > 0) {
    const HistogramSummary micros = latencies_.Summary(1000);
    std::printf("Microseconds per operation: count %llu average %.3f min %.3f max %.3f\n",
                static_cast<unsigned long long>(micros.count), latencies_.Mean() / 1000, micros.min,
                micros.max);
    std::printf("Percentiles: P50: %.2f P90: %.2f P99: %.2f P99.9: %.2f P99.99: %.2f\n", micros.p50,
                micros.p90, micros.p99, micros.p999, micros.p9999);
  }
  std::fflush(stdout);
}

}  // namespace cambium::bench
