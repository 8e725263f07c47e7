#include "manifest/manifest_log.h"

#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/file_names.h"
#include "util/absl_view.h"
#include "util/byte_reader.h"
#include "util/checksum.h"
#include "util/coding.h"
#include "util/file_status.h"
#include "util/status_macros.h"

namespace cambium::manifest {
namespace {

// A new manifest is worthwhile if this one is large and mostly history.
constexpr uint64_t kRollOverSize = uint64_t{4} << 20;
constexpr uint64_t kRollOverFactor = 4;

// Larger offsets do not fit the positions in records.
constexpr uint64_t kMaxManifestSize = wal::kMaxSegmentSize;

// --- The bytes: docs/format/manifest.md ----------------------------------------------------------

constexpr uint64_t kManifestMagic = 0x314e414d4d424d43;  // "CMBMMAN1" in the file
constexpr uint32_t kManifestFormatVersion = 1;
constexpr size_t kManifestHeaderSize = 40;
static_assert(kManifestHeaderSize % wal::kRecordAlignment == 0);

// Longer than any CURRENT that was ever written.
constexpr size_t kMaxCurrentSize = 128;

constexpr std::string_view kCurrentPrefix = "cambium-manifest 1 ";
constexpr size_t kCurrentDigits = 16;
constexpr size_t kHeaderChecksumOffset = 32;
static_assert(kHeaderChecksumOffset + sizeof(uint64_t) == kManifestHeaderSize);

// The checksum of CURRENT does not include a file number: its content contains one.
std::string CurrentChecksum(std::string_view text) {
  return absl::StrCat(absl::Hex(Checksum64(text, 0, 0), absl::kZeroPad16));
}

wal::LogPosition PositionIn(FileNumber manifest, uint64_t offset) {
  return {ToInteger(manifest), offset};
}

// Returns DataLoss with the file, the offset, and a description.
absl::Status DamageError(const std::string& path, uint64_t offset, const std::string& what) {
  return absl::DataLossError(absl::StrCat("read ", path, " at ", offset, ": ", what));
}

std::string EncodeManifestHeader(FileNumber number) {
  std::string header;
  AppendFixed64(&header, kManifestMagic);
  AppendFixed32(&header, kManifestFormatVersion);
  AppendFixed32(&header, 0);  // must understand
  AppendFixed32(&header, 0);  // may ignore
  AppendFixed32(&header, 0);
  AppendFixed64(&header, ToInteger(number));
  AppendFixed64(&header, Checksum64(header, ToInteger(number), 0));
  return header;
}

// Returns ok, DataLoss, or Unimplemented.
absl::Status CheckManifestHeader(std::string_view file, FileNumber number,
                                 const std::string& path) {
  ByteReader reader(file);
  const uint64_t magic = reader.ReadFixed64();
  const uint32_t version = reader.ReadFixed32();
  const uint32_t must_understand = reader.ReadFixed32();
  reader.ReadFixed32();  // may ignore
  reader.ReadFixed32();
  const uint64_t stored_number = reader.ReadFixed64();
  const uint64_t checksum = reader.ReadFixed64();
  if (!reader.ok()) {
    return DamageError(
        path, 0,
        absl::StrCat("found ", file.size(), " bytes, expected a header of ", kManifestHeaderSize));
  }
  if (magic != kManifestMagic) {
    return DamageError(
        path, 0,
        absl::StrCat("found magic ", absl::Hex(magic), ", expected ", absl::Hex(kManifestMagic)));
  }
  const uint64_t expected = Checksum64(file.substr(0, kHeaderChecksumOffset), ToInteger(number), 0);
  if (checksum != expected || stored_number != ToInteger(number)) {
    return DamageError(path, kHeaderChecksumOffset,
                       absl::StrCat("found header checksum ", absl::Hex(checksum), ", expected ",
                                    absl::Hex(expected)));
  }
  if (version != kManifestFormatVersion || must_understand != 0) {
    return absl::UnimplementedError(absl::StrCat("read ", path, ": format version ", version,
                                                 " with features ", absl::Hex(must_understand),
                                                 ": written by a newer release"));
  }
  return absl::OkStatus();
}

std::string EncodeCurrent(FileNumber number) {
  std::string text(kCurrentPrefix);
  text.append(ManifestPath("", number));
  text.push_back(' ');
  text.append(CurrentChecksum(text));
  text.push_back('\n');
  return text;
}

absl::StatusOr<FileNumber> DecodeCurrent(std::string_view bytes, const std::string& path) {
  const size_t tail = kCurrentDigits + 1;
  if (bytes.size() < kCurrentPrefix.size() + tail || bytes.size() > kMaxCurrentSize ||
      bytes.back() != '\n') {
    return DamageError(path, 0,
                       absl::StrCat("found ", bytes.size(), " bytes, expected a manifest's name"));
  }
  const std::string_view text = bytes.substr(0, bytes.size() - tail);
  const std::string_view found = bytes.substr(text.size(), kCurrentDigits);
  const std::string expected = CurrentChecksum(text);
  if (found != expected) {
    return DamageError(path, text.size(),
                       absl::StrCat("found checksum ", ToAbsl(found), ", expected ", expected));
  }
  if (text.substr(0, kCurrentPrefix.size()) != kCurrentPrefix) {
    return absl::UnimplementedError(
        absl::StrCat("read ", path, ": a format that a newer release wrote"));
  }
  const auto name =
      ParseFileName(text.substr(kCurrentPrefix.size(), text.size() - kCurrentPrefix.size() - 1));
  if (!name || name->type != FileType::kManifest) {
    return DamageError(path, kCurrentPrefix.size(), "expected the name of a manifest");
  }
  return name->number;
}

// A valid record. Plain data; `payload` points into the bytes from which it was read.
struct ManifestRecord {
  wal::RecordHeader
      header;  // the manifest number is the segment; the number of edits is the sequence
  std::string_view payload;
  uint64_t end = 0;  // the start of the next record
};

// Returns the record at `offset` of the manifest `file`; nullopt if there is no valid one.
std::optional<ManifestRecord> ReadRecord(std::string_view file, uint64_t offset,
                                         FileNumber number) {
  const std::string_view rest = file.substr(offset);
  if (rest.size() < wal::kRecordHeaderSize) return std::nullopt;
  const auto header = wal::DecodeRecordHeader(rest.data());
  if (!header || header->payload_size > rest.size() - wal::kRecordHeaderSize) return std::nullopt;
  const std::string_view bytes = rest.substr(0, wal::kRecordHeaderSize + header->payload_size);
  if (LoadFixed32(bytes.data()) != wal::RecordChecksum(bytes, PositionIn(number, offset))) {
    return std::nullopt;
  }
  return ManifestRecord{*header, bytes.substr(wal::kRecordHeaderSize),
                        offset + wal::RecordSize(header->payload_size)};
}

// --- Writing and reading -------------------------------------------------------------------------

// Removes a file that an earlier attempt may have left at `path`.
absl::Status RemoveStale(FileSystem* file_system, const std::string& path) {
  const absl::Status removed = file_system->Remove(path);
  if (removed.ok() || absl::IsNotFound(removed)) return absl::OkStatus();
  // D7: a removal that reported an error may have happened.
  const absl::StatusOr<bool> stays = file_system->Exists(path);
  return stays.ok() && !*stays ? absl::OkStatus() : removed;
}

absl::Status WriteWholeFile(FileSystem* file_system, const std::string& path,
                            const std::string& content) {
  ASSIGN_OR_RETURN(const std::unique_ptr<WritableFile> file, file_system->CreateWritable(path));
  RETURN_IF_ERROR(file->Append(content));
  RETURN_IF_ERROR(file->Sync());
  return file->Close();
}

// Makes CURRENT refer to the manifest `number`, which must be synced. Its directory entry, and that
// of CURRENT.tmp, are synced before the rename: otherwise a crash could keep the rename and lose
// the entry of the file that CURRENT then refers to.
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
    if (!now.ok() || *now != number) return renamed;  // D7: otherwise it happened
  }
  return file_system->SyncDirectory(directory);
}

