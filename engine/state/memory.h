// Memory: the memory budget of one database, shared by its trees.
//
// What all memtables hold together is bounded, however many trees there are: the active ones by the
// size of one memtable (engine/write/memtable_switch.h), the frozen ones by frozen_limit of them. A
// tree that is not written has no memtable of its own.
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

// How the memory budget is divided (docs/architecture.md).
struct MemoryPlan {
  size_t memtable_bytes = 0;     // what the active memtables hold together
  int frozen_limit = 0;          // frozen memtables of a tree that may wait for their flush
  size_t block_cache_bytes = 0;  // blocks, indexes, filters
  uint64_t segment_bytes = 0;    // one log segment
  uint64_t log_bytes = 0;        // live segments; past it, who holds back the oldest is flushed

  // Bytes that the frozen memtables of all trees may hold together.
  size_t frozen_bytes() const { return static_cast<size_t>(frozen_limit) * memtable_bytes; }
};
MemoryPlan PlanMemory(const Options& options);

// Thread-safe: members are constant after construction or thread-safe themselves.
struct Memory {
  // Every choice in `options` is made. `epochs` outlives it.
  Memory(const Options& options, EpochDomain* epochs);

  const MemoryPlan plan;
  ChunkPool chunks;
  ChunkPool tiny_chunks;  // of no_memtable
  sstable::BlockCache cache;
  // Stands for the memtable of a tree that has no writes. Takes none.
  const std::shared_ptr<MemSlot> no_memtable;
  std::atomic<size_t> frozen_bytes{0};  // of all trees' frozen memtables
};

}  // namespace cambium::engine

#endif  // CAMBIUM_ENGINE_STATE_MEMORY_H_
