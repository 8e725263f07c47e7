// Context: what every part of one open database shares, in parts of its own.
//
// Made before anything else and destroyed after everything else; pointers into it may be kept by
// whatever the database owns. Only the database itself and recovery see all of it: everybody else
// is given the parts that it needs.
#ifndef CAMBIUM_ENGINE_CONTEXT_H_
#define CAMBIUM_ENGINE_CONTEXT_H_

#include <memory>
#include <string>

#include "cambium/options.h"
#include "engine/state/error_state.h"
#include "engine/state/memory.h"
#include "engine/state/snapshot_list.h"
#include "engine/state/stats_recorder.h"
#include "engine/state/storage.h"
#include "util/epoch.h"

namespace cambium::engine {

// Thread-safe: members are constant after Open or thread-safe themselves.
struct Context {
  // Fills in what `user_options` leaves to be chosen.
  Context(const Options& user_options, std::string directory);

  EpochDomain epochs;     // the first member: what the others retire is deleted before it goes
  const Options options;  // every choice made
  Storage storage;
  Memory memory;
  const std::shared_ptr<SnapshotList> snapshots;
  ErrorState errors;
  StatsRecorder stats;
};

}  // namespace cambium::engine

#endif  // CAMBIUM_ENGINE_CONTEXT_H_
