// FileSystem: everything the engine asks of an operating system's files.
//
// The engine reaches files through this interface alone, so that tests can cut the power, fail any
// call and check the order of writes and syncs, and so that a program can keep a database wherever
// it likes.
//
// Paths are absolute or relative to the process, '/'-separated. Files are not reached through a
// symbolic link in the last part of their path (directories are). Errors carry the operation, the
// path and the reason in their message, and one of these codes: NotFound (ENOENT), AlreadyExists
// (EEXIST), ResourceExhausted (ENOSPC, EDQUOT, EFBIG), FailedPrecondition (a lock that is held),
// PermissionDenied (EACCES, EPERM, EROFS), Unimplemented (the file system cannot), Unavailable (any
// other error of the operating system). Aborted stands for EMFILE and ENFILE and for nothing else:
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

// A new file written from its start to its end. Destroying it without Close() leaves what was
// written in unknown state.
class CAMBIUM_EXPORT WritableFile {
 public:
  virtual ~WritableFile() = default;

  // Appends `data`. After an error the file's end is unknown: do not append again.
  [[nodiscard]] virtual absl::Status Append(std::string_view data) = 0;

  // Everything appended so far survives a power cut when this returns ok. (The file's directory
  // entry does so only after SyncDirectory.) After an error do not call it again.
  [[nodiscard]] virtual absl::Status Sync() = 0;

  // Releases the handle; does not sync. Idempotent.
  [[nodiscard]] virtual absl::Status Close() = 0;
};

// A file of fixed size whose blocks are allocated before use and which reads as zeros where it was
// never written; the log's segment. It may be written through memory and by position at once: both
// see the same bytes.
class CAMBIUM_EXPORT LogFile {
 public:
  virtual ~LogFile() = default;

  // The whole file as writable memory, valid until Close(), or null where the file system cannot
  // promise that a store never fails for want of space; then WriteAt is the only way in. The first
  // call makes the mapping, and is made before the file is shared among threads.
  virtual char* Mapping() const = 0;

  // A flag that is set when bytes of the mapping were lost: the file was cut short by another hand,
  // and what was stored behind its end went nowhere. Look at it after a store. Null if the file
  // system cannot tell. Valid while the LogFile is.
  virtual const std::atomic<bool>* MappingLost() const { return nullptr; }

  // Makes [offset, offset + size) of the mapping resident, so that storing there does not fault. A
  // hint.
  virtual void Populate(uint64_t offset, uint64_t size) = 0;

  // Writes `data` at `offset`, inside the size given at creation.
  [[nodiscard]] virtual absl::Status WriteAt(uint64_t offset, std::string_view data) = 0;

  // Everything stored or written before the call survives a power cut when this returns ok.
  [[nodiscard]] virtual absl::Status Sync() = 0;

  // Releases the mapping and the handle, and cuts the file to `final_size` bytes first (pass the
  // size given at creation to keep it whole). Does not sync.
  [[nodiscard]] virtual absl::Status Close(uint64_t final_size) = 0;
};

// A held lock; destroying it releases it.
class CAMBIUM_EXPORT FileLock {
 public:
  virtual ~FileLock() = default;
};

// Any number of kShared holders exclude kExclusive ones, and one kExclusive holder everybody.
enum class LockMode { kShared, kExclusive };

class CAMBIUM_EXPORT FileSystem {
 public:
  virtual ~FileSystem() = default;

  // Returns `path` in a form that keeps its meaning when the process changes its working directory.
  // By default `path` itself: for file systems that know no working directory.
  virtual absl::StatusOr<std::string> AbsolutePath(const std::string& path) { return path; }

  // Returns a file system that holds the directory which is at `directory` now. Paths below
  // `directory` lead into that one, even after it was renamed or another took its place; all other
  // paths are as here. Null by default: the caller then goes on with this file system.
  virtual absl::StatusOr<std::shared_ptr<FileSystem>> HoldDirectory(
      const std::string& /*directory*/) {
    return std::shared_ptr<FileSystem>();
  }

  // Opens an existing file for reading.
  virtual absl::StatusOr<std::unique_ptr<RandomAccessFile>> OpenRandomAccess(
      const std::string& path) = 0;

  // Makes a new empty file; an existing one of that name is an error (AlreadyExists).
  virtual absl::StatusOr<std::unique_ptr<WritableFile>> CreateWritable(const std::string& path) = 0;

  // Makes a new file of `size` bytes with its blocks allocated (AlreadyExists where there is one).
  virtual absl::StatusOr<std::unique_ptr<LogFile>> CreateLog(const std::string& path,
                                                             uint64_t size) = 0;

  // Syncs the content of an existing file that some earlier process may have written.
  [[nodiscard]] virtual absl::Status SyncFile(const std::string& path) = 0;

  // Creations, renames, links and removals done in this directory so far survive a power cut.
  [[nodiscard]] virtual absl::Status SyncDirectory(const std::string& path) = 0;

  // Makes a directory and its missing parents; one that exists is fine.
  [[nodiscard]] virtual absl::Status CreateDirectory(const std::string& path) = 0;
  // Removes an empty directory. FailedPrecondition if it must stay: it is not empty, a mount point,
  // or `path` is a symbolic link.
  [[nodiscard]] virtual absl::Status RemoveDirectory(const std::string& path) = 0;

  // Names (no paths) of the entries of a directory, "." and ".." left out, sorted.
  virtual absl::StatusOr<std::vector<std::string>> ListDirectory(const std::string& path) = 0;

  // Renames over whatever stands at `to`.
  [[nodiscard]] virtual absl::Status Rename(const std::string& from, const std::string& to) = 0;
  // A second name for one file; AlreadyExists where `to` stands.
  [[nodiscard]] virtual absl::Status Link(const std::string& from, const std::string& to) = 0;
  [[nodiscard]] virtual absl::Status Remove(const std::string& path) = 0;
  // Cuts an existing file to `size` bytes.
  [[nodiscard]] virtual absl::Status Truncate(const std::string& path, uint64_t size) = 0;

  virtual absl::StatusOr<uint64_t> FileSize(const std::string& path) = 0;
  // Returns whether there is something at `path`; an error if the path cannot be looked at.
  virtual absl::StatusOr<bool> Exists(const std::string& path) = 0;

  // Takes the lock file `path`. LockHeldError, with the holder's pid where known, while another
  // process, or another user in this one, holds it in a way that excludes this one.
  // kExclusive makes the file where it is missing and leaves the pid in it; kShared changes nothing
  // on disk, and where there is no such file it is granted at once.
  virtual absl::StatusOr<std::unique_ptr<FileLock>> Lock(const std::string& path,
                                                         LockMode mode) = 0;

  // Bytes that may still be written below this directory.
  virtual absl::StatusOr<uint64_t> FreeSpace(const std::string& path) = 0;
};

// Returns a FailedPrecondition that IsLockHeld tells from every other one: for Lock to return.
CAMBIUM_EXPORT absl::Status LockHeldError(std::string_view message);
// Returns true if `status` is a LockHeldError. DB::Open and DestroyDB return it unchanged while the
// database is open elsewhere.
CAMBIUM_EXPORT bool IsLockHeld(const absl::Status& status);

// The operating system's own. Never null; shared by the process.
CAMBIUM_EXPORT std::shared_ptr<FileSystem> DefaultFileSystem();

}  // namespace cambium

#endif  // CAMBIUM_FILE_SYSTEM_H_
