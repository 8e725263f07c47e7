#include "env/posix_file_system.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <limits>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "env/errno_status.h"
#include "env/posix_files.h"
#include "env/posix_lock.h"
#include "util/status_macros.h"

#ifndef XFS_SUPER_MAGIC
#define XFS_SUPER_MAGIC 0x58465342
#endif

namespace cambium::env {
namespace {

// Whether a store into an allocated block of this file can't be refused for want of space.
bool StoresCannotFail(int fd) {
  struct statfs info;
  if (::fstatfs(fd, &info) != 0) return false;
  static_assert(EXT4_SUPER_MAGIC == EXT2_SUPER_MAGIC && EXT4_SUPER_MAGIC == EXT3_SUPER_MAGIC);
  switch (static_cast<uint64_t>(info.f_type)) {
    case EXT4_SUPER_MAGIC:
    case XFS_SUPER_MAGIC:
    case TMPFS_MAGIC:
      return true;
    default:
      return false;
  }
}

absl::Status FillWithZeros(int fd, const std::string& path, uint64_t size) {
  const std::string zeros(std::min<uint64_t>(size, uint64_t{1} << 20), '\0');
  for (uint64_t offset = 0; offset < size; offset += zeros.size()) {
    const uint64_t count = std::min<uint64_t>(zeros.size(), size - offset);
    RETURN_IF_ERROR(WriteFully(fd, path, std::string_view(zeros).substr(0, count), offset));
  }
  return absl::OkStatus();
}

// Blocks for [0, size), and that size.
absl::Status Allocate(int fd, const std::string& path, uint64_t size) {
  if (size == 0) return absl::OkStatus();
  // Not posix_fallocate(): where the file system has none, glibc's stand-in makes a call or two for
  // each block.
  const int result = AfterSignals([&] { return ::fallocate(fd, 0, 0, static_cast<off_t>(size)); });
  if (result != 0 && (errno == EOPNOTSUPP || errno == ENOSYS)) {
    return FillWithZeros(fd, path, size);
  }
  return StatusOf(result, "allocate", path);
}

absl::Status CheckSize(std::string_view operation, const std::string& path, uint64_t size) {
  if (size <= static_cast<uint64_t>(std::numeric_limits<off_t>::max())) return absl::OkStatus();
  return ErrnoStatus(operation, path, EFBIG);
}

bool IsDirectory(const std::string& path) {
  struct stat info;
  return ::stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode);
}

absl::Status MakeOneDirectory(const std::string& path) {
  if (::mkdir(path.c_str(), 0755) == 0) return absl::OkStatus();
  const int error = errno;
  if (error == EEXIST && IsDirectory(path)) return absl::OkStatus();
  return ErrnoStatus("make directory", path, error);
}

}  // namespace

absl::StatusOr<std::unique_ptr<RandomAccessFile>> PosixFileSystem::OpenRandomAccess(
    const std::string& path) {
  ASSIGN_OR_RETURN(FileDescriptor fd, OpenDescriptor("open", path, O_RDONLY));
  return std::make_unique<PosixRandomAccessFile>(path, std::move(fd));
}

absl::StatusOr<std::unique_ptr<WritableFile>> PosixFileSystem::CreateWritable(
    const std::string& path) {
  ASSIGN_OR_RETURN(FileDescriptor fd, OpenDescriptor("create", path, O_WRONLY | O_CREAT | O_EXCL));
  return std::make_unique<PosixWritableFile>(path, std::move(fd));
}

absl::StatusOr<std::unique_ptr<LogFile>> PosixFileSystem::CreateLog(const std::string& path,
                                                                    uint64_t size) {
  RETURN_IF_ERROR(CheckSize("create", path, size));
  ASSIGN_OR_RETURN(FileDescriptor fd, OpenDescriptor("create", path, O_RDWR | O_CREAT | O_EXCL));
  if (absl::Status status = Allocate(fd.get(), path, size); !status.ok()) {
    // A file without its blocks is of no use, and would stand in the way of the next attempt.
    ::unlink(path.c_str());
    return status;
  }
  char* mapping = nullptr;
  if (log_mapping_ == LogMapping::kAuto && size > 0 && StoresCannotFail(fd.get())) {
    void* address = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0);
    // Out of address space or of mappings: WriteAt serves.
    if (address != MAP_FAILED) mapping = static_cast<char*>(address);
  }
  return std::make_unique<PosixLogFile>(path, std::move(fd), size, mapping);
}

