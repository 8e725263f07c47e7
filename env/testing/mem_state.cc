#include "env/testing/mem_state.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "env/errno_status.h"
#include "util/absl_view.h"
#include "util/status_macros.h"

namespace cambium::env {
namespace {

// Returns the components of a path, with "." removed and ".." resolved.
std::vector<std::string_view> Components(std::string_view path) {
  std::vector<std::string_view> components;
  while (!path.empty()) {
    const size_t slash = std::min(path.find('/'), path.size());
    const std::string_view component = path.substr(0, slash);
    path.remove_prefix(std::min(slash + 1, path.size()));
    if (component == "..") {
      if (!components.empty()) components.pop_back();
    } else if (!component.empty() && component != ".") {
      components.push_back(component);
    }
  }
  return components;
}

absl::Status ClosedStatus(std::string_view operation, const std::string& path) {
  return absl::FailedPreconditionError(
      absl::StrCat(ToAbsl(operation), " ", path, ": the file was closed"));
}

// Thread-safe.
class MemReader final : public RandomAccessFile {
 public:
  MemReader(std::shared_ptr<MemState> state, std::shared_ptr<MemFile> file)
      : state_(std::move(state)), file_(std::move(file)) {}

  void Read(std::span<ReadRequest> requests) const override {
    MutexLock lock(&state_->mu);
    for (ReadRequest& request : requests) {
      request.bytes_read = file_->Read(request.offset, request.buffer, request.size);
      request.status = absl::OkStatus();
    }
  }

  absl::StatusOr<uint64_t> Size() const override {
    MutexLock lock(&state_->mu);
    return file_->size();
  }

 private:
  const std::shared_ptr<MemState> state_;
  const std::shared_ptr<MemFile> file_;
};

// Confined to one thread at a time.
class MemWriter final : public WritableFile {
 public:
  MemWriter(std::shared_ptr<MemState> state, std::string path, std::shared_ptr<MemFile> file)
      : state_(std::move(state)), path_(std::move(path)), file_(std::move(file)) {}

  absl::Status Append(std::string_view data) override {
    if (closed_) return ClosedStatus("append to", path_);
    MutexLock lock(&state_->mu);
    return state_->Write(file_.get(), path_, file_->size(), data);
  }

  absl::Status Sync() override {
    if (closed_) return ClosedStatus("sync", path_);
    MutexLock lock(&state_->mu);
    file_->Sync();
    return absl::OkStatus();
  }

  absl::Status Close() override {
    closed_ = true;
    return absl::OkStatus();
  }

 private:
  const std::shared_ptr<MemState> state_;
  const std::string path_;
  const std::shared_ptr<MemFile> file_;
  bool closed_ = false;
};

// Close is called after the other calls have returned. Thread-safe.
class MemLog final : public LogFile {
 public:
  MemLog(std::shared_ptr<MemState> state, std::string path, std::shared_ptr<MemFile> file,
         char* mapping)
      : state_(std::move(state)),
        path_(std::move(path)),
        file_(std::move(file)),
        size_(file_->size()),
        mapping_(mapping) {}

  ~MemLog() override {
    MutexLock lock(&state_->mu);
    file_->Unmap();
  }

  char* Mapping() const override { return mapping_; }

  void Populate(uint64_t, uint64_t) override {}

  absl::Status WriteAt(uint64_t offset, std::string_view data) override {
    if (closed_) return ClosedStatus("write to", path_);
    if (offset > size_ || data.size() > size_ - offset) {
      return absl::OutOfRangeError(absl::StrCat("write at offset ", offset, " ", path_, ": ",
                                                data.size(), " bytes do not fit in ", size_));
    }
    MutexLock lock(&state_->mu);
    if (mapping_ == nullptr) return state_->Write(file_.get(), path_, offset, data);
    std::memcpy(mapping_ + offset, data.data(), data.size());
    return absl::OkStatus();
  }

  absl::Status Sync() override {
    if (closed_) return ClosedStatus("sync", path_);
    MutexLock lock(&state_->mu);
    file_->Sync();
    return absl::OkStatus();
  }

  absl::Status Close(uint64_t final_size) override {
    if (closed_) return absl::OkStatus();
    closed_ = true;
    MutexLock lock(&state_->mu);
    file_->Unmap();
    mapping_ = nullptr;
    if (final_size >= size_) return absl::OkStatus();
    return state_->Resize(file_.get(), path_, final_size);
  }

