// Result: the result of one run of one benchmark.
#ifndef CAMBIUM_BENCHMARKS_HARNESS_REPORT_RESULT_H_
#define CAMBIUM_BENCHMARKS_HARNESS_REPORT_RESULT_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "benchmarks/harness/measured.h"

namespace cambium::bench {

// Plain data.
struct Result {
  std::string name;
  int run = 1;  // warm-ups are not counted
  int threads = 1;
  std::unique_ptr<Measured> measured;  // the sum of the threads
  std::unique_ptr<Measured> beside;    // of the parallel thread; null if there was none
  std::optional<double> stall_seconds;
  double user_seconds = 0, system_seconds = 0, background_seconds = 0;
  uint64_t peak_memory_bytes = 0, memory_bytes = 0;
  std::optional<uint64_t> engine_bytes_written;
  std::optional<uint64_t> system_bytes_written, bytes_read;  // counts of all system calls
  uint64_t device_bytes_written = 0;
  uint64_t disk_bytes = 0;
  std::optional<uint64_t> live_bytes;
};

}  // namespace cambium::bench

#endif  // CAMBIUM_BENCHMARKS_HARNESS_REPORT_RESULT_H_
