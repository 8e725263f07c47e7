#include "env/testing/intercepted_file_system.h"

#include <algorithm>
#include <cstring>
#include <span>
#include <string_view>

#include "util/status_macros.h"

namespace cambium::env {
namespace {

constexpr uint64_t kMisdirection = 4096;

// Intercepts a call without data whose `act` returns a Status.
template <typename Act>
absl::Status Carry(Interceptor& interceptor, const Operation& operation, const Act& act) {
  const Verdict verdict = interceptor.Before(operation);
  absl::Status status = verdict.effect == Effect::kFail ? verdict.status : act();
  if (verdict.effect == Effect::kFailDone) status.Update(verdict.status);
  interceptor.After(operation, status);
  return status;
}

// Does the same for an `act` that returns a StatusOr.
template <typename Result, typename Act>
Result CarryResult(Interceptor& interceptor, const Operation& operation, const Act& act) {
  const Verdict verdict = interceptor.Before(operation);
  Result result = verdict.effect == Effect::kFail ? Result(verdict.status) : act();
  if (verdict.effect == Effect::kFailDone && result.ok()) result = verdict.status;
  interceptor.After(operation, result.status());
  return result;
}

uint64_t WrongPlace(uint64_t offset) {
  return offset >= kMisdirection ? offset - kMisdirection : offset + kMisdirection;
}

void FlipBit(uint64_t draw, char* data, size_t size) {
  if (size == 0) return;
  const uint64_t bit = draw % (uint64_t{size} * 8);
  data[bit / 8] = static_cast<char>(data[bit / 8] ^ (1 << (bit % 8)));
}

// Returns the bytes that a damaged write stores instead of `data`.
std::string DamagedCopy(const Verdict& verdict, std::string_view data) {
  std::string copy(data);
  if (verdict.effect == Effect::kBitFlip) FlipBit(verdict.draw, copy.data(), copy.size());
  if (verdict.effect == Effect::kShort) copy.resize(copy.size() / 2);
  return copy;
}

// Thread-safe.
class InterceptedReader final : public RandomAccessFile {
 public:
  InterceptedReader(std::string path, std::unique_ptr<RandomAccessFile> base,
                    std::shared_ptr<Interceptor> interceptor)
      : path_(std::move(path)), base_(std::move(base)), interceptor_(std::move(interceptor)) {}

  void Read(std::span<ReadRequest> requests) const override {
    for (ReadRequest& request : requests) ReadOne(&request);
  }

  absl::StatusOr<uint64_t> Size() const override {
    return CarryResult<absl::StatusOr<uint64_t>>(*interceptor_,
                                                 {.kind = OperationKind::kSize, .path = path_},
                                                 [this] { return base_->Size(); });
  }

 private:
  void ReadOne(ReadRequest* request) const {
    const Operation operation = {.kind = OperationKind::kRead,
                                 .path = path_,
                                 .offset = request->offset,
                                 .size = request->size};
    const Verdict verdict = interceptor_->Before(operation);
    if (verdict.effect == Effect::kFail) {
      request->bytes_read = 0;
      request->status = verdict.status;
    } else {
      ReadRequest carried = *request;
      if (verdict.effect == Effect::kShort) carried.size /= 2;
      if (verdict.effect == Effect::kMisdirected) carried.offset = WrongPlace(carried.offset);
      base_->Read(std::span<ReadRequest>(&carried, 1));
      request->bytes_read = carried.bytes_read;
      request->status = carried.status;
      if (verdict.effect == Effect::kFailDone) request->status.Update(verdict.status);
      if (verdict.effect == Effect::kBitFlip) {
        FlipBit(verdict.draw, request->buffer, request->bytes_read);
      }
      if (verdict.effect == Effect::kStale) {
        std::fill_n(request->buffer, request->bytes_read, '\0');
      }
    }
    interceptor_->After(operation, request->status);
  }

  const std::string path_;
  const std::unique_ptr<RandomAccessFile> base_;
  const std::shared_ptr<Interceptor> interceptor_;
};

// Confined to one thread at a time.
class InterceptedWriter final : public WritableFile {
 public:
  InterceptedWriter(std::string path, std::unique_ptr<WritableFile> base,
                    std::shared_ptr<Interceptor> interceptor)
      : path_(std::move(path)), base_(std::move(base)), interceptor_(std::move(interceptor)) {}

  absl::Status Append(std::string_view data) override {
    const Operation operation = {.kind = OperationKind::kAppend, .path = path_, .data = data};
    const Verdict verdict = interceptor_->Before(operation);
    absl::Status status = AppendUnder(verdict, data);
    interceptor_->After(operation, status);
    return status;
  }

  absl::Status Sync() override {
    return Carry(*interceptor_, {.kind = OperationKind::kSync, .path = path_},
                 [this] { return base_->Sync(); });
  }

