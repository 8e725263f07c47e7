// MemState: the tree of a MemFileSystem, shared by it and the files opened from it.
#ifndef CAMBIUM_ENV_TESTING_MEM_STATE_H_
#define CAMBIUM_ENV_TESTING_MEM_STATE_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/statusor.h"
#include "env/lock_holders.h"
#include "env/testing/mem_file_system.h"
#include "env/testing/mem_tree.h"
#include "util/mutex.h"

namespace cambium::env {

// The target of a path: a name in an existing directory, and its node (null: none).
struct MemPlace {
  MemDirectory* directory = nullptr;
  std::string name;  // empty for the root itself
  MemNode node;

  bool empty() const { return node.file == nullptr && node.directory == nullptr; }
};

// Guarded by its own mutex; the functions require it.
struct MemState {
  MemState(const MemOptions& memory_options, std::shared_ptr<MemDirectory> tree,
           uint64_t used_bytes = 0)
      : options(memory_options),
        root(std::move(tree)),
        capacity(memory_options.capacity),
        used(used_bytes) {}

  // Resolves `path`. Returns NotFound if a parent is missing, and Unavailable if a parent is a
  // file.
  absl::StatusOr<MemPlace> Walk(std::string_view operation, const std::string& path)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu);
  // Returns the file at `path`; NotFound if there is none, Unavailable if it is a directory.
  absl::StatusOr<std::shared_ptr<MemFile>> FindFile(std::string_view operation,
                                                    const std::string& path)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu);
  absl::StatusOr<std::shared_ptr<MemDirectory>> FindDirectory(std::string_view operation,
                                                              const std::string& path)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu);
  // Creates an empty file. Returns AlreadyExists if the name exists.
  absl::StatusOr<std::shared_ptr<MemFile>> CreateFile(const std::string& path)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu);
  // Records that a name of this file was removed; the last one frees its bytes.
  void DropLink(MemFile* file) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu);
  // Writes at `offset`; on a full disk writes the part that fits, and returns ResourceExhausted.
  absl::Status Write(MemFile* file, const std::string& path, uint64_t offset, std::string_view data)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu);
  absl::Status Resize(MemFile* file, const std::string& path, uint64_t size)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu);
  uint64_t free() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu) {
    return capacity > used ? capacity - used : 0;
  }

  const MemOptions options;
  Mutex mu{LockRank::kPool};
  const std::shared_ptr<MemDirectory> root;  // mu guards the tree below it
  uint64_t capacity ABSL_GUARDED_BY(mu);
  uint64_t used ABSL_GUARDED_BY(mu);  // of files that have a name
  std::map<const MemFile*, LockHolders> locked ABSL_GUARDED_BY(mu) = {};
};

// Create the three kinds of open file and the lock, on a state that they keep alive.
std::unique_ptr<RandomAccessFile> OpenMemReader(std::shared_ptr<MemState> state,
                                                std::shared_ptr<MemFile> file);
std::unique_ptr<WritableFile> OpenMemWriter(std::shared_ptr<MemState> state, std::string path,
                                            std::shared_ptr<MemFile> file);
// `mapping` is the result of file->Map(), or null.
std::unique_ptr<LogFile> OpenMemLog(std::shared_ptr<MemState> state, std::string path,
                                    std::shared_ptr<MemFile> file, char* mapping);
// `file` was added to state->locked; null is the lock of a reader if there is no file.
std::unique_ptr<FileLock> HoldMemLock(std::shared_ptr<MemState> state,
                                      std::shared_ptr<MemFile> file);

}  // namespace cambium::env

#endif  // CAMBIUM_ENV_TESTING_MEM_STATE_H_
