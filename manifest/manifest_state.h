// ManifestState: all that a manifest says, and the edit that says it anew.
//
// The engine applies each edit to its state, appends it to the manifest log, and publishes the new
// versions only when the append is synced; recovery applies the same edits with the same code. So
// an edit that adds a file says next_file_number and last_sequence anew where the file is beyond
// them.
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

// One column family, now. Plain data.
struct FamilyState {
  std::string name;
  // Every operation of the family with a sequence number up to this one is in its tables.
  SequenceNumber flushed_sequence = 0;
  std::shared_ptr<const Version> version;  // never null
  // Of the operator that its operands are for; empty: it may have none.
  std::string merge_operator_name = {};
};

// Plain data: copies share their versions.
struct ManifestState {
  std::string comparator_name;
  DatabaseId database_id{};
  // No file of this number or above was ever made.
  uint64_t next_file_number = 1;
  // No operation that a table holds has a greater one.
  SequenceNumber last_sequence = 0;
  // Recovery replays the log from this segment on; older ones may be gone.
  FileNumber log_number{0};
  // What the log must still have (wal::LogRegistry::RecordReach); segment 0: nothing is known.
  wal::LogPosition log_reach;
  // A file that is torn, because a crash cut its making short, has this number or a greater one; 0:
  // not known.
  uint64_t session_start = 0;
  std::map<ColumnFamilyId, FamilyState> families;
};

// A state that edits are applied to in turn; cheaper than one by one where there are many.
// Thread-compatible.
class StateBuilder {
 public:
  StateBuilder(ManifestState base, const KeyOrder& order);

  // DataLoss where the edit contradicts the state: a family that is not there, a number that goes
  // back, a file that is missing; the builder is of no further use then.
  absl::Status Apply(const VersionEdit& edit);

  // The state after all edits. DataLoss where a version would break an invariant.
  absl::StatusOr<ManifestState> Build();

 private:
  absl::Status ApplyFamily(ColumnFamilyId id, const FamilyEdit& edit);

  ManifestState state_;
  const KeyOrder order_;
  std::map<ColumnFamilyId, VersionBuilder> builders_;
};

// The state after `edit`.
absl::StatusOr<ManifestState> ApplyEdit(const ManifestState& state, const VersionEdit& edit,
                                        const KeyOrder& order);

// The edit that makes `state` out of the empty one: the first record of a fresh manifest.
VersionEdit SnapshotEdit(const ManifestState& state);

}  // namespace cambium::manifest

#endif  // CAMBIUM_MANIFEST_MANIFEST_STATE_H_
