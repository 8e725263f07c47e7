#include "manifest/version_edit.h"

#include <algorithm>
#include <bit>
#include <initializer_list>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "base/limits.h"
#include "util/absl_view.h"
#include "util/byte_reader.h"
#include "util/coding.h"
#include "util/status_macros.h"

namespace cambium::manifest {
namespace {

// Stored in files: the numbers never change.
enum class FieldTag : uint64_t {
  kComparator = 1,
  kDatabaseId = 2,
  kNextFileNumber = 3,
  kLastSequence = 4,
  kLogNumber = 5,
  kLogReach = 6,
  kSessionStart = 7,
  kNextFamily = 8,
  kWallMicros = 9,
  kAddFamily = 16,
  kDropFamily = 17,
  kFlushedSequence = 18,
  kDeleteFile = 19,
  kAddFile = 20,
  kQuarantineFile = 21,
  kMergeOperator = 22,
  kFamilyComparator = 23,
  kRenameFamily = 24,
  kFamilySettings = 25,
};

// Fields of a file, and of a family's settings, after their fixed part.
enum class FileTag : uint64_t { kExpiry = 2, kRangeDeletes = 3 };
enum class SettingTag : uint64_t { kDefaultTtl = 1 };

constexpr uint64_t kMustUnderstand = 1;
constexpr uint64_t kLargestExclusive = 1;  // a flag of kRangeDeletes

// Older releases can open a database with it and lose only the check that it enables, or a choice
// that any reader understands in files.
bool MayBeSkipped(FieldTag tag) {
  return tag == FieldTag::kLogReach || tag == FieldTag::kSessionStart ||
         tag == FieldTag::kWallMicros || tag == FieldTag::kFamilySettings;
}

void AppendField(std::string* out, FieldTag tag, std::string_view value) {
  AppendVarint64(out, static_cast<uint64_t>(tag) << 1 | (MayBeSkipped(tag) ? 0 : kMustUnderstand));
  AppendLengthPrefixed(out, value);
}

std::string Varints(std::initializer_list<uint64_t> values) {
  std::string bytes;
  for (const uint64_t value : values) AppendVarint64(&bytes, value);
  return bytes;
}

// A level is below 128, so a varint is identical to the u8 of the format.
uint64_t Level(int level) { return static_cast<uint64_t>(level); }

// Appends a field that a reader may skip to the end of a value.
template <typename Tag>
void AppendSkippable(std::string* out, Tag tag, std::string_view value) {
  AppendVarint64(out, static_cast<uint64_t>(tag) << 1);
  AppendLengthPrefixed(out, value);
}

void AppendFile(std::string* out, const FileMetadata& file) {
  out->append(Varints({ToInteger(file.number), ToInteger(file.physical_number), file.file_size}));
  AppendLengthPrefixed(out, file.smallest_key);
  AppendLengthPrefixed(out, file.largest_key);
  out->append(Varints({file.smallest_sequence, file.largest_sequence - file.smallest_sequence,
                       file.entries, file.tombstones, file.raw_bytes}));
  AppendFixed64(out, file.digest);
  const ExpirySpan& expiring = file.expiring;
  if (expiring.count != 0) {
    AppendSkippable(out, FileTag::kExpiry,
                    Varints({expiring.count, expiring.oldest_micros,
                             expiring.newest_micros - expiring.oldest_micros}));
  }
  if (file.range_deletes.count == 0) return;
  AppendVarint64(out, static_cast<uint64_t>(FileTag::kRangeDeletes) << 1 | kMustUnderstand);
  AppendLengthPrefixed(
      out, Varints({file.range_deletes.count, file.largest_exclusive ? kLargestExclusive : 0,
                    file.range_deletes.covered_bytes}));
}

void AppendName(std::string* out, FieldTag tag, ColumnFamilyId family, std::string_view name) {
  std::string value = Varints({family});
  AppendLengthPrefixed(&value, name);
  AppendField(out, tag, value);
}

void AppendSettings(std::string* out, ColumnFamilyId family, const FamilySettings& settings) {
  std::string value = Varints({family, static_cast<uint64_t>(settings.compression)});
  AppendFixed32(&value, static_cast<uint32_t>(settings.compression_level));
  AppendFixed64(&value, std::bit_cast<uint64_t>(settings.filter_bits_per_key));
  if (settings.default_ttl_millis != 0) {
    AppendSkippable(&value, SettingTag::kDefaultTtl, Varints({settings.default_ttl_millis}));
  }
  AppendField(out, FieldTag::kFamilySettings, value);
}

void AppendFamily(std::string* out, ColumnFamilyId family, const FamilyEdit& edit) {
  if (edit.change == FamilyChange::kAdd) AppendName(out, FieldTag::kAddFamily, family, edit.name);
  if (edit.new_name) AppendName(out, FieldTag::kRenameFamily, family, *edit.new_name);
  if (edit.comparator_name) {
    AppendName(out, FieldTag::kFamilyComparator, family, *edit.comparator_name);
  }
  if (edit.merge_operator_name) {
    AppendName(out, FieldTag::kMergeOperator, family, *edit.merge_operator_name);
  }
  if (edit.settings) AppendSettings(out, family, *edit.settings);
  if (edit.flushed_sequence) {
    AppendField(out, FieldTag::kFlushedSequence, Varints({family, *edit.flushed_sequence}));
  }
  for (const auto& [level, number] : edit.deleted) {
    AppendField(out, FieldTag::kDeleteFile, Varints({family, Level(level), ToInteger(number)}));
  }
  for (const auto& [level, run, file] : edit.added) {
    std::string value = Varints({family, Level(level), run});
    AppendFile(&value, file);
    AppendField(out, FieldTag::kAddFile, value);
  }
  for (const auto& [level, number, reason] : edit.quarantined) {
    std::string value = Varints({family, Level(level), ToInteger(number)});
    AppendLengthPrefixed(&value, reason);
    AppendField(out, FieldTag::kQuarantineFile, value);
  }
  if (edit.change == FamilyChange::kDrop) {
    AppendField(out, FieldTag::kDropFamily, Varints({family}));
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

// Reads the remaining fields: `read(tag, &value)` returns false for a tag that it does not know,
// which must be one that may be skipped.
template <typename Read>
absl::Status ReadFields(ByteReader* reader, Read read) {
  while (reader->ok() && !reader->AtEnd()) {
    const uint64_t tag = reader->ReadVarint64();
    ByteReader value(reader->ReadLengthPrefixed());
    if (!reader->ok()) break;
    if (read(tag >> 1, &value)) {
      if (!value.Finished()) reader->Fail();
    } else if ((tag & kMustUnderstand) != 0) {
      return UnknownField(tag);
    }
  }
  return absl::OkStatus();
}

void ReadExpiring(ByteReader* value, FileMetadata* file) {
  ExpirySpan& expiring = file->expiring;
  expiring.count = value->ReadVarint64();
  expiring.oldest_micros = value->ReadVarint64();
  const uint64_t span = value->ReadVarint64();
  if (span > UINT64_MAX - expiring.oldest_micros || expiring.count > file->entries) value->Fail();
  expiring.newest_micros = expiring.oldest_micros + span;
}

void ReadRangeDeletes(ByteReader* value, FileMetadata* file) {
  file->range_deletes.count = value->ReadVarint64();
  const uint64_t flags = value->ReadVarint64();
  file->largest_exclusive = flags == kLargestExclusive;
  file->range_deletes.covered_bytes = value->ReadVarint64();
  if (file->range_deletes.count == 0 || flags > kLargestExclusive) value->Fail();
}

bool ReadFileField(uint64_t tag, ByteReader* value, FileMetadata* file) {
  switch (FileTag{tag}) {
    case FileTag::kExpiry:
      return ReadExpiring(value, file), true;
    case FileTag::kRangeDeletes:
      return ReadRangeDeletes(value, file), true;
  }
  return false;
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
  return ReadFields(
      reader, [file](uint64_t tag, ByteReader* value) { return ReadFileField(tag, value, file); });
}

// Returns the part of `edit` for the family of a field; null if the family is invalid.
FamilyEdit* ReadFamily(ByteReader* reader, VersionEdit* edit) {
  const ColumnFamilyId id = reader->ReadVarint32();
  return reader->ok() ? &edit->Family(id) : nullptr;
}

// Later releases may add fields.
absl::Status ReadSettings(ByteReader* reader, FamilySettings* settings) {
  settings->compression = static_cast<Compression>(reader->ReadFixed8());
  settings->compression_level = static_cast<int32_t>(reader->ReadFixed32());
  settings->filter_bits_per_key = std::bit_cast<double>(reader->ReadFixed64());
  // Other values are of a newer release; any choice is valid.
  if (settings->compression > Compression::kZstd) settings->compression = Compression::kZstd;
  return ReadFields(reader, [settings](uint64_t tag, ByteReader* value) {
    if (SettingTag{tag} != SettingTag::kDefaultTtl) return false;
    settings->default_ttl_millis = value->ReadVarint64();
    if (settings->default_ttl_millis > INT64_MAX) value->Fail();
    return true;
  });
}

absl::Status ReadFamilyField(FieldTag tag, ByteReader* reader, FamilyEdit* family) {
  if (tag == FieldTag::kAddFamily) {
    family->change = FamilyChange::kAdd;
    family->name = reader->ReadLengthPrefixed();
  } else if (tag == FieldTag::kDropFamily) {
    family->change = FamilyChange::kDrop;
  } else if (tag == FieldTag::kMergeOperator) {
    family->merge_operator_name = reader->ReadLengthPrefixed();
  } else if (tag == FieldTag::kFamilyComparator) {
    family->comparator_name = reader->ReadLengthPrefixed();
  } else if (tag == FieldTag::kRenameFamily) {
    family->new_name = reader->ReadLengthPrefixed();
  } else if (tag == FieldTag::kFamilySettings) {
    return ReadSettings(reader, &family->settings.emplace());
  } else if (tag == FieldTag::kFlushedSequence) {
    family->flushed_sequence = ReadSequence(reader);
  } else if (tag == FieldTag::kAddFile) {
    AddedFile& added = family->added.emplace_back();
    added.level = ReadLevel(reader);
    added.run = reader->ReadVarint64();
    return ReadFile(reader, &added.file);
  } else {
    const int level = ReadLevel(reader);
    const FileNumber number{reader->ReadVarint64()};
    if (tag == FieldTag::kDeleteFile) {
      family->deleted.push_back({level, number});
    } else {
      family->quarantined.push_back({level, number, std::string(reader->ReadLengthPrefixed())});
    }
  }
  return absl::OkStatus();
}

// The caller must check that all bytes of the field were read without an error.
absl::Status ReadField(uint64_t tag, ByteReader* reader, VersionEdit* edit) {
  const FieldTag field{tag >> 1};
  switch (field) {
    case FieldTag::kComparator:
      edit->comparator_name = reader->ReadBytes(reader->remaining());
      return absl::OkStatus();
    case FieldTag::kDatabaseId: {
      const std::string_view bytes = reader->ReadBytes(sizeof(DatabaseId));
      std::copy(bytes.begin(), bytes.end(), edit->database_id.emplace().begin());
      return absl::OkStatus();
    }
    case FieldTag::kNextFileNumber:
      edit->next_file_number = reader->ReadVarint64();
      return absl::OkStatus();
    case FieldTag::kLastSequence:
      edit->last_sequence = ReadSequence(reader);
      return absl::OkStatus();
    case FieldTag::kLogNumber:
      edit->log_number = FileNumber{reader->ReadVarint64()};
      return absl::OkStatus();
    case FieldTag::kLogReach: {
      wal::LogPosition& reach = edit->log_reach.emplace();
      reach.segment = reader->ReadVarint64();
      reach.offset = reader->ReadVarint64();
      return absl::OkStatus();
    }
    case FieldTag::kSessionStart:
      edit->session_start = reader->ReadVarint64();
      return absl::OkStatus();
    case FieldTag::kNextFamily:
      edit->next_family = reader->ReadVarint64();
      return absl::OkStatus();
    case FieldTag::kWallMicros:
      edit->wall_micros = reader->ReadVarint64();
      return absl::OkStatus();
    case FieldTag::kAddFamily:
    case FieldTag::kDropFamily:
    case FieldTag::kFlushedSequence:
    case FieldTag::kDeleteFile:
    case FieldTag::kAddFile:
    case FieldTag::kQuarantineFile:
    case FieldTag::kMergeOperator:
    case FieldTag::kFamilyComparator:
    case FieldTag::kRenameFamily:
    case FieldTag::kFamilySettings: {
      FamilyEdit* const family = ReadFamily(reader, edit);
      return family == nullptr ? absl::OkStatus() : ReadFamilyField(field, reader, family);
    }
  }
  if ((tag & kMustUnderstand) != 0) return UnknownField(tag);
  reader->ReadBytes(reader->remaining());
  return absl::OkStatus();
}

std::string Quoted(std::string_view bytes) {
  return absl::StrCat("\"", absl::CHexEscape(ToAbsl(bytes)), "\"");
}

}  // namespace

std::string VersionEdit::Encode() const {
  std::string out;
  if (comparator_name) AppendField(&out, FieldTag::kComparator, *comparator_name);
  if (database_id) {
    AppendField(&out, FieldTag::kDatabaseId, std::string(database_id->begin(), database_id->end()));
  }
  if (next_file_number) AppendField(&out, FieldTag::kNextFileNumber, Varints({*next_file_number}));
  if (last_sequence) AppendField(&out, FieldTag::kLastSequence, Varints({*last_sequence}));
  if (log_number) AppendField(&out, FieldTag::kLogNumber, Varints({ToInteger(*log_number)}));
  if (log_reach) {
    AppendField(&out, FieldTag::kLogReach, Varints({log_reach->segment, log_reach->offset}));
  }
  if (session_start) AppendField(&out, FieldTag::kSessionStart, Varints({*session_start}));
  if (next_family) AppendField(&out, FieldTag::kNextFamily, Varints({*next_family}));
  if (wall_micros) AppendField(&out, FieldTag::kWallMicros, Varints({*wall_micros}));
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

std::string DebugString(const FileMetadata& file) {
  std::string text = absl::StrCat("file ", ToInteger(file.number));
  if (file.physical_number != file.number) {
    absl::StrAppend(&text, " physical ", ToInteger(file.physical_number));
  }
  absl::StrAppend(&text, " size ", file.file_size, " keys ", Quoted(file.smallest_key), "..",
                  Quoted(file.largest_key), " seqs ", file.smallest_sequence, "..",
                  file.largest_sequence);
  if (file.entries != 0) absl::StrAppend(&text, " entries ", file.entries);
  if (file.tombstones != 0) absl::StrAppend(&text, " tombstones ", file.tombstones);
  if (file.expiring.count != 0) {
    absl::StrAppend(&text, " expiring ", file.expiring.count, " at ", file.expiring.oldest_micros,
                    "..", file.expiring.newest_micros);
  }
  if (file.range_deletes.count != 0)
    absl::StrAppend(&text, " range-deletes ", file.range_deletes.count);
  if (file.range_deletes.covered_bytes != 0)
    absl::StrAppend(&text, " covers ", file.range_deletes.covered_bytes);
  if (file.largest_exclusive) absl::StrAppend(&text, " largest-exclusive");
  if (file.raw_bytes != 0) absl::StrAppend(&text, " raw ", file.raw_bytes);
  if (file.digest != 0) absl::StrAppend(&text, " digest ", absl::Hex(file.digest));
  if (file.quarantined()) absl::StrAppend(&text, " damage ", Quoted(file.damage));
  return text;
}

}  // namespace cambium::manifest
