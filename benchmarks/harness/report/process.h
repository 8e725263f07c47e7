// What the operating system knows of this process, and of the machine.
#ifndef CAMBIUM_BENCHMARKS_HARNESS_REPORT_PROCESS_H_
#define CAMBIUM_BENCHMARKS_HARNESS_REPORT_PROCESS_H_

#include <cstdint>
#include <string>

namespace cambium::bench {

// Since the process began. Plain data.
struct ProcessUsage {
  double user_seconds = 0, system_seconds = 0;
  uint64_t bytes_written = 0;  // by system calls
  uint64_t device_bytes_written = 0;
  uint64_t bytes_read = 0;  // by system calls
};
ProcessUsage UsageNow();
// What the calling thread has used, user and system together.
double ThreadCpuSeconds();

// Forgets the peak so far, where that is allowed; otherwise the peak is that of the whole run.
void ResetPeakMemory();
uint64_t PeakMemoryBytes();
// What is resident, without the pages of files and shared memory.
uint64_t PrivateMemoryBytes();

// What the files under `path` take on their device.
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
