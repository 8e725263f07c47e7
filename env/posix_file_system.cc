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
#include <filesystem>
#include <limits>
#include <optional>
#include <string_view>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "env/errno_status.h"
#include "env/mapping_guard.h"
#include "env/posix_io.h"
#include "util/absl_view.h"
#include "util/status_macros.h"

#ifndef XFS_SUPER_MAGIC
#define XFS_SUPER_MAGIC 0x58465342
#endif

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23  // Linux 5.14
#endif

namespace cambium::env {
namespace {

void ReadOne(int fd, const std::string& path, ReadRequest* request) {
  request->bytes_read = 0;
  request->status = absl::OkStatus();
  while (request->bytes_read < request->size) {
    const size_t done = request->bytes_read;
    const ssize_t count = ::pread(fd, request->buffer + done, request->size - done,
                                  static_cast<off_t>(request->offset + done));
    if (count == 0) return;
    if (count > 0) {
      request->bytes_read += static_cast<size_t>(count);
    } else if (errno != EINTR) {
      const int error = errno;
      request->status =
          ErrnoStatus(FromAbsl(absl::StrCat("read at offset ", request->offset)), path, error);
      return;
    }
  }
}

absl::Status ClosedStatus(std::string_view operation, const std::string& path) {
  return absl::FailedPreconditionError(
      absl::StrCat(ToAbsl(operation), " ", path, ": the file was closed"));
}

// Thread-safe.
class PosixRandomAccessFile final : public RandomAccessFile {
 public:
  PosixRandomAccessFile(std::string path, FileDescriptor fd)
      : path_(std::move(path)), fd_(std::move(fd)) {}

  void Read(std::span<ReadRequest> requests) const override {
    for (ReadRequest& request : requests) ReadOne(fd_.get(), path_, &request);
  }

  absl::StatusOr<uint64_t> Size() const override {
    struct stat info;
    if (::fstat(fd_.get(), &info) != 0) return ErrnoStatus("stat", path_, errno);
    return static_cast<uint64_t>(info.st_size);
  }

 private:
  const std::string path_;
  const FileDescriptor fd_;
};

// Confined to one thread at a time.
class PosixWritableFile final : public WritableFile {
 public:
  PosixWritableFile(std::string path, FileDescriptor fd)
      : path_(std::move(path)), fd_(std::move(fd)) {}

  absl::Status Append(std::string_view data) override {
    if (!fd_.valid()) return ClosedStatus("append to", path_);
    absl::Status status = WriteFully(fd_.get(), path_, data, end_);
    if (status.ok()) end_ += data.size();
    return status;
  }

  absl::Status Sync() override {
    if (!fd_.valid()) return ClosedStatus("sync", path_);
    return SyncData(fd_.get(), path_);
  }

  absl::Status Close() override { return fd_.Close(path_); }

 private:
  const std::string path_;
  FileDescriptor fd_;
  uint64_t end_ = 0;
};

// Close is called after the other calls have returned. Thread-safe, except the first call of
// Mapping().
class PosixLogFile final : public LogFile {
 public:
  enum class Mappable { kNo, kYes };

  PosixLogFile(std::string path, FileDescriptor fd, uint64_t size, Mappable mappable)
      : path_(std::move(path)), fd_(std::move(fd)), size_(size), mappable_(mappable) {}
  ~PosixLogFile() override { Unmap(); }

  char* Mapping() const override {
    if (mapping_ != nullptr || mappable_ == Mappable::kNo || !fd_.valid()) return mapping_;
    void* const address = ::mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_SHARED, fd_.get(), 0);
    // Out of address space or of mappings: WriteAt is used instead.
    if (address == MAP_FAILED) return nullptr;
    mapping_ = static_cast<char*>(address);
    // A child process must not write its parent's log.
    (void)::madvise(mapping_, size_, MADV_DONTFORK);
    guard_.emplace(mapping_, size_);
    return mapping_;
  }

  const std::atomic<bool>* MappingLost() const override {
    return guard_.has_value() ? &guard_->lost() : nullptr;
  }

  void Populate(uint64_t offset, uint64_t size) override {
    if (mapping_ == nullptr || offset >= size_) return;
    const uint64_t page = static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
    const uint64_t end = offset + std::min(size, size_ - offset);
    const uint64_t begin = offset / page * page;
    // A kernel without it returns EINVAL; then the stores fault pages in one by one.
    (void)::madvise(mapping_ + begin, end - begin, MADV_POPULATE_WRITE);
  }

  absl::Status WriteAt(uint64_t offset, std::string_view data) override {
    if (!fd_.valid()) return ClosedStatus("write to", path_);
    if (offset > size_ || data.size() > size_ - offset) {
      return absl::OutOfRangeError(absl::StrCat("write at offset ", offset, " ", path_, ": ",
                                                data.size(), " bytes do not fit in ", size_));
    }
    return WriteFully(fd_.get(), path_, data, offset);
  }

