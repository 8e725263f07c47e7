#include "benchmarks/harness/workloads/registry.h"

#include <array>

namespace cambium::bench {
namespace {

std::array<std::span<const Workload>, 5> Tables() {
  return {WriteWorkloads(), ReadWorkloads(), ScanWorkloads(), YcsbWorkloads(), UpkeepWorkloads()};
}

}  // namespace

const Workload* FindWorkload(std::string_view name) {
  for (const std::span<const Workload> table : Tables()) {
    for (const Workload& workload : table) {
      if (workload.name == name) return &workload;
    }
  }
  return nullptr;
}

std::vector<std::string> WorkloadNames() {
  std::vector<std::string> names;
  for (const std::span<const Workload> table : Tables()) {
    for (const Workload& workload : table) names.emplace_back(workload.name);
  }
  return names;
}

}  // namespace cambium::bench
