// Runner: runs benchmarks one after another on one database.
#ifndef CAMBIUM_BENCHMARKS_HARNESS_RUNNER_H_
#define CAMBIUM_BENCHMARKS_HARNESS_RUNNER_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "benchmarks/harness/database.h"
#include "benchmarks/harness/live_keys.h"
#include "benchmarks/harness/records.h"
#include "benchmarks/harness/report/result.h"
#include "benchmarks/harness/report/sampler.h"
#include "benchmarks/harness/settings.h"
#include "benchmarks/harness/worker.h"
#include "benchmarks/harness/workloads/registry.h"

namespace cambium::bench {

// A benchmark as given in --benchmarks: "fillseq[X3-W1]". Plain data.
struct Task {
  const Workload* workload;
  int runs = 1;
  int warm_ups = 0;
};

// Confined to the main thread.
class Runner {
 public:
  explicit Runner(const Settings& settings);

  // Runs the task the requested number of times, and prints the results.
  absl::Status Run(const Task& task);
  absl::Status Finish();

  const std::vector<Result>& results() const { return results_; }

 private:
  using Workers = std::vector<std::unique_ptr<Worker>>;
  struct Before;

  // Opens the database; an empty one if the benchmark requires it.
  absl::Status Prepare(const Workload& workload);
  absl::StatusOr<Result> RunOnce(const Workload& workload);
  void RunWorkers(const Workload& workload, const Workers& workers, Worker* beside);
  Before Look();
  void CountResources(const Before& before, Result* result);
  std::unique_ptr<Worker> NewWorker(int index);

  const Settings& settings_;
  const ValueSource values_;
  Database database_;
  LiveKeys live_;
  bool knows_live_ = false;  // live_ matches the contents of the database
  std::optional<Records> records_;
  Shared shared_;
  IntervalFile interval_file_;
  uint64_t seeds_ = 0;
  std::vector<Result> results_;
};

}  // namespace cambium::bench

#endif  // CAMBIUM_BENCHMARKS_HARNESS_RUNNER_H_
