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
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/keys.h"
#include "manifest/version.h"
#include "manifest/version_edit.h"

namespace cambium::manifest {

// The key orders that the program gave, by the name of their comparator, which must outlive it. A
// copyable value. Thread-compatible.
class KeyOrders {
 public:
  // `database` is the order of the database: of the default family, and of families without a
  // comparator of their own. The bytewise order is always known.
  explicit KeyOrders(const KeyOrder& database) : database_(database) {
    Add(BytewiseComparator());
    Add(database.comparator());
  }
  void Add(const Comparator* comparator) {
    by_name_.insert_or_assign(comparator->Name(), KeyOrder(comparator));
  }

  const KeyOrder& database() const { return database_; }
  // Returns nullopt if no comparator of that name is known.
  std::optional<KeyOrder> Find(const std::string& comparator_name) const {
    const auto place = by_name_.find(comparator_name);
    return place == by_name_.end() ? std::nullopt : std::optional(place->second);
  }

 private:
  KeyOrder database_;
  std::map<std::string, KeyOrder> by_name_;
};

// The current state of one column family. Plain data.
struct FamilyState {
  std::string name;
  std::string comparator_name;
  // The name of the merge operator of its operands; empty: it may have none.
  std::string merge_operator_name = {};
  std::optional<FamilySettings> settings = {};
  // All operations of the family up to this sequence number are in its tables.
  SequenceNumber flushed_sequence = 0;
  // Never null. Its files are unordered if the comparator is not known (VersionBuilder).
  std::shared_ptr<const Version> version = {};
};

// The state of the database apart from its families. Plain data.
struct ManifestNumbers {
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
  // No family with this id or a greater one was ever created.
  uint64_t next_family = 0;
  // No time that the database has used for an expiry is later; 0: it has used none.
  uint64_t wall_micros = 0;
};

// Plain data: copies share their versions.
struct ManifestState : ManifestNumbers {
  std::map<ColumnFamilyId, FamilyState> families;
};

// The difference between a state and the state after one edit: as large as the edit, for any number
// of families. Plain data.
struct StateChange {
  ManifestNumbers numbers;
  std::map<ColumnFamilyId, FamilyState> changed;  // families that the edit adds or changes
  std::vector<ColumnFamilyId> dropped;

  // Applies the change to the state from which it was computed. Allocates nothing.
  void ApplyTo(ManifestState* state) &&;
};

// Applies edits in turn to a state; cheaper than ChangeOf() for many edits. Thread-compatible.
class StateBuilder {
 public:
  StateBuilder(ManifestState base, const KeyOrders& orders);

  // Applies an edit. Returns DataLoss if the edit contradicts the state: a family that does not
  // exist, a number that decreases, a missing file; then the builder must not be used again.
  absl::Status Apply(const VersionEdit& edit);

  // Returns the state after all edits. Returns DataLoss if a version would break an invariant.
  absl::StatusOr<ManifestState> Build();

 private:
  absl::Status ApplyFamily(ColumnFamilyId id, const FamilyEdit& edit);

  ManifestState state_;
  const KeyOrders orders_;
  std::map<ColumnFamilyId, VersionBuilder> builders_;
};

// Returns the effect of `edit` on `state`. Returns DataLoss if it contradicts the state.
absl::StatusOr<StateChange> ChangeOf(const ManifestState& state, const VersionEdit& edit,
                                     const KeyOrders& orders);

// Returns the edit that creates `state` from the empty state: the first record of a new manifest.
VersionEdit SnapshotEdit(const ManifestState& state);

}  // namespace cambium::manifest

#endif  // CAMBIUM_MANIFEST_MANIFEST_STATE_H_
