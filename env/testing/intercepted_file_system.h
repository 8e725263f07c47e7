// InterceptedFileSystem: passes every call on, asks an Interceptor before and tells it after.
//
// FaultFileSystem and TraceFileSystem are this with their own interceptors: what to do stands
// there, how to do it to each kind of call stands here.
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

// What becomes of one call.
enum class Effect {
  kNone,         // it is carried out
  kFail,         // it is not, and the verdict's status is answered (exists: false; map: none)
  kFailDone,     // it is, and the status is answered all the same
  kShort,        // a read ends early, ok; a write does its first half and answers the status
  kBitFlip,      // one bit of what is read or written is turned over, ok
  kMisdirected,  // read or written at a wrong place, ok; see below
  kStale,        // a read gives zeros, what stood there before the write, ok
};
// A misdirected read or write-at goes a page below its place or, at the file's beginning, above. A
// misdirected append leaves zeros in its place and lays its bytes over the beginning of the next
// append.

// Whether that effect can be had on that kind of call.
bool CanHappen(Effect effect, OperationKind kind);

struct Verdict {
  Effect effect = Effect::kNone;
  absl::Status status = absl::OkStatus();
  uint64_t draw = 0;  // picks the bit to flip
};

// Thread-safe: calls come from every thread that uses the files.
class Interceptor {
 public:
  virtual ~Interceptor() = default;

  // Called before the operation, with no lock held. CanHappen(the verdict's effect,
  // operation.kind).
  virtual Verdict Before(const Operation& operation) = 0;
  // Called after it, with what its caller is going to see.
  virtual void After(const Operation& operation, const absl::Status& status) = 0;
};

// Whether the logs' mappings are given on, or hidden, so that every byte comes through WriteAt.
enum class MappingAccess { kShown, kHidden };

// Thread-safe. Its files keep the interceptor alive, and may outlive it where those of `base` may.
class InterceptedFileSystem : public FileSystem {
 public:
  // Neither is null.
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
