// What goes to stdout, as db_bench prints it.
#ifndef CAMBIUM_BENCHMARKS_HARNESS_REPORT_OUTPUT_H_
#define CAMBIUM_BENCHMARKS_HARNESS_REPORT_OUTPUT_H_

#include <string>
#include <string_view>
#include <vector>

#include "benchmarks/harness/measured.h"
#include "benchmarks/harness/settings.h"
#include "util/histogram.h"

namespace cambium::bench {

// Why figures of this build mean nothing; empty where they do.
std::vector<std::string> BuildWarnings();

void PrintBanner(const Settings& settings);

// Name, microseconds an operation, operations a second, and so on.
void PrintLine(std::string_view name, const Measured& measured, std::string_view message);
// A table for each kind of operation that was timed.
void PrintHistograms(const Measured& measured);
// db_bench's table of one histogram of nanoseconds.
std::string HistogramText(const Histogram& nanos);

// The rates of a benchmark that is repeated. Confined to the main thread.
class RepeatedRates {
 public:
  void Add(const Measured& measured);
  // Mean and 95 % confidence, after each run but the first.
  void PrintSoFar(std::string_view name) const;
  // The same for all runs, and their median.
  void PrintAll(std::string_view name) const;

 private:
  std::vector<double> operations_, megabytes_;  // a second; no megabytes where nothing moved
};

}  // namespace cambium::bench

#endif  // CAMBIUM_BENCHMARKS_HARNESS_REPORT_OUTPUT_H_
