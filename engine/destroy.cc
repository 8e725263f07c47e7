// DestroyDB: removes the files of a database, and no other file.
#include <string>
#include <vector>

#include "base/file_names.h"
#include "cambium/db.h"
#include "util/status_macros.h"

namespace cambium {

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
    ASSIGN_OR_RETURN(const std::vector<std::string> files, file_system->ListDirectory(path));
    for (const bool last : {false, true}) {
      for (const std::string& name : files) {
        const std::optional<ParsedFileName> file = ParseFileName(name);
        if (!file.has_value() || file->type == FileType::kLock) continue;
        if ((file->type == FileType::kCurrent) != last) continue;
        RETURN_IF_ERROR(file_system->Remove(JoinPath(path, name)));
      }
    }
    RETURN_IF_ERROR(file_system->Remove(LockPath(path)));
  }
  ASSIGN_OR_RETURN(const std::vector<std::string> left, file_system->ListDirectory(path));
  return left.empty() ? file_system->RemoveDirectory(path) : absl::OkStatus();
}

}  // namespace cambium
