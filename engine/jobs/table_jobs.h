// Flush and compaction: each merges sorted entries into new tables and adds them to the manifest.
//
// The write path is passed as functions, because it is in a higher layer than jobs.
#ifndef CAMBIUM_ENGINE_JOBS_TABLE_JOBS_H_
#define CAMBIUM_ENGINE_JOBS_TABLE_JOBS_H_

#include <functional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cambium/options.h"
#include "compaction/plan.h"
#include "engine/state/error_state.h"
#include "engine/state/memory.h"
#include "engine/state/snapshot_list.h"
#include "engine/state/stats_recorder.h"
#include "engine/state/storage.h"
#include "engine/tree/trees.h"
#include "engine/tree/version_store.h"

namespace cambium::engine {

// The parts of the engine that jobs use. Immutable after construction; all members are thread-safe
// and outlive the jobs.
struct JobWorld {
  const Options* options = nullptr;
  Storage* storage = nullptr;
  const MemoryPlan* memory = nullptr;
  const SnapshotList* snapshots = nullptr;
  ErrorState* errors = nullptr;
  StatsRecorder* stats = nullptr;
  const Trees* trees = nullptr;
  VersionStore* versions = nullptr;
  // Returns the log segment of the next write.
  std::function<uint64_t()> log_end;
  // Like log_end, but first waits until every earlier write is in the log and in its memtable.
  // Returns an error if an earlier write failed.
  std::function<absl::StatusOr<uint64_t>()> await_writes;
  // Retires the log segments before `segment`, whose records are no longer needed.
  std::function<absl::Status(uint64_t segment)> retire_log;
  // Called after memtables, runs, or debt have changed, so that the write rate is adjusted.
  std::function<void()> load_changed;
};

// Writes all memtables of the tree that are frozen at the start of the call to one run of level 0.
// Returns ok if there are none. At most one flush per tree may run at a time. Writes newer than
// `newest` belong to failed commits and are dropped. After an error the memtables are unchanged,
// and the error is recorded in `errors` if writes must stop. Returns Cancelled if the family was
// dropped in the meantime.
absl::Status RunFlush(const JobWorld& world, Tree* tree,
                      SequenceNumber newest = kMaxSequenceNumber);

// The connection between a running compaction and the caller that started it.
struct CompactionControl {
  std::function<bool()> cancelled;
  // Called with the new files before they are published. May be empty.
  std::function<void(std::span<const manifest::FileRef> outputs)> written = {};
  // The version with the plan's result is published inside of this bracket.
  PublishBracket publish;
};

// Runs `plan`. The tree's newest view must contain its files, and no other running plan of the tree
// may conflict with it. A large plan is merged in parts, in parallel if the executor has idle
// threads.
//
// If an input is damaged, returns ok, too: the file is quarantined and the rest of the tree is
// unchanged, so the policy picks another plan and writes continue (D15). After an error the tree is
// unchanged. The error is Cancelled if control.cancelled returned true, or if the family was
// dropped; any other error is recorded in `errors`.
absl::Status RunCompaction(const JobWorld& world, Tree* tree, const compaction::Plan& plan,
                           const CompactionControl& control);

}  // namespace cambium::engine

#endif  // CAMBIUM_ENGINE_JOBS_TABLE_JOBS_H_
