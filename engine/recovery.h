// Recovery: from the files of a directory to the state of a database; and reading all of them.
//
//   CURRENT ─▶ manifest ─▶ tables are there ─▶ log replayed into memtables
//        so far nothing on disk has changed (D11)
//   fresh manifest ─▶ fresh log segment ─▶ what nothing names is removed
//        each step may be cut off, and is then repeated by the next Open
#ifndef CAMBIUM_ENGINE_RECOVERY_H_
#define CAMBIUM_ENGINE_RECOVERY_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "engine/context.h"
#include "engine/state/mem_slot.h"
#include "engine/state/read_view.h"
#include "engine/tree/version_store.h"
#include "manifest/manifest_state.h"
#include "wal/log_reader.h"
#include "wal/log_set.h"

namespace cambium::engine {

// A database as its files tell it. Plain data.
struct Recovered {
  manifest::ManifestState state;
  std::vector<std::shared_ptr<MemSlot>> memtables;  // oldest first, at least one
  SequenceNumber last_sequence = 0;
  wal::LogReplay log;
  std::vector<std::string> leftovers;  // paths that nothing names: for the opener to remove
};

// Reads; changes nothing on disk. Sets context->next_file_number. NotFound where there is no
// database.
absl::StatusOr<Recovered> Recover(Context* context);

// An empty database that is nowhere on disk yet. DataLoss where the directory holds tables or logs:
// then CURRENT was lost.
absl::StatusOr<Recovered> Create(Context* context);

// The fresh log of a database that was recovered, or created.
absl::StatusOr<std::unique_ptr<wal::LogSet>> StartLog(Context* context, const Recovered& recovered);

// Reads every live byte on disk and checks every checksum: ok, or the first damage. Other threads
// may read and write meanwhile; memory: a block at a time.
absl::Status VerifyAll(Context* context, const ReadView& view, const VersionStore& versions);

}  // namespace cambium::engine

#endif  // CAMBIUM_ENGINE_RECOVERY_H_
