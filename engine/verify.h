// Verify: reads every live byte of a database on disk and checks every checksum.
#ifndef CAMBIUM_ENGINE_VERIFY_H_
#define CAMBIUM_ENGINE_VERIFY_H_

#include "absl/status/status.h"
#include "engine/context.h"
#include "engine/state/read_view.h"
#include "engine/tree/version_store.h"

namespace cambium::engine {

// ok, or the first damage. Other threads may read and write meanwhile; memory: a block at a time.
absl::Status VerifyAll(Context* context, const ReadView& view, const VersionStore& versions);

}  // namespace cambium::engine

#endif  // CAMBIUM_ENGINE_VERIFY_H_
