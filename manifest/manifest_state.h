// ManifestState: the full contents of a manifest, and the edit that recreates it.
//
// The engine applies each edit to its state, appends it to the manifest log, and publishes the new
// versions only when the append is synced; recovery applies the same edits with the same code.
// Therefore an edit that adds a file must also set next_file_number and last_sequence if the file
// is beyond them.
#ifndef CAMBIUM_MANIFEST_MANIFEST_STATE_H_
#define CAMBIUM_MANIFEST_MANIFEST_STATE_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/keys.h"
#include "manifest/version.h"
#include "manifest/version_edit.h"

namespace cambium::manifest {

// The current state of one column family. Plain data.
struct FamilyState {
  std::string name;
  // All operations of the family up to this sequence number are in its tables.
  SequenceNumber flushed_sequence = 0;
  std::shared_ptr<const Version> version;  // never null
  // The name of the merge operator of its operands; empty: it may have none.
  std::string merge_operator_name = {};
};

// Plain data: copies share their versions.
struct ManifestState {
  std::string comparator_name;
  DatabaseId database_id{};
  // No file with this number or a greater one was ever created.
  uint64_t next_file_number = 1;
  // No operation in a table has a greater sequence number.
  SequenceNumber last_sequence = 0;
  // Recovery replays the log from this segment on; older ones may be removed.
  FileNumber log_number{0};
  // The part of the log that must exist (wal::LogRegistry::RecordReach); segment 0: unknown.
  wal::LogPosition log_reach;
  // A torn file, whose creation was interrupted by a crash, has this number or a greater one; 0:
  // unknown.
  uint64_t session_start = 0;
  std::map<ColumnFamilyId, FamilyState> families;
};

// Applies edits in turn to a state; cheaper than ApplyEdit() for many edits. Thread-compatible.
class StateBuilder {
 public:
  StateBuilder(ManifestState base, const KeyOrder& order);

  // Applies an edit. Returns DataLoss if the edit contradicts the state: a family that does not
  // exist, a number that decreases, a missing file; then the builder must not be used again.
  absl::Status Apply(const VersionEdit& edit);

  // Returns the state after all edits. Returns DataLoss if a version would break an invariant.
  absl::StatusOr<ManifestState> Build();

 private:
  absl::Status ApplyFamily(ColumnFamilyId id, const FamilyEdit& edit);

  ManifestState state_;
  const KeyOrder order_;
  std::map<ColumnFamilyId, VersionBuilder> builders_;
};

// Returns the state after `edit`.
absl::StatusOr<ManifestState> ApplyEdit(const ManifestState& state, const VersionEdit& edit,
                                        const KeyOrder& order);

// Returns the edit that creates `state` from the empty state: the first record of a new manifest.
VersionEdit SnapshotEdit(const ManifestState& state);

}  // namespace cambium::manifest

#endif  // CAMBIUM_MANIFEST_MANIFEST_STATE_H_
