// The operating system's data about this process and the machine.
#ifndef CAMBIUM_BENCHMARKS_HARNESS_REPORT_PROCESS_H_
#define CAMBIUM_BENCHMARKS_HARNESS_REPORT_PROCESS_H_

#include <cstdint>
#include <string>

namespace cambium::bench {

// Usage since the process began. Plain data.
struct ProcessUsage {
  double user_seconds = 0, system_seconds = 0;
  uint64_t bytes_written = 0;  // by system calls
  uint64_t device_bytes_written = 0;
  uint64_t bytes_read = 0;  // by system calls
};
ProcessUsage UsageNow();
// Returns the CPU time of the calling thread, user and system together.
double ThreadCpuSeconds();

// Resets the peak, if the system allows it; otherwise the peak is that of the whole run.
void ResetPeakMemory();
uint64_t PeakMemoryBytes();
// Returns the resident memory, without the pages of files and shared memory.
uint64_t PrivateMemoryBytes();

// Returns the space that the files under `path` use on their device.
uint64_t AllocatedBytes(const std::string& path);

// Plain data.
struct Machine {
  std::string cpu;
  unsigned cores = 0;
  uint64_t memory_bytes = 0;
  std::string kernel;
  std::string file_system;  // of the database's directory: "ext4"
};
Machine ThisMachine(const std::string& database_path);

}  // namespace cambium::bench

#endif  // CAMBIUM_BENCHMARKS_HARNESS_REPORT_PROCESS_H_
