// MemSlot: one memtable and what the engine knows of it.
//
// A tree's writes are partitioned among its memtables: one holds exactly those whose sequence
// numbers lie above `last` of the memtable before it, up to its own. This holds because commits
// choose their memtable where they are given their number, and memtables are switched under the
// same lock. So "flushed up to `last`" says which log records a recovery must skip.
#ifndef CAMBIUM_ENGINE_STATE_MEM_SLOT_H_
#define CAMBIUM_ENGINE_STATE_MEM_SLOT_H_

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "base/batch_codec.h"
#include "base/keys.h"
#include "memtable/memtable.h"
#include "util/checksum.h"
#include "util/chunk_pool.h"

namespace cambium::engine {

// Thread-safe in its memtable; the rest as each member says.
struct MemSlot {
  static constexpr uint64_t kNoSegment = UINT64_MAX;

  // A capacity of 0 makes one that takes no writes.
  MemSlot(const KeyOrder& key_order, ChunkPool* chunks, size_t capacity_bytes)
      : order(key_order),
        table(order, chunks, capacity_bytes),
        capacity(capacity_bytes),
        overhead(std::min(capacity_bytes / 2, table.MemoryUsage())) {}

  const KeyOrder order;
  memtable::MemTable table;
  const size_t capacity;  // bytes that it is made for
  const size_t overhead;  // bytes that it takes while empty

  // Bytes promised to writes so far. Guarded by the commit lock.
  size_t reserved = 0;
  // The last sequence number that was handed out when it was frozen. Written once, under the commit
  // lock, before a view shows it as frozen.
  SequenceNumber last = 0;
  // The log segment that the first of its writes went to, or would have gone to. Written once,
  // under the commit lock.
  std::atomic<uint64_t> oldest_segment{kNoSegment};

  bool takes_writes() const { return capacity != 0; }
  // Bytes of memory that it takes, about. Under the commit lock, or once it is frozen.
  size_t charge() const { return overhead + reserved; }

  void Insert(const BatchOp& op, SequenceNumber sequence) {
    const uint64_t hash = order.comparator_identical() ? HashKey(op.key) : 0;
    table.Add(op.key, MakeTrailer(sequence, KindOf(op.tag)), op.value, hash);
  }
};

// Bytes of memtable that a batch of `count` operations and `payload_size` encoded bytes takes,
// about.
inline size_t MemTableBytes(size_t payload_size, size_t count) {
  return payload_size + count * memtable::MemTable::ApproximateEntrySize(0, 0);
}

}  // namespace cambium::engine

#endif  // CAMBIUM_ENGINE_STATE_MEM_SLOT_H_
