#include "benchmarks/harness/measured.h"

#include <algorithm>

#include "benchmarks/harness/report/process.h"

namespace cambium::bench {
std::string_view Word(Kind kind) {
  constexpr std::array<std::string_view, kKinds> kWords = {
      "read", "write", "delete", "seek", "update", "compress", "uncompress", "crc", "op"};
  return kWords[static_cast<size_t>(kind)];
}

void Measured::Start() {
  cpu_seconds_ = -ThreadCpuSeconds();
  started_nanos_ = SteadyNanos();
  Restart();
}

void Measured::Stop() {
  finished_nanos_ = SteadyNanos();
  cpu_seconds_ += ThreadCpuSeconds();
  thread_seconds_ = ElapsedSeconds();
}

void Measured::Record(Kind kind, double nanos) {
  std::unique_ptr<Histogram>& latencies = latencies_[Index(kind)];
  if (latencies == nullptr) latencies = std::make_unique<Histogram>();
  latencies->Record(static_cast<uint64_t>(nanos));
  if (nanos >= kSlowNanos) slow_nanos_ += nanos;
}

void Measured::Merge(const Measured& other) {
  operations_.store(operations() + other.operations());
  span_ = std::max(span_, other.span_);
  started_nanos_ =
      started_nanos_ == 0 ? other.started_nanos_ : std::min(started_nanos_, other.started_nanos_);
  finished_nanos_ = std::max(finished_nanos_, other.finished_nanos_);
  thread_seconds_ += other.thread_seconds_;
  cpu_seconds_ += other.cpu_seconds_;
  slow_nanos_ += other.slow_nanos_;
  is_from_due_ |= other.is_from_due_;
  for (size_t i = 0; i < kKinds; ++i) {
    if (other.latencies_[i] == nullptr) continue;
    if (latencies_[i] == nullptr) latencies_[i] = std::make_unique<Histogram>();
    latencies_[i]->Merge(*other.latencies_[i]);
  }
  totals.read += other.totals.read;
  totals.written += other.totals.written;
  totals.asked += other.totals.asked;
  if (other.totals.found >= 0) {
    totals.found = std::max<int64_t>(totals.found, 0) + other.totals.found;
  }
  if (totals.message.empty()) totals.message = other.totals.message;
  if (totals.error.empty()) totals.error = other.totals.error;
}

double Measured::ElapsedSeconds() const {
  return std::max(static_cast<double>(finished_nanos_ - started_nanos_) / 1e9, 1e-9);
}

double Measured::OperationsPerSecond() const {
  return static_cast<double>(operations()) / ElapsedSeconds();
}

Histogram Measured::AllLatencies() const {
  Histogram all;
  for (const std::unique_ptr<Histogram>& latencies : latencies_) {
    if (latencies != nullptr) all.Merge(*latencies);
  }
  return all;
}

}  // namespace cambium::bench
