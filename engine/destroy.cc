// DestroyDB: removes the files of a database, and no other file.
#include <string>
#include <vector>

#include "base/file_names.h"
#include "cambium/db.h"
#include "util/status_macros.h"

namespace cambium {
namespace {

// Removes what `wanted` selects among the database's files.
absl::Status RemoveFiles(FileSystem* file_system, const std::string& path,
                         bool (*wanted)(FileType)) {
  ASSIGN_OR_RETURN(const std::vector<std::string> names, file_system->ListDirectory(path));
  for (const std::string& name : names) {
    const std::optional<ParsedFileName> file = ParseFileName(name);
    if (!file.has_value() || !wanted(file->type)) continue;
    RETURN_IF_ERROR(file_system->Remove(JoinPath(path, name)));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status DestroyDB(const std::string& path) {
  const std::shared_ptr<FileSystem> file_system = DefaultFileSystem();
  if (!file_system->Exists(path)) return absl::OkStatus();
  ASSIGN_OR_RETURN(const std::vector<std::string> names, file_system->ListDirectory(path));
  bool ours = false;
  for (const std::string& name : names) ours = ours || ParseFileName(name).has_value();
  if (!ours) return absl::OkStatus();
  {
    ASSIGN_OR_RETURN(const std::unique_ptr<FileLock> lock,
                     file_system->Lock(LockPath(path), LockMode::kExclusive));
    // CURRENT goes last: while it stands, a destruction that was cut short shows as a database that
    // lacks files, and can be repeated.
    RETURN_IF_ERROR(RemoveFiles(file_system.get(), path, [](FileType type) {
      return type != FileType::kCurrent && type != FileType::kLock;
    }));
    RETURN_IF_ERROR(RemoveFiles(file_system.get(), path,
                                [](FileType type) { return type == FileType::kCurrent; }));
    RETURN_IF_ERROR(file_system->Remove(LockPath(path)));
  }
  ASSIGN_OR_RETURN(const std::vector<std::string> left, file_system->ListDirectory(path));
  return left.empty() ? file_system->RemoveDirectory(path) : absl::OkStatus();
}

}  // namespace cambium
