// VersionStore: the manifest, and the current versions of the trees.
//
//   Commit(edit):  build next versions ─▶ sync manifest ─▶ publish ─▶ remove old logs, tables
//
// After a manifest error it is unknown which of two states is on disk: deletions stop (D12), and
// the next commit goes to a new manifest with the whole state. When that manifest is current, the
// files that the failed ones left (manifests, and tables that only a failed edit refers to) are
// removed.
//
// Lock order (docs/threading.md): manifest_mu is taken before all locks named there except close_mu
// and resume_mu, and is held during I/O.
#ifndef CAMBIUM_ENGINE_TREE_VERSION_STORE_H_
#define CAMBIUM_ENGINE_TREE_VERSION_STORE_H_

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "engine/state/error_state.h"
#include "engine/state/storage.h"
#include "engine/tree/trees.h"
#include "manifest/manifest_log.h"
#include "manifest/manifest_state.h"
#include "manifest/version_edit.h"
#include "util/mutex.h"
#include "wal/log_registry.h"

namespace cambium::engine {

// Thread-safe.
class VersionStore final : public wal::LogRegistry {
 public:
  // All pointers outlive the store.
  VersionStore(Storage* storage, ErrorState* errors, const Trees* trees, manifest::KeyOrders orders)
      : storage_(storage), errors_(errors), trees_(trees), orders_(std::move(orders)) {}
  VersionStore(const VersionStore&) = delete;
  VersionStore& operator=(const VersionStore&) = delete;
  ~VersionStore() override = default;

  // Creates a new manifest that contains `state`, to which edits are added.
  absl::Status Start(manifest::ManifestState state);
  // Does the same in a read-only database, which commits nothing.
  void StartReadOnly(manifest::ManifestState state);

  // Makes `edit` durable and publishes its versions. The tables of the edit contain the `flushed`
  // oldest frozen memtables of its one tree. After an error nothing has changed for readers, and
  // the files that the edit adds must stay on disk, because the manifest on disk may refer to them.
  // The versions are published inside of `bracket`, if there is one; after that Commit() cannot
  // fail. Ignores families that were dropped in the meantime; returns Cancelled if no other is
  // left: then the files that the edit adds are not needed.
  absl::Status Commit(manifest::VersionEdit edit, size_t flushed,
                      const PublishBracket& bracket = nullptr);

  // Makes `edit` durable, which adds, drops, or renames one family and changes no other. The state
  // after it is durable before the trees follow it, so that no job or write precedes it.
  // `comparator` is that of the added family, otherwise null.
  absl::Status CommitFamily(const manifest::VersionEdit& edit, const Comparator* comparator);
  // Returns the id of the next family, which is above every id ever used.
  uint64_t NextFamily() const;
  // Returns the sequence number up to which all operations of the family are in tables; 0 if the
  // family was dropped.
  SequenceNumber FlushedSequence(ColumnFamilyId id) const;

  // After an error: writes the current state to a new manifest and allows deletions again.
  absl::Status Recover();

  // Records the time that the database has reached, if that is more than `lag_micros` after the
  // recorded one. Every edit records it, too.
  absl::Status RecordWallTime(uint64_t lag_micros);

  // Closes the manifest. Calls that would write it return FailedPrecondition afterwards: the
  // directory may belong to another process.
  void Close();

  manifest::ManifestState state() const;

  // Reads the manifest back and checks all of it. No edit is appended during the call.
  absl::Status Verify() const;

  // Does nothing and returns ok before Start(), whose caller passes the value in the state.
  absl::Status RecordReach(wal::LogPosition reach) override;
  // Returns the number and size of the manifest, which are checked when the closed log is read.
  std::string EndPayload() override;

 private:
  // Makes `change`, the effect of `edit`, durable and current.
  absl::Status WriteEdit(const manifest::VersionEdit& edit, manifest::StateChange change)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(manifest_mu_);
  // Writes *next to a new manifest. Only this function makes `log_`.
  absl::Status WriteFresh(manifest::ManifestState* next)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(manifest_mu_);
  // Abandons the manifest after a failed commit of `edit`.
  void Abandon(const manifest::VersionEdit& edit) ABSL_EXCLUSIVE_LOCKS_REQUIRED(manifest_mu_);

  // Returns the versions that `edit` makes, ready to be published, and sets *change to its effect.
  absl::StatusOr<std::vector<std::pair<TreeRef, Tree::NextVersion>>> Prepare(
      const manifest::VersionEdit& edit, manifest::StateChange* change) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(manifest_mu_);

  // Makes an edit of the numbers durable: its log reach and its wall time.
  absl::Status WriteNumbers(manifest::VersionEdit edit) ABSL_EXCLUSIVE_LOCKS_REQUIRED(manifest_mu_);
  void AddWallTime(manifest::VersionEdit* edit) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(manifest_mu_);

  Storage* const storage_;
  ErrorState* const errors_;
  const Trees* const trees_;
  mutable Mutex manifest_mu_{LockRank::kManifest};
  manifest::KeyOrders orders_ ABSL_GUARDED_BY(manifest_mu_);
  manifest::ManifestState state_ ABSL_GUARDED_BY(manifest_mu_);
  bool closed_ ABSL_GUARDED_BY(manifest_mu_) = false;
  // Null after an error, before Start(), and after Close().
  std::unique_ptr<manifest::ManifestLog> log_ ABSL_GUARDED_BY(manifest_mu_);
  // Paths of files that the manifest on disk may need, but the next new manifest does not.
  std::vector<std::string> uncertain_ ABSL_GUARDED_BY(manifest_mu_);
};

}  // namespace cambium::engine

#endif  // CAMBIUM_ENGINE_TREE_VERSION_STORE_H_
