// FileSystem: everything that the engine needs of an operating system's files.
//
// The engine uses files only through this interface, so that tests can simulate a power failure,
// fail any call and check the order of writes and syncs, and so that a program can store a database
// anywhere.
//
// Paths are absolute or relative to the process, '/'-separated. Files are not reached through a
// symbolic link in the last part of their path (directories are). Errors carry the operation, the
// path and the reason in their message, and one of these codes: NotFound (ENOENT), AlreadyExists
// (EEXIST), ResourceExhausted (ENOSPC, EDQUOT, EFBIG), FailedPrecondition (a lock that is held),
// PermissionDenied (EACCES, EPERM, EROFS), Unimplemented (the file system cannot), Unavailable (any
// other error of the operating system). Aborted means EMFILE or ENFILE and nothing else:
// the process or the machine has no descriptor left, and the call has changed nothing. The engine
// then closes files that it can open again, and repeats the call.
//
// Thread-safety: a FileSystem and a RandomAccessFile are thread-safe; a WritableFile belongs to one
// thread at a time; a LogFile's WriteAt calls may run in parallel on disjoint ranges, and in
// parallel with Sync.
#ifndef CAMBIUM_FILE_SYSTEM_H_
#define CAMBIUM_FILE_SYSTEM_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cambium/export.h"

namespace cambium {

// One positional read. `bytes_read` < `size` with an ok status means that the file ends there.
struct ReadRequest {
  uint64_t offset = 0;
  char* buffer = nullptr;  // `size` bytes, owned by the caller
  size_t size = 0;
  size_t bytes_read = 0;  // out
  absl::Status status;    // out
};

// An immutable file, read by position.
class CAMBIUM_EXPORT RandomAccessFile {
 public:
  virtual ~RandomAccessFile() = default;

  // Carries out every request, each with its own outcome; an implementation may run them at once.
  virtual void Read(std::span<ReadRequest> requests) const = 0;

  // The size in bytes now.
  virtual absl::StatusOr<uint64_t> Size() const = 0;
};

// A new file, written from its start to its end. If it is destroyed without Close(), its content is
// unknown.
class CAMBIUM_EXPORT WritableFile {
 public:
  virtual ~WritableFile() = default;

  // Appends `data`. After an error the file's end is unknown: do not append again.
  [[nodiscard]] virtual absl::Status Append(std::string_view data) = 0;

  // If this returns ok, everything appended so far survives a power failure. (The file's directory
  // entry does so only after SyncDirectory.) After an error do not call it again.
  [[nodiscard]] virtual absl::Status Sync() = 0;

  // Releases the handle; does not sync. Idempotent.
  [[nodiscard]] virtual absl::Status Close() = 0;
};

// A file of fixed size whose blocks are allocated before use; bytes that were never written are
// zeros. A segment of the log. It may be written through memory and by position at the same time:
// both see the same bytes.
class CAMBIUM_EXPORT LogFile {
 public:
  virtual ~LogFile() = default;

  // Returns the whole file as writable memory, valid until Close(); or null if the file system
  // cannot guarantee that a store never fails for lack of space, and then WriteAt is the only way
  // to write. The first call makes the mapping, and must return before other threads use the file.
  virtual char* Mapping() const = 0;

  // Returns a flag that is set if bytes of the mapping were lost: another process has truncated the
  // file, and stores behind its end had no effect. The caller checks it after a store. Null if the
  // file system cannot detect that. Valid as long as the LogFile.
  virtual const std::atomic<bool>* MappingLost() const { return nullptr; }

  // Makes [offset, offset + size) of the mapping resident, so that stores do not fault. A hint.
  virtual void Populate(uint64_t offset, uint64_t size) = 0;

  // Writes `data` at `offset`, inside the size given at creation.
  [[nodiscard]] virtual absl::Status WriteAt(uint64_t offset, std::string_view data) = 0;

  // If this returns ok, everything stored or written before the call survives a power failure.
  [[nodiscard]] virtual absl::Status Sync() = 0;

  // Truncates the file to `final_size` bytes (the size given at creation leaves it whole), then
  // releases the mapping and the handle. Does not sync.
  [[nodiscard]] virtual absl::Status Close(uint64_t final_size) = 0;
};

// A held lock; destroying it releases it.
class CAMBIUM_EXPORT FileLock {
 public:
  virtual ~FileLock() = default;
};

// kShared excludes kExclusive; kExclusive excludes both.
enum class LockMode { kShared, kExclusive };

class CAMBIUM_EXPORT FileSystem {
 public:
  virtual ~FileSystem() = default;

