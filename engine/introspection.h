// What a database says of itself: counters, properties, sizes.
#ifndef CAMBIUM_ENGINE_INTROSPECTION_H_
#define CAMBIUM_ENGINE_INTROSPECTION_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "cambium/stats.h"
#include "engine/context.h"
#include "engine/state/read_view.h"

namespace cambium::engine {

// What is looked at. The view lives as long as this.
struct Inspected {
  const Context* context = nullptr;
  const ReadView* view = nullptr;
  SequenceNumber last_sequence = 0;
  uint64_t compaction_debt_bytes = 0;
};

Stats CollectStats(const Inspected& db);
// As DB::GetProperty.
std::optional<std::string> Property(const Inspected& db, std::string_view name);
// As DB::ApproximateSize.
uint64_t ApproximateSize(const Inspected& db, std::string_view begin, std::string_view end);

}  // namespace cambium::engine

#endif  // CAMBIUM_ENGINE_INTROSPECTION_H_