// The search for records after a bad one reads the bytes of each candidate. A file with many
// overlapping candidates is reported as damaged after this multiple of its size was read.
constexpr uint64_t kScanFactor = 16;

absl::Status WithPlace(const absl::Status& status, const std::string& path, uint64_t offset) {
  return absl::Status(status.code(),
                      absl::StrCat("read ", path, " at ", offset, ": ", status.message()));
}

// Returns NotFound only if the file does not exist.
absl::StatusOr<std::string> ReadWholeFile(FileSystem* file_system, const std::string& path,
                                          uint64_t limit) {
  ASSIGN_OR_RETURN(const std::unique_ptr<RandomAccessFile> file,
                   file_system->OpenRandomAccess(path));
  const absl::StatusOr<uint64_t> size = file->Size();
  if (!size.ok()) return ReadError(size.status());
  if (*size > limit) {
    return DamageError(path, 0, absl::StrCat("found ", *size, " bytes, expected at most ", limit));
  }
  std::string content(*size, '\0');
  ReadRequest request;
  request.buffer = content.data();
  request.size = content.size();
  if (*size > 0) file->Read({&request, 1});
  RETURN_IF_ERROR(ReadError(request.status));
  content.resize(request.bytes_read);
  return content;
}

// Reads the records of one manifest. Confined to RecoverManifest.
class Replay {
 public:
  Replay(std::string path, FileNumber number, std::string_view file, const KeyOrders& orders)
      : path_(std::move(path)),
        number_(number),
        file_(file),
        order_(orders.database()),
        builder_(ManifestState(), orders) {}

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
    // CURRENT refers to a manifest only after its first commit record is synced.
    if (!committed_) return BadRecord("expected the commit record of the first record");
    if (offset_ < file_.size()) RETURN_IF_ERROR(CheckTail());
    RecoveredManifest result;
    absl::StatusOr<ManifestState> state = builder_.Build();
    if (!state.ok()) return WithPlace(state.status(), path_, offset_);
    result.state = *std::move(state);
    result.manifest_number = number_;
    result.edits = edits_;
    result.size = offset_;
    result.torn_bytes = offset_ < file_.size() ? file_.size() - offset_ : 0;
    return result;
  }

 private:
  absl::Status BadRecord(const std::string& expected) const {
    return DamageError(path_, offset_,
                       absl::StrCat("found a record that does not check, ", expected));
  }

  absl::Status Take(const ManifestRecord& record) {
    if (record.header.first_sequence != edits_ || record.header.synced_up_to.offset > offset_) {
      return DamageError(
          path_, offset_,
          absl::StrCat("found record ", record.header.first_sequence, " synced up to ",
                       record.header.synced_up_to.offset, ", expected record ", edits_,
                       " synced up to no more than ", offset_));
    }
    if (record.header.kind == wal::RecordKind::kPad) {
      committed_ = true;
      return absl::OkStatus();
    }
    if (record.header.kind != wal::RecordKind::kFull) {
      return absl::UnimplementedError(
          absl::StrCat("read ", path_, " at ", offset_, ": record kind ",
                       static_cast<int>(record.header.kind), ": written by a newer release"));
    }
    const absl::StatusOr<VersionEdit> edit = VersionEdit::Decode(record.payload);
    if (!edit.ok()) return WithPlace(edit.status(), path_, offset_);
    RETURN_IF_ERROR(CheckFirst(*edit));
    const absl::Status applied = builder_.Apply(*edit);
    if (!applied.ok()) return WithPlace(applied, path_, offset_);
    ++edits_;
    return absl::OkStatus();
  }

  // Checks that the first edit has the fields that every later one relies on.
  absl::Status CheckFirst(const VersionEdit& edit) const {
    if (edits_ == 0 && (!edit.comparator_name || !edit.database_id)) {
      return DamageError(path_, offset_, "expected comparator and database id in the first record");
    }
    const char* const name = order_.comparator()->Name();
    if (!edit.comparator_name || *edit.comparator_name == name) return absl::OkStatus();
    return absl::InvalidArgumentError(absl::StrCat("open ", path_, ": the database is sorted by ",
                                                   *edit.comparator_name, ", not by ", name));
  }

  // Checks that the invalid bytes at offset_ can only be an append that was never acknowledged: no
  // later record has a synced watermark beyond them.
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
  bool committed_ = false;  // a commit record was read
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

