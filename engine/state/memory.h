// Memory: the memory budget of one database, shared by its trees.
//
// The memory of all memtables together is bounded for any number of trees: the active memtables by
// the size of one memtable (engine/write/memtable_switch.h), and the frozen ones by frozen_limit
// times that size. A tree without writes has no memtable of its own.
#ifndef CAMBIUM_ENGINE_STATE_MEMORY_H_
#define CAMBIUM_ENGINE_STATE_MEMORY_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "cambium/options.h"
#include "engine/state/mem_slot.h"
#include "sstable/cache/block_cache.h"
#include "util/chunk_pool.h"
#include "util/epoch.h"

namespace cambium::engine {

// The division of the memory budget (docs/architecture.md).
struct MemoryPlan {
  size_t memtable_bytes = 0;     // limit of all active memtables together
  int frozen_limit = 0;          // frozen memtables of a tree that may wait for a flush
  size_t block_cache_bytes = 0;  // blocks, indexes, filters
  uint64_t segment_bytes = 0;    // one log segment
  uint64_t log_bytes = 0;        // of live segments; above it, the oldest one's tree is flushed

  // Returns the limit of all frozen memtables of all trees together, in bytes.
  size_t frozen_bytes() const { return static_cast<size_t>(frozen_limit) * memtable_bytes; }
};
MemoryPlan PlanMemory(const Options& options);

// Thread-safe: members are constant after construction or thread-safe themselves.
struct Memory {
  // Every value in `options` must be chosen. `epochs` outlives this object.
  Memory(const Options& options, EpochDomain* epochs);

  const MemoryPlan plan;
  ChunkPool chunks;
  ChunkPool tiny_chunks;  // for no_memtable
  sstable::BlockCache cache;
  // The memtable of a tree without writes. Accepts no writes.
  const std::shared_ptr<MemSlot> no_memtable;
  std::atomic<size_t> frozen_bytes{0};  // of the frozen memtables of all trees
};

}  // namespace cambium::engine

#endif  // CAMBIUM_ENGINE_STATE_MEMORY_H_
