// PosixFileSystem: what is its own beside the contract.
#include "env/posix_file_system.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <functional>

#include "env/errno_status.h"
#include "tests/env/env_test_util.h"

namespace cambium::env {
namespace {

using testing::HasSubstr;

TEST(ErrnoStatus, MapsAsFileSystemPromises) {
  EXPECT_EQ(CodeOfErrno(ENOENT), absl::StatusCode::kNotFound);
  EXPECT_EQ(CodeOfErrno(EEXIST), absl::StatusCode::kAlreadyExists);
  for (const int error : {ENOSPC, EDQUOT, EFBIG}) {
    EXPECT_EQ(CodeOfErrno(error), absl::StatusCode::kResourceExhausted);
  }
  for (const int error : {EACCES, EPERM, EROFS}) {
    EXPECT_EQ(CodeOfErrno(error), absl::StatusCode::kPermissionDenied);
  }
  EXPECT_EQ(CodeOfErrno(EOPNOTSUPP), absl::StatusCode::kUnimplemented);
  // The error that the engine distinguishes from all others: a lack of descriptors.
  for (const int error : {EMFILE, ENFILE}) {
    EXPECT_EQ(CodeOfErrno(error), absl::StatusCode::kAborted);
  }
  EXPECT_EQ(CodeOfErrno(ENOTEMPTY), absl::StatusCode::kFailedPrecondition);
  for (const int error : {EIO, ENOMEM}) {
    EXPECT_EQ(CodeOfErrno(error), absl::StatusCode::kUnavailable);
  }
}

TEST(ErrnoStatus, NamesOperationPathAndReason) {
  EXPECT_EQ(MessageOf(ErrnoStatus("open", "/a/b", ENOENT)), "open /a/b: No such file or directory");
}

TEST(PosixFileSystem, DefaultIsOneForTheProcess) {
  EXPECT_NE(DefaultFileSystem(), nullptr);
  EXPECT_EQ(DefaultFileSystem(), DefaultFileSystem());
}

TEST(PosixFileSystem, LogHasItsBlocksAllocated) {
  const TemporaryDirectory directory;
  PosixFileSystem files;
  auto log = files.CreateLog(directory.path() + "/log", 1 << 20);
  ASSERT_OK(log.status());
  struct stat info;
  ASSERT_EQ(::stat((directory.path() + "/log").c_str(), &info), 0);
  EXPECT_GE(info.st_blocks * 512, 1 << 20);
}

TEST(PosixFileSystem, MapsLogsWhereStoresCannotFail) {
  const TemporaryDirectory directory;
  struct statfs info;
  ASSERT_EQ(::statfs(directory.path().c_str(), &info), 0);
  PosixFileSystem files;
  auto log = files.CreateLog(directory.path() + "/log", 4096);
  ASSERT_OK(log.status());
  const bool safe = info.f_type == EXT4_SUPER_MAGIC || info.f_type == TMPFS_MAGIC ||
                    info.f_type == 0x58465342 /* xfs */;
  EXPECT_EQ((*log)->Mapping() != nullptr, safe);
  PosixFileSystem never(LogMapping::kNever);
  auto unmapped = never.CreateLog(directory.path() + "/log2", 4096);
  ASSERT_OK(unmapped.status());
  EXPECT_EQ((*unmapped)->Mapping(), nullptr);
}

// Runs `body` in a child process and returns its exit code.
int RunInChild(const std::function<int()>& body) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(body());
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}

TEST(PosixFileSystem, FileSizeLimitIsResourceExhausted) {
  const TemporaryDirectory directory;
  EXPECT_EQ(RunInChild([&] {
              ::signal(SIGXFSZ, SIG_IGN);
              const struct rlimit limit = {10'000, 10'000};
              ::setrlimit(RLIMIT_FSIZE, &limit);
              PosixFileSystem files;
              const std::string path = directory.path() + "/log";
              if (!absl::IsResourceExhausted(files.CreateLog(path, 20'000).status())) return 1;
              if (*files.Exists(path)) return 2;  // no half-made log stays
              auto file = files.CreateWritable(path);
              if (!file.ok()) return 3;
              // The kernel takes the first part of this write and refuses the rest.
              if (!absl::IsResourceExhausted((*file)->Append(std::string(20'000, 'x')))) return 4;
              return *files.FileSize(path) == 10'000 ? 0 : 5;
            }),
            0);
}

TEST(PosixFileSystem, RefusedPermissionIsSaid) {
  const TemporaryDirectory directory;
  ASSERT_EQ(::chmod(directory.path().c_str(), 0500), 0);
  EXPECT_EQ(RunInChild([&] {
              constexpr uid_t kNobody = 65534;
              if (::geteuid() == 0 && ::seteuid(kNobody) != 0) return 1;
              PosixFileSystem files;
              const absl::Status status = files.CreateWritable(directory.path() + "/a").status();
              return absl::IsPermissionDenied(status) ? 0 : 2;
            }),
            0);
}

// A child process that holds a lock while this lives. Confined to the test.
class LockingChild {
 public:
  LockingChild(const std::string& path, LockMode mode) {
    int ready[2], done[2];
    if (::pipe(ready) != 0 || ::pipe(done) != 0) std::abort();
    pid_ = ::fork();
    char byte = 'n';
    if (pid_ == 0) {
      ::close(done[1]);
      PosixFileSystem files;
      const auto lock = files.Lock(path, mode);
      if (lock.ok()) byte = 'y';
      (void)!::write(ready[1], &byte, 1);
      (void)!::read(done[0], &byte, 1);
      ::_exit(0);  // the lock goes with the process
    }
    holds_ = ::read(ready[0], &byte, 1) == 1 && byte == 'y';
    end_ = done[1];
    for (const int fd : {ready[0], ready[1], done[0]}) ::close(fd);
  }
  LockingChild(const LockingChild&) = delete;
  LockingChild& operator=(const LockingChild&) = delete;
  ~LockingChild() {
    ::close(end_);
    ::waitpid(pid_, nullptr, 0);
  }
  bool holds() const { return holds_; }
  pid_t pid() const { return pid_; }

 private:
  pid_t pid_ = -1;
  int end_ = -1;
  bool holds_ = false;
};

TEST(PosixFileSystem, LockOfAnotherProcessIsRefusedAndItsPidNamed) {
  const TemporaryDirectory directory;
  const std::string path = directory.path() + "/LOCK";
  PosixFileSystem files;
  {
    const LockingChild child(path, LockMode::kExclusive);
    ASSERT_TRUE(child.holds());
    for (const LockMode mode : {LockMode::kExclusive, LockMode::kShared}) {
      const absl::Status refused = files.Lock(path, mode).status();
      EXPECT_TRUE(IsLockHeld(refused)) << refused;
      EXPECT_THAT(MessageOf(refused),
                  HasSubstr("another process, pid " + std::to_string(child.pid())));
    }
  }
  EXPECT_OK(files.Lock(path, LockMode::kExclusive).status());
}

TEST(PosixFileSystem, ReaderInAnotherProcessIsNotTakenForTheLastWriter) {
  const TemporaryDirectory directory;
  const std::string path = directory.path() + "/LOCK";
  PosixFileSystem files;
  { ASSERT_OK(files.Lock(path, LockMode::kExclusive).status()); }  // leaves our pid
  const LockingChild child(path, LockMode::kShared);
  ASSERT_TRUE(child.holds());
  EXPECT_OK(files.Lock(path, LockMode::kShared).status());
  const absl::Status refused = files.Lock(path, LockMode::kExclusive).status();
  EXPECT_TRUE(IsLockHeld(refused)) << refused;
  EXPECT_THAT(MessageOf(refused), HasSubstr("another process that reads"));
}

TEST(PosixFileSystem, LockKnowsAFileByMoreThanItsPath) {
  const TemporaryDirectory directory;
  PosixFileSystem files;
  auto lock = files.Lock(directory.path() + "/LOCK", LockMode::kExclusive);
  ASSERT_OK(lock.status());
  PosixFileSystem another;
  EXPECT_TRUE(
      IsLockHeld(another.Lock(directory.path() + "/./LOCK", LockMode::kExclusive).status()));
}

TEST(PosixFileSystem, LockFileHoldsThePid) {
  const TemporaryDirectory directory;
  PosixFileSystem files;
  ASSERT_OK(WriteNew(files, directory.path() + "/LOCK", "1234567890123\n"));
  auto lock = files.Lock(directory.path() + "/LOCK", LockMode::kExclusive);
  ASSERT_OK(lock.status());
  EXPECT_EQ(ReadAll(files, directory.path() + "/LOCK"), std::to_string(::getpid()) + "\n");
}

TEST(PosixFileSystem, DescriptorsAreNotInheritedByPrograms) {
  const TemporaryDirectory directory;
  PosixFileSystem files;
  auto file = files.CreateWritable(directory.path() + "/a");
  ASSERT_OK(file.status());
  int open_and_inherited = 0;
  for (int fd = 3; fd < 256; ++fd) {
    const int flags = ::fcntl(fd, F_GETFD);
    struct stat info;
    struct stat ours;
    if (flags >= 0 && ::fstat(fd, &info) == 0 &&
        ::stat((directory.path() + "/a").c_str(), &ours) == 0 && info.st_ino == ours.st_ino) {
      EXPECT_TRUE((flags & FD_CLOEXEC) != 0);
      ++open_and_inherited;
    }
  }
  EXPECT_EQ(open_and_inherited, 1);
}

}  // namespace
}  // namespace cambium::env
