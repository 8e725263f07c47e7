// VersionStore: the manifest, and the versions of the trees that it says are in force.
//
//   Commit(edit):  next versions built ─▶ manifest synced ─▶ trees show them ─▶ old logs and tables
//   go
//
// After a manifest error it is unknown which of two states the disk holds: deletions stop (D12),
// and the next commit goes to a fresh manifest that holds everything. Once that is in force, what
// the failed ones left (manifests, tables that only a failed edit named) is removed.
//
// Lock order (docs/threading.md): manifest_mu is the first of all and the only one that is held
// across I/O.
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
  // All of it outlives the store. `order` is that of the manifest's comparator.
  VersionStore(Storage* storage, ErrorState* errors, const Trees* trees, const KeyOrder& order)
      : storage_(storage), errors_(errors), trees_(trees), order_(order) {}
  VersionStore(const VersionStore&) = delete;
  VersionStore& operator=(const VersionStore&) = delete;
  ~VersionStore() override = default;

  // Makes a fresh manifest that holds `state`, to which the edits are added.
  absl::Status Start(manifest::ManifestState state);
  // The same in a read-only database, which commits nothing.
  void StartReadOnly(manifest::ManifestState state);

  // Makes `edit` durable and shows its versions to readers; `flushed` oldest frozen memtables of
  // its one tree are in its tables. On an error nothing has changed for readers, and files that the
  // edit adds must be left on disk: the manifest there may name them. The versions are published
  // inside of `bracket`, if there is one, and after that Commit() cannot fail. Requires: every tree
  // of the edit exists.
  absl::Status Commit(manifest::VersionEdit edit, size_t flushed,
                      const PublishBracket& bracket = nullptr);

  // After an error: a fresh manifest with the state in force, and deletions go on.
  absl::Status Recover();

  // Closes the manifest. No commit and no Recover() follows.
  void Close();

  manifest::ManifestState state() const;

  // Reads the manifest back and checks all of it. No edit is appended meanwhile.
  absl::Status Verify() const;

  // Ok and nothing done before Start(), whose caller says it in the state.
  absl::Status RecordReach(wal::LogPosition reach) override;
  // Number and size of the manifest: what it must have when the closed log is read.
  std::string EndPayload() override;

 private:
  // Makes `next`, which is the state after `edit`, durable and current.
  absl::Status WriteEdit(const manifest::VersionEdit& edit, manifest::ManifestState next)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(manifest_mu_);
  absl::Status WriteFresh(manifest::ManifestState* next)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(manifest_mu_);
  // Gives up the manifest after a failed commit of `edit`.
  void Abandon(const manifest::VersionEdit& edit) ABSL_EXCLUSIVE_LOCKS_REQUIRED(manifest_mu_);

  // The versions that `edit` makes, ready to be published; *next is the state with them.
  absl::StatusOr<std::vector<std::pair<Tree*, Tree::NextVersion>>> Prepare(
      const manifest::VersionEdit& edit, manifest::ManifestState* next) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(manifest_mu_);

  Storage* const storage_;
  ErrorState* const errors_;
  const Trees* const trees_;
  const KeyOrder order_;
  mutable Mutex manifest_mu_{LockRank::kManifest};
  manifest::ManifestState state_ ABSL_GUARDED_BY(manifest_mu_);
  // Null after an error and before Start().
  std::unique_ptr<manifest::ManifestLog> log_ ABSL_GUARDED_BY(manifest_mu_);
  // Paths of files that the disk's manifest may be or name, and the next fresh one does not need.
  std::vector<std::string> uncertain_ ABSL_GUARDED_BY(manifest_mu_);
};

}  // namespace cambium::engine

#endif  // CAMBIUM_ENGINE_TREE_VERSION_STORE_H_
