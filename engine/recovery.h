// Recovery: builds the state of a database from the files of its directory.
//
//   CURRENT ─▶ manifest ─▶ one tree per family ─▶ check that its tables exist ─▶ replay the log
//        nothing on disk has changed so far (D11)
//   few records replayed:  new segment with all of them ─▶ new manifest that starts there
//   otherwise:             new manifest ─▶ new segment that follows the old ones; a flush is due,
//                          after which the old segments are removed
//   remove obsolete files
//        a crash may interrupt each step; the next Open repeats it
//
// Therefore the directory contains as many log files after any number of opens and crashes as after
// one, and replayed records stay in memory only if they are few.
#ifndef CAMBIUM_ENGINE_RECOVERY_H_
#define CAMBIUM_ENGINE_RECOVERY_H_

#include <map>
#include <memory>
#include <set>
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

// The memtables of one tree, oldest first. The last one continues to accept writes.
using MemTables = std::vector<std::shared_ptr<MemSlot>>;

// The state of a database, as read from its files. Plain data.
struct Recovered {
  manifest::ManifestState state;
  std::map<ColumnFamilyId, MemTables> memtables;  // of all trees, at least one per tree
  // Families whose operations stay in the log, because nothing can be done with them now.
  std::set<ColumnFamilyId> held;
  SequenceNumber last_sequence = 0;
  wal::LogReplay log;
  std::vector<std::string> leftovers;  // paths of obsolete files
  bool has_torn_leftovers = false;     // true if some may be torn
  // The number of bytes of the records that are in no table, and the records themselves if they are
  // few enough to be written again.
  uint64_t replayed_bytes = 0;
  std::vector<wal::LogRecord> records;
};

// Reads the database; changes nothing on disk. Creates the trees without starting them, and sets
// storage.next_file_number. Returns NotFound if there is no database.
absl::StatusOr<Recovered> Recover(Context* context, Trees* trees);

// Returns DataLoss if the directory, which has no CURRENT, contains tables or logs: CURRENT was
// lost.
absl::Status CheckNothingLost(const Context& context);

// Returns an empty database, with the default family, that is not on disk yet. Returns DataLoss if
// the directory contains tables or logs: then CURRENT was lost.
absl::StatusOr<Recovered> Create(Context* context, Trees* trees);

// Starts the log and the manifest of a database that was recovered or created, and removes the
// files that they do not refer to. Afterwards, all memtables of `recovered` except the last one of
// each tree must be flushed.
absl::StatusOr<std::unique_ptr<wal::LogSet>> StartWriting(Context* context, VersionStore* versions,
                                                          Recovered* recovered);

// Returns the options for reading the part of the log that recovery of that state needs.
wal::LogReadOptions LogReadOptionsFor(Storage* storage, const manifest::ManifestState& state);

}  // namespace cambium::engine

#endif  // CAMBIUM_ENGINE_RECOVERY_H_
