// VersionEdit: a change of the set of files, as one record of the manifest. docs/format/manifest.md
// specifies its bytes: tagged fields, each with a flag that states whether a reader must understand
// it. Within one edit the deletions of a family are applied before its additions, so a file may
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
#include "base/expiry.h"
#include "base/keys.h"
#include "base/range_tombstones.h"
#include "cambium/options.h"
#include "wal/log_format.h"

namespace cambium::manifest {

// A random id, chosen when a database is created; connects its logs to its manifest.
using DatabaseId = std::array<uint8_t, 16>;

// The range tombstones of a file. Plain data.
struct RangeDeleteTotals {
  uint64_t count = 0;  // they are not entries
  // The size of the older files that they covered when the file was written: a compaction with them
  // frees as much.
  uint64_t covered_bytes = 0;

  friend bool operator==(const RangeDeleteTotals&, const RangeDeleteTotals&) = default;
};

// The information about one SSTable that is known without opening it. `number` identifies it within
// the tree, and `physical_number` the file on disk that contains its bytes. They are equal for a
// file as it was written. A file that was split, or that shares its bytes with another, has its own
// bounds within a shared physical file, which may be removed when no live file refers to it. Plain
// data, shared as FileRef and then never changed.
struct FileMetadata {
  FileNumber number{0};
  FileNumber physical_number{0};
  uint64_t file_size = 0;
  // User keys, the smallest and largest of the entries and of the ends of the range tombstones. The
  // smallest is inclusive, and so is the largest, except if largest_exclusive is true.
  std::string smallest_key, largest_key;
  // Sequence numbers of the entries and the range tombstones. 0 if they were set to zero in the
  // last level.
  SequenceNumber smallest_sequence = 0, largest_sequence = 0;
  uint64_t entries = 0, tombstones = 0;
  // Size of keys and values before encoding.
  uint64_t raw_bytes = 0;
  ExpirySpan expiring;
  // Digest of the whole physical file (FileDigest).
  uint64_t digest = 0;
  RangeDeleteTotals range_deletes;
  bool largest_exclusive = false;
  // Empty, or a description of its damage (D15). A quarantined file stays in the tree, so that
  // reads of its range fail instead of returning older data; it is never compacted or removed.
  std::string damage;

  bool quarantined() const { return !damage.empty(); }
  bool has_tombstones() const { return tombstones > 0 || range_deletes.count > 0; }
  // Returns true if the range of the file ends before `key`.
  bool EndsBefore(std::string_view key, const KeyOrder& order) const {
    return largest_exclusive ? !order.Less(key, largest_key) : order.Less(largest_key, key);
  }
  // Return the ends of its range.
  KeyCut begin() const { return KeyCut::Before(smallest_key); }
  KeyCut end() const {
    return largest_exclusive ? KeyCut::Before(largest_key) : KeyCut::After(largest_key);
  }

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

// The stored options of a family, which apply if the program gives none. Plain data.
struct FamilySettings {
  Compression compression = Compression::kZstd;
  int compression_level = 1;
  double filter_bits_per_key = 10;
  uint64_t default_ttl_millis = 0;  // 0: values do not expire

  friend bool operator==(const FamilySettings&, const FamilySettings&) = default;
};

// Whether the edit adds or drops the family.
enum class FamilyChange : uint8_t { kNone, kAdd, kDrop };

// The part of an edit for one column family. Plain data.
struct FamilyEdit {
  FamilyChange change = FamilyChange::kNone;
  std::string name;  // with kAdd
  std::optional<std::string> new_name;
  std::optional<std::string> comparator_name;  // with kAdd; absent: that of the database
  std::optional<std::string> merge_operator_name;
  std::optional<FamilySettings> settings;
  std::optional<SequenceNumber> flushed_sequence;
  std::vector<DeletedFile> deleted;
  std::vector<AddedFile> added;
  std::vector<QuarantinedFile> quarantined;

  friend bool operator==(const FamilyEdit&, const FamilyEdit&) = default;
};

// Plain data. Absent fields leave the state unchanged.
struct VersionEdit {
  std::optional<std::string> comparator_name;
  std::optional<DatabaseId> database_id;
  std::optional<uint64_t> next_file_number;
  std::optional<SequenceNumber> last_sequence;
  std::optional<FileNumber> log_number;
  std::optional<wal::LogPosition> log_reach;
  std::optional<uint64_t> session_start;
  std::optional<uint64_t> next_family;
  std::optional<uint64_t> wall_micros;
  std::map<ColumnFamilyId, FamilyEdit> families;

  // Returns the part for `family`; creates it if it does not exist.
  FamilyEdit& Family(ColumnFamilyId family) { return families[family]; }

  std::string Encode() const;
  // Returns DataLoss if the bytes are not an edit, and Unimplemented if a newer release wrote a
  // field that must not be skipped.
  static absl::StatusOr<VersionEdit> Decode(std::string_view bytes);

  friend bool operator==(const VersionEdit&, const VersionEdit&) = default;
};

// Returns "file 9 size 1024 keys "a".."m" seqs 1..9 entries 9 tombstones 1", without zero fields.
std::string DebugString(const FileMetadata& file);

}  // namespace cambium::manifest

#endif  // CAMBIUM_MANIFEST_VERSION_EDIT_H_
