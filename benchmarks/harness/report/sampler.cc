#include "benchmarks/harness/report/sampler.h"

#include <chrono>
#include <ctime>
#include <string>

namespace cambium::bench {
namespace {

bool IsWanted(const Reporting& report) { return report.interval_seconds > 0; }

std::string TimeOfDay() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  localtime_r(&now, &parts);
  char text[32];
  std::strftime(text, sizeof(text), "%Y/%m/%d-%H:%M:%S", &parts);
  return text;
}

}  // namespace

IntervalFile::IntervalFile(const Reporting& report)
    : report_(report),
      file_(IsWanted(report) ? std::fopen(report.interval_file.c_str(), "we") : nullptr) {
  if (file_ != nullptr) std::fprintf(file_, "secs_elapsed,interval_qps\n");
}

IntervalFile::~IntervalFile() {
  if (file_ != nullptr) std::fclose(file_);
}

absl::Status IntervalFile::status() const {
  const bool is_sound = file_ != nullptr && std::ferror(file_) == 0;
  if (!IsWanted(report_) || is_sound) return absl::OkStatus();
  return absl::UnavailableError("cannot write " + report_.interval_file);
}

void IntervalFile::Add(double operations_per_second) {
  elapsed_seconds_ += report_.interval_seconds;
  std::fprintf(file_, "%lld,%lld\n", static_cast<long long>(elapsed_seconds_),
               static_cast<long long>(operations_per_second));
  std::fflush(file_);
}

Sampler::Sampler(const Reporting& report, IntervalFile* file,
                 const std::vector<std::unique_ptr<Worker>>* workers)
    : report_(report), file_(file), workers_(workers), printed_(workers->size()) {
  if (IsWanted(report) || report.stats_interval_seconds > 0)
    thread_ = std::thread([this] { Run(); });
}

Sampler::~Sampler() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    over_ = true;
  }
  ended_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void Sampler::Run() {
  const auto started = std::chrono::steady_clock::now();
  std::unique_lock<std::mutex> lock(mutex_);
  for (int64_t second = 1; !over_; ++second) {
    const auto next = started + std::chrono::seconds(second);
    if (ended_.wait_until(lock, next, [this] { return over_; })) return;
    if (IsWanted(report_) && second % report_.interval_seconds == 0) ReportInterval();
    const int64_t between = report_.stats_interval_seconds;
    if (between > 0 && second % between == 0) PrintThreads(static_cast<double>(second));
  }
}

void Sampler::ReportInterval() {
  int64_t all = 0;
  for (const auto& worker : *workers_) all += worker->measured.operations();
  file_->Add(static_cast<double>(all - reported_) / static_cast<double>(report_.interval_seconds));
  reported_ = all;
}

void Sampler::PrintThreads(double seconds) {
  const auto between = static_cast<double>(report_.stats_interval_seconds);
  for (size_t i = 0; i < workers_->size(); ++i) {
    const int64_t all = (*workers_)[i]->measured.operations();
    const int64_t fresh = all - printed_[i];
    printed_[i] = all;
    std::fprintf(stderr,
                 "%s ... thread %zu: (%lld,%lld) ops and (%.1f,%.1f) ops/second in (%.6f,%.6f) "
                 "seconds\n",
                 TimeOfDay().c_str(), i, static_cast<long long>(fresh), static_cast<long long>(all),
                 static_cast<double>(fresh) / between, static_cast<double>(all) / seconds, between,
                 seconds);
  }
}

}  // namespace cambium::bench
