// Snapshot: a moment of a database that reads can go back to.
#ifndef CAMBIUM_SNAPSHOT_H_
#define CAMBIUM_SNAPSHOT_H_

#include <cstdint>

#include "cambium/export.h"

namespace cambium {

// Made by DB::GetSnapshot(); released when the last reference goes. Immutable after construction.
// It may outlive its database, but serves no read then.
class CAMBIUM_EXPORT Snapshot {
 public:
  virtual ~Snapshot() = default;

  // The number of the last write that reads through this snapshot see.
  virtual uint64_t sequence() const = 0;
};

}  // namespace cambium

#endif  // CAMBIUM_SNAPSHOT_H_
