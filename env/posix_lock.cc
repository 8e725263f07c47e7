#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "env/errno_status.h"
#include "env/lock_holders.h"
#include "env/posix_io.h"
#include "util/absl_view.h"
#include "util/mutex.h"
#include "util/process.h"
#include "util/status_macros.h"

namespace cambium::env {
namespace {

// Device and inode: the target of a path, independent of its spelling.
using FileIdentity = std::pair<dev_t, ino_t>;

// The lock of a reader if there is no lock file and therefore no writer. Immutable after
// construction.
class FreeLock final : public FileLock {};

// The number of attempts if the lock file is removed repeatedly while it is being locked.
constexpr int kMaxAttempts = 100;

// More than a pid and a newline need.
constexpr size_t kMaxLockFileSize = 32;

class HeldLocks;
HeldLocks& Held();

// The lock files that this process holds. Thread-safe. Empty in a child of fork().
class HeldLocks {
 public:
  // Returns false if the held locks exclude it. `fd` is open on the file.
  bool Insert(const FileIdentity& identity, LockMode mode, int fd) {
    std::set<int> descriptor{fd};  // created first: nothing may fail after the lock is recorded
    MutexLock lock(&mu_);
    if (!held_[identity].Add(mode)) return false;
    descriptors_.merge(descriptor);
    return true;
  }
  void Erase(const FileIdentity& identity, int fd) {
    MutexLock lock(&mu_);
    descriptors_.erase(fd);
    const auto found = held_.find(identity);
    if (found != held_.end() && found->second.DropOne()) held_.erase(found);
  }

  // Around fork(): no thread is in the middle of a change then.
  static void BeforeFork() ABSL_EXCLUSIVE_LOCK_FUNCTION(Held().mu_) { Held().mu_.LockInAnyOrder(); }
  static void AfterForkInParent() ABSL_UNLOCK_FUNCTION(Held().mu_) { Held().mu_.Unlock(); }
  // The locks stay with the parent: a descriptor that the child kept would keep them locked after
  // the parent's death.
  static void AfterForkInChild() ABSL_UNLOCK_FUNCTION(Held().mu_) {
    for (const int fd : Held().descriptors_) ::close(fd);
    Held().descriptors_.clear();
    Held().held_.clear();
    Held().mu_.Unlock();
  }

 private:
  Mutex mu_;
  std::map<FileIdentity, LockHolders> held_ ABSL_GUARDED_BY(mu_);
  std::set<int> descriptors_ ABSL_GUARDED_BY(mu_);
};

HeldLocks& Held() {
  // Never destroyed: a lock may outlive the static objects.
  static HeldLocks& held = *[] {
    ::pthread_atfork(HeldLocks::BeforeFork, HeldLocks::AfterForkInParent,
                     HeldLocks::AfterForkInChild);
    return std::make_unique<HeldLocks>().release();
  }();
  return held;
}

// An entry in the process's table, after Hold(), and a descriptor that holds the file's lock, which
// are released together at its end. Confined to one thread until it is returned.
class PosixLock final : public FileLock {
 public:
  PosixLock(FileIdentity identity, FileDescriptor fd) : identity_(identity), fd_(std::move(fd)) {}
  ~PosixLock() override {
    if (!held_) return;
    if (generation_ != ProcessGeneration()) {
      fd_.Release();  // closed after the fork
      return;
    }
    // In this order, so that a thread that finds the table free also finds the file's lock free.
    // Unlocked explicitly: a child made by a bare clone system call may have a copy of the
    // descriptor.
    struct flock request = {};
    request.l_type = F_UNLCK;
    request.l_whence = SEEK_SET;
    (void)::fcntl(fd_.get(), F_OFD_SETLK, &request);
    Held().Erase(identity_, fd_.get());
  }

  // Returns false if the process's locks exclude it.
  bool Hold(LockMode mode) {
    held_ = Held().Insert(identity_, mode, fd_.get());
    return held_;
  }
  int fd() const { return fd_.get(); }

