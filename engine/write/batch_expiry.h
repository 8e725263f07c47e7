// The expiries of a batch: WriteBatch holds TTLs, and the log and the memtables hold expiries.
#ifndef CAMBIUM_ENGINE_WRITE_BATCH_EXPIRY_H_
#define CAMBIUM_ENGINE_WRITE_BATCH_EXPIRY_H_

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "engine/write/commit_pipeline.h"

namespace cambium::engine {

// The number of bytes by which an operation may grow.
inline constexpr size_t kExpiryGrowth = 9;

// Returns the encoded batch, which is written at `now_micros`, with an expiry for each put that has
// a TTL, of its own or its family's. `shares` has the trees of all its operations. Returns
// InvalidArgument if the result is larger than a batch may be.
absl::StatusOr<std::string> ResolveTtls(std::string_view encoded, std::span<const TreeShare> shares,
                                        uint64_t now_micros);

}  // namespace cambium::engine

#endif  // CAMBIUM_ENGINE_WRITE_BATCH_EXPIRY_H_
