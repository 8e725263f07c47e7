// Verification: reads and checks all data of a database on disk.
#ifndef CAMBIUM_ENGINE_VERIFICATION_H_
#define CAMBIUM_ENGINE_VERIFICATION_H_

#include "absl/status/status.h"
#include "engine/state/storage.h"
#include "engine/tree/trees.h"
#include "engine/tree/version_store.h"
#include "engine/write/write_path.h"

namespace cambium::engine {

// Reads every live byte on disk and checks every checksum. Returns ok, or the first damage; then
// FailedPrecondition if there is a family that cannot be used, and is not verified. Other threads
// may read and write during the call. Uses the memory of one block at a time. `writes` is null in a
// read-only database.
absl::Status VerifyAll(Storage* storage, const Trees& trees, const VersionStore& versions,
                       WritePath* writes);

}  // namespace cambium::engine

#endif  // CAMBIUM_ENGINE_VERIFICATION_H_
