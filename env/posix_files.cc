#include "env/posix_files.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "absl/strings/str_cat.h"
#include "env/errno_status.h"
#include "util/absl_view.h"

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

}  // namespace

FileDescriptor::~FileDescriptor() {
  if (value_ >= 0) ::close(value_);
}

absl::Status FileDescriptor::Close(const std::string& path) {
  if (value_ < 0) return absl::OkStatus();
  // Linux frees the descriptor whatever close() answers, so it is never repeated.
  if (::close(std::exchange(value_, -1)) != 0 && errno != EINTR) {
    return ErrnoStatus("close", path, errno);
  }
  return absl::OkStatus();
}

absl::Status StatusOf(int result, std::string_view operation, const std::string& path) {
  return result == 0 ? absl::OkStatus() : ErrnoStatus(operation, path, errno);
}

absl::StatusOr<FileDescriptor> OpenDescriptor(std::string_view operation, const std::string& path,
                                              int flags) {
  const int fd = AfterSignals([&] { return ::open(path.c_str(), flags | O_CLOEXEC, 0644); });
  if (fd < 0) return ErrnoStatus(operation, path, errno);
  return FileDescriptor(fd);
}

absl::Status WriteFully(int fd, const std::string& path, std::string_view data, uint64_t offset) {
  while (!data.empty()) {
    const ssize_t count = ::pwrite(fd, data.data(), data.size(), static_cast<off_t>(offset));
    if (count > 0) {
      data.remove_prefix(static_cast<size_t>(count));
      offset += static_cast<uint64_t>(count);
    } else if (count == 0 || errno != EINTR) {
      const int error = count == 0 ? EIO : errno;  // a write of nothing would loop for ever
      return ErrnoStatus(FromAbsl(absl::StrCat("write at offset ", offset)), path, error);
    }
  }
  return absl::OkStatus();
}

absl::Status SyncData(int fd, const std::string& path) {
  return StatusOf(AfterSignals([fd] { return ::fdatasync(fd); }), "sync", path);
}

void PosixRandomAccessFile::Read(std::span<ReadRequest> requests) const {
  for (ReadRequest& request : requests) ReadOne(fd_.get(), path_, &request);
}

absl::StatusOr<uint64_t> PosixRandomAccessFile::Size() const {
  struct stat info;
  if (::fstat(fd_.get(), &info) != 0) return ErrnoStatus("stat", path_, errno);
  return static_cast<uint64_t>(info.st_size);
}

absl::Status PosixWritableFile::Append(std::string_view data) {
  if (!fd_.valid()) return ClosedStatus("append to", path_);
  absl::Status status = WriteFully(fd_.get(), path_, data, end_);
  if (status.ok()) end_ += data.size();
  return status;
}

absl::Status PosixWritableFile::Sync() {
  if (!fd_.valid()) return ClosedStatus("sync", path_);
  return SyncData(fd_.get(), path_);
}

absl::Status PosixWritableFile::Close() { return fd_.Close(path_); }

PosixLogFile::~PosixLogFile() { Unmap(); }

void PosixLogFile::Unmap() {
  if (mapping_ != nullptr) ::munmap(std::exchange(mapping_, nullptr), size_);
}

void PosixLogFile::Populate(uint64_t offset, uint64_t size) {
  if (mapping_ == nullptr || offset >= size_) return;
  const uint64_t page = static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
  const uint64_t end = offset + std::min(size, size_ - offset);
  const uint64_t begin = offset / page * page;
  // A kernel without it answers EINVAL; then the stores fault pages in one by one.
  (void)::madvise(mapping_ + begin, end - begin, MADV_POPULATE_WRITE);
}

absl::Status PosixLogFile::WriteAt(uint64_t offset, std::string_view data) {
  if (!fd_.valid()) return ClosedStatus("write to", path_);
  if (offset > size_ || data.size() > size_ - offset) {
    return absl::OutOfRangeError(absl::StrCat("write at offset ", offset, " ", path_, ": ",
                                              data.size(), " bytes do not fit in ", size_));
  }
  return WriteFully(fd_.get(), path_, data, offset);
}

absl::Status PosixLogFile::Sync() {
  if (!fd_.valid()) return ClosedStatus("sync", path_);
  return SyncData(fd_.get(), path_);
}

absl::Status PosixLogFile::Close(uint64_t final_size) {
  if (!fd_.valid()) return absl::OkStatus();
  Unmap();
  absl::Status status;
  if (final_size < size_) {
    status = StatusOf(::ftruncate(fd_.get(), static_cast<off_t>(final_size)), "truncate", path_);
  }
  status.Update(fd_.Close(path_));
  return status;
}

}  // namespace cambium::env
