// MemSlot: one memtable and the engine's information about it.
//
// The sequence number of a write determines its memtable: a memtable contains exactly the writes
// whose sequence numbers are above `last` of the previous memtable and up to its own `last`. This
// is true because a commit chooses its memtable when its sequence number is allocated, and
// memtables are switched under the same lock. Therefore "flushed up to `last`" states which log
// records a recovery must skip.
#ifndef CAMBIUM_ENGINE_STATE_MEM_SLOT_H_
#define CAMBIUM_ENGINE_STATE_MEM_SLOT_H_

#include <algorithm>
#include <atomic>
#include <cassert>
#include <cstddef>
#include <cstdint>

#include "base/batch_codec.h"
#include "base/keys.h"
#include "memtable/memtable.h"
#include "util/chunk_pool.h"

namespace cambium::engine {

// The memtable is thread-safe; for other members see their comments.
struct MemSlot {
  static constexpr uint64_t kNoSegment = UINT64_MAX;

  // A capacity of 0 creates a memtable that accepts no writes.
  MemSlot(const KeyOrder& key_order, ChunkPool* chunks, size_t capacity_bytes)
      : order(key_order),
        table(order, chunks, capacity_bytes),
        capacity(capacity_bytes),
        overhead(std::min(capacity_bytes / 2, table.MemoryUsage())) {}

  const KeyOrder order;
  memtable::MemTable table;
  const size_t capacity;  // intended capacity in bytes
  const size_t overhead;  // bytes used while empty

  // Bytes reserved for writes so far. Guarded by the commit lock. On its own cache line, because
  // every commit writes it while other threads insert.
  alignas(64) size_t reserved = 0;
  // The last sequence number that was allocated when this memtable was frozen. Written once, under
  // the commit lock, before it is frozen in a view.
  SequenceNumber last = 0;
  // The log segment of its first write, or the segment that the first unlogged write would have
  // gone to. Written once, under the commit lock.
  std::atomic<uint64_t> oldest_segment{kNoSegment};

  bool takes_writes() const { return capacity != 0; }
  // Returns the approximate memory use in bytes. Call it under the commit lock, or after freezing.
  size_t charge() const { return overhead + reserved; }

  void Insert(const BatchOp& op, SequenceNumber sequence) {
    Insert(op, sequence, order.Hash(op.key));
  }
  // Does the same with the hash of the key, KeyOrder::Hash.
  void Insert(const BatchOp& op, SequenceNumber sequence, uint64_t hash) {
    assert(hash == order.Hash(op.key));
    if (op.tag == BatchOpTag::kRangeDelete) [[unlikely]]
      return table.AddRangeDelete(RangeOf(op, sequence));
    table.Add(op.key, MakeTrailer(sequence, KindOf(op.tag)), op.value, hash, op.value_head);
  }
};

// The approximate memory of a range tombstone in the indexes of its memtable, without its keys.
inline constexpr size_t kRangeDeleteBytes = 512;

// Returns the approximate number of memtable bytes that a batch of `count` operations and
// `payload_size` encoded bytes uses, of which `range_deletes` are range deletes.
inline size_t MemTableBytes(size_t payload_size, size_t count, size_t range_deletes) {
  return payload_size + count * memtable::MemTable::ApproximateEntrySize(0, 0) +
         range_deletes * kRangeDeleteBytes;
}
inline size_t MemTableBytes(const BatchOp& op) {
  return MemTableBytes(op.key.size() + op.value.size(), 1,
                       op.tag == BatchOpTag::kRangeDelete ? 1 : 0);
}

}  // namespace cambium::engine

#endif  // CAMBIUM_ENGINE_STATE_MEM_SLOT_H_
