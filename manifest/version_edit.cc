#include "manifest/version_edit.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/limits.h"
#include "util/absl_view.h"
#include "util/byte_reader.h"
#include "util/coding.h"
#include "util/status_macros.h"

namespace cambium::manifest {
namespace {

// Stored in files: numbers never change.
enum class FieldTag : uint64_t {
  kComparator = 1,
  kDatabaseId = 2,
  kNextFileNumber = 3,
  kLastSequence = 4,
  kLogNumber = 5,
  kAddFamily = 16,
  kDropFamily = 17,
  kFlushedSequence = 18,
  kDeleteFile = 19,
  kAddFile = 20,
  kQuarantineFile = 21,
};

constexpr uint64_t kMustUnderstand = 1;

// Bounds what a hostile record can make a reader keep; far above what a program uses.
constexpr ColumnFamilyId kFamilyLimit = 65'536;

void AppendField(std::string* out, FieldTag tag, std::string_view value) {
  AppendVarint64(out, static_cast<uint64_t>(tag) << 1 | kMustUnderstand);
  AppendLengthPrefixed(out, value);
}

void AppendVarintField(std::string* out, FieldTag tag, uint64_t value) {
  std::string bytes;
  AppendVarint64(&bytes, value);
  AppendField(out, tag, bytes);
}

std::string FamilyValue(ColumnFamilyId family) {
  std::string value;
  AppendVarint64(&value, family);
  return value;
}

std::string FileInLevel(ColumnFamilyId family, int level, FileNumber number) {
  std::string value = FamilyValue(family);
  value.push_back(static_cast<char>(level));
  AppendVarint64(&value, ToInteger(number));
  return value;
}

void AppendFile(std::string* out, const FileMetadata& file) {
  AppendVarint64(out, ToInteger(file.number));
  AppendVarint64(out, ToInteger(file.physical_number));
  AppendVarint64(out, file.file_size);
  AppendLengthPrefixed(out, file.smallest_key);
  AppendLengthPrefixed(out, file.largest_key);
  AppendVarint64(out, file.smallest_sequence);
  AppendVarint64(out, file.largest_sequence - file.smallest_sequence);
  AppendVarint64(out, file.entries);
  AppendVarint64(out, file.tombstones);
  AppendVarint64(out, file.raw_bytes);
  AppendFixed64(out, file.digest);
}

void AppendFamily(std::string* out, ColumnFamilyId family, const FamilyEdit& edit) {
  if (edit.change == FamilyChange::kAdd) {
    std::string value = FamilyValue(family);
    AppendLengthPrefixed(&value, edit.name);
    AppendField(out, FieldTag::kAddFamily, value);
  }
  if (edit.flushed_sequence) {
    std::string value = FamilyValue(family);
    AppendVarint64(&value, *edit.flushed_sequence);
    AppendField(out, FieldTag::kFlushedSequence, value);
  }
  for (const DeletedFile& file : edit.deleted) {
    AppendField(out, FieldTag::kDeleteFile, FileInLevel(family, file.level, file.number));
  }
  for (const AddedFile& added : edit.added) {
    std::string value = FamilyValue(family);
    value.push_back(static_cast<char>(added.level));
    AppendVarint64(&value, added.run);
    AppendFile(&value, added.file);
    AppendField(out, FieldTag::kAddFile, value);
  }
  for (const QuarantinedFile& file : edit.quarantined) {
    std::string value = FileInLevel(family, file.level, file.number);
    AppendLengthPrefixed(&value, file.reason);
    AppendField(out, FieldTag::kQuarantineFile, value);
  }
  if (edit.change == FamilyChange::kDrop) {
    AppendField(out, FieldTag::kDropFamily, FamilyValue(family));
  }
}

int ReadLevel(ByteReader* reader) {
  const uint8_t level = reader->ReadFixed8();
  if (level >= kLevelCount) reader->Fail();
  return level;
}

std::string_view ReadKey(ByteReader* reader) {
  const std::string_view key = reader->ReadLengthPrefixed();
  if (key.size() > kMaxKeySize) reader->Fail();
  return key;
}

SequenceNumber ReadSequence(ByteReader* reader) {
  const SequenceNumber sequence = reader->ReadVarint64();
  if (sequence > kMaxSequenceNumber) reader->Fail();
  return sequence;
}

absl::Status UnknownField(uint64_t tag) {
  return absl::UnimplementedError(absl::StrCat(
      "version edit: field ", tag >> 1,
      " is unknown and must be understood: the database was written by a newer release"));
}

// Skips fields that may be skipped, to the end.
absl::Status SkipFields(ByteReader* reader) {
  while (reader->ok() && !reader->AtEnd()) {
    const uint64_t tag = reader->ReadVarint64();
    reader->ReadLengthPrefixed();
    if (reader->ok() && (tag & kMustUnderstand) != 0) return UnknownField(tag);
  }
  return absl::OkStatus();
}

absl::Status ReadFile(ByteReader* reader, FileMetadata* file) {
  file->number = FileNumber{reader->ReadVarint64()};
  file->physical_number = FileNumber{reader->ReadVarint64()};
  file->file_size = reader->ReadVarint64();
  file->smallest_key = ReadKey(reader);
  file->largest_key = ReadKey(reader);
  file->smallest_sequence = ReadSequence(reader);
  const uint64_t span = reader->ReadVarint64();
  if (span > kMaxSequenceNumber - file->smallest_sequence) {
    reader->Fail();
  } else {
    file->largest_sequence = file->smallest_sequence + span;
  }
  file->entries = reader->ReadVarint64();
  file->tombstones = reader->ReadVarint64();
  file->raw_bytes = reader->ReadVarint64();
  file->digest = reader->ReadFixed64();
  return SkipFields(reader);
}

absl::Status ReadFamilyField(FieldTag tag, ByteReader* reader, VersionEdit* edit) {
  const ColumnFamilyId id = reader->ReadVarint32();
  if (id >= kFamilyLimit) reader->Fail();
  if (!reader->ok()) return absl::OkStatus();  // the caller looks
  FamilyEdit& family = edit->Family(id);
  switch (tag) {
    case FieldTag::kAddFamily:
      family.change = FamilyChange::kAdd;
      family.name = reader->ReadLengthPrefixed();
      break;
    case FieldTag::kDropFamily:
      family.change = FamilyChange::kDrop;
      break;
    case FieldTag::kFlushedSequence:
      family.flushed_sequence = ReadSequence(reader);
      break;
    case FieldTag::kDeleteFile: {
      const int level = ReadLevel(reader);
      family.deleted.push_back({level, FileNumber{reader->ReadVarint64()}});
      break;
    }
    case FieldTag::kQuarantineFile: {
      const int level = ReadLevel(reader);
      const FileNumber number{reader->ReadVarint64()};
      family.quarantined.push_back({level, number, std::string(reader->ReadLengthPrefixed())});
      break;
    }
    default: {  // kAddFile
      AddedFile& added = family.added.emplace_back();
      added.level = ReadLevel(reader);
      added.run = reader->ReadVarint64();
      return ReadFile(reader, &added.file);
    }
  }
  return absl::OkStatus();
}

void ReadDatabaseId(ByteReader* reader, VersionEdit* edit) {
  const std::string_view bytes = reader->ReadBytes(sizeof(DatabaseId));
  if (!reader->ok()) return;
  std::memcpy(edit->database_id.emplace().data(), bytes.data(), sizeof(DatabaseId));
}

absl::Status ReadField(uint64_t tag, ByteReader* reader, VersionEdit* edit) {
  const FieldTag field{tag >> 1};
  switch (field) {
    case FieldTag::kComparator:
      edit->comparator_name = reader->ReadBytes(reader->remaining());
      return absl::OkStatus();
    case FieldTag::kDatabaseId:
      ReadDatabaseId(reader, edit);
      return absl::OkStatus();
    case FieldTag::kNextFileNumber:
      edit->next_file_number = reader->ReadVarint64();
      return absl::OkStatus();
    case FieldTag::kLastSequence:
      edit->last_sequence = ReadSequence(reader);
      return absl::OkStatus();
    case FieldTag::kLogNumber:
      edit->log_number = FileNumber{reader->ReadVarint64()};
      return absl::OkStatus();
    case FieldTag::kAddFamily:
    case FieldTag::kDropFamily:
    case FieldTag::kFlushedSequence:
    case FieldTag::kDeleteFile:
    case FieldTag::kAddFile:
    case FieldTag::kQuarantineFile:
      return ReadFamilyField(field, reader, edit);
  }
  if ((tag & kMustUnderstand) != 0) return UnknownField(tag);
  reader->ReadBytes(reader->remaining());
  return absl::OkStatus();
}

}  // namespace

std::string VersionEdit::Encode() const {
  std::string out;
  if (comparator_name) AppendField(&out, FieldTag::kComparator, *comparator_name);
  if (database_id) {
    AppendField(&out, FieldTag::kDatabaseId, std::string(database_id->begin(), database_id->end()));
  }
  if (next_file_number) AppendVarintField(&out, FieldTag::kNextFileNumber, *next_file_number);
  if (last_sequence) AppendVarintField(&out, FieldTag::kLastSequence, *last_sequence);
  if (log_number) AppendVarintField(&out, FieldTag::kLogNumber, ToInteger(*log_number));
  for (const auto& [id, family] : families) AppendFamily(&out, id, family);
  return out;
}

absl::StatusOr<VersionEdit> VersionEdit::Decode(std::string_view bytes) {
  VersionEdit edit;
  ByteReader reader(bytes);
  while (!reader.AtEnd()) {
    const size_t offset = reader.offset();
    const uint64_t tag = reader.ReadVarint64();
    ByteReader value(reader.ReadLengthPrefixed());
    if (reader.ok()) RETURN_IF_ERROR(ReadField(tag, &value, &edit));
    if (!reader.ok() || !value.Finished()) {
      return absl::DataLossError(absl::StrCat("version edit: field ", tag >> 1, " at byte ", offset,
                                              " of ", bytes.size(),
                                              ": found bytes that do not form its value"));
    }
  }
  return edit;
}

}  // namespace cambium::manifest
