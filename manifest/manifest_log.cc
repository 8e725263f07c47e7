#include "manifest/manifest_log.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/file_names.h"
#include "manifest/manifest_format.h"
#include "manifest/recovery.h"
#include "util/status_macros.h"

namespace cambium::manifest {
namespace {

// A fresh manifest is worth its while where this one is large, and mostly history.
constexpr uint64_t kRollOverSize = uint64_t{4} << 20;
constexpr uint64_t kRollOverFactor = 4;

// Offsets beyond this do not fit the positions in records.
constexpr uint64_t kMaxManifestSize = wal::kMaxSegmentSize;

// Removes what an earlier attempt may have left at `path`.
absl::Status RemoveStale(FileSystem* file_system, const std::string& path) {
  const absl::Status removed = file_system->Remove(path);
  if (removed.ok() || absl::IsNotFound(removed)) return absl::OkStatus();
  return file_system->Exists(path) ? removed : absl::OkStatus();  // D7
}

absl::Status WriteWholeFile(FileSystem* file_system, const std::string& path,
                            const std::string& content) {
  ASSIGN_OR_RETURN(const std::unique_ptr<WritableFile> file, file_system->CreateWritable(path));
  RETURN_IF_ERROR(file->Append(content));
  RETURN_IF_ERROR(file->Sync());
  return file->Close();
}

// Makes CURRENT name the manifest `number`, which is synced. Its directory entry, and that of
// CURRENT.tmp, are synced before the rename too: otherwise a crash could keep the rename and lose
// the entry of the file that CURRENT then names.
absl::Status SwitchCurrent(FileSystem* file_system, const std::string& directory,
                           FileNumber number) {
  const std::string current = CurrentPath(directory);
  const std::string temporary = TemporaryPath(current);
  RETURN_IF_ERROR(RemoveStale(file_system, temporary));
  RETURN_IF_ERROR(WriteWholeFile(file_system, temporary, EncodeCurrent(number)));
  RETURN_IF_ERROR(file_system->SyncDirectory(directory));
  const absl::Status renamed = file_system->Rename(temporary, current);
  if (!renamed.ok()) {
    const absl::StatusOr<FileNumber> now = ReadCurrent(file_system, directory);
    if (!now.ok() || *now != number) return renamed;  // D7: otherwise it happened all the same
  }
  return file_system->SyncDirectory(directory);
}

}  // namespace

ManifestLog::ManifestLog(FileNumber number, std::string path, std::unique_ptr<WritableFile> file)
    : number_(number), path_(std::move(path)), file_(std::move(file)) {}

ManifestLog::~ManifestLog() = default;

absl::StatusOr<std::unique_ptr<ManifestLog>> ManifestLog::Create(FileSystem* file_system,
                                                                 const std::string& directory,
                                                                 FileNumber number,
                                                                 const VersionEdit& snapshot) {
  std::string path = ManifestPath(directory, number);
  ASSIGN_OR_RETURN(std::unique_ptr<WritableFile> file, file_system->CreateWritable(path));
  auto log =
      std::unique_ptr<ManifestLog>(new ManifestLog(number, std::move(path), std::move(file)));
  RETURN_IF_ERROR(log->AppendSealed(EncodeManifestHeader(number), snapshot));
  log->snapshot_size_ = log->offset_;
  RETURN_IF_ERROR(SwitchCurrent(file_system, directory, number));
  return log;
}

absl::Status ManifestLog::AppendSealed(std::string prefix, const VersionEdit& edit) {
  std::string bytes = std::move(prefix);
  const RecordPlace place{number_, offset_ + bytes.size(), edits_};
  const std::string payload = edit.Encode();
  const uint64_t size = bytes.size() + wal::RecordSize(payload.size()) + wal::RecordSize(0);
  if (size > kMaxManifestSize - offset_) {
    return absl::ResourceExhaustedError(absl::StrCat("append to ", path_, " at ", offset_,
                                                     ": an edit of ", payload.size(),
                                                     " bytes does not fit"));
  }
  AppendRecord(place, wal::RecordKind::kFull, payload, offset_, &bytes);
  RETURN_IF_ERROR(AppendSynced(bytes));
  ++edits_;
  std::string seal;
  AppendRecord({number_, offset_, edits_}, wal::RecordKind::kPad, {}, offset_, &seal);
  return AppendSynced(seal);
}

absl::Status ManifestLog::AppendSynced(std::string_view bytes) {
  RETURN_IF_ERROR(file_->Append(bytes));
  RETURN_IF_ERROR(file_->Sync());
  offset_ += bytes.size();
  return absl::OkStatus();
}

absl::Status ManifestLog::Append(const VersionEdit& edit) {
  RETURN_IF_ERROR(error_);
  error_ = AppendSealed({}, edit);
  return error_;
}

absl::Status ManifestLog::Close() {
  if (closed_) return absl::OkStatus();
  closed_ = true;
  if (error_.ok()) {
    error_ = absl::FailedPreconditionError(absl::StrCat("append to ", path_, ": it is closed"));
  }
  return file_->Close();
}

bool ManifestLog::ShouldRollOver() const {
  return offset_ > kRollOverSize && offset_ > kRollOverFactor * snapshot_size_;
}

}  // namespace cambium::manifest