  absl::Status Close() override {
    return Carry(*interceptor_, {.kind = OperationKind::kClose, .path = path_},
                 [this] { return base_->Close(); });
  }

 private:
  absl::Status AppendUnder(const Verdict& verdict, std::string_view data) {
    if (verdict.effect == Effect::kFail) return verdict.status;
    if (verdict.effect == Effect::kNone && misplaced_.empty()) return base_->Append(data);
    std::string copy = DamagedCopy(verdict, data);
    const size_t overlaid = std::min(misplaced_.size(), copy.size());
    std::memcpy(copy.data(), misplaced_.data(), overlaid);
    misplaced_.clear();
    if (verdict.effect == Effect::kMisdirected) {
      misplaced_ = data;
      copy.assign(data.size(), '\0');
    }
    absl::Status status = base_->Append(copy);
    status.Update(verdict.status);
    return status;
  }

  const std::string path_;
  const std::unique_ptr<WritableFile> base_;
  const std::shared_ptr<Interceptor> interceptor_;
  std::string misplaced_;  // overwrites the beginning of the next append
};

// Close is called after the other calls have returned. Thread-safe.
class InterceptedLog final : public LogFile {
 public:
  // `mapping` is the base's mapping, or null.
  InterceptedLog(Operation creation, std::unique_ptr<LogFile> base, char* mapping,
                 std::shared_ptr<Interceptor> interceptor)
      : path_(creation.path),
        size_(creation.size),
        base_(std::move(base)),
        mapping_(mapping),
        interceptor_(std::move(interceptor)) {}

  char* Mapping() const override { return mapping_; }

  const std::atomic<bool>* MappingLost() const override { return base_->MappingLost(); }

  void Populate(uint64_t offset, uint64_t size) override { base_->Populate(offset, size); }

  absl::Status WriteAt(uint64_t offset, std::string_view data) override {
    const Operation operation = {
        .kind = OperationKind::kWriteAt, .path = path_, .offset = offset, .data = data};
    const Verdict verdict = interceptor_->Before(operation);
    absl::Status status = WriteUnder(verdict, offset, data);
    interceptor_->After(operation, status);
    return status;
  }

  absl::Status Sync() override {
    return Carry(*interceptor_, {.kind = OperationKind::kSyncLog, .path = path_},
                 [this] { return base_->Sync(); });
  }

  absl::Status Close(uint64_t final_size) override {
    mapping_ = nullptr;
    return Carry(*interceptor_,
                 {.kind = OperationKind::kCloseLog, .path = path_, .size = final_size},
                 [this, final_size] { return base_->Close(final_size); });
  }

 private:
  absl::Status WriteUnder(const Verdict& verdict, uint64_t offset, std::string_view data) {
    if (verdict.effect == Effect::kFail) return verdict.status;
    if (verdict.effect == Effect::kNone) return base_->WriteAt(offset, data);
    if (verdict.effect == Effect::kMisdirected) {
      const uint64_t wrong = WrongPlace(offset);
      // If the file has no room elsewhere, the data goes to its beginning.
      offset = wrong + data.size() <= size_ ? wrong : 0;
    }
    absl::Status status = base_->WriteAt(offset, DamagedCopy(verdict, data));
    status.Update(verdict.status);
    return status;
  }