  absl::Status Sync() override {
    if (!fd_.valid()) return ClosedStatus("sync", path_);
    RETURN_IF_ERROR(SyncData(fd_.get(), path_));
    return CheckIntact();
  }

  absl::Status Close(uint64_t final_size) override {
    if (!fd_.valid()) return absl::OkStatus();
    Unmap();
    absl::Status status = CheckIntact();
    if (status.ok() && final_size < size_) {
      status = StatusOf(::ftruncate(fd_.get(), static_cast<off_t>(final_size)), "truncate", path_);
    }
    status.Update(fd_.Close(path_));
    return status;
  }

 private:
  void Unmap() {
    guard_.reset();
    if (mapping_ != nullptr) ::munmap(std::exchange(mapping_, nullptr), size_);
  }

  // Only this object changes the file's size. A program that truncated it has destroyed records,
  // even if the file has grown again since by later writes.
  absl::Status CheckIntact() const {
    struct stat info;
    if (::fstat(fd_.get(), &info) != 0) return ErrnoStatus("stat", path_, errno);
    if (info.st_nlink == 0) {
      return absl::DataLossError(
          absl::StrCat("log file ", path_, ": another process has removed it while it was in use"));
    }
    if (static_cast<uint64_t>(info.st_size) == size_) return absl::OkStatus();
    return absl::DataLossError(absl::StrCat("log file ", path_, ": found ", info.st_size,
                                            " bytes, expected ", size_,
                                            ": another process has cut it while it was in use"));
  }

  const std::string path_;
  FileDescriptor fd_;
  const uint64_t size_;
  const Mappable mappable_;
  // Created by the first call of Mapping().
  mutable char* mapping_ = nullptr;
  mutable std::optional<MappingGuard> guard_;  // while it is mapped
};

// Returns true if a store into an allocated block of this file cannot fail for lack of space.
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

// Allocates blocks for [0, size), and sets that size.
absl::Status Allocate(int fd, const std::string& path, uint64_t size) {
  if (size == 0) return absl::OkStatus();
  const FileSizeSignalBlock block(size);
  // posix_fallocate() is not used: if the file system does not support it, glibc's emulation makes
  // one or two calls per block.
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
  if (::mkdir(path.c_str(), kDirectoryMode) == 0) return absl::OkStatus();
  const int error = errno;
  if (error == EEXIST && IsDirectory(path)) return absl::OkStatus();
  return ErrnoStatus("make directory", path, error);
}

}  // namespace

Place PosixFileSystem::Locate(const std::string& path) const {
  if (!held_.valid() || !path.starts_with(held_path_)) return {AT_FDCWD, path.c_str(), path};
  const char* rest = path.c_str() + held_path_.size();
  if (*rest == '\0') return {held_.get(), ".", path};
  if (*rest != '/' && !held_path_.ends_with('/')) return {AT_FDCWD, path.c_str(), path};
  while (*rest == '/') ++rest;
  return {held_.get(), *rest == '\0' ? "." : rest, path};
}

absl::StatusOr<std::string> PosixFileSystem::AbsolutePath(const std::string& path) {
  if (path.starts_with('/')) return path;
  std::error_code error;
  const std::filesystem::path here = std::filesystem::current_path(error);
  if (error) return ErrnoStatus("find the working directory for", path, error.value());
  return absl::StrCat(here.string(), "/", path);
}

absl::StatusOr<std::shared_ptr<FileSystem>> PosixFileSystem::HoldDirectory(
    const std::string& directory) {
  ASSIGN_OR_RETURN(FileDescriptor fd,
                   OpenDescriptor("open directory", Locate(directory), O_PATH | O_DIRECTORY));
  return std::make_shared<PosixFileSystem>(log_mapping_, directory, std::move(fd));
}

absl::StatusOr<std::unique_ptr<RandomAccessFile>> PosixFileSystem::OpenRandomAccess(
    const std::string& path) {
  ASSIGN_OR_RETURN(FileDescriptor fd, OpenDescriptor("open", Locate(path), O_RDONLY | O_NOFOLLOW));
  return std::make_unique<PosixRandomAccessFile>(path, std::move(fd));
}

absl::StatusOr<std::unique_ptr<WritableFile>> PosixFileSystem::CreateWritable(
    const std::string& path) {
  ASSIGN_OR_RETURN(FileDescriptor fd,
                   OpenDescriptor("create", Locate(path), O_WRONLY | O_CREAT | O_EXCL));
  return std::make_unique<PosixWritableFile>(path, std::move(fd));
}

