#include "manifest/manifest_log.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/file_names.h"
#include "manifest/manifest_format.h"
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

// Looking for records behind a bad one reads the bytes of each candidate; a file made to have
// overlapping candidates is given up for damaged after so many times its size.
constexpr uint64_t kScanFactor = 16;

absl::Status WithPlace(const absl::Status& status, const std::string& path, uint64_t offset) {
  return absl::Status(status.code(),
                      absl::StrCat("read ", path, " at ", offset, ": ", status.message()));
}

absl::StatusOr<std::string> ReadWholeFile(FileSystem* file_system, const std::string& path,
                                          uint64_t limit) {
  ASSIGN_OR_RETURN(const std::unique_ptr<RandomAccessFile> file,
                   file_system->OpenRandomAccess(path));
  ASSIGN_OR_RETURN(const uint64_t size, file->Size());
  if (size > limit) {
    return Damaged(path, 0, absl::StrCat("found ", size, " bytes, expected at most ", limit));
  }
  std::string content(size, '\0');
  ReadRequest request;
  request.buffer = content.data();
  request.size = content.size();
  if (size > 0) file->Read({&request, 1});
  RETURN_IF_ERROR(request.status);
  content.resize(request.bytes_read);
  return content;
}

// Walks the records of one manifest. Confined to RecoverManifest.
class Replay {
 public:
  Replay(std::string path, FileNumber number, std::string_view file, const KeyOrder& order)
      : path_(std::move(path)),
        number_(number),
        file_(file),
        order_(order),
        builder_(ManifestState(), order) {}

  absl::StatusOr<RecoveredManifest> Run() {
    RETURN_IF_ERROR(CheckManifestHeader(file_, number_, path_));
    offset_ = kManifestHeaderSize;
    while (offset_ < file_.size()) {
      const auto record = ReadRecord(file_, offset_, number_);
      if (!record) break;
      RETURN_IF_ERROR(Take(*record));
      offset_ = record->end;
    }
    if (edits_ == 0) return BadRecord("expected the record that makes the state");
    if (offset_ < file_.size()) RETURN_IF_ERROR(CheckTail());
    RecoveredManifest result;
    absl::StatusOr<ManifestState> state = builder_.Build();
    if (!state.ok()) return WithPlace(state.status(), path_, offset_);
    result.state = *std::move(state);
    result.manifest_number = number_;
    result.edits = edits_;
    result.torn_bytes = offset_ < file_.size() ? file_.size() - offset_ : 0;
    return result;
  }

 private:
  absl::Status BadRecord(const std::string& expected) const {
    return Damaged(path_, offset_, absl::StrCat("found a record that does not check, ", expected));
  }

  absl::Status Take(const ManifestRecord& record) {
    if (record.edits_before != edits_ || record.synced_up_to > offset_) {
      return Damaged(
          path_, offset_,
          absl::StrCat("found record ", record.edits_before, " synced up to ", record.synced_up_to,
                       ", expected record ", edits_, " synced up to no more than ", offset_));
    }
    if (record.kind == wal::RecordKind::kPad) return absl::OkStatus();
    if (record.kind != wal::RecordKind::kFull) {
      return absl::UnimplementedError(absl::StrCat("read ", path_, " at ", offset_,
                                                   ": record kind ", static_cast<int>(record.kind),
                                                   ": written by a newer release"));
    }
    const absl::StatusOr<VersionEdit> edit = VersionEdit::Decode(record.payload);
    if (!edit.ok()) return WithPlace(edit.status(), path_, offset_);
    RETURN_IF_ERROR(CheckFirst(*edit));
    const absl::Status applied = builder_.Apply(*edit);
    if (!applied.ok()) return WithPlace(applied, path_, offset_);
    ++edits_;
    return absl::OkStatus();
  }

  // The first edit says what every later one relies on.
  absl::Status CheckFirst(const VersionEdit& edit) const {
    if (edits_ == 0 && (!edit.comparator_name || !edit.database_id)) {
      return Damaged(path_, offset_, "expected comparator and database id in the first record");
    }
    const char* const name = order_.comparator()->Name();
    if (!edit.comparator_name || *edit.comparator_name == name) return absl::OkStatus();
    return absl::InvalidArgumentError(absl::StrCat("open ", path_, ": the database is sorted by ",
                                                   *edit.comparator_name, ", not by ", name));
  }

  // Whether what stands at offset_ and does not check can only be an append that was never
  // acknowledged: no later record speaks of a sync beyond it.
  absl::Status CheckTail() const {
    uint64_t budget = kScanFactor * file_.size();
    for (uint64_t at = offset_ + wal::kRecordAlignment; at + wal::kRecordHeaderSize <= file_.size();
         at += wal::kRecordAlignment) {
      const auto header = wal::DecodeRecordHeader(file_.data() + at);
      if (!header || header->payload_size > file_.size() - at) continue;
      if (header->synced_up_to.segment != ToInteger(number_) ||
          header->synced_up_to.offset <= offset_) {
        continue;
      }
      const uint64_t cost = wal::RecordSize(header->payload_size);
      const bool given_up = cost > budget;
      if (given_up || ReadRecord(file_, at, number_)) {
        return BadRecord(absl::StrCat(
            "expected record ", edits_, ": ",
            given_up ? "too much like records behind it" : "one behind it says that it was synced",
            "; the manifest is damaged"));
      }
      budget -= cost;
    }
    return absl::OkStatus();
  }

  const std::string path_;
  const FileNumber number_;
  const std::string_view file_;
  const KeyOrder order_;
  StateBuilder builder_;
  uint64_t offset_ = 0;
  uint64_t edits_ = 0;
};

}  // namespace

ManifestLog::ManifestLog(FileNumber number, std::string path, std::unique_ptr<WritableFile> file)
    : number_(number), path_(std::move(path)), file_(std::move(file)) {}

ManifestLog::~ManifestLog() {
  // Everything that was acknowledged is synced.
  file_->Close().IgnoreError();
}

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

bool ManifestLog::ShouldRollOver() const {
  return offset_ > kRollOverSize && offset_ > kRollOverFactor * snapshot_size_;
}

absl::StatusOr<FileNumber> ReadCurrent(FileSystem* file_system, const std::string& directory) {
  const std::string path = CurrentPath(directory);
  ASSIGN_OR_RETURN(const std::string content, ReadWholeFile(file_system, path, kMaxCurrentSize));
  return DecodeCurrent(content, path);
}

absl::StatusOr<RecoveredManifest> RecoverManifest(FileSystem* file_system,
                                                  const std::string& directory,
                                                  const KeyOrder& order) {
  ASSIGN_OR_RETURN(const FileNumber number, ReadCurrent(file_system, directory));
  const std::string path = ManifestPath(directory, number);
  const absl::StatusOr<std::string> file = ReadWholeFile(file_system, path, wal::kMaxSegmentSize);
  if (absl::IsNotFound(file.status())) {
    return absl::DataLossError(
        absl::StrCat("read ", path, ": CURRENT names it, and it is missing"));
  }
  RETURN_IF_ERROR(file.status());
  return Replay(path, number, *file, order).Run();
}

}  // namespace cambium::manifest
