// JobWorld: what flush and compaction see of the engine.
//
// The write path is given as functions: jobs stand below it, and tests give fakes.
#ifndef CAMBIUM_ENGINE_JOBS_JOB_WORLD_H_
#define CAMBIUM_ENGINE_JOBS_JOB_WORLD_H_

#include <functional>

#include "absl/status/status.h"
#include "engine/context.h"
#include "engine/tree/tree.h"
#include "engine/tree/version_store.h"
#include "wal/log_position.h"

namespace cambium::engine {

// Immutable after construction; everything in it is thread-safe and outlives the jobs.
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

}  // namespace cambium::engine

#endif  // CAMBIUM_ENGINE_JOBS_JOB_WORLD_H_
