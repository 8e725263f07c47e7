// Point reads: one key, or many keys at one point in time.
//
//   memtable ─▶ frozen memtables, newest first ─▶ runs, newest first: one table per run
//
// After each step KeyFold decides whether the read must continue. A read begins inside the caller's
// EpochGuard, with the data in memory. When it needs a file, it takes a reference to the tables,
// closes the guard, and continues from the current run. Therefore no guard is open during I/O, and
// a slow file delays the reclamation of only the tables' own memory. View and sequence number must
// match: see Tree::Current().
#ifndef CAMBIUM_ENGINE_READ_POINT_READ_H_
#define CAMBIUM_ENGINE_READ_POINT_READ_H_

#include <span>
#include <string_view>

#include "absl/status/status.h"
#include "base/expiry.h"
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

// The view and the sequence number of a read.
struct ReadPoint {
  const TreeOptions* tree = nullptr;
  EpochGuard* guard = nullptr;     // open; the read may close it
  const ReadView* view = nullptr;  // loaded inside the guard
  SequenceNumber sequence = 0;
  sstable::CacheFill fill = sstable::CacheFill::kYes;
  WallTime* wall = nullptr;
};

// When the value that a read returned will change without a write. Plain data.
struct ValueExpiry {
  uint64_t micros = 0;        // of the value, or of the one that operands apply to; 0: never
  bool has_operands = false;  // they stay
};

// Sets `*value`, and `*expiry` if it is not null, and returns ok; or returns NotFound, or DataLoss
// if a damaged file may hide the key.
absl::Status PointRead(const ReadPoint& at, std::string_view key, PinnedValue* value,
                       ValueExpiry* expiry = nullptr);

// Does the same for many keys. Results are at the key's index; the three spans have the same size.
void MultiPointRead(const ReadPoint& at, std::span<const std::string_view> keys,
                    std::span<PinnedValue> values, std::span<absl::Status> statuses);

}  // namespace cambium::engine

#endif  // CAMBIUM_ENGINE_READ_POINT_READ_H_
