// Flush and compaction: each merges sorted entries into new tables, and has the manifest name them.
//
// The write path is given as functions: jobs stand below it.
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

// What jobs see of the engine. Immutable after construction; everything in it is thread-safe and
// outlives the jobs.
struct JobWorld {
  const Options* options = nullptr;
  Storage* storage = nullptr;
  const MemoryPlan* memory = nullptr;
  const SnapshotList* snapshots = nullptr;
  ErrorState* errors = nullptr;
  StatsRecorder* stats = nullptr;
  const Trees* trees = nullptr;
  VersionStore* versions = nullptr;
  // Returns the log segment that the next write goes to.
  std::function<uint64_t()> log_end;
  // The same, when every write before it is in the log and in its memtable; an error if one never
  // will be.
  std::function<absl::StatusOr<uint64_t>()> await_writes;
  // No record in a segment before this one is needed any more.
  std::function<absl::Status(uint64_t segment)> retire_log;
  // Memtables, runs or debt have changed: writers may go faster, or must go slower.
  std::function<void()> load_changed;
};

// Makes every memtable of the tree that is frozen when it starts one run of level 0; ok if there is
// none. At most one flush of a tree runs at a time. Writes newer than `newest` belong to commits
// that failed, and are dropped. After an error the memtables are as they were; it has been noted in
// errors if writes must stop.
absl::Status RunFlush(const JobWorld& world, Tree* tree,
                      SequenceNumber newest = kMaxSequenceNumber);

// How a running compaction is tied to who started it.
struct CompactionControl {
  std::function<bool()> cancelled;
  // The version that holds the plan's result is published inside of it.
  PublishBracket publish;
};

// Carries out `plan`, whose files the tree's newest view holds and no other running plan of the
// tree conflicts with. A large plan is merged in parts, side by side if the executor has idle
// threads.
//
// Returns ok if an input is damaged, too: that file is then quarantined and the rest of the tree is
// as it was, so that the policy looks for another plan and writes go on (D15). After an error the
// tree is as it was: Cancelled if control.cancelled returned true; any other error has been noted
// in errors.
absl::Status RunCompaction(const JobWorld& world, Tree* tree, const compaction::Plan& plan,
                           const CompactionControl& control);

}  // namespace cambium::engine

#endif  // CAMBIUM_ENGINE_JOBS_TABLE_JOBS_H_
