// Helpers for the POSIX files and locks of this folder.
#ifndef CAMBIUM_ENV_POSIX_IO_H_
#define CAMBIUM_ENV_POSIX_IO_H_

#include <signal.h>
#include <sys/types.h>

#include <cerrno>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "cambium/file_system.h"

namespace cambium::env {

// Owns a file descriptor; -1 means none. Thread-compatible.
class FileDescriptor {
 public:
  explicit FileDescriptor(int value) : value_(value) {}
  FileDescriptor(FileDescriptor&& other) noexcept : value_(std::exchange(other.value_, -1)) {}
  FileDescriptor& operator=(FileDescriptor&&) = delete;
  ~FileDescriptor();

  int get() const { return value_; }
  bool valid() const { return value_ >= 0; }
  // Closes it now. `path` is used in the message.
  [[nodiscard]] absl::Status Close(const std::string& path);
  // Releases it without closing it.
  void Release() { value_ = -1; }

 private:
  int value_;
};

// Calls a system call, and repeats it if a signal interrupts it.
template <typename Call>
auto AfterSignals(Call call) {
  auto result = call();
  while (result == -1 && errno == EINTR) result = call();
  return result;
}

// Returns ok if `result` is 0; otherwise the error of errno.
[[nodiscard]] absl::Status StatusOf(int result, std::string_view operation,
                                    const std::string& path);

// The directory and the name of a path, for openat(2) and similar calls. Valid as long as the path.
struct Place {
  int directory;            // a descriptor, or AT_FDCWD
  const char* name;         // relative to `directory`, or absolute
  const std::string& path;  // the whole path, for messages
};

// The owner may write created files, and the owner's group may read them, minus the umask.
inline constexpr mode_t kFileMode = 0640;
inline constexpr mode_t kDirectoryMode = 0750;

// openat(2) with O_CLOEXEC, repeated after signals. A new file gets kFileMode.
absl::StatusOr<FileDescriptor> OpenDescriptor(std::string_view operation, const Place& place,
                                              int flags);

// While it exists, growing a file to `end` bytes, beyond the process's limit (RLIMIT_FSIZE), fails
// with EFBIG in this thread and raises no SIGXFSZ, which would end the process. Costs one system
// call as long as the limit is not reached. Confined to its scope.
class FileSizeSignalBlock {
 public:
  explicit FileSizeSignalBlock(uint64_t end);
  ~FileSizeSignalBlock();
  FileSizeSignalBlock(const FileSizeSignalBlock&) = delete;
  FileSizeSignalBlock& operator=(const FileSizeSignalBlock&) = delete;

 private:
  bool active_ = false;
  sigset_t signal_;
  sigset_t before_;
};

// Writes all of `data` at `offset`, or returns the error.
[[nodiscard]] absl::Status WriteFully(int fd, const std::string& path, std::string_view data,
                                      uint64_t offset);

// Calls fdatasync(2), and repeats it only after signals: after any other error the kernel may have
// dropped the pages, and a second call could return a false success.
[[nodiscard]] absl::Status SyncData(int fd, const std::string& path);

// Implements FileSystem::Lock (posix_lock.cc): an exclusive holder writes this process's pid into
// the file, and the error of a failed attempt contains it.
absl::StatusOr<std::unique_ptr<FileLock>> AcquirePosixLock(const Place& place, LockMode mode);

}  // namespace cambium::env

#endif  // CAMBIUM_ENV_POSIX_IO_H_