 private:
  const FileIdentity identity_;
  bool held_ = false;
  const uint32_t generation_ = ProcessGeneration();
  FileDescriptor fd_;
};

// Returns the pid that the holder wrote, or nothing if the file does not contain a number.
std::string ReadPid(int fd) {
  char text[32];
  const ssize_t count = ::pread(fd, text, sizeof(text), 0);
  const std::string_view content(text, count > 0 ? static_cast<size_t>(count) : 0);
  const std::string_view digits = content.substr(0, content.find_first_not_of("0123456789"));
  return std::string(digits);
}

absl::Status HeldStatus(const std::string& path, std::string_view holder) {
  return LockHeldError(absl::StrCat("lock ", path, ": held by ", ToAbsl(holder)));
}

struct flock RequestFor(LockMode mode) {
  struct flock request = {};
  request.l_type = mode == LockMode::kExclusive ? F_WRLCK : F_RDLCK;
  request.l_whence = SEEK_SET;
  return request;
}

// Returns true if `fd` was locked, and false if another process holds the lock; any other error is
// a failure.
absl::StatusOr<bool> TryLock(int fd, const std::string& path, LockMode mode) {
  struct flock request = RequestFor(mode);
  if (AfterSignals([&] { return ::fcntl(fd, F_OFD_SETLK, &request); }) == 0) return true;
  if (errno == EAGAIN || errno == EACCES) return false;
  return ErrnoStatus("lock", path, errno);
}

// Returns a description of the holder. Only an exclusive holder writes its pid.
std::string NameHolder(int fd, LockMode mode) {
  struct flock request = RequestFor(mode);
  if (::fcntl(fd, F_OFD_GETLK, &request) == 0 && request.l_type == F_RDLCK) {
    return "another process that reads";
  }
  const std::string pid = ReadPid(fd);
  return pid.empty() ? std::string("another process") : absl::StrCat("another process, pid ", pid);
}

// Rejects a file that is not one of our lock files: it is neither locked nor written.
absl::Status CheckLockFile(int fd, const std::string& path, const struct stat& info) {
  const auto refusal = [&path](std::string_view found) {
    return absl::FailedPreconditionError(absl::StrCat("lock ", path, ": found ", ToAbsl(found),
                                                      ", expected a lock file of a database"));
  };
  if (!S_ISREG(info.st_mode)) return refusal("no regular file");
  if (info.st_nlink > 1) return refusal("a file with more than one name");
  // The content is empty or a pid and a newline, or, while the holder overwrites an older pid, a
  // mix of both.
  char content[kMaxLockFileSize];
  const ssize_t size = ::pread(fd, content, sizeof(content), 0);
  const std::string_view text(content, size > 0 ? static_cast<size_t>(size) : 0);
  if (static_cast<size_t>(info.st_size) > sizeof(content) ||
      text.find_first_not_of("0123456789\n") != std::string_view::npos) {
    return refusal("other content than a pid");
  }
  return absl::OkStatus();
}

// The pid is only used in messages: a full disk must not prevent opening a database.
void WritePid(int fd, const std::string& path) {
  const std::string text = absl::StrCat(::getpid(), "\n");
  if (WriteFully(fd, path, text, 0).ok()) {
    (void)!::ftruncate(fd, static_cast<off_t>(text.size()));
  }
}

// Returns true if `place` refers to the file with that identity.
bool LeadsTo(const Place& place, const FileIdentity& identity) {
  struct stat info;
  return ::fstatat(place.directory, place.name, &info, AT_SYMLINK_NOFOLLOW) == 0 &&
         FileIdentity(info.st_dev, info.st_ino) == identity;
}

// Makes one attempt. Returns null if the file was replaced between our open and our lock.
absl::StatusOr<std::unique_ptr<FileLock>> AttemptLock(const Place& place, LockMode mode) {
  const std::string& path = place.path;
  // Nonblocking, in case the name is a pipe.
  const int flags =
      (mode == LockMode::kExclusive ? O_RDWR | O_CREAT : O_RDONLY) | O_NOFOLLOW | O_NONBLOCK;
  ASSIGN_OR_RETURN(FileDescriptor fd, OpenDescriptor("lock", place, flags));
  struct stat info;
  if (::fstat(fd.get(), &info) != 0) return ErrnoStatus("lock", path, errno);
  RETURN_IF_ERROR(CheckLockFile(fd.get(), path, info));
  const FileIdentity identity(info.st_dev, info.st_ino);
  auto lock = std::make_unique<PosixLock>(identity, std::move(fd));
  if (!lock->Hold(mode)) {
    return HeldStatus(path, absl::StrCat("this process, pid ", ::getpid()));
  }
  ASSIGN_OR_RETURN(const bool locked, TryLock(lock->fd(), path, mode));
  if (!LeadsTo(place, identity)) return nullptr;
  if (!locked) return HeldStatus(path, NameHolder(lock->fd(), mode));
  if (mode == LockMode::kExclusive) WritePid(lock->fd(), path);
  return lock;
}

}  // namespace

absl::StatusOr<std::unique_ptr<FileLock>> AcquirePosixLock(const Place& place, LockMode mode) {
  for (int attempt = 0; attempt < kMaxAttempts; ++attempt) {
    absl::StatusOr<std::unique_ptr<FileLock>> lock = AttemptLock(place, mode);
    if (mode == LockMode::kShared && absl::IsNotFound(lock.status())) {
      return std::make_unique<FreeLock>();
    }
    if (!lock.ok() || *lock != nullptr) return lock;
  }
  return absl::UnavailableError(
      absl::StrCat("lock ", place.path, ": the file keeps being replaced"));
}

}  // namespace cambium::env