 private:
  const std::shared_ptr<MemState> state_;
  const std::string path_;
  const std::shared_ptr<MemFile> file_;
  const uint64_t size_;
  char* mapping_;
  bool closed_ = false;
};

// Immutable after construction.
class MemLock final : public FileLock {
 public:
  MemLock(std::shared_ptr<MemState> state, std::shared_ptr<MemFile> file)
      : state_(std::move(state)), file_(std::move(file)) {}

  ~MemLock() override {
    MutexLock lock(&state_->mu);
    const auto found = state_->locked.find(file_.get());
    if (found != state_->locked.end() && found->second.DropOne()) state_->locked.erase(found);
  }

 private:
  const std::shared_ptr<MemState> state_;
  const std::shared_ptr<MemFile> file_;
};

}  // namespace

absl::StatusOr<MemPlace> MemState::Walk(std::string_view operation, const std::string& path) {
  const std::vector<std::string_view> components = Components(path);
  MemPlace place;
  place.node.directory = root;
  for (const std::string_view component : components) {
    if (place.empty()) return ErrnoStatus(operation, path, ENOENT);
    if (place.node.directory == nullptr) return ErrnoStatus(operation, path, ENOTDIR);
    place.directory = place.node.directory.get();
    place.name = component;
    const MemNode* found = place.directory->Find(component);
    place.node = found == nullptr ? MemNode{} : *found;
  }
  return place;
}

absl::StatusOr<std::shared_ptr<MemFile>> MemState::FindFile(std::string_view operation,
                                                            const std::string& path) {
  ASSIGN_OR_RETURN(MemPlace place, Walk(operation, path));
  if (place.empty()) return ErrnoStatus(operation, path, ENOENT);
  if (place.node.file == nullptr) return ErrnoStatus(operation, path, EISDIR);
  return std::move(place.node.file);
}

absl::StatusOr<std::shared_ptr<MemDirectory>> MemState::FindDirectory(std::string_view operation,
                                                                      const std::string& path) {
  ASSIGN_OR_RETURN(MemPlace place, Walk(operation, path));
  if (place.empty()) return ErrnoStatus(operation, path, ENOENT);
  if (place.node.directory == nullptr) return ErrnoStatus(operation, path, ENOTDIR);
  return std::move(place.node.directory);
}

absl::StatusOr<std::shared_ptr<MemFile>> MemState::CreateFile(const std::string& path) {
  ASSIGN_OR_RETURN(MemPlace place, Walk("create", path));
  if (!place.empty()) return ErrnoStatus("create", path, EEXIST);
  auto file = std::make_shared<MemFile>();
  file->links = 1;
  place.directory->Set(place.name, {.file = file, .directory = nullptr});
  return file;
}

void MemState::DropLink(MemFile* file) {
  if (--file->links == 0) used -= file->size();
}

absl::Status MemState::Write(MemFile* file, const std::string& path, uint64_t offset,
                             std::string_view data) {
  const uint64_t end = offset + data.size();
  uint64_t growth = end > file->size() ? end - file->size() : 0;
  absl::Status status;
  if (growth > free()) {
    const uint64_t missing = growth - free();
    growth = free();
    data.remove_suffix(static_cast<size_t>(std::min<uint64_t>(missing, data.size())));
    status = ErrnoStatus(FromAbsl(absl::StrCat("write at offset ", offset)), path, ENOSPC);
  }
  file->Write(offset, data);
  if (file->links > 0) used += growth;
  return status;
}

absl::Status MemState::Resize(MemFile* file, const std::string& path, uint64_t size) {
  const uint64_t before = file->size();
  if (size > before && size - before > free()) return ErrnoStatus("resize", path, ENOSPC);
  file->Resize(size);
  if (file->links > 0) used = used - before + size;
  return absl::OkStatus();
}

std::unique_ptr<RandomAccessFile> OpenMemReader(std::shared_ptr<MemState> state,
                                                std::shared_ptr<MemFile> file) {
  return std::make_unique<MemReader>(std::move(state), std::move(file));
}

std::unique_ptr<WritableFile> OpenMemWriter(std::shared_ptr<MemState> state, std::string path,
                                            std::shared_ptr<MemFile> file) {
  return std::make_unique<MemWriter>(std::move(state), std::move(path), std::move(file));
}

std::unique_ptr<LogFile> OpenMemLog(std::shared_ptr<MemState> state, std::string path,
                                    std::shared_ptr<MemFile> file, char* mapping) {
  return std::make_unique<MemLog>(std::move(state), std::move(path), std::move(file), mapping);
}

std::unique_ptr<FileLock> HoldMemLock(std::shared_ptr<MemState> state,
                                      std::shared_ptr<MemFile> file) {
  return std::make_unique<MemLock>(std::move(state), std::move(file));
}

}  // namespace cambium::env
