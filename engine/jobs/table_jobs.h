// Flush and compaction: each merges sorted entries into new tables, and has the manifest name them.
//
// The write path is given as functions: jobs stand below it.
#ifndef CAMBIUM_ENGINE_JOBS_TABLE_JOBS_H_
#define CAMBIUM_ENGINE_JOBS_TABLE_JOBS_H_

#include <functional>

#include "absl/status/status.h"
#include "compaction/plan.h"
#include "engine/context.h"
#include "engine/tree/tree.h"
#include "engine/tree/version_store.h"
#include "wal/log_format.h"

namespace cambium::engine {

// What jobs see of the engine. Immutable after construction; everything in it is thread-safe and
// outlives the jobs.
struct JobWorld {
  Context* context = nullptr;
  Tree* tree = nullptr;
  VersionStore* versions = nullptr;
  // Returns when every write up to `sequence` is in its memtable; an error where one never will be.
  std::function<absl::Status(SequenceNumber sequence)> await_published;
  // No record before `position` is needed any more.
  std::function<absl::Status(wal::LogPosition position)> retire_log;
  // Memtables, runs or debt have changed: writers may go faster, or must go slower.
  std::function<void()> load_changed;
};

// Makes every memtable that is frozen when it starts one run of level 0; ok where there is none. At
// most one flush of a tree runs at a time. Writes newer than `newest` belong to commits that
// failed, and are dropped. After an error the memtables are as they were; it has been noted in
// context->errors where writes must stop.
absl::Status RunFlush(const JobWorld& world, SequenceNumber newest = kMaxSequenceNumber);

// How a running compaction is tied to who started it.
struct CompactionControl {
  std::function<bool()> cancelled;
  // The version that holds the plan's result is published inside of it.
  PublishBracket publish;
};

// Carries out `plan`, whose files the newest view holds and no other running plan conflicts with. A
// large plan is merged in parts, side by side where the executor has idle threads.
//
// Returns ok if an input is damaged, too: that file is then quarantined and the rest of the tree is
// as it was, so that the policy looks for another plan and writes go on (D15). After an error the
// tree is as it was: Cancelled if control.cancelled answered true; any other error has been noted
// in context->errors.
absl::Status RunCompaction(const JobWorld& world, const compaction::Plan& plan,
                           const CompactionControl& control);

}  // namespace cambium::engine

#endif  // CAMBIUM_ENGINE_JOBS_TABLE_JOBS_H_
