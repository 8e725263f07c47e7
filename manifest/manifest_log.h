// ManifestLog: appends edits to a manifest, creates a new manifest and switches to it, and reads a
// manifest. docs/format/manifest.md specifies the bytes of MANIFEST-n and CURRENT.
//
// Each edit is one synced record. A commit record follows it: an empty
// record that contains the synced watermark of the file, and is synced, too, before Append()
// returns. It distinguishes damage from a torn tail: a bad record before a commit record that
// covers it was acknowledged, so it is damage; any other bad record was never acknowledged. This
// costs a second sync per edit, and edits are rare.
//
// After any error, nothing is appended to this log again (D10, D12); it returns that error: the
// caller stops deleting files and creates a new manifest, with a new number, that contains the
// whole state.
#ifndef CAMBIUM_MANIFEST_MANIFEST_LOG_H_
#define CAMBIUM_MANIFEST_MANIFEST_LOG_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/keys.h"
#include "cambium/file_system.h"
#include "manifest/manifest_state.h"
#include "manifest/version_edit.h"
#include "wal/log_format.h"

namespace cambium::manifest {

// Thread-compatible: the engine holds its manifest lock around every call.
class ManifestLog {
 public:
  // Writes MANIFEST-<number> with `snapshot` as its first record and makes CURRENT refer to it, in
  // this order (D6): write the whole new file, sync it, write CURRENT.tmp, sync it, rename it over
  // CURRENT, sync the directory. The previous manifest stays: the caller removes it afterwards.
  //
  // After an error it is unknown which of the two manifests the next recovery will read: append to
  // neither; call Create again, with a number never used before and the state of both (they agree
  // on everything acknowledged). DiscardManifest() removes what the failed call left.
  static absl::StatusOr<std::unique_ptr<ManifestLog>> Create(FileSystem* file_system,
                                                             const std::string& directory,
                                                             FileNumber number,
                                                             const VersionEdit& snapshot);

  ManifestLog(const ManifestLog&) = delete;
  ManifestLog& operator=(const ManifestLog&) = delete;
  ~ManifestLog();

  // Returns ok if `edit` survives a power cut. Otherwise its outcome is unknown until the next
  // manifest: all files that it adds or deletes must stay.
  absl::Status Append(const VersionEdit& edit);

  FileNumber number() const { return number_; }
  // Returns the size of the whole records in the file.
  uint64_t size() const { return offset_; }
  // Returns true if enough was appended that a new manifest should be created.
  bool ShouldRollOver() const;

 private:
  ManifestLog(FileNumber number, std::string path, std::unique_ptr<WritableFile> file);

  // Appends a record to `out`, which will be written at the end of the file.
  void AddRecord(wal::RecordKind kind, std::string_view payload, std::string* out) const;
  // Appends `bytes`, an edit and its commit record.
  absl::Status AppendSealed(std::string bytes, const VersionEdit& edit);
  absl::Status AppendSynced(std::string_view bytes);

  const FileNumber number_;
  const std::string path_;
  const std::unique_ptr<WritableFile> file_;
  uint64_t offset_ = 0;
  uint64_t snapshot_size_ = 0;  // size after its creation
  uint64_t edits_ = 0;
  absl::Status error_;
};

// Plain data.
struct RecoveredManifest {
  ManifestState state;
  FileNumber manifest_number{0};
  uint64_t edits = 0;
  // Bytes of the file up to the end of its last record.
  uint64_t size = 0;
  // Bytes of an append that was never acknowledged and is ignored.
  uint64_t torn_bytes = 0;
};

// Removes what a failed Create of the manifest `number` left. Returns ok if nothing of it is left.
// Returns an error if CURRENT may refer to it, now or after a power cut: then everything stays
// until a later manifest is current.
absl::Status DiscardManifest(FileSystem* file_system, const std::string& directory,
                             FileNumber number);

// Returns true if a file that begins with `start` is the manifest `number` of a database.
bool HasManifestHeader(std::string_view start, FileNumber number);

// Returns the manifest number in CURRENT. Returns NotFound if there is no CURRENT, and DataLoss if
// its content is damaged.
absl::StatusOr<FileNumber> ReadCurrent(FileSystem* file_system, const std::string& directory);

// Reads the current manifest. Returns NotFound only if there is no CURRENT; InvalidArgument if the
// database is sorted by a different comparator than `orders.database()`'s; Unimplemented if a newer
// release wrote a field that must not be skipped; DataLoss with file, offset, found and expected
// values if the manifest is missing, damaged, or inconsistent. Drops an append that was never
// acknowledged. The state contains at least the last acknowledged edit.
//
// A table or log segment of the state may still be missing: the caller must check. It must also
// allocate file numbers above those of every file in the directory, not only from next_file_number
// on.
absl::StatusOr<RecoveredManifest> RecoverManifest(FileSystem* file_system,
                                                  const std::string& directory,
                                                  const KeyOrders& orders);

}  // namespace cambium::manifest

#endif  // CAMBIUM_MANIFEST_MANIFEST_LOG_H_
