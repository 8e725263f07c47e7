#include "benchmarks/harness/report/output.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "benchmarks/engines/engine.h"
#include "benchmarks/harness/report/process.h"

namespace cambium::bench {
namespace {

constexpr double kMegabyte = 1048576;
constexpr double kNanosPerMicro = 1000;

uint64_t MovedBytes(const Measured& measured) {
  return measured.totals.read + measured.totals.written;
}

double MegabytesPerSecond(const Measured& measured) {
  return static_cast<double>(MovedBytes(measured)) / kMegabyte / measured.ElapsedSeconds();
}

// Returns the upper ends of db_bench's buckets in microseconds up to `most`: each 1.5 times the
// previous one, truncated to two digits.
std::vector<double> BucketEnds(double most) {
  std::vector<double> ends = {1, 2};
  for (double end = 3; ends.back() < most; end *= 1.5) {
    double digits = 1;
    while (end / digits >= 100) digits *= 10;
    ends.push_back(std::floor(end / digits) * digits);
  }
  return ends;
}

// The mean, and its 95 % confidence interval.
struct Confidence {
  double mean, margin;
};
Confidence ConfidenceOf(const std::vector<double>& rates) {
  const auto count = static_cast<double>(rates.size());
  const double mean = std::accumulate(rates.begin(), rates.end(), 0.0) / count;
  double squares = 0;
  for (const double rate : rates) squares += (rate - mean) * (rate - mean);
  const double deviation = rates.size() < 2 ? 0 : std::sqrt(squares / (count - 1));
  return {mean, 1.96 * deviation / std::sqrt(count)};
}

double Median(std::vector<double> rates) {
  std::sort(rates.begin(), rates.end());
  const size_t half = rates.size() / 2;
  return rates.size() % 2 == 1 ? rates[half] : (rates[half - 1] + rates[half]) / 2;
}

std::string SizesText(const ValueSizes& sizes) {
  if (sizes.distribution == ValueSizes::Distribution::kFixed) return absl::StrCat(sizes.fixed);
  return absl::StrCat(sizes.min, " to ", sizes.max);
}

void PrintMean(std::string_view name, const char* label, const std::vector<double>& operations,
               const std::vector<double>& megabytes) {
  const Confidence rate = ConfidenceOf(operations);
  std::string line = absl::StrFormat(
      "%s [%s %d runs] : %d (\xC2\xB1 %d) ops/sec", std::string(name), label, operations.size(),
      static_cast<int64_t>(rate.mean), static_cast<int64_t>(rate.margin));
  if (!megabytes.empty()) {
    const Confidence bytes = ConfidenceOf(megabytes);
    absl::StrAppendFormat(&line, "; %6.1f (\xC2\xB1 %.1f) MB/sec", bytes.mean, bytes.margin);
  }
  std::printf("%s\n", line.c_str());
}

}  // namespace

std::vector<std::string> BuildWarnings() {
  std::vector<std::string> warnings;
#ifndef NDEBUG
  warnings.emplace_back("assertions are enabled");
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  warnings.emplace_back("a sanitizer is enabled");
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
  warnings.emplace_back("a sanitizer is enabled");
#endif
#endif
#ifndef __OPTIMIZE__
  warnings.emplace_back("optimization is disabled");
#endif
  return warnings;
}

void PrintBanner(const Settings& settings) {
  const EngineKind engine = ThisEngine();
  const Machine machine = ThisMachine(settings.engine.path);
  std::printf("%s:    version %s\n", std::string(engine.name).c_str(), engine.version.c_str());
  if (!engine.remarks.empty()) std::printf("Remarks:    %s\n", engine.remarks.c_str());
  std::printf("CPU:        %u * %s\n", machine.cores, machine.cpu.c_str());
  std::printf("Keys:       %d bytes each\n", settings.data.key_size);
  std::printf("Values:     %s bytes each (%.0f%% after compression)\n",
              SizesText(settings.data.sizes).c_str(), settings.data.compression_ratio * 100);
  std::printf("Entries:    %lld\n", static_cast<long long>(settings.work.num));
  for (const std::string& warning : BuildWarnings()) {
    std::printf("WARNING: %s: figures of this build mean nothing\n", warning.c_str());
  }
  std::printf("------------------------------------------------\n");
}

void PrintLine(std::string_view name, const Measured& measured, std::string_view message) {
  const auto operations = static_cast<long long>(measured.operations());
  std::string extra;
  if (MovedBytes(measured) > 0) {
    extra = absl::StrFormat(" %6.1f MB/s", MegabytesPerSecond(measured));
  }
  if (!message.empty()) absl::StrAppend(&extra, " ", std::string(message));
  std::printf("%-12s : %11.3f micros/op %lld ops/sec %.3f seconds %lld operations;%s\n",
              std::string(name).c_str(),
              measured.ThreadSeconds() * 1e6 / static_cast<double>(std::max(operations, 1LL)),
              static_cast<long long>(measured.OperationsPerSecond()), measured.ElapsedSeconds(),
              operations, extra.c_str());
  std::fflush(stdout);
}

void PrintHistograms(const Measured& measured) {
  for (size_t i = 0; i < kKinds; ++i) {
    const auto kind = static_cast<Kind>(i);
    const Histogram* const latencies = measured.Latencies(kind);
    if (latencies == nullptr) continue;
    std::printf("Microseconds per %s:\n%s\n", std::string(Word(kind)).c_str(),
                HistogramText(*latencies).c_str());
  }
  std::fflush(stdout);
}

std::string HistogramText(const Histogram& nanos) {
  const auto micros = [&nanos](double quantile) {
    return nanos.Quantile(quantile) / kNanosPerMicro;
  };
  const double mean = nanos.Mean() / kNanosPerMicro;
  const double most = static_cast<double>(nanos.max()) / kNanosPerMicro;
  const std::vector<double> ends = BucketEnds(most);
  std::vector<uint64_t> counts(ends.size());
  double squares = 0;
  nanos.ForEachBucket([&](double middle, uint64_t count) {
    const double value = middle / kNanosPerMicro;
    squares += (value - mean) * (value - mean) * static_cast<double>(count);
    const auto end = std::lower_bound(ends.begin(), ends.end(), std::min(value, most));
    counts[static_cast<size_t>(end - ends.begin())] += count;
  });
  const auto all = static_cast<double>(std::max<uint64_t>(nanos.count(), 1));
  std::string text = absl::StrFormat(
      "Count: %d Average: %.4f  StdDev: %.2f\nMin: %d  Median: %.4f  Max: %d\n"
      "Percentiles: P50: %.2f P75: %.2f P99: %.2f P99.9: %.2f P99.99: %.2f\n",
      nanos.count(), mean, std::sqrt(squares / all), nanos.min() / 1000, micros(0.5),
      nanos.max() / 1000, micros(0.5), micros(0.75), micros(0.99), micros(0.999), micros(0.9999));
  absl::StrAppend(&text, "------------------------------------------------------\n");
  uint64_t passed = 0;
  for (size_t i = 0; i < ends.size(); ++i) {
    if (counts[i] == 0) continue;
    passed += counts[i];
    const double share = static_cast<double>(counts[i]) / all;
    absl::StrAppendFormat(&text, "%c %7.0f, %7.0f ] %8d %7.3f%% %7.3f%% %s\n", i == 0 ? '[' : '(',
                          i == 0 ? 0 : ends[i - 1], ends[i], counts[i], share * 100,
                          static_cast<double>(passed) / all * 100,
                          std::string(static_cast<size_t>(share * 20 + 0.5), '#'));
  }
  return text;
}

void RepeatedRates::Add(const Measured& measured) {
  operations_.push_back(measured.OperationsPerSecond());
  if (MovedBytes(measured) > 0) megabytes_.push_back(MegabytesPerSecond(measured));
}

void RepeatedRates::PrintSoFar(std::string_view name) const {
  if (operations_.size() > 1) PrintMean(name, "AVG", operations_, megabytes_);
}

void RepeatedRates::PrintAll(std::string_view name) const {
  if (operations_.size() < 2) return;
  PrintMean(name, "AVG   ", operations_, megabytes_);
  std::string line = absl::StrFormat("%s [MEDIAN %d runs] : %d ops/sec", std::string(name),
                                     operations_.size(), static_cast<int64_t>(Median(operations_)));
  if (!megabytes_.empty()) absl::StrAppendFormat(&line, "; %6.1f MB/sec", Median(megabytes_));
  std::printf("%s\n", line.c_str());
  std::fflush(stdout);
}

}  // namespace cambium::bench
