#include "env/testing/mem_file_system.h"

#include <unistd.h>

#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "env/errno_status.h"
#include "env/testing/mem_state.h"
#include "util/status_macros.h"

namespace cambium::env {
namespace {

// Calls `visit(path, node)` for everything below `directory`, parents first, names in order.
template <typename Visit>
void ForEach(const MemDirectory& directory, const std::string& path, const Visit& visit) {
  for (const auto& [name, node] : directory.entries()) {
    const std::string child = absl::StrCat(path, "/", name);
    visit(child, node);
    if (node.directory != nullptr) ForEach(*node.directory, child, visit);
  }
}

std::string Describe(const std::string& path, const MemNode& node) {
  if (node.directory != nullptr) {
    return absl::StrCat(path, "/ (", node.directory->unsynced_changes(), " unsynced changes)\n");
  }
  return absl::StrCat(path, " ", node.file->size(), " bytes (", node.file->synced_size(), " synced",
                      node.file->dirty() ? ", dirty" : "", ")\n");
}

}  // namespace

MemFileSystem::MemFileSystem(const MemOptions& options)
    : MemFileSystem(std::make_shared<MemState>(options, std::make_shared<MemDirectory>())) {}

MemFileSystem::MemFileSystem(std::shared_ptr<MemState> state) : state_(std::move(state)) {}

MemFileSystem::~MemFileSystem() = default;

std::shared_ptr<MemFileSystem> MemFileSystem::CrashClone(CrashPolicy policy, uint64_t seed) const {
  MutexLock lock(&state_->mu);
  ForEach(*state_->root, "", [](const std::string&, const MemNode& node) {
    if (node.file != nullptr) node.file->Absorb();
  });
  CrashImages images = {.policy = policy, .random = SplitMix(seed)};
  MemOptions options = state_->options;
  options.capacity = state_->capacity;
  std::shared_ptr<MemDirectory> root = state_->root->AfterCrash(&images);
  uint64_t used = 0;
  for (const auto& image : images.files) {
    // A file that only a later crash would bring back, by losing its removal, has no name now.
    if (image.second->links > 0) used += image.second->size();
  }
  return std::make_shared<MemFileSystem>(
      std::make_shared<MemState>(options, std::move(root), used));
}

void MemFileSystem::SetCapacity(uint64_t bytes) {
  MutexLock lock(&state_->mu);
  state_->capacity = bytes;
}

std::string MemFileSystem::DebugString() const {
  MutexLock lock(&state_->mu);
  std::string text;
  ForEach(*state_->root, "", [&text](const std::string& path, const MemNode& node) {
    if (node.file != nullptr) node.file->Absorb();
    text += Describe(path, node);
  });
  return text;
}

absl::StatusOr<std::unique_ptr<RandomAccessFile>> MemFileSystem::OpenRandomAccess(
    const std::string& path) {
  MutexLock lock(&state_->mu);
  ASSIGN_OR_RETURN(std::shared_ptr<MemFile> file, state_->FindFile("open", path));
  return OpenMemReader(state_, std::move(file));
}

absl::StatusOr<std::unique_ptr<WritableFile>> MemFileSystem::CreateWritable(
    const std::string& path) {
  MutexLock lock(&state_->mu);
  ASSIGN_OR_RETURN(std::shared_ptr<MemFile> file, state_->CreateFile(path));
  return OpenMemWriter(state_, path, std::move(file));
}

absl::StatusOr<std::unique_ptr<LogFile>> MemFileSystem::CreateLog(const std::string& path,
                                                                  uint64_t size) {
  MutexLock lock(&state_->mu);
  // Checked first, so that a full disk leaves no file behind.
  ASSIGN_OR_RETURN(MemPlace place, state_->Walk("create", path));
  if (!place.empty()) return ErrnoStatus("create", path, EEXIST);
  if (size > state_->free()) return ErrnoStatus("allocate", path, ENOSPC);
  ASSIGN_OR_RETURN(std::shared_ptr<MemFile> file, state_->CreateFile(path));
  RETURN_IF_ERROR(state_->Resize(file.get(), path, size));
  const bool mapped = size > 0 && state_->options.log_mapping == MemOptions::LogMapping::kMapped;
  char* mapping = mapped ? file->Map() : nullptr;
  return OpenMemLog(state_, path, std::move(file), mapping);
}

absl::Status MemFileSystem::SyncFile(const std::string& path) {
  MutexLock lock(&state_->mu);
  ASSIGN_OR_RETURN(std::shared_ptr<MemFile> file, state_->FindFile("sync", path));
  file->Sync();
  return absl::OkStatus();
}

absl::Status MemFileSystem::SyncDirectory(const std::string& path) {
  MutexLock lock(&state_->mu);
  ASSIGN_OR_RETURN(std::shared_ptr<MemDirectory> directory,
                   state_->FindDirectory("sync directory", path));
  directory->Sync();
  return absl::OkStatus();
}

absl::Status MemFileSystem::CreateDirectory(const std::string& path) {
  MutexLock lock(&state_->mu);
  for (size_t slash = 0; slash != std::string::npos;) {
    slash = path.find('/', slash + 1);
    const std::string prefix = path.substr(0, slash);
    ASSIGN_OR_RETURN(MemPlace place, state_->Walk("make directory", prefix));
    if (place.node.file != nullptr) return ErrnoStatus("make directory", prefix, EEXIST);
    if (place.empty()) {
      place.directory->Set(place.name,
                           {.file = nullptr, .directory = std::make_shared<MemDirectory>()});
    }
  }
  return absl::OkStatus();
}

absl::Status MemFileSystem::RemoveDirectory(const std::string& path) {
  MutexLock lock(&state_->mu);
  ASSIGN_OR_RETURN(MemPlace place, state_->Walk("remove directory", path));
  if (place.empty()) return ErrnoStatus("remove directory", path, ENOENT);
  if (place.node.directory == nullptr) return ErrnoStatus("remove directory", path, ENOTDIR);
  if (place.directory == nullptr) return ErrnoStatus("remove directory", path, EBUSY);
  if (!place.node.directory->entries().empty()) {
    return ErrnoStatus("remove directory", path, ENOTEMPTY);
  }
  place.directory->Erase(place.name);
  return absl::OkStatus();
}

absl::StatusOr<std::vector<std::string>> MemFileSystem::ListDirectory(const std::string& path) {
  MutexLock lock(&state_->mu);
  ASSIGN_OR_RETURN(std::shared_ptr<MemDirectory> directory, state_->FindDirectory("list", path));
  std::vector<std::string> names;
  names.reserve(directory->entries().size());
  for (const auto& entry : directory->entries()) names.push_back(entry.first);
  return names;
}

absl::Status MemFileSystem::Rename(const std::string& from, const std::string& to) {
  MutexLock lock(&state_->mu);
  const std::string both = absl::StrCat(from, " to ", to);
  ASSIGN_OR_RETURN(MemPlace source, state_->Walk("rename", from));
  if (source.empty()) return ErrnoStatus("rename", both, ENOENT);
  ASSIGN_OR_RETURN(MemPlace target, state_->Walk("rename", to));
  if (source.directory == nullptr || target.directory == nullptr) {
    return ErrnoStatus("rename", both, EBUSY);
  }
  if (source.node.file != nullptr && source.node.file == target.node.file) return absl::OkStatus();
  if (target.node.directory != nullptr) return ErrnoStatus("rename", both, EEXIST);
  if (target.node.file != nullptr && source.node.directory != nullptr) {
    return ErrnoStatus("rename", both, ENOTDIR);
  }
  if (target.node.file != nullptr) state_->DropLink(target.node.file.get());
  if (source.directory == target.directory) {
    source.directory->Move(source.name, target.name);
  } else {
    target.directory->Set(target.name, source.node);
    source.directory->Erase(source.name);
  }
  return absl::OkStatus();
}

absl::Status MemFileSystem::Link(const std::string& from, const std::string& to) {
  MutexLock lock(&state_->mu);
  const std::string both = absl::StrCat(from, " to ", to);
  ASSIGN_OR_RETURN(MemPlace source, state_->Walk("link", from));
  if (source.empty()) return ErrnoStatus("link", both, ENOENT);
  if (source.node.file == nullptr) return ErrnoStatus("link", both, EPERM);
  ASSIGN_OR_RETURN(MemPlace target, state_->Walk("link", to));
  if (!target.empty()) return ErrnoStatus("link", both, EEXIST);
  ++source.node.file->links;
  target.directory->Set(target.name, source.node);
  return absl::OkStatus();
}

absl::Status MemFileSystem::Remove(const std::string& path) {
  MutexLock lock(&state_->mu);
  ASSIGN_OR_RETURN(MemPlace place, state_->Walk("remove", path));
  if (place.empty()) return ErrnoStatus("remove", path, ENOENT);
  if (place.node.file == nullptr) return ErrnoStatus("remove", path, EISDIR);
  state_->DropLink(place.node.file.get());
  place.directory->Erase(place.name);
  return absl::OkStatus();
}

absl::Status MemFileSystem::Truncate(const std::string& path, uint64_t size) {
  MutexLock lock(&state_->mu);
  ASSIGN_OR_RETURN(std::shared_ptr<MemFile> file, state_->FindFile("truncate", path));
  return state_->Resize(file.get(), path, size);
}

absl::StatusOr<uint64_t> MemFileSystem::FileSize(const std::string& path) {
  MutexLock lock(&state_->mu);
  ASSIGN_OR_RETURN(std::shared_ptr<MemFile> file, state_->FindFile("stat", path));
  return file->size();
}

absl::StatusOr<bool> MemFileSystem::Exists(const std::string& path) {
  MutexLock lock(&state_->mu);
  const absl::StatusOr<MemPlace> place = state_->Walk("stat", path);
  return place.ok() && !place->empty();
}

absl::StatusOr<std::unique_ptr<FileLock>> MemFileSystem::Lock(const std::string& path,
                                                              LockMode mode) {
  MutexLock lock(&state_->mu);
  absl::StatusOr<MemPlace> place = state_->Walk("lock", path);
  const bool missing = place.ok() ? place->empty() : absl::IsNotFound(place.status());
  if (missing && mode == LockMode::kShared) return HoldMemLock(state_, nullptr);
  RETURN_IF_ERROR(place.status());
  std::shared_ptr<MemFile> file = place->node.file;
  if (missing) {
    ASSIGN_OR_RETURN(file, state_->CreateFile(path));
  }
  if (file == nullptr) return ErrnoStatus("lock", path, EISDIR);
  if (!state_->locked[file.get()].Add(mode)) {
    return LockHeldError(absl::StrCat("lock ", path, ": held by this process, pid ", ::getpid()));
  }
  if (mode == LockMode::kExclusive) {
    // The pid is informational: a full disk does not affect the lock.
    const std::string pid = absl::StrCat(::getpid(), "\n");
    if (state_->Write(file.get(), path, 0, pid).ok()) {
      (void)state_->Resize(file.get(), path, pid.size());
    }
  }
  return HoldMemLock(state_, std::move(file));
}

absl::StatusOr<uint64_t> MemFileSystem::FreeSpace(const std::string& path) {
  MutexLock lock(&state_->mu);
  ASSIGN_OR_RETURN(MemPlace place, state_->Walk("look at free space of", path));
  if (place.empty()) return ErrnoStatus("look at free space of", path, ENOENT);
  return state_->free();
}

}  // namespace cambium::env
