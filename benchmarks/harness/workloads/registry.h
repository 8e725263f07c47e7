// The benchmarks by their names: a table a topic.
#ifndef CAMBIUM_BENCHMARKS_HARNESS_WORKLOADS_REGISTRY_H_
#define CAMBIUM_BENCHMARKS_HARNESS_WORKLOADS_REGISTRY_H_

#include <atomic>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "benchmarks/harness/worker.h"

namespace cambium::bench {

// What a benchmark begins with.
enum class Start {
  kFresh,   // an empty database
  kAsItIs,  // what the benchmarks before have left
};

// Who runs it.
enum class Crew {
  kThreads,  // --threads, each with a session
  kOne,      // one thread, without a session: it works on the whole engine
  kPrinter,  // as kOne, and nothing is measured
};

// Plain data.
struct Workload {
  std::string_view name;
  Start start;
  Crew crew;
  void (*run)(Worker* worker);
  // One thread more, which runs this until the others have ended.
  void (*beside)(Worker* worker, const std::atomic<bool>& over) = nullptr;
  // What stands at the end of the line; null: how many keys were found, where any were looked up.
  std::string (*message)(const Measured& measured) = nullptr;
};

std::span<const Workload> WriteWorkloads();
std::span<const Workload> ReadWorkloads();
std::span<const Workload> ScanWorkloads();
std::span<const Workload> YcsbWorkloads();
std::span<const Workload> UpkeepWorkloads();

// Null where there is none.
const Workload* FindWorkload(std::string_view name);
std::vector<std::string> WorkloadNames();

// For the thread beside: overwrites random keys; goes over all entries, again and again.
void WriteBeside(Worker* worker, const std::atomic<bool>& over);
void ScanBeside(Worker* worker, const std::atomic<bool>& over);

}  // namespace cambium::bench

#endif  // CAMBIUM_BENCHMARKS_HARNESS_WORKLOADS_REGISTRY_H_
