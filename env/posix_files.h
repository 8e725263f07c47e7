// The three kinds of open POSIX file, and the descriptor they hold. For posix_file_system.cc.
#ifndef CAMBIUM_ENV_POSIX_FILES_H_
#define CAMBIUM_ENV_POSIX_FILES_H_

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "cambium/file_system.h"

namespace cambium::env {

// Owns a file descriptor; -1 is none. Thread-compatible.
class FileDescriptor {
 public:
  explicit FileDescriptor(int value) : value_(value) {}
  FileDescriptor(FileDescriptor&& other) noexcept : value_(std::exchange(other.value_, -1)) {}
  FileDescriptor& operator=(FileDescriptor&&) = delete;
  ~FileDescriptor();

  int get() const { return value_; }
  bool valid() const { return value_ >= 0; }
  // Closes it now. `path` is for the message.
  [[nodiscard]] absl::Status Close(const std::string& path);

 private:
  int value_;
};

// A system call, repeated while a signal breaks it off.
template <typename Call>
auto AfterSignals(Call call) {
  auto result = call();
  while (result == -1 && errno == EINTR) result = call();
  return result;
}

// ok for 0; otherwise what errno says.
[[nodiscard]] absl::Status StatusOf(int result, std::string_view operation,
                                    const std::string& path);

// open(2) with O_CLOEXEC, repeated after signals. Mode 0644 for a new file.
absl::StatusOr<FileDescriptor> OpenDescriptor(std::string_view operation, const std::string& path,
                                              int flags);

// Writes all of `data` at `offset`, or says why not.
[[nodiscard]] absl::Status WriteFully(int fd, const std::string& path, std::string_view data,
                                      uint64_t offset);

// fdatasync(2), repeated after signals only: after any other error the kernel may have dropped the
// pages, and a second call would lie.
[[nodiscard]] absl::Status SyncData(int fd, const std::string& path);

// Thread-safe.
class PosixRandomAccessFile final : public RandomAccessFile {
 public:
  PosixRandomAccessFile(std::string path, FileDescriptor fd)
      : path_(std::move(path)), fd_(std::move(fd)) {}

  void Read(std::span<ReadRequest> requests) const override;
  absl::StatusOr<uint64_t> Size() const override;

 private:
  const std::string path_;
  const FileDescriptor fd_;
};

// Confined to one thread at a time.
class PosixWritableFile final : public WritableFile {
 public:
  PosixWritableFile(std::string path, FileDescriptor fd)
      : path_(std::move(path)), fd_(std::move(fd)) {}

  absl::Status Append(std::string_view data) override;
  absl::Status Sync() override;
  absl::Status Close() override;

 private:
  const std::string path_;
  FileDescriptor fd_;
  uint64_t end_ = 0;
};

// Close comes after the other calls have returned. Thread-safe.
class PosixLogFile final : public LogFile {
 public:
  // `mapping` is the whole file, or null.
  PosixLogFile(std::string path, FileDescriptor fd, uint64_t size, char* mapping)
      : path_(std::move(path)), fd_(std::move(fd)), size_(size), mapping_(mapping) {}
  ~PosixLogFile() override;

  char* Mapping() const override { return mapping_; }
  void Populate(uint64_t offset, uint64_t size) override;
  absl::Status WriteAt(uint64_t offset, std::string_view data) override;
  absl::Status Sync() override;
  absl::Status Close(uint64_t final_size) override;

 private:
  void Unmap();

  const std::string path_;
  FileDescriptor fd_;
  const uint64_t size_;
  char* mapping_;
};

}  // namespace cambium::env

#endif  // CAMBIUM_ENV_POSIX_FILES_H_
