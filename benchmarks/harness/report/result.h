// Result: what one run of one benchmark gave.
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
  int run = 1;  // of several; warm-ups are not counted
  int threads = 1;
  std::unique_ptr<Measured> measured;  // of the threads together
  std::unique_ptr<Measured> beside;    // of the one that ran beside them; null where none did
  std::optional<double> stall_seconds;
  double user_seconds = 0, system_seconds = 0, background_seconds = 0;
  uint64_t peak_memory_bytes = 0, memory_bytes = 0;
  std::optional<uint64_t> engine_bytes_written;
  std::optional<uint64_t> system_bytes_written, bytes_read;  // what system calls counted of all
  uint64_t device_bytes_written = 0;
  uint64_t disk_bytes = 0;
  std::optional<uint64_t> live_bytes;
};

}  // namespace cambium::bench

#endif  // CAMBIUM_BENCHMARKS_HARNESS_REPORT_RESULT_H_
