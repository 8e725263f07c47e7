// PooledFileSystem: another file system, with a limit on the descriptors that open files take.
//
// A database may have more tables than the process may have descriptors. A file that this opens for
// reading stands for its path: its descriptor may be closed whenever no read uses it, and is opened
// again by the next read. Which one is closed is decided by CLOCK: the oldest that was not used
// since the hand last passed.
//
//              read: pin                        the last read ends
//   closed ───────────────▶ open, pinned ────────────────────────▶ open, idle ──▶ closed
//              open()                  ◀────────────────────────               evicted, or the
//                                             read: pin                         process needs it
//
// Invariants: no more than max_open descriptors are open for reading at a time, pinned ones
// included; if all of them are pinned, the next read that needs one waits for the end of another.
// A read pins one file at a time, so this wait ends.
//
// Every call of the base that fails for want of a descriptor (Aborted, see file_system.h) closes
// idle descriptors of any PooledFileSystem of the process and is repeated. Only if the rest of the
// process keeps all descriptors for itself does the caller see Aborted, after about a second.
//
// Rejected: a limit on open table readers. A reader's top index is needed far more often than its
// descriptor: reads of cached blocks do not come here at all.
#ifndef CAMBIUM_ENV_POOLED_FILE_SYSTEM_H_
#define CAMBIUM_ENV_POOLED_FILE_SYSTEM_H_

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "cambium/file_system.h"

namespace cambium::env {

class DescriptorPool;

// How many descriptors a database may keep open for reading: what the process's limit leaves after
// the log, the manifest, the outputs of jobs and the program's own files.
int ChooseMaxOpenFiles();

// Thread-safe. Outlives the files that it opens.
class PooledFileSystem final : public FileSystem {
 public:
  // `base` outlives it. Requires max_open > 0.
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
  // Descriptors that are open for reading now.
  size_t open_count() const;

 private:
  FileSystem* const base_;
  const std::unique_ptr<DescriptorPool> pool_;
};

}  // namespace cambium::env

#endif  // CAMBIUM_ENV_POOLED_FILE_SYSTEM_H_