  // Returns `path` in a form that keeps its meaning if the process changes its working directory.
  // The default returns `path`, for file systems without a working directory.
  virtual absl::StatusOr<std::string> AbsolutePath(const std::string& path) { return path; }

  // Returns a file system in which paths below `directory` refer to the directory that has that
  // name now, even after it was renamed or replaced; all other paths are unchanged. The default
  // returns null: the caller then uses this file system.
  virtual absl::StatusOr<std::shared_ptr<FileSystem>> HoldDirectory(
      const std::string& /*directory*/) {
    return std::shared_ptr<FileSystem>();
  }

  // Opens an existing file for reading.
  virtual absl::StatusOr<std::unique_ptr<RandomAccessFile>> OpenRandomAccess(
      const std::string& path) = 0;

  // Creates an empty file. Returns AlreadyExists if there is a file of that name.
  virtual absl::StatusOr<std::unique_ptr<WritableFile>> CreateWritable(const std::string& path) = 0;

  // Creates a file of `size` bytes and allocates its blocks. Returns AlreadyExists if there is a
  // file of that name.
  virtual absl::StatusOr<std::unique_ptr<LogFile>> CreateLog(const std::string& path,
                                                             uint64_t size) = 0;

  // Syncs the content of an existing file that some earlier process may have written.
  [[nodiscard]] virtual absl::Status SyncFile(const std::string& path) = 0;

  // If this returns ok, earlier creations, renames, links and removals in this directory survive a
  // power failure.
  [[nodiscard]] virtual absl::Status SyncDirectory(const std::string& path) = 0;

  // Creates a directory and its missing parents. Returns ok if it exists.
  [[nodiscard]] virtual absl::Status CreateDirectory(const std::string& path) = 0;
  // Removes an empty directory. Returns FailedPrecondition if it is not empty or a mount point, or
  // if `path` is a symbolic link.
  [[nodiscard]] virtual absl::Status RemoveDirectory(const std::string& path) = 0;

  // Returns the names (not paths) of the entries of a directory, sorted, without "." and "..".
  virtual absl::StatusOr<std::vector<std::string>> ListDirectory(const std::string& path) = 0;

  // Renames `from` to `to`, and replaces a file of that name.
  [[nodiscard]] virtual absl::Status Rename(const std::string& from, const std::string& to) = 0;
  // Gives the file a second name. Returns AlreadyExists if there is a file at `to`.
  [[nodiscard]] virtual absl::Status Link(const std::string& from, const std::string& to) = 0;
  [[nodiscard]] virtual absl::Status Remove(const std::string& path) = 0;
  // Truncates an existing file to `size` bytes.
  [[nodiscard]] virtual absl::Status Truncate(const std::string& path, uint64_t size) = 0;

  virtual absl::StatusOr<uint64_t> FileSize(const std::string& path) = 0;
  // Returns whether there is a file or directory at `path`, or an error if that cannot be known.
  virtual absl::StatusOr<bool> Exists(const std::string& path) = 0;

  // Locks the file `path`. Returns LockHeldError, with the holder's pid if it is known, if another
  // process, or another caller in this one, holds a lock that excludes `mode`. kExclusive creates a
  // missing file and writes the pid into it; kShared changes nothing on disk, and succeeds if there
  // is no such file.
  virtual absl::StatusOr<std::unique_ptr<FileLock>> Lock(const std::string& path,
                                                         LockMode mode) = 0;

  // Returns the number of bytes that can still be written below this directory.
  virtual absl::StatusOr<uint64_t> FreeSpace(const std::string& path) = 0;
};

// Returns a FailedPrecondition that IsLockHeld recognizes, for implementations of Lock.
CAMBIUM_EXPORT absl::Status LockHeldError(std::string_view message);
// Returns true if `status` is a LockHeldError. DB::Open and DestroyDB return it unchanged while the
// database is open elsewhere.
CAMBIUM_EXPORT bool IsLockHeld(const absl::Status& status);

// Returns the file system of the operating system. Never null; shared by the process.
CAMBIUM_EXPORT std::shared_ptr<FileSystem> DefaultFileSystem();

}  // namespace cambium

#endif  // CAMBIUM_FILE_SYSTEM_H_
