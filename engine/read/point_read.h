// Point reads: one key, or many at one moment.
//
//   memtable ─▶ frozen memtables, newest first ─▶ runs, newest first: one table a run
//
// At each step KeyFold decides whether to go on. View and sequence number belong together:
// Tree::Current() says why.
#ifndef CAMBIUM_ENGINE_READ_POINT_READ_H_
#define CAMBIUM_ENGINE_READ_POINT_READ_H_

#include <span>
#include <string_view>

#include "absl/status/status.h"
#include "base/keys.h"
#include "cambium/pinned_value.h"
#include "engine/context.h"
#include "engine/state/read_view.h"

namespace cambium::engine {

// What a read looks at. The caller holds an EpochGuard, or pins `view`, for as long as it uses
// this.
struct ReadPoint {
  const ReadView* view = nullptr;
  SequenceNumber sequence = 0;
  bool fill_cache = true;
};

// Sets `*value` and answers ok, or NotFound; DataLoss where a damaged file stands between. The
// caller holds an EpochGuard.
absl::Status PointRead(Context* context, const ReadPoint& at, std::string_view key,
                       PinnedValue* value);

// The same for many keys; results stand at the key's index, and the three have one size. The caller
// holds an EpochGuard.
void MultiPointRead(Context* context, const ReadPoint& at, std::span<const std::string_view> keys,
                    std::span<PinnedValue> values, std::span<absl::Status> statuses);

}  // namespace cambium::engine

#endif  // CAMBIUM_ENGINE_READ_POINT_READ_H_
