// Writes the file of --json: all measurements.
#ifndef CAMBIUM_BENCHMARKS_HARNESS_REPORT_JSON_REPORT_H_
#define CAMBIUM_BENCHMARKS_HARNESS_REPORT_JSON_REPORT_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "benchmarks/harness/report/result.h"
#include "benchmarks/harness/settings.h"

namespace cambium::bench {

// Replaces the file. `error` is the error that ended the run early; empty if there was none.
absl::Status WriteJsonReport(const Settings& settings, const std::vector<Result>& results,
                             const std::string& error);

}  // namespace cambium::bench

#endif  // CAMBIUM_BENCHMARKS_HARNESS_REPORT_JSON_REPORT_H_
