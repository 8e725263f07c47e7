// Prints results to stdout in db_bench's format.
#ifndef CAMBIUM_BENCHMARKS_HARNESS_REPORT_OUTPUT_H_
#define CAMBIUM_BENCHMARKS_HARNESS_REPORT_OUTPUT_H_

#include <string>
#include <string_view>
#include <vector>

#include "benchmarks/harness/measured.h"
#include "benchmarks/harness/settings.h"
#include "util/histogram.h"

namespace cambium::bench {

// Returns the reasons why numbers of this build are meaningless; empty if there are none.
std::vector<std::string> BuildWarnings();

void PrintBanner(const Settings& settings);

// Prints name, microseconds per operation, operations per second, and so on.
void PrintLine(std::string_view name, const Measured& measured, std::string_view message);
// Prints a table per kind of operation that was timed.
void PrintHistograms(const Measured& measured);
// Returns db_bench's table of one histogram of nanoseconds.
std::string HistogramText(const Histogram& nanos);

// The rates of a benchmark that is repeated. Confined to the main thread.
class RepeatedRates {
 public:
  void Add(const Measured& measured);
  // Prints mean and 95 % confidence interval, after each run except the first.
  void PrintSoFar(std::string_view name) const;
  // Prints the same for all runs, and their median.
  void PrintAll(std::string_view name) const;

 private:
  std::vector<double> operations_, megabytes_;  // per second; megabytes may be empty
};

}  // namespace cambium::bench

#endif  // CAMBIUM_BENCHMARKS_HARNESS_REPORT_OUTPUT_H_
