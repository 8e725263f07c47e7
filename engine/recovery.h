// Recovery: from the files of a directory to the state of a database.
//
//   CURRENT ─▶ manifest ─▶ a tree for each family ─▶ its tables are there ─▶ log replayed into
//   memtables
//        so far nothing on disk has changed (D11)
//   little was replayed:  segment with all of it ─▶ fresh manifest that starts there
//   else:                 fresh manifest ─▶ segment that follows the old ones; a flush is due,
//                         after which the old ones go
//   what nothing names is removed
//        each step may be cut off, and is then repeated by the next Open
//
// So a directory holds as many log files after any number of opens and crashes as after one, and
// what was replayed stays in memory only if it is little.
#ifndef CAMBIUM_ENGINE_RECOVERY_H_
#define CAMBIUM_ENGINE_RECOVERY_H_

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "engine/context.h"
#include "engine/directory_listing.h"
#include "engine/tree/trees.h"
#include "engine/tree/version_store.h"
#include "manifest/manifest_state.h"
#include "wal/log_reader.h"
#include "wal/log_set.h"

namespace cambium::engine {

// The memtables of one tree, oldest first. The last one goes on taking writes.
using MemTables = std::vector<std::shared_ptr<MemSlot>>;

// A database as its files tell it. Plain data.
struct Recovered {
  manifest::ManifestState state;
  std::map<ColumnFamilyId, MemTables> memtables;  // of all trees, at least one each
  SequenceNumber last_sequence = 0;
  wal::LogReplay log;
  std::vector<std::string> leftovers;  // paths that nothing names
  bool has_torn_leftovers = false;     // or may have
  // Bytes of the records that no table holds, and the records if they are few enough to be written
  // again.
  uint64_t replayed_bytes = 0;
  std::vector<wal::LogRecord> records;
};

// The family that a new database has.
struct FirstFamily {
  ColumnFamilyId id = 0;
  std::string name;
};

// Reads; changes nothing on disk. Makes the trees, which are yet to be started, and sets
// storage.next_file_number. NotFound if there is no database.
absl::StatusOr<Recovered> Recover(Context* context, Trees* trees);

// Returns DataLoss if the directory, which has no CURRENT, holds tables or logs: CURRENT was lost.
absl::Status CheckNothingLost(const Context& context);

// An empty database that is nowhere on disk yet. DataLoss if the directory holds tables or logs:
// then CURRENT was lost.
absl::StatusOr<Recovered> Create(Context* context, Trees* trees, const FirstFamily& first);

// Begins the log and the manifest of a database that was recovered, or created, and removes what
// they do not name. Memtables of `recovered` but the last of each tree are due for a flush then.
absl::StatusOr<std::unique_ptr<wal::LogSet>> StartWriting(Context* context, VersionStore* versions,
                                                          Recovered* recovered);

// How the log of a database in that state is read: all that recovery needs of it.
wal::LogReadOptions LogReadOptionsFor(Storage* storage, const manifest::ManifestState& state);

}  // namespace cambium::engine

#endif  // CAMBIUM_ENGINE_RECOVERY_H_