void ManifestLog::AddRecord(wal::RecordKind kind, std::string_view payload,
                            std::string* out) const {
  const size_t begin = out->size();
  wal::RecordHeader header;
  header.payload_size = static_cast<uint32_t>(payload.size());
  header.kind = kind;
  header.first_sequence = edits_;
  header.synced_up_to = PositionIn(number_, offset_);
  out->append(wal::kRecordHeaderSize, '\0');
  wal::EncodeRecordHeader(header, out->data() + begin);
  out->append(payload);
  StoreFixed32(out->data() + begin, wal::RecordChecksum(std::string_view(*out).substr(begin),
                                                        PositionIn(number_, offset_ + begin)));
  out->resize(begin + wal::RecordSize(payload.size()), '\0');
}

absl::Status ManifestLog::AppendSealed(std::string bytes, const VersionEdit& edit) {
  const std::string payload = edit.Encode();
  const uint64_t size = bytes.size() + wal::RecordSize(payload.size()) + wal::RecordSize(0);
  if (size > kMaxManifestSize - offset_) {
    return absl::ResourceExhaustedError(absl::StrCat("append to ", path_, " at ", offset_,
                                                     ": an edit of ", payload.size(),
                                                     " bytes does not fit"));
  }
  AddRecord(wal::RecordKind::kFull, payload, &bytes);
  RETURN_IF_ERROR(AppendSynced(bytes));
  ++edits_;
  std::string commit;
  AddRecord(wal::RecordKind::kPad, {}, &commit);
  return AppendSynced(commit);
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

absl::Status DiscardManifest(FileSystem* file_system, const std::string& directory,
                             FileNumber number) {
  const std::string current = CurrentPath(directory);
  const absl::StatusOr<FileNumber> named = ReadCurrent(file_system, directory);
  if (!named.ok() && !absl::IsNotFound(named.status())) return named.status();
  if (named.ok() && *named == number) {
    return absl::FailedPreconditionError(
        absl::StrCat("remove ", ManifestPath(directory, number), ": ", current, " names it"));
  }
  // A rename that reported an error may not be on disk yet (D7): after this sync, CURRENT has the
  // same content after a power cut.
  RETURN_IF_ERROR(file_system->SyncDirectory(directory));
  RETURN_IF_ERROR(RemoveStale(file_system, TemporaryPath(current)));
  return RemoveStale(file_system, ManifestPath(directory, number));
}

bool HasManifestHeader(std::string_view start, FileNumber number) {
  const absl::Status status = CheckManifestHeader(start, number, "");
  return status.ok() || absl::IsUnimplemented(status);
}

absl::StatusOr<FileNumber> ReadCurrent(FileSystem* file_system, const std::string& directory) {
  const std::string path = CurrentPath(directory);
  ASSIGN_OR_RETURN(const std::string content, ReadWholeFile(file_system, path, kMaxCurrentSize));
  return DecodeCurrent(content, path);
}

absl::StatusOr<RecoveredManifest> RecoverManifest(FileSystem* file_system,
                                                  const std::string& directory,
                                                  const KeyOrders& orders) {
  ASSIGN_OR_RETURN(const FileNumber number, ReadCurrent(file_system, directory));
  const std::string path = ManifestPath(directory, number);
  const absl::StatusOr<std::string> file = ReadWholeFile(file_system, path, wal::kMaxSegmentSize);
  if (absl::IsNotFound(file.status())) {
    return absl::DataLossError(
        absl::StrCat("read ", path, ": CURRENT names it, and it is missing"));
  }
  RETURN_IF_ERROR(file.status());
  return Replay(path, number, *file, orders).Run();
}

}  // namespace cambium::manifest
