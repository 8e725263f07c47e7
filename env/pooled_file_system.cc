#include "env/pooled_file_system.h"

#include <sys/resource.h>

#include <algorithm>
#include <cassert>
#include <cstdint>
#include <utility>

#include "env/descriptor_pool.h"
#include "util/status_macros.h"

namespace cambium::env {
namespace {

// Descriptors reserved for the log, the manifest, the outputs of jobs, and the program: a quarter
// of the limit, and at least this many.
constexpr rlim_t kMinHeadroom = 32;
constexpr rlim_t kHeadroomParts = 4;
// Bounds for any limit of the process.
constexpr rlim_t kMinOpenFiles = 8;
constexpr rlim_t kMaxOpenFiles = rlim_t{1} << 20;

// Releases a pin at its end. Confined to its scope.
class PinHolder {
 public:
  PinHolder(DescriptorPool* pool, PooledDescriptor* pinned) : pool_(pool), pinned_(pinned) {}
  ~PinHolder() { pool_->Unpin(pinned_); }
  PinHolder(const PinHolder&) = delete;
  PinHolder& operator=(const PinHolder&) = delete;

 private:
  DescriptorPool* const pool_;
  PooledDescriptor* const pinned_;
};

// Thread-safe.
class PooledFile final : public RandomAccessFile {
 public:
  PooledFile(DescriptorPool* pool, const std::string& path) : pool_(pool), descriptor_(path) {}
  ~PooledFile() override { pool_->Forget(&descriptor_); }

  absl::Status Open() {
    RETURN_IF_ERROR(pool_->Pin(&descriptor_));
    pool_->Unpin(&descriptor_);
    return absl::OkStatus();
  }

  void Read(std::span<ReadRequest> requests) const override {
    const absl::Status pinned = pool_->Pin(&descriptor_);
    if (pinned.ok()) {
      const PinHolder pin(pool_, &descriptor_);
      descriptor_.file->Read(requests);
      return;
    }
    for (ReadRequest& request : requests) {
      request.bytes_read = 0;
      request.status = pinned;
    }
  }

  absl::StatusOr<uint64_t> Size() const override {
    RETURN_IF_ERROR(pool_->Pin(&descriptor_));
    const PinHolder pin(pool_, &descriptor_);
    return descriptor_.file->Size();
  }

 private:
  DescriptorPool* const pool_;
  mutable PooledDescriptor descriptor_;
};

}  // namespace

int ChooseMaxOpenFiles() {
  struct rlimit limit = {};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return static_cast<int>(kMinOpenFiles);
  const rlim_t headroom = std::max(kMinHeadroom, limit.rlim_cur / kHeadroomParts);
  const rlim_t left = limit.rlim_cur - std::min(limit.rlim_cur, headroom);
  return static_cast<int>(std::clamp(left, kMinOpenFiles, kMaxOpenFiles));
}

PooledFileSystem::PooledFileSystem(FileSystem* base, size_t max_open)
    : base_(base), pool_(std::make_unique<DescriptorPool>(base, max_open)) {
  assert(base != nullptr);
}

PooledFileSystem::~PooledFileSystem() = default;

size_t PooledFileSystem::open_count() const { return pool_->open_count(); }

void PooledFileSystem::CloseIdle() { pool_->CloseIdle(SIZE_MAX); }

absl::StatusOr<std::unique_ptr<RandomAccessFile>> PooledFileSystem::OpenRandomAccess(
    const std::string& path) {
  auto file = std::make_unique<PooledFile>(pool_.get(), path);
  RETURN_IF_ERROR(file->Open());
  return file;
}

absl::StatusOr<std::unique_ptr<WritableFile>> PooledFileSystem::CreateWritable(
    const std::string& path) {
  return pool_->WithRoom([&] { return base_->CreateWritable(path); });
}

absl::StatusOr<std::unique_ptr<LogFile>> PooledFileSystem::CreateLog(const std::string& path,
                                                                     uint64_t size) {
  return pool_->WithRoom([&] { return base_->CreateLog(path, size); });
}

absl::Status PooledFileSystem::SyncFile(const std::string& path) {
  return pool_->WithRoom([&] { return base_->SyncFile(path); });
}

absl::Status PooledFileSystem::SyncDirectory(const std::string& path) {
  return pool_->WithRoom([&] { return base_->SyncDirectory(path); });
}

absl::StatusOr<std::vector<std::string>> PooledFileSystem::ListDirectory(const std::string& path) {
  return pool_->WithRoom([&] { return base_->ListDirectory(path); });
}

absl::StatusOr<std::unique_ptr<FileLock>> PooledFileSystem::Lock(const std::string& path,
                                                                 LockMode mode) {
  return pool_->WithRoom([&] { return base_->Lock(path, mode); });
}

// Calls that need no descriptor.

absl::Status PooledFileSystem::CreateDirectory(const std::string& path) {
  return base_->CreateDirectory(path);
}
absl::Status PooledFileSystem::RemoveDirectory(const std::string& path) {
  return base_->RemoveDirectory(path);
}
absl::Status PooledFileSystem::Rename(const std::string& from, const std::string& to) {
  return base_->Rename(from, to);
}
absl::Status PooledFileSystem::Link(const std::string& from, const std::string& to) {
  return base_->Link(from, to);
}
absl::Status PooledFileSystem::Remove(const std::string& path) { return base_->Remove(path); }
absl::Status PooledFileSystem::Truncate(const std::string& path, uint64_t size) {
  return base_->Truncate(path, size);
}
absl::StatusOr<uint64_t> PooledFileSystem::FileSize(const std::string& path) {
  return base_->FileSize(path);
}
absl::StatusOr<bool> PooledFileSystem::Exists(const std::string& path) {
  return base_->Exists(path);
}
absl::StatusOr<uint64_t> PooledFileSystem::FreeSpace(const std::string& path) {
  return base_->FreeSpace(path);
}

}  // namespace cambium::env
