#include "benchmarks/harness/report/process.h"

#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

namespace cambium::bench {
namespace {

// Returns the text after the colon in the first line of `file` that begins with `name`; empty if
// there is none.
std::string Field(const char* file, const std::string& name) {
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) {
    if (line.compare(0, name.size(), name) != 0) continue;
    const size_t colon = line.find(':');
    const size_t start =
        colon == std::string::npos ? colon : line.find_first_not_of(" \t", colon + 1);
    return start == std::string::npos ? "" : line.substr(start);
  }
  return "";
}

uint64_t Number(const char* file, const std::string& name) {
  return std::strtoull(Field(file, name).c_str(), nullptr, 10);
}

double Seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

// Returns the type of the mount with the longest path above `path`.
std::string FileSystemOf(const std::string& path) {
  std::error_code error;
  const std::string whole = std::filesystem::weakly_canonical(path, error).string() + "/";
  std::ifstream in("/proc/self/mounts");
  std::string type;
  size_t longest = 0;
  for (std::string line; std::getline(in, line);) {
    std::istringstream words(line);
    std::string device, mount, kind;
    words >> device >> mount >> kind;
    if (mount != "/") mount += '/';
    if (mount.size() < longest || whole.compare(0, mount.size(), mount) != 0) continue;
    longest = mount.size();
    type = kind;
  }
  return type;
}

}  // namespace

ProcessUsage UsageNow() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  ProcessUsage now;
  now.user_seconds = Seconds(usage.ru_utime);
  now.system_seconds = Seconds(usage.ru_stime);
  now.bytes_written = Number("/proc/self/io", "wchar");
  now.device_bytes_written = Number("/proc/self/io", "write_bytes");
  now.bytes_read = Number("/proc/self/io", "rchar");
  return now;
}

double ThreadCpuSeconds() {
  rusage usage{};
  getrusage(RUSAGE_THREAD, &usage);
  return Seconds(usage.ru_utime) + Seconds(usage.ru_stime);
}

void ResetPeakMemory() { std::ofstream("/proc/self/clear_refs") << "5"; }

uint64_t PeakMemoryBytes() { return Number("/proc/self/status", "VmHWM") * 1024; }

uint64_t PrivateMemoryBytes() { return Number("/proc/self/status", "RssAnon") * 1024; }

uint64_t AllocatedBytes(const std::string& path) {
  uint64_t bytes = 0;
  std::error_code error;
  std::filesystem::recursive_directory_iterator entry(path, error), end;
  for (; !error && entry != end; entry.increment(error)) {
    struct stat status {};
    // A file that the engine removed in the meantime is not counted.
    if (lstat(entry->path().c_str(), &status) != 0 || !S_ISREG(status.st_mode)) continue;
    bytes += static_cast<uint64_t>(status.st_blocks) * 512;
  }
  return bytes;
}

Machine ThisMachine(const std::string& database_path) {
  Machine machine;
  machine.cpu = Field("/proc/cpuinfo", "model name");
  machine.cores = std::thread::hardware_concurrency();
  machine.memory_bytes =
      static_cast<uint64_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  utsname name{};
  if (uname(&name) == 0) machine.kernel = std::string(name.sysname) + " " + name.release;
  machine.file_system = FileSystemOf(database_path);
  return machine;
}

}  // namespace cambium::bench
