// The file of --json: everything that was measured.
#ifndef CAMBIUM_BENCHMARKS_HARNESS_REPORT_JSON_REPORT_H_
#define CAMBIUM_BENCHMARKS_HARNESS_REPORT_JSON_REPORT_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "benchmarks/harness/report/result.h"
#include "benchmarks/harness/settings.h"

namespace cambium::bench {

// Writes it anew. `error` is what ended the run before its end; empty where all went well.
absl::Status WriteJsonReport(const Settings& settings, const std::vector<Result>& results,
                             const std::string& error);

}  // namespace cambium::bench

#endif  // CAMBIUM_BENCHMARKS_HARNESS_REPORT_JSON_REPORT_H_
