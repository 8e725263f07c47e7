// Snapshot: a state of a database that later reads can use.
#ifndef CAMBIUM_SNAPSHOT_H_
#define CAMBIUM_SNAPSHOT_H_

#include <cstdint>

#include "cambium/export.h"

namespace cambium {

// Created by DB::GetSnapshot() and released with its last reference. Immutable after construction.
// It may outlive its database, but is then of no use.
class CAMBIUM_EXPORT Snapshot {
 public:
  virtual ~Snapshot() = default;

  // Returns the sequence number of the last write that is visible through this snapshot.
  virtual uint64_t sequence() const = 0;
};

}  // namespace cambium

#endif  // CAMBIUM_SNAPSHOT_H_
