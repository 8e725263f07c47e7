// PosixFileSystem: the operating system's files, through pread, write, fdatasync, mmap, and similar
// calls.
//
// - Calls interrupted by a signal are repeated; short reads and writes are continued.
// - WritableFile::Append passes data to the system at once: appended data survives a process crash.
//   Its Sync and LogFile::Sync are fdatasync, which also writes a changed size.
// - CreateLog allocates with fallocate, or by writing zeros if the file system does not support it.
//   Writing zeros was compared with allocation (ext4, 140-byte records, pwrite and fdatasync of
//   each): 94–98 µs and 88–98 µs, no gain for the 20–90 ms that filling 32 MiB takes.
// - A log is mapped only if a store to an allocated block cannot fail: on ext2/3/4, xfs, and tmpfs.
//   On copy-on-write, network, stacked, and user-space file systems Mapping() returns null.
// - A lock is an open-file-description lock (fcntl) and an entry in a table of the process, by
//   device and inode, so two openers exclude each other regardless of path, thread, or
//   PosixFileSystem. The lock file contains the holder's pid as text.
#ifndef CAMBIUM_ENV_POSIX_FILE_SYSTEM_H_
#define CAMBIUM_ENV_POSIX_FILE_SYSTEM_H_

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "cambium/file_system.h"
#include "env/posix_io.h"

namespace cambium::env {

// Whether CreateLog maps its files: if it is safe, or never.
enum class LogMapping { kAuto, kNever };

// Thread-safe.
class PosixFileSystem final : public FileSystem {
 public:
  explicit PosixFileSystem(LogMapping log_mapping = LogMapping::kAuto)
      : PosixFileSystem(log_mapping, "", FileDescriptor(-1)) {}
  // Creates a file system for one directory: `held` is a descriptor of the directory at
  // `held_path`.
  PosixFileSystem(LogMapping log_mapping, std::string held_path, FileDescriptor held)
      : log_mapping_(log_mapping), held_path_(std::move(held_path)), held_(std::move(held)) {}

  absl::StatusOr<std::string> AbsolutePath(const std::string& path) override;
  absl::StatusOr<std::shared_ptr<FileSystem>> HoldDirectory(const std::string& directory) override;
  absl::StatusOr<std::unique_ptr<RandomAccessFile>> OpenRandomAccess(
      const std::string& path) override;
  absl::StatusOr<std::unique_ptr<WritableFile>> CreateWritable(const std::string& path) override;
  absl::StatusOr<std::unique_ptr<LogFile>> CreateLog(const std::string& path,
                                                     uint64_t size) override;
  absl::Status SyncFile(const std::string& path) override;
  absl::Status SyncDirectory(const std::string& path) override;
  absl::Status CreateDirectory(const std::string& path) override;
  absl::Status RemoveDirectory(const std::string& path) override;
  absl::StatusOr<std::vector<std::string>> ListDirectory(const std::string& path) override;
  absl::Status Rename(const std::string& from, const std::string& to) override;
  absl::Status Link(const std::string& from, const std::string& to) override;
  absl::Status Remove(const std::string& path) override;
  absl::Status Truncate(const std::string& path, uint64_t size) override;
  absl::StatusOr<uint64_t> FileSize(const std::string& path) override;
  absl::StatusOr<bool> Exists(const std::string& path) override;
  absl::StatusOr<std::unique_ptr<FileLock>> Lock(const std::string& path, LockMode mode) override;
  absl::StatusOr<uint64_t> FreeSpace(const std::string& path) override;

 private:
  // Returns the location of `path`: relative to the held directory, if `path` is below it.
  Place Locate(const std::string& path) const;

  const LogMapping log_mapping_;
  const std::string held_path_;
  const FileDescriptor held_;  // none in the process's default file system
};

}  // namespace cambium::env

#endif  // CAMBIUM_ENV_POSIX_FILE_SYSTEM_H_
