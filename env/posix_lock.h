// PosixLock: one holder of a lock file among all processes and within this one.
#ifndef CAMBIUM_ENV_POSIX_LOCK_H_
#define CAMBIUM_ENV_POSIX_LOCK_H_

#include <sys/types.h>

#include <memory>
#include <string>
#include <utility>

#include "cambium/file_system.h"
#include "env/posix_files.h"

namespace cambium::env {

// Device and inode: what a path leads to, whatever its spelling.
using FileIdentity = std::pair<dev_t, ino_t>;

// An entry in the process's table and a descriptor that holds the file's lock, given back together
// at its end. Immutable after construction.
class PosixLock final : public FileLock {
 public:
  PosixLock(FileIdentity identity, FileDescriptor fd) : identity_(identity), fd_(std::move(fd)) {}
  ~PosixLock() override;

  int fd() const { return fd_.get(); }

 private:
  const FileIdentity identity_;
  FileDescriptor fd_;
};

// FileSystem::Lock: an exclusive holder writes this process's pid into the file, and the error of
// whoever he keeps out names it.
absl::StatusOr<std::unique_ptr<FileLock>> AcquirePosixLock(const std::string& path, LockMode mode);

}  // namespace cambium::env

#endif  // CAMBIUM_ENV_POSIX_LOCK_H_
