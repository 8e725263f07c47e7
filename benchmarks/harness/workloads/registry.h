// The benchmarks by name: one table per topic.
#ifndef CAMBIUM_BENCHMARKS_HARNESS_WORKLOADS_REGISTRY_H_
#define CAMBIUM_BENCHMARKS_HARNESS_WORKLOADS_REGISTRY_H_

#include <atomic>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "benchmarks/harness/worker.h"

namespace cambium::bench {

// The initial state of a benchmark.
enum class Start {
  kFresh,   // an empty database
  kAsItIs,  // the state that earlier benchmarks have left
};

// The threads that run it.
enum class Crew {
  kThreads,  // --threads threads, each with a session
  kOne,      // one thread, without a session: it uses the whole engine
  kPrinter,  // like kOne, without measurements
};

// Plain data.
struct Workload {
  std::string_view name;
  Start start;
  Crew crew;
  void (*run)(Worker* worker);
  // One more thread, which runs this until the others have ended.
  void (*beside)(Worker* worker, const std::atomic<bool>& over) = nullptr;
  // The end of the output line; null: the number of keys found, if any were looked up.
  std::string (*message)(const Measured& measured) = nullptr;
};

std::span<const Workload> WriteWorkloads();
std::span<const Workload> ReadWorkloads();
std::span<const Workload> ScanWorkloads();
std::span<const Workload> YcsbWorkloads();
std::span<const Workload> UpkeepWorkloads();

// Returns null if there is none.
const Workload* FindWorkload(std::string_view name);
std::vector<std::string> WorkloadNames();

// For the parallel thread: overwrites random keys; scans all entries repeatedly.
void WriteBeside(Worker* worker, const std::atomic<bool>& over);
void ScanBeside(Worker* worker, const std::atomic<bool>& over);

}  // namespace cambium::bench

#endif  // CAMBIUM_BENCHMARKS_HARNESS_WORKLOADS_REGISTRY_H_
