// Context: the state that all parts of one open database share.
//
// A Context is created before any other part and destroyed after all of them, so the other parts
// may keep pointers into it. Only the database itself and recovery use the whole Context; every
// other part receives only the members that it needs.
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
  // Chooses a value for every option that `user_options` leaves open.
  Context(const Options& user_options, std::string directory);

  EpochDomain epochs;  // the first member: it deletes what the others retire before it is destroyed
  const Options options;  // every value is chosen
  Storage storage;
  Memory memory;
  const std::shared_ptr<SnapshotList> snapshots;
  ErrorState errors;
  StatsRecorder stats;
};

}  // namespace cambium::engine

#endif  // CAMBIUM_ENGINE_CONTEXT_H_