absl::StatusOr<std::unique_ptr<LogFile>> PosixFileSystem::CreateLog(const std::string& path,
                                                                    uint64_t size) {
  RETURN_IF_ERROR(CheckSize("create", path, size));
  const Place place = Locate(path);
  ASSIGN_OR_RETURN(FileDescriptor fd, OpenDescriptor("create", place, O_RDWR | O_CREAT | O_EXCL));
  if (absl::Status status = Allocate(fd.get(), path, size); !status.ok()) {
    // A file without its blocks is useless, and would block the next attempt.
    ::unlinkat(place.directory, place.name, 0);
    return status;
  }
  const bool mappable = log_mapping_ == LogMapping::kAuto && size > 0 && StoresCannotFail(fd.get());
  return std::make_unique<PosixLogFile>(
      path, std::move(fd), size,
      mappable ? PosixLogFile::Mappable::kYes : PosixLogFile::Mappable::kNo);
}

absl::Status PosixFileSystem::SyncFile(const std::string& path) {
  ASSIGN_OR_RETURN(FileDescriptor fd, OpenDescriptor("sync", Locate(path), O_RDONLY | O_NOFOLLOW));
  return SyncData(fd.get(), path);
}

absl::Status PosixFileSystem::SyncDirectory(const std::string& path) {
  ASSIGN_OR_RETURN(FileDescriptor fd,
                   OpenDescriptor("sync directory", Locate(path), O_RDONLY | O_DIRECTORY));
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
  if (::rmdir(path.c_str()) == 0) return absl::OkStatus();
  const int error = errno;
  absl::Status status = ErrnoStatus("remove directory", path, error);
  // Not empty, a mount point, or reached through a symbolic link.
  const bool must_stay =
      error == ENOTEMPTY || error == EEXIST || error == EBUSY || error == ENOTDIR;
  return must_stay ? absl::FailedPreconditionError(status.message()) : status;
}

absl::StatusOr<std::vector<std::string>> PosixFileSystem::ListDirectory(const std::string& path) {
  ASSIGN_OR_RETURN(FileDescriptor fd, OpenDescriptor("list", Locate(path), O_RDONLY | O_DIRECTORY));
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(::fdopendir(fd.get()), ::closedir);
  if (directory == nullptr) return ErrnoStatus("list", path, errno);
  fd.Release();  // owned by the DIR now
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
  const Place old_place = Locate(from), new_place = Locate(to);
  return StatusOf(
      ::renameat(old_place.directory, old_place.name, new_place.directory, new_place.name),
      "rename", absl::StrCat(from, " to ", to));
}

absl::Status PosixFileSystem::Link(const std::string& from, const std::string& to) {
  const Place old_place = Locate(from), new_place = Locate(to);
  return StatusOf(
      ::linkat(old_place.directory, old_place.name, new_place.directory, new_place.name, 0), "link",
      absl::StrCat(from, " to ", to));
}

absl::Status PosixFileSystem::Remove(const std::string& path) {
  const Place place = Locate(path);
  return StatusOf(::unlinkat(place.directory, place.name, 0), "remove", path);
}

absl::Status PosixFileSystem::Truncate(const std::string& path, uint64_t size) {
  RETURN_IF_ERROR(CheckSize("truncate", path, size));
  ASSIGN_OR_RETURN(const FileDescriptor fd,
                   OpenDescriptor("truncate", Locate(path), O_WRONLY | O_NOFOLLOW));
  const int result = AfterSignals([&] { return ::ftruncate(fd.get(), static_cast<off_t>(size)); });
  return StatusOf(result, "truncate", path);
}

absl::StatusOr<uint64_t> PosixFileSystem::FileSize(const std::string& path) {
  const Place place = Locate(path);
  struct stat info;
  if (::fstatat(place.directory, place.name, &info, 0) != 0) {
    return ErrnoStatus("stat", path, errno);
  }
  return static_cast<uint64_t>(info.st_size);
}

absl::StatusOr<bool> PosixFileSystem::Exists(const std::string& path) {
  const Place place = Locate(path);
  struct stat info;
  if (::fstatat(place.directory, place.name, &info, 0) == 0) return true;
  if (errno == ENOENT || errno == ENOTDIR) return false;
  return ErrnoStatus("look for", path, errno);
}

absl::StatusOr<std::unique_ptr<FileLock>> PosixFileSystem::Lock(const std::string& path,
                                                                LockMode mode) {
  return AcquirePosixLock(Locate(path), mode);
}

absl::StatusOr<uint64_t> PosixFileSystem::FreeSpace(const std::string& path) {
  constexpr std::string_view kWhat = "look at free space of";
  ASSIGN_OR_RETURN(const FileDescriptor fd, OpenDescriptor(kWhat, Locate(path), O_PATH));
  struct statvfs info;
  if (::fstatvfs(fd.get(), &info) != 0) return ErrnoStatus(kWhat, path, errno);
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
