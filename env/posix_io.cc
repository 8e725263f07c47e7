#include "env/posix_io.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>

#include "absl/strings/str_cat.h"
#include "env/errno_status.h"
#include "util/absl_view.h"

namespace cambium::env {

FileDescriptor::~FileDescriptor() {
  if (value_ >= 0) ::close(value_);
}

absl::Status FileDescriptor::Close(const std::string& path) {
  if (value_ < 0) return absl::OkStatus();
  // Linux frees the descriptor whatever close() returns, so close() is never repeated.
  if (::close(std::exchange(value_, -1)) != 0 && errno != EINTR) {
    return ErrnoStatus("close", path, errno);
  }
  return absl::OkStatus();
}

FileSizeSignalBlock::FileSizeSignalBlock(uint64_t end) {
  struct rlimit limit;
  if (::getrlimit(RLIMIT_FSIZE, &limit) != 0 || end <= limit.rlim_cur) return;
  sigemptyset(&signal_);
  sigaddset(&signal_, SIGXFSZ);
  active_ = ::pthread_sigmask(SIG_BLOCK, &signal_, &before_) == 0;
}

FileSizeSignalBlock::~FileSizeSignalBlock() {
  if (!active_ || sigismember(&before_, SIGXFSZ) == 1) return;
  // Consumes the signal that a failed write has left pending.
  const struct timespec at_once = {};
  AfterSignals([&] { return ::sigtimedwait(&signal_, nullptr, &at_once); });
  ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
}

absl::Status StatusOf(int result, std::string_view operation, const std::string& path) {
  return result == 0 ? absl::OkStatus() : ErrnoStatus(operation, path, errno);
}

absl::StatusOr<FileDescriptor> OpenDescriptor(std::string_view operation, const Place& place,
                                              int flags) {
  const int fd = AfterSignals(
      [&] { return ::openat(place.directory, place.name, flags | O_CLOEXEC, kFileMode); });
  if (fd < 0) return ErrnoStatus(operation, place.path, errno);
  return FileDescriptor(fd);
}

absl::Status WriteFully(int fd, const std::string& path, std::string_view data, uint64_t offset) {
  const FileSizeSignalBlock block(offset + data.size());
  while (!data.empty()) {
    const ssize_t count = ::pwrite(fd, data.data(), data.size(), static_cast<off_t>(offset));
    if (count > 0) {
      data.remove_prefix(static_cast<size_t>(count));
      offset += static_cast<uint64_t>(count);
    } else if (count == 0 || errno != EINTR) {
      const int error = count == 0 ? EIO : errno;  // a write of nothing would loop forever
      return ErrnoStatus(FromAbsl(absl::StrCat("write at offset ", offset)), path, error);
    }
  }
  return absl::OkStatus();
}

absl::Status SyncData(int fd, const std::string& path) {
  return StatusOf(AfterSignals([fd] { return ::fdatasync(fd); }), "sync", path);
}

}  // namespace cambium::env
