// Operation: one call on a FileSystem or on a file opened from it, as a value.
#ifndef CAMBIUM_ENV_TESTING_OPERATION_H_
#define CAMBIUM_ENV_TESTING_OPERATION_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace cambium::env {

enum class OperationKind {
  kOpen,
  kRead,
  kSize,  // of an open file
  kCreate,
  kAppend,
  kSync,
  kClose,
  kCreateLog,
  kMap,  // the mapping that CreateLog makes
  kWriteAt,
  kSyncLog,
  kCloseLog,
  kSyncFile,
  kSyncDirectory,
  kCreateDirectory,
  kRemoveDirectory,
  kListDirectory,
  kRename,
  kLink,
  kRemove,
  kTruncate,
  kFileSize,
  kExists,
  kLock,
  kFreeSpace,
};
inline constexpr size_t kOperationKindCount = 25;
static_assert(static_cast<size_t>(OperationKind::kFreeSpace) + 1 == kOperationKindCount);

constexpr std::string_view OperationKindName(OperationKind kind) {
  constexpr std::array<std::string_view, kOperationKindCount> kNames = {"open",
                                                                        "read",
                                                                        "size",
                                                                        "create",
                                                                        "append",
                                                                        "sync",
                                                                        "close",
                                                                        "create-log",
                                                                        "map",
                                                                        "write-at",
                                                                        "sync-log",
                                                                        "close-log",
                                                                        "sync-file",
                                                                        "sync-directory",
                                                                        "create-directory",
                                                                        "remove-directory",
                                                                        "list-directory",
                                                                        "rename",
                                                                        "link",
                                                                        "remove",
                                                                        "truncate",
                                                                        "file-size",
                                                                        "exists",
                                                                        "lock",
                                                                        "free-space"};
  return kNames[static_cast<size_t>(kind)];
}

// Returns true if the operation may change the contents of the disk now or after a power cut.
constexpr bool IsMutating(OperationKind kind) {
  switch (kind) {
    case OperationKind::kCreate:
    case OperationKind::kAppend:
    case OperationKind::kSync:
    case OperationKind::kCreateLog:
    case OperationKind::kWriteAt:
    case OperationKind::kSyncLog:
    case OperationKind::kCloseLog:
    case OperationKind::kSyncFile:
    case OperationKind::kSyncDirectory:
    case OperationKind::kCreateDirectory:
    case OperationKind::kRemoveDirectory:
    case OperationKind::kRename:
    case OperationKind::kLink:
    case OperationKind::kRemove:
    case OperationKind::kTruncate:
    case OperationKind::kLock:
      return true;
    default:
      return false;
  }
}

// The views are valid during the described call.
struct Operation {
  OperationKind kind;
  std::string_view path;
  std::string_view target = {};  // rename and link: the new name
  uint64_t offset = 0;           // read and write-at
  uint64_t size = 0;             // read, create-log, truncate; close-log: the final size
  std::string_view data = {};    // append and write-at
};

}  // namespace cambium::env

#endif  // CAMBIUM_ENV_TESTING_OPERATION_H_
