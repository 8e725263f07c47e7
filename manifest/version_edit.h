// VersionEdit: a change of the set of files, as one record of the manifest. Its bytes, fields that
// say what they are and whether a reader must understand them, are in docs/format/manifest.md.
// Within one edit the deletions of a family are applied before its additions, so that a file may
// move.
#ifndef CAMBIUM_MANIFEST_VERSION_EDIT_H_
#define CAMBIUM_MANIFEST_VERSION_EDIT_H_

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "base/keys.h"
#include "wal/log_format.h"

namespace cambium::manifest {

// Drawn when a database is made; binds its logs to its manifest.
using DatabaseId = std::array<uint8_t, 16>;

// What the tree knows of one SSTable, without opening it. `number` names it within the tree,
// `physical_number` the file on disk that holds its bytes. They are equal for a file as it was
// written; a file that was split, or that shares its bytes with another, keeps bounds of its own
// over a physical file of several, which may be removed once no live file names it. Plain data,
// shared as FileRef and never changed from then on.
struct FileMetadata {
  FileNumber number{0};
  FileNumber physical_number{0};
  uint64_t file_size = 0;
  // User keys, both inclusive.
  std::string smallest_key, largest_key;
  // Of the entries inside. 0 where sequence numbers were given up in the last level.
  SequenceNumber smallest_sequence = 0, largest_sequence = 0;
  uint64_t entries = 0, tombstones = 0;
  // Bytes of keys and values before encoding.
  uint64_t raw_bytes = 0;
  // Of the whole physical file (FileDigest).
  uint64_t digest = 0;
  // Empty, or what was found wrong in it (D15). A quarantined file stays in the tree, so that reads
  // of its range fail rather than answer with older data; nothing compacts it or removes it.
  std::string damage;

  bool quarantined() const { return !damage.empty(); }

  friend bool operator==(const FileMetadata&, const FileMetadata&) = default;
};

using FileRef = std::shared_ptr<const FileMetadata>;

inline uint64_t TotalBytes(std::span<const FileRef> files) {
  uint64_t bytes = 0;
  for (const FileRef& file : files) bytes += file->file_size;
  return bytes;
}

struct AddedFile {
  int level = 0;
  uint64_t run = 0;
  FileMetadata file;

  friend bool operator==(const AddedFile&, const AddedFile&) = default;
};

struct DeletedFile {
  int level = 0;
  FileNumber number{0};

  friend bool operator==(const DeletedFile&, const DeletedFile&) = default;
};

struct QuarantinedFile {
  int level = 0;
  FileNumber number{0};
  std::string reason;

  friend bool operator==(const QuarantinedFile&, const QuarantinedFile&) = default;
};

// Whether the family begins, goes on or ends with this edit.
enum class FamilyChange : uint8_t { kNone, kAdd, kDrop };

// The part of an edit that is about one column family. Plain data.
struct FamilyEdit {
  FamilyChange change = FamilyChange::kNone;
  std::string name;  // with kAdd
  std::optional<std::string> merge_operator_name;
  std::optional<SequenceNumber> flushed_sequence;
  std::vector<DeletedFile> deleted;
  std::vector<AddedFile> added;
  std::vector<QuarantinedFile> quarantined;

  friend bool operator==(const FamilyEdit&, const FamilyEdit&) = default;
};

// Plain data. Absent fields leave what was.
struct VersionEdit {
  std::optional<std::string> comparator_name;
  std::optional<DatabaseId> database_id;
  std::optional<uint64_t> next_file_number;
  std::optional<SequenceNumber> last_sequence;
  std::optional<FileNumber> log_number;
  std::optional<wal::LogPosition> log_reach;
  std::optional<uint64_t> session_start;
  std::map<ColumnFamilyId, FamilyEdit> families;

  // The part about `family`, made where missing.
  FamilyEdit& Family(ColumnFamilyId family) { return families[family]; }

  std::string Encode() const;
  // DataLoss where the bytes are no edit, Unimplemented where a newer release wrote what this one
  // must not skip.
  static absl::StatusOr<VersionEdit> Decode(std::string_view bytes);

  friend bool operator==(const VersionEdit&, const VersionEdit&) = default;
};

// "file 9 size 1024 keys "a".."m" seqs 1..9 entries 9 tombstones 1"; zeros left out.
std::string DebugString(const FileMetadata& file);

}  // namespace cambium::manifest

#endif  // CAMBIUM_MANIFEST_VERSION_EDIT_H_
