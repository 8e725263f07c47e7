// Point reads: one key, or many at one moment.
//
//   memtable ─▶ frozen memtables, newest first ─▶ runs, newest first: one table a run
//
// At each step KeyFold decides whether to go on. A read begins inside the caller's EpochGuard, with
// what is in memory. When it needs a file, it takes a reference to the tables, closes the guard,
// and goes on from the run that it has come to: no guard is open during I/O, and a slow file holds
// back no memory but the tables' own. View and sequence number belong together: Tree::Current()
// says why.
#ifndef CAMBIUM_ENGINE_READ_POINT_READ_H_
#define CAMBIUM_ENGINE_READ_POINT_READ_H_

#include <span>
#include <string_view>

#include "absl/status/status.h"
#include "base/keys.h"
#include "cambium/options.h"
#include "cambium/pinned_value.h"
#include "engine/state/read_view.h"
#include "engine/state/tree_options.h"
#include "util/epoch.h"

namespace cambium::engine {

inline sstable::CacheFill FillOf(const ReadOptions& options) {
  return options.fill_cache ? sstable::CacheFill::kYes : sstable::CacheFill::kNo;
}

// What a read looks at.
struct ReadPoint {
  const TreeOptions* tree = nullptr;
  EpochGuard* guard = nullptr;     // open; the read may close it
  const ReadView* view = nullptr;  // loaded inside the guard
  SequenceNumber sequence = 0;
  sstable::CacheFill fill = sstable::CacheFill::kYes;
};

// Sets `*value` and returns ok, or returns NotFound; DataLoss if a damaged file stands between.
absl::Status PointRead(const ReadPoint& at, std::string_view key, PinnedValue* value);

// The same for many keys; results stand at the key's index, and the three have one size.
void MultiPointRead(const ReadPoint& at, std::span<const std::string_view> keys,
                    std::span<PinnedValue> values, std::span<absl::Status> statuses);

}  // namespace cambium::engine

#endif  // CAMBIUM_ENGINE_READ_POINT_READ_H_
