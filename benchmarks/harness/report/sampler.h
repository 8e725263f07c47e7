// Sampler: looks at the counts of running threads, every so many seconds.
#ifndef CAMBIUM_BENCHMARKS_HARNESS_REPORT_SAMPLER_H_
#define CAMBIUM_BENCHMARKS_HARNESS_REPORT_SAMPLER_H_

#include <condition_variable>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "benchmarks/harness/settings.h"
#include "benchmarks/harness/worker.h"

namespace cambium::bench {

// The file of --report_file: a line for each interval of the whole run, all benchmarks. Confined to
// one thread at a time.
class IntervalFile {
 public:
  // Where nothing is asked for, nothing is written.
  explicit IntervalFile(const Reporting& report);
  ~IntervalFile();
  IntervalFile(const IntervalFile&) = delete;
  IntervalFile& operator=(const IntervalFile&) = delete;

  // Not ok if the file cannot be made, or if a line could not be written.
  absl::Status status() const;
  void Add(double operations_per_second);

 private:
  const Reporting& report_;
  std::FILE* const file_;
  int64_t elapsed_seconds_ = 0;
};

// Works from its making to its end, on a thread of its own. Confined to its maker's thread.
class Sampler {
 public:
  Sampler(const Reporting& report, IntervalFile* file,
          const std::vector<std::unique_ptr<Worker>>* workers);
  ~Sampler();
  Sampler(const Sampler&) = delete;
  Sampler& operator=(const Sampler&) = delete;

 private:
  void Run();
  void ReportInterval();
  void PrintThreads(double seconds);

  const Reporting& report_;
  IntervalFile* const file_;
  const std::vector<std::unique_ptr<Worker>>* const workers_;
  std::vector<int64_t> printed_;  // operations of each thread
  int64_t reported_ = 0;          // of all
  std::mutex mutex_;
  std::condition_variable ended_;
  bool over_ = false;  // guarded by mutex_
  std::thread thread_;
};

}  // namespace cambium::bench

#endif  // CAMBIUM_BENCHMARKS_HARNESS_REPORT_SAMPLER_H_
