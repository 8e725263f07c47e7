// Shared by the kernels: keys, sizes, a directory for files.
#ifndef CAMBIUM_BENCHMARKS_KERNELS_KERNEL_H_
#define CAMBIUM_BENCHMARKS_KERNELS_KERNEL_H_

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <system_error>

#include "absl/status/status.h"
#include "base/keys.h"

namespace cambium::bench {

// Returns `count`, or a hundredth of it if CAMBIUM_KERNELS_SMALL is set: a test runs every kernel
// that way, so that all of them keep working.
inline int64_t Sized(int64_t count) {
  static const bool small = std::getenv("CAMBIUM_KERNELS_SMALL") != nullptr;
  return small && count > 100 ? count / 100 : count;
}

// Returns sixteen digits.
inline std::string KeyOf(uint64_t i) {
  char key[32];
  std::snprintf(key, sizeof(key), "%016llu", static_cast<unsigned long long>(i));
  return key;
}

inline const KeyOrder& Order() {
  static const KeyOrder order(BytewiseComparator());
  return order;
}

// Ends the program on an error, so that a kernel never measures a failure.
inline void Require(const absl::Status& status) {
  if (status.ok()) return;
  std::fprintf(stderr, "%s\n", status.ToString().c_str());
  std::exit(1);
}

// A directory under $TMPDIR, or /tmp, that is removed with its object. TMPDIR=/dev/shm excludes the
// disk. Thread-compatible.
class ScratchDirectory {
 public:
  ScratchDirectory() {
    std::string name = (std::filesystem::temp_directory_path() / "cambium-kernel-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) Require(absl::UnavailableError("no room for files"));
    path_ = name;
  }
  ScratchDirectory(const ScratchDirectory&) = delete;
  ScratchDirectory& operator=(const ScratchDirectory&) = delete;
  ~ScratchDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }

  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace cambium::bench

#endif  // CAMBIUM_BENCHMARKS_KERNELS_KERNEL_H_
