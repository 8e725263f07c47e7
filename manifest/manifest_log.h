// ManifestLog: the file that edits are appended to, the switch from one such file to the next, and
// reading it back.
// The bytes of both MANIFEST-n and CURRENT are in docs/format/manifest.md.
//
// Each edit is one record, synced; behind it stands a seal, an empty record that says how far the
// file was synced, and which is synced too before Append() returns. The seal tells damage from a
// torn tail: a bad record in front of a seal that speaks of it was acknowledged, so it is damage;
// any other bad record never was. It costs a second sync an edit, and edits are few.
//
// After any error a log is never appended to again (D10, D12), and answers that error: the caller
// stops deleting files and makes a fresh manifest, under a new number, with the whole state in it.
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
  // Writes MANIFEST-<number> with `snapshot` as its first record and makes CURRENT name it, in this
  // order (D6): the whole new file, its sync, CURRENT.tmp, its sync, rename over CURRENT, sync of
  // the directory. The manifest before stays where it is: the caller removes it after this.
  //
  // After an error it is unknown which of the two manifests the next recovery will read: append to
  // neither; call Create again, under a number never used, with the state of both (they agree on
  // everything acknowledged). DiscardManifest() clears away what it left.
  static absl::StatusOr<std::unique_ptr<ManifestLog>> Create(FileSystem* file_system,
                                                             const std::string& directory,
                                                             FileNumber number,
                                                             const VersionEdit& snapshot);

  ManifestLog(const ManifestLog&) = delete;
  ManifestLog& operator=(const ManifestLog&) = delete;
  ~ManifestLog();

  // ok: `edit` survives a power cut. Otherwise its outcome is unknown until the next manifest:
  // files that it adds or deletes must all stay.
  absl::Status Append(const VersionEdit& edit);

  FileNumber number() const { return number_; }
  // Bytes of whole records in the file.
  uint64_t size() const { return offset_; }
  // Whether enough was appended that a fresh manifest is worth its while.
  bool ShouldRollOver() const;

 private:
  ManifestLog(FileNumber number, std::string path, std::unique_ptr<WritableFile> file);

  // Adds to `out`, which will stand at the end of the file, a record.
  void AddRecord(wal::RecordKind kind, std::string_view payload, std::string* out) const;
  // Appends what is in `bytes`, an edit and its seal.
  absl::Status AppendSealed(std::string bytes, const VersionEdit& edit);
  absl::Status AppendSynced(std::string_view bytes);

  const FileNumber number_;
  const std::string path_;
  const std::unique_ptr<WritableFile> file_;
  uint64_t offset_ = 0;
  uint64_t snapshot_size_ = 0;  // of what stood in it when it was made
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
  // Bytes of an append that was never acknowledged, left out.
  uint64_t torn_bytes = 0;
};

// Removes what a failed Create of the manifest `number` left; ok if nothing of it is left. An error
// if CURRENT may name it, now or after a power cut: then everything stays, until a later manifest
// is in force.
absl::Status DiscardManifest(FileSystem* file_system, const std::string& directory,
                             FileNumber number);

// Whether a file that begins with `start` is the manifest `number` of some database.
bool HasManifestHeader(std::string_view start, FileNumber number);

// What CURRENT names. NotFound where there is none; DataLoss where it is not what was written.
absl::StatusOr<FileNumber> ReadCurrent(FileSystem* file_system, const std::string& directory);

// NotFound only where there is no CURRENT; InvalidArgument where the database is sorted by another
// comparator than `order`'s; Unimplemented where a newer release wrote what this one must not skip;
// DataLoss with file, offset, found and expected where the manifest is missing, damaged or
// contradicts itself. An append that was never acknowledged is dropped. The state
// says at least what was acknowledged last.
//
// A table or log segment that the state names may still be missing: the caller looks. It must also
// draw file numbers above those of every file in the directory, not only from next_file_number on.
absl::StatusOr<RecoveredManifest> RecoverManifest(FileSystem* file_system,
                                                  const std::string& directory,
                                                  const KeyOrder& order);

}  // namespace cambium::manifest

#endif  // CAMBIUM_MANIFEST_MANIFEST_LOG_H_