  const std::string path_;
  const uint64_t size_;
  const std::unique_ptr<LogFile> base_;
  char* mapping_;
  const std::shared_ptr<Interceptor> interceptor_;
};

}  // namespace

bool CanHappen(Effect effect, OperationKind kind) {
  const bool read = kind == OperationKind::kRead;
  const bool write = kind == OperationKind::kAppend || kind == OperationKind::kWriteAt;
  switch (effect) {
    case Effect::kNone:
    case Effect::kFail:
      return true;
    case Effect::kFailDone:
      return kind != OperationKind::kExists && kind != OperationKind::kMap;
    case Effect::kShort:
    case Effect::kBitFlip:
    case Effect::kMisdirected:
      return read || write;
    case Effect::kStale:
      return read;
  }
  return false;
}

absl::StatusOr<std::unique_ptr<RandomAccessFile>> InterceptedFileSystem::OpenRandomAccess(
    const std::string& path) {
  using Result = absl::StatusOr<std::unique_ptr<RandomAccessFile>>;
  ASSIGN_OR_RETURN(auto file,
                   CarryResult<Result>(*interceptor_, {.kind = OperationKind::kOpen, .path = path},
                                       [&] { return base_->OpenRandomAccess(path); }));
  return std::make_unique<InterceptedReader>(path, std::move(file), interceptor_);
}

absl::StatusOr<std::unique_ptr<WritableFile>> InterceptedFileSystem::CreateWritable(
    const std::string& path) {
  using Result = absl::StatusOr<std::unique_ptr<WritableFile>>;
  ASSIGN_OR_RETURN(
      auto file, CarryResult<Result>(*interceptor_, {.kind = OperationKind::kCreate, .path = path},
                                     [&] { return base_->CreateWritable(path); }));
  return std::make_unique<InterceptedWriter>(path, std::move(file), interceptor_);
}

absl::StatusOr<std::unique_ptr<LogFile>> InterceptedFileSystem::CreateLog(const std::string& path,
                                                                          uint64_t size) {
  using Result = absl::StatusOr<std::unique_ptr<LogFile>>;
  const Operation creation = {.kind = OperationKind::kCreateLog, .path = path, .size = size};
  ASSIGN_OR_RETURN(auto log, CarryResult<Result>(*interceptor_, creation,
                                                 [&] { return base_->CreateLog(path, size); }));
  const Operation map = {.kind = OperationKind::kMap, .path = path, .size = size};
  const Verdict verdict = interceptor_->Before(map);
  const bool shown = mapping_access_ == MappingAccess::kShown && verdict.effect != Effect::kFail;
  interceptor_->After(map, verdict.status);
  char* mapping = shown ? log->Mapping() : nullptr;
  return std::make_unique<InterceptedLog>(creation, std::move(log), mapping, interceptor_);
}

absl::Status InterceptedFileSystem::SyncFile(const std::string& path) {
  return Carry(*interceptor_, {.kind = OperationKind::kSyncFile, .path = path},
               [&] { return base_->SyncFile(path); });
}

absl::Status InterceptedFileSystem::SyncDirectory(const std::string& path) {
  return Carry(*interceptor_, {.kind = OperationKind::kSyncDirectory, .path = path},
               [&] { return base_->SyncDirectory(path); });
}

absl::Status InterceptedFileSystem::CreateDirectory(const std::string& path) {
  return Carry(*interceptor_, {.kind = OperationKind::kCreateDirectory, .path = path},
               [&] { return base_->CreateDirectory(path); });
}

absl::Status InterceptedFileSystem::RemoveDirectory(const std::string& path) {
  return Carry(*interceptor_, {.kind = OperationKind::kRemoveDirectory, .path = path},
               [&] { return base_->RemoveDirectory(path); });
}

absl::StatusOr<std::vector<std::string>> InterceptedFileSystem::ListDirectory(
    const std::string& path) {
  using Result = absl::StatusOr<std::vector<std::string>>;
  return CarryResult<Result>(*interceptor_, {.kind = OperationKind::kListDirectory, .path = path},
                             [&] { return base_->ListDirectory(path); });
}

absl::Status InterceptedFileSystem::Rename(const std::string& from, const std::string& to) {
  return Carry(*interceptor_, {.kind = OperationKind::kRename, .path = from, .target = to},
               [&] { return base_->Rename(from, to); });
}

absl::Status InterceptedFileSystem::Link(const std::string& from, const std::string& to) {
  return Carry(*interceptor_, {.kind = OperationKind::kLink, .path = from, .target = to},
               [&] { return base_->Link(from, to); });
}

absl::Status InterceptedFileSystem::Remove(const std::string& path) {
  return Carry(*interceptor_, {.kind = OperationKind::kRemove, .path = path},
               [&] { return base_->Remove(path); });
}

absl::Status InterceptedFileSystem::Truncate(const std::string& path, uint64_t size) {
  return Carry(*interceptor_, {.kind = OperationKind::kTruncate, .path = path, .size = size},
               [&] { return base_->Truncate(path, size); });
}

absl::StatusOr<uint64_t> InterceptedFileSystem::FileSize(const std::string& path) {
  return CarryResult<absl::StatusOr<uint64_t>>(*interceptor_,
                                               {.kind = OperationKind::kFileSize, .path = path},
                                               [&] { return base_->FileSize(path); });
}

absl::StatusOr<bool> InterceptedFileSystem::Exists(const std::string& path) {
  return CarryResult<absl::StatusOr<bool>>(*interceptor_,
                                           {.kind = OperationKind::kExists, .path = path},
                                           [&] { return base_->Exists(path); });
}

absl::StatusOr<std::unique_ptr<FileLock>> InterceptedFileSystem::Lock(const std::string& path,
                                                                      LockMode mode) {
  using Result = absl::StatusOr<std::unique_ptr<FileLock>>;
  return CarryResult<Result>(*interceptor_, {.kind = OperationKind::kLock, .path = path},
                             [&] { return base_->Lock(path, mode); });
}

absl::StatusOr<uint64_t> InterceptedFileSystem::FreeSpace(const std::string& path) {
  return CarryResult<absl::StatusOr<uint64_t>>(*interceptor_,
                                               {.kind = OperationKind::kFreeSpace, .path = path},
                                               [&] { return base_->FreeSpace(path); });
}

}  // namespace cambium::env