absl::Status PosixFileSystem::SyncFile(const std::string& path) {
  ASSIGN_OR_RETURN(FileDescriptor fd, OpenDescriptor("sync", path, O_RDONLY));
  return SyncData(fd.get(), path);
}

absl::Status PosixFileSystem::SyncDirectory(const std::string& path) {
  ASSIGN_OR_RETURN(FileDescriptor fd,
                   OpenDescriptor("sync directory", path, O_RDONLY | O_DIRECTORY));
  return StatusOf(AfterSignals([&fd] { return ::fsync(fd.get()); }), "sync directory", path);
}

absl::Status PosixFileSystem::CreateDirectory(const std::string& path) {
  for (size_t slash = path.find('/', 1); slash != std::string::npos;
       slash = path.find('/', slash + 1)) {
    const std::string parent = path.substr(0, slash);
    if (!IsDirectory(parent)) RETURN_IF_ERROR(MakeOneDirectory(parent));
  }
  return MakeOneDirectory(path);
}

absl::Status PosixFileSystem::RemoveDirectory(const std::string& path) {
  return StatusOf(::rmdir(path.c_str()), "remove directory", path);
}

absl::StatusOr<std::vector<std::string>> PosixFileSystem::ListDirectory(const std::string& path) {
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(::opendir(path.c_str()), ::closedir);
  if (directory == nullptr) return ErrnoStatus("list", path, errno);
  std::vector<std::string> names;
  for (;;) {
    errno = 0;
    const struct dirent* entry = ::readdir(directory.get());
    if (entry == nullptr) break;
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
  if (errno != 0) return ErrnoStatus("list", path, errno);
  std::sort(names.begin(), names.end());
  return names;
}

absl::Status PosixFileSystem::Rename(const std::string& from, const std::string& to) {
  // std::rename is rename(2).
  const std::string both = absl::StrCat(from, " to ", to);
  return StatusOf(std::rename(from.c_str(), to.c_str()), "rename", both);
}

absl::Status PosixFileSystem::Link(const std::string& from, const std::string& to) {
  const std::string both = absl::StrCat(from, " to ", to);
  return StatusOf(::link(from.c_str(), to.c_str()), "link", both);
}

absl::Status PosixFileSystem::Remove(const std::string& path) {
  return StatusOf(::unlink(path.c_str()), "remove", path);
}

absl::Status PosixFileSystem::Truncate(const std::string& path, uint64_t size) {
  RETURN_IF_ERROR(CheckSize("truncate", path, size));
  const int result =
      AfterSignals([&] { return ::truncate(path.c_str(), static_cast<off_t>(size)); });
  return StatusOf(result, "truncate", path);
}

absl::StatusOr<uint64_t> PosixFileSystem::FileSize(const std::string& path) {
  struct stat info;
  if (::stat(path.c_str(), &info) != 0) return ErrnoStatus("stat", path, errno);
  return static_cast<uint64_t>(info.st_size);
}

bool PosixFileSystem::Exists(const std::string& path) {
  struct stat info;
  return ::stat(path.c_str(), &info) == 0;
}

absl::StatusOr<std::unique_ptr<FileLock>> PosixFileSystem::Lock(const std::string& path,
                                                                LockMode mode) {
  return AcquirePosixLock(path, mode);
}

absl::StatusOr<uint64_t> PosixFileSystem::FreeSpace(const std::string& path) {
  struct statvfs info;
  if (::statvfs(path.c_str(), &info) != 0) return ErrnoStatus("look at free space of", path, errno);
  return static_cast<uint64_t>(info.f_bavail) * info.f_frsize;
}

}  // namespace cambium::env

namespace cambium {

std::shared_ptr<FileSystem> DefaultFileSystem() {
  // Never destroyed: databases in static objects may still use it at exit.
  static const auto& file_system =
      *std::make_unique<std::shared_ptr<FileSystem>>(std::make_shared<env::PosixFileSystem>())
           .release();
  return file_system;
}

}  // namespace cambium
