// InterceptedFileSystem: forwards every call, and calls an Interceptor before and after it.
//
// FaultFileSystem and TraceFileSystem are this class with their own interceptors: the interceptor
// decides what to do, and this class does it for each kind of call.
#ifndef CAMBIUM_ENV_TESTING_INTERCEPTED_FILE_SYSTEM_H_
#define CAMBIUM_ENV_TESTING_INTERCEPTED_FILE_SYSTEM_H_

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "cambium/file_system.h"
#include "env/testing/operation.h"

namespace cambium::env {

// The effect on one call.
enum class Effect {
  kNone,         // it is executed
  kFail,         // it is not executed; returns the verdict's status (exists: false; map: none)
  kFailDone,     // it is executed, and returns the status anyway
  kShort,        // a read ends early, ok; a write does its first half and returns the status
  kBitFlip,      // one bit of the data is flipped, ok
  kMisdirected,  // the read or write is at a wrong place, ok; see below
  kStale,        // a read returns zeros, the content before the write, ok
};
// A misdirected read or write-at goes to the previous page or, at the file's beginning, to the next
// one. A misdirected append leaves zeros in its place and overwrites the beginning of the next
// append with its bytes.

// Returns true if that effect is possible for that kind of call.
bool CanHappen(Effect effect, OperationKind kind);

struct Verdict {
  Effect effect = Effect::kNone;
  absl::Status status = absl::OkStatus();
  uint64_t draw = 0;  // selects the bit to flip
};

// Thread-safe: every thread that uses the files calls it.
class Interceptor {
 public:
  virtual ~Interceptor() = default;

  // Called before the operation, with no lock held. CanHappen(the verdict's effect, operation.kind)
  // must be true.
  virtual Verdict Before(const Operation& operation) = 0;
  // Called after the operation, with the result for the caller.
  virtual void After(const Operation& operation, const absl::Status& status) = 0;
};

// Whether the logs' mappings are forwarded, or hidden, so that every byte passes through WriteAt.
enum class MappingAccess { kShown, kHidden };

// Thread-safe. Its files keep the interceptor alive, and may outlive this object if those of `base`
// may.
class InterceptedFileSystem : public FileSystem {
 public:
  // Both arguments must be non-null.
  InterceptedFileSystem(std::shared_ptr<FileSystem> base, std::shared_ptr<Interceptor> interceptor,
                        MappingAccess mapping_access)
      : base_(std::move(base)),
        interceptor_(std::move(interceptor)),
        mapping_access_(mapping_access) {}

  absl::StatusOr<std::string> AbsolutePath(const std::string& path) override {
    return base_->AbsolutePath(path);
  }
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
  const std::shared_ptr<FileSystem> base_;
  const std::shared_ptr<Interceptor> interceptor_;
  const MappingAccess mapping_access_;
};

}  // namespace cambium::env

#endif  // CAMBIUM_ENV_TESTING_INTERCEPTED_FILE_SYSTEM_H_
