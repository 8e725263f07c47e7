// MemFileSystem: files in memory that forget at a power cut what was not synced, as a disk may.
//
// - A file is its synced bytes and the unsynced writes since; a directory is its synced entries and
// the unsynced
//   changes since. SyncFile and the files' Sync make bytes durable, SyncDirectory makes entries
//   durable, and neither does the other's work.
// - CrashClone gives the disk as a crash at this moment leaves it, as a file system of its own,
// while this one
//   goes on. It costs a few allocations a file and no copy of bytes that were synced.
// - With LogMapping::kMapped a log's Mapping() is memory of the log's size, and Sync and CrashClone
// compare it with the
//   file page by page: keep such logs small (64 KiB, say), or give kWriteAtOnly.
// - The root exists; relative paths start there. "." and ".." mean what they mean elsewhere.
#ifndef CAMBIUM_ENV_TESTING_MEM_FILE_SYSTEM_H_
#define CAMBIUM_ENV_TESTING_MEM_FILE_SYSTEM_H_

#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "cambium/file_system.h"
#include "env/testing/crash_policy.h"

namespace cambium::env {

struct MemState;  // in mem_state.h

struct MemOptions {
  enum class LogMapping { kMapped, kWriteAtOnly };

  LogMapping log_mapping = LogMapping::kMapped;
  // Bytes that all files may have together.
  uint64_t capacity = std::numeric_limits<uint64_t>::max();
};

// Thread-safe. Open files keep what they need alive and may outlive it. A CrashClone, or another
// file's reader, that meets another thread's store into a mapped log takes what it finds of it, as
// a disk would.
class MemFileSystem final : public FileSystem {
 public:
  explicit MemFileSystem(const MemOptions& options = {});
  // On a tree made elsewhere: by CrashClone.
  explicit MemFileSystem(std::shared_ptr<MemState> state);
  ~MemFileSystem() override;

  // The disk after a crash at this moment, with no file open, no lock held and the same capacity.
  // The same sequence of calls, policy and seed give the same image. Thread-safe.
  std::shared_ptr<MemFileSystem> CrashClone(CrashPolicy policy, uint64_t seed) const;

  // Writes that need more fail with ResourceExhausted until files go or this is raised.
  void SetCapacity(uint64_t bytes);

  // One line a file and directory: path, size, synced size, what is not synced.
  std::string DebugString() const;

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
  const std::shared_ptr<MemState> state_;
};

}  // namespace cambium::env

#endif  // CAMBIUM_ENV_TESTING_MEM_FILE_SYSTEM_H_
