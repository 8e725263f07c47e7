// PooledFileSystem: wraps a file system and limits the descriptors of open files.
//
// A database may have more tables than the process may have descriptors. A file that this file
// system opens for reading represents its path: its descriptor may be closed while no read uses it,
// and the next read opens it again. CLOCK selects the descriptor to close: the oldest that was not
// used since the hand last passed.
//
//              read: pin                        the last read ends
//   closed ───────────────▶ open, pinned ────────────────────────▶ open, idle ──▶ closed
//              open()                  ◀────────────────────────               evicted, or the
//                                             read: pin                         process needs it
//
// Invariants: no more than max_open descriptors are open for reading at a time, including pinned
// ones. If all of them are pinned, the next read that needs one waits for the end of another read.
// A read pins one file at a time, so this wait ends.
//
// If a call of the base fails for lack of a descriptor (Aborted, see file_system.h), idle
// descriptors of any PooledFileSystem of the process are closed and the call is repeated. The
// caller receives Aborted only if the rest of the process keeps all descriptors, after about a
// second.
//
// Rejected: a limit on open table readers. A reader's top index is needed far more often than its
// descriptor, because reads of cached blocks need no descriptor.
#ifndef CAMBIUM_ENV_POOLED_FILE_SYSTEM_H_
#define CAMBIUM_ENV_POOLED_FILE_SYSTEM_H_

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "cambium/file_system.h"

namespace cambium::env {

class DescriptorPool;

// Returns the number of descriptors that a database may keep open for reading: the process's limit
// minus those for the log, the manifest, the outputs of jobs, and the program's own files.
int ChooseMaxOpenFiles();

// Thread-safe. Must outlive the files that it opens.
class PooledFileSystem final : public FileSystem {
 public:
  // `base` must outlive it. max_open must be > 0.
  PooledFileSystem(FileSystem* base, size_t max_open);
  ~PooledFileSystem() override;

  // Opens the file at once, so that a missing one is reported.
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

  // Closes every descriptor that no read uses.
  void CloseIdle();
  // Returns the number of descriptors that are open for reading now.
  size_t open_count() const;

 private:
  FileSystem* const base_;
  const std::unique_ptr<DescriptorPool> pool_;
};

}  // namespace cambium::env

#endif  // CAMBIUM_ENV_POOLED_FILE_SYSTEM_H_
