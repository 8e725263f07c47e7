// The benchmark program of one engine: db_bench's benchmarks, flags and output lines.
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "benchmarks/harness/report/json_report.h"
#include "benchmarks/harness/report/output.h"
#include "benchmarks/harness/runner.h"
#include "benchmarks/harness/settings.h"
#include "benchmarks/harness/workloads/registry.h"
#include "tools/process/standard_streams.h"
#include "tools/words/nearest.h"

namespace cambium::bench {
namespace {

// Parses "X3" or "W1", of "name[X3-W1]".
void ParseRepetition(absl::string_view part, const std::string& whole, Task* task) {
  int count = 0;
  const bool is_number = !part.empty() && absl::SimpleAtoi(part.substr(1), &count) && count >= 0;
  if (is_number && (part[0] == 'X' || part[0] == 'x') && count > 0) {
    task->runs = count;
  } else if (is_number && (part[0] == 'W' || part[0] == 'w')) {
    task->warm_ups = count;
  } else {
    RefuseCommandLine(absl::StrCat("'", whole, "': expected name[X3], name[W1] or name[X3-W1]"));
  }
}

Task ParseTask(const std::string& text) {
  const size_t bracket = text.find('[');
  const std::string name = text.substr(0, bracket);
  Task task{FindWorkload(name)};
  if (task.workload == nullptr) {
    RefuseCommandLine(absl::StrCat("there is no benchmark '", name, "'\nhint: did you mean '",
                                   words::Nearest(WorkloadNames(), name), "'?"));
  }
  if (bracket == std::string::npos) return task;
  absl::string_view repetitions = absl::string_view(text).substr(bracket + 1);
  if (!absl::ConsumeSuffix(&repetitions, "]")) repetitions = "";
  for (const absl::string_view part : absl::StrSplit(repetitions, '-')) {
    ParseRepetition(part, text, &task);
  }
  return task;
}

int Main(int argc, char** argv) {
  process::ReserveStandardStreams();
  const Settings settings = ParseSettings(argc, argv);
  std::vector<Task> tasks;
  for (const std::string& benchmark : settings.benchmarks) tasks.push_back(ParseTask(benchmark));
  PrintBanner(settings);
  Runner runner(settings);
  absl::Status status;
  for (const Task& task : tasks) {
    status = runner.Run(task);
    if (!status.ok()) break;
  }
  status.Update(runner.Finish());
  if (!settings.report.json_file.empty()) {
    status.Update(WriteJsonReport(settings, runner.results(), std::string(status.message())));
  }
  if (const int error = process::FlushStandardOutput(); error != 0) {
    status.Update(
        absl::UnavailableError(absl::StrCat("write standard output: ", std::strerror(error))));
  }
  if (status.ok()) return 0;
  std::fprintf(stderr, "error: %s\n", std::string(status.message()).c_str());
  return 1;
}

}  // namespace
}  // namespace cambium::bench

int main(int argc, char** argv) { return cambium::bench::Main(argc, argv); }
