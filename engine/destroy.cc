// DestroyDB.
#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/file_names.h"
#include "cambium/db.h"
#include "engine/file_identity.h"
#include "util/out_of_memory.h"
#include "util/status_macros.h"

namespace cambium {
namespace {

// Implements DestroyDB, except for handling lack of memory.
absl::Status Destroy(const std::string& path) {
  ASSIGN_OR_RETURN(const bool exists, DefaultFileSystem()->Exists(path));
  if (!exists) return absl::OkStatus();
  ASSIGN_OR_RETURN(const std::shared_ptr<FileSystem> file_system,
                   DefaultFileSystem()->HoldDirectory(path));
  ASSIGN_OR_RETURN(const std::vector<std::string> names, file_system->ListDirectory(path));
  const engine::KnownDatabase known = engine::KnownFromCurrent(file_system.get(), path);
  const auto is_ours = [&](const std::string& name) {
    const std::optional<ParsedFileName> file = ParseFileName(name);
    if (!file.has_value()) return false;
    const engine::FileIdentity identity =
        engine::Identify(file_system.get(), JoinPath(path, name), *file, known);
    return identity == engine::FileIdentity::kOurs || identity == engine::FileIdentity::kTorn;
  };
  if (std::none_of(names.begin(), names.end(), is_ours)) return absl::OkStatus();
  {
    ASSIGN_OR_RETURN(const std::unique_ptr<FileLock> lock,
                     file_system->Lock(LockPath(path), LockMode::kExclusive));
    // CURRENT is removed last: while it exists, an interrupted destruction looks like a database
    // without its files, and can be repeated.
    ASSIGN_OR_RETURN(const std::vector<std::string> files, file_system->ListDirectory(path));
    for (const bool last : {false, true}) {
      for (const std::string& name : files) {
        const std::optional<ParsedFileName> file = ParseFileName(name);
        if (!file.has_value() || file->type == FileType::kLock) continue;
        if ((file->type == FileType::kCurrent) != last || !is_ours(name)) continue;
        RETURN_IF_ERROR(file_system->Remove(JoinPath(path, name)));
      }
    }
    RETURN_IF_ERROR(file_system->Remove(LockPath(path)));
  }
  ASSIGN_OR_RETURN(const std::vector<std::string> left, file_system->ListDirectory(path));
  if (!left.empty()) return absl::OkStatus();
  // A directory that must stay, or that we may not remove, stays: a symbolic link, a mount point,
  // or an entry of a parent that we may not write.
  absl::Status removed = DefaultFileSystem()->RemoveDirectory(path);
  const bool stays = absl::IsFailedPrecondition(removed) || absl::IsPermissionDenied(removed);
  return stays ? absl::OkStatus() : removed;
}

}  // namespace

absl::Status DestroyDB(const std::string& path) {
  return CatchBadAlloc([&path] { return Destroy(path); });
}

}  // namespace cambium
