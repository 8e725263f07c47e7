// MemSlot: one memtable and what the engine knows of it.
//
// The sequence numbers are partitioned among the memtables of a tree: a slot holds exactly the
// writes in (first_sequence, last_sequence], because commits choose their memtable where they are
// given their number, and memtables are switched under the same lock. So "flushed up to
// last_sequence" says which log records a recovery must skip.
#ifndef CAMBIUM_ENGINE_STATE_MEM_SLOT_H_
#define CAMBIUM_ENGINE_STATE_MEM_SLOT_H_

#include <algorithm>
#include <cstddef>
#include <string_view>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/batch_codec.h"
#include "base/keys.h"
#include "memtable/memtable.h"
#include "util/checksum.h"
#include "util/chunk_pool.h"
#include "util/status_macros.h"
#include "wal/log_format.h"

namespace cambium::engine {

// Where a memtable begins in the order of writes and in the log.
struct WriteFrontier {
  SequenceNumber sequence = 0;  // the last write before it
  wal::LogPosition log;         // no record of it lies before this
};

// Thread-safe in its memtable; the rest as each member says.
struct MemSlot {
  MemSlot(const KeyOrder& key_order, ChunkPool* chunks, size_t capacity_bytes)
      : order(key_order),
        table(order, chunks, capacity_bytes),
        capacity(capacity_bytes - std::min(capacity_bytes / 2, table.MemoryUsage())) {}

  const KeyOrder order;
  memtable::MemTable table;
  const size_t capacity;  // bytes of entries at which it is full

  // Written once, under the commit lock, before any write can reach the slot.
  WriteFrontier first;
  // Bytes promised to writes so far. Guarded by the commit lock.
  size_t reserved = 0;

  // Whether a write of that many bytes may go here; one write always may. Under the commit lock.
  bool HasRoom(size_t bytes) const { return reserved == 0 || reserved + bytes <= capacity; }

  // Inserts one operation. Unimplemented where this release does not understand it.
  absl::Status Insert(const BatchOp& op, SequenceNumber sequence) {
    if (op.column_family != 0) {
      return absl::UnimplementedError(
          absl::StrCat("a write to column family ", op.column_family, " of a newer release"));
    }
    const uint64_t hash = order.comparator_identical() ? HashKey(op.key) : 0;
    table.Add(op.key, MakeTag(sequence, KindOf(op.tag)), op.value, hash);
    return absl::OkStatus();
  }

  // Inserts the operations of an encoded batch, numbered from `sequence` on; those numbered
  // `skip_through` or below are left out. DataLoss or Unimplemented where the bytes are no batch
  // that this release understands: some may have been inserted then.
  absl::Status InsertBatch(std::string_view encoded, SequenceNumber sequence,
                           SequenceNumber skip_through) {
    BatchReader reader(encoded);
    BatchOp op;
    for (; reader.Next(&op); ++sequence) {
      if (sequence > skip_through) RETURN_IF_ERROR(Insert(op, sequence));
    }
    return reader.status();
  }
};

// Bytes of memtable that a batch of `count` operations and `payload_size` encoded bytes takes,
// about.
inline size_t MemTableBytes(size_t payload_size, size_t count) {
  return payload_size + count * memtable::MemTable::ApproximateEntrySize(0, 0);
}

}  // namespace cambium::engine

#endif  // CAMBIUM_ENGINE_STATE_MEM_SLOT_H_
