// Workloads: the benchmarks themselves.
#ifndef CAMBIUM_BENCHMARKS_CAMBIUM_BENCH_WORKLOADS_H_
#define CAMBIUM_BENCHMARKS_CAMBIUM_BENCH_WORKLOADS_H_

#include <atomic>
#include <span>
#include <string_view>

#include "benchmarks/cambium_bench/data.h"
#include "benchmarks/cambium_bench/report.h"
#include "benchmarks/cambium_bench/settings.h"
#include "cambium/db.h"
#include "util/random.h"

namespace cambium::bench {

// What one thread of a benchmark works with. Confined to that thread.
struct Worker {
  const Settings* settings;
  const ValueSource* values;
  DB* db;
  int index;  // of the thread
  Random random;
  Measured measured;
};

enum class Start {
  kFresh,   // on an empty database
  kAsItIs,  // on what the benchmarks before have left
};

// A benchmark by its name. Plain data.
struct Workload {
  std::string_view name;
  Start start;
  void (*run)(Worker* worker);
  // One thread more than asked for, which runs this until the others have ended.
  void (*beside)(Worker* worker, const std::atomic<bool>& over) = nullptr;
};

// All of them, and the nearest to a name that is none.
std::span<const Workload> Workloads();
std::string_view NearestWorkload(std::string_view name);

}  // namespace cambium::bench

#endif  // CAMBIUM_BENCHMARKS_CAMBIUM_BENCH_WORKLOADS_H_
