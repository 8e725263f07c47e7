// MemFileSystem: files in memory that lose unsynced data in a simulated power cut, as a disk may.
//
// - A file consists of its synced bytes and later unsynced writes; a directory consists of its
//   synced entries and later unsynced changes. SyncFile and the files' Sync make bytes durable,
//   SyncDirectory makes entries durable, and neither does the work of the other.
// - CrashClone returns the disk as a crash at this moment leaves it, as a separate file system,
//   while this one continues. It costs a few allocations per file and does not copy synced bytes.
// - With LogMapping::kMapped a log's Mapping() is memory of the log's size, and Sync and CrashClone
//   compare it with the file page by page: keep such logs small (for example 64 KiB), or use
//   kWriteAtOnly.
// - The root exists; relative paths start there. "." and ".." have their usual meaning.
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
  // Limit of the total size of all files in bytes.
  uint64_t capacity = std::numeric_limits<uint64_t>::max();
};

// Thread-safe. Open files keep the state that they need alive and may outlive it. If CrashClone, or
// a reader of another file object, runs during another thread's store into a mapped log, it sees a
// part of the store, as on a disk.
class MemFileSystem final : public FileSystem {
 public:
  explicit MemFileSystem(const MemOptions& options = {});
  // Creates a file system for an existing tree, made by CrashClone.
  explicit MemFileSystem(std::shared_ptr<MemState> state);
  ~MemFileSystem() override;

  // Returns the disk after a crash at this moment, with no file open, no lock held, and the same
  // capacity. The same sequence of calls, policy, and seed give the same image. Thread-safe.
  std::shared_ptr<MemFileSystem> CrashClone(CrashPolicy policy, uint64_t seed) const;

  // Limits the size: writes that need more fail with ResourceExhausted until files are removed or
  // the limit is raised.
  void SetCapacity(uint64_t bytes);

  // Returns one line per file and directory: path, size, synced size, unsynced changes.
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
