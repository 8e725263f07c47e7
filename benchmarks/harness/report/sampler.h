// Sampler: reads the counts of running threads at regular intervals.
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

// The file of --report_file: one line per interval of the whole run, for all benchmarks. Confined
// to one thread at a time.
class IntervalFile {
 public:
  // Writes nothing if it was not requested.
  explicit IntervalFile(const Reporting& report);
  ~IntervalFile();
  IntervalFile(const IntervalFile&) = delete;
  IntervalFile& operator=(const IntervalFile&) = delete;

  // Returns an error if the file could not be created, or if a line could not be written.
  absl::Status status() const;
  void Add(double operations_per_second);

 private:
  const Reporting& report_;
  std::FILE* const file_;
  int64_t elapsed_seconds_ = 0;
};

// Runs from its construction to its destruction, on its own thread. Confined to the thread that
// created it.
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
  std::vector<int64_t> printed_;  // operations per thread
  int64_t reported_ = 0;          // operations of all threads
  std::mutex mutex_;
  std::condition_variable ended_;
  bool over_ = false;  // guarded by mutex_
  std::thread thread_;
};

}  // namespace cambium::bench

#endif  // CAMBIUM_BENCHMARKS_HARNESS_REPORT_SAMPLER_H_
