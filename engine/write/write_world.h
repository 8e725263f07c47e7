// WriteWorld: the parts of the engine, and of the write path, that the write path's parts use.
#ifndef CAMBIUM_ENGINE_WRITE_WRITE_WORLD_H_
#define CAMBIUM_ENGINE_WRITE_WRITE_WORLD_H_

#include "engine/jobs/scheduler.h"
#include "engine/state/error_state.h"
#include "engine/state/memory.h"
#include "engine/state/stats_recorder.h"
#include "engine/state/storage.h"
#include "engine/tree/trees.h"
#include "engine/tree/version_store.h"
#include "engine/write/commit_pipeline.h"
#include "wal/log_set.h"

namespace cambium::engine {

class Admission;

// Plain data; all of it outlives the parts. The parts may call each other when all are constructed.
struct WriteWorld {
  Storage* storage = nullptr;
  Memory* memory = nullptr;
  ErrorState* errors = nullptr;
  StatsRecorder* stats = nullptr;
  Trees* trees = nullptr;
  VersionStore* versions = nullptr;
  JobScheduler* jobs = nullptr;
  wal::LogSet* log = nullptr;  // null in a read-only database, which calls none of the parts
  CommitPipeline* pipeline = nullptr;
  Admission* admission = nullptr;
};

}  // namespace cambium::engine

#endif  // CAMBIUM_ENGINE_WRITE_WRITE_WORLD_H_
