// MemTable: the sorted write buffer.
//
// An entry (key, trailer, value) is written once into an arena and found in two ways:
//
//   HashIndex   hash of the key → its versions, newest first. A point read of a key that is absent
//               costs one cache miss, of one that is present two.
//   SkipList    all entries in order: iterators, and the point reads that the index can't answer
//               (orders in which different spellings may be equal; very many versions of one key).
//
// Invariants: nothing is ever removed or changed, so whatever a reader has found stays where it is
// until the memtable ends. An entry is found by every read that starts after its Add has returned.
// The engine decides what a reader may see by sequence number, and keeps the memtable alive while
// anybody looks at it.
#ifndef CAMBIUM_MEMTABLE_MEMTABLE_H_
#define CAMBIUM_MEMTABLE_MEMTABLE_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "base/internal_iterator.h"
#include "base/key_fold.h"
#include "base/keys.h"
#include "memtable/hash_index.h"
#include "memtable/skip_list.h"
#include "util/arena.h"
#include "util/chunk_pool.h"

namespace cambium::memtable {

// Thread-safe.
class MemTable {
 public:
  // The chunk size of a pool that serves memtables of `capacity_bytes`: 2 MiB from 32 MiB on, a
  // sixteenth below.
  static size_t ChunkBytesFor(size_t capacity_bytes);

  // `capacity_bytes` is what MemoryUsage() may come to; it sizes the index, and is not enforced.
  // The pool and the order's comparator must outlive the memtable. An empty memtable already uses
  // its index and one chunk.
  MemTable(const KeyOrder& order, ChunkPool* pool, size_t capacity_bytes);
  MemTable(const MemTable&) = delete;
  MemTable& operator=(const MemTable&) = delete;

  // Inserts one version. (key, trailer) is new to the memtable. `hash` is HashKey(key), and unused
  // where the order's comparator_identical() is false. Fastest where trailers of one key come
  // ascending.
  void Add(std::string_view key, Trailer trailer, std::string_view value, uint64_t hash);

  // Steps `fold` over the versions of lookup.key that lookup.sequence may see, newest first, until
  // it is decided, and returns its state. After kValue, its value lives as long as the memtable.
  KeyFold::State Get(const LookupKey& lookup, KeyFold* fold) const;

  // False: no version of a key of this hash has been added. True: look. One cache miss.
  bool MayContain(uint64_t hash) const { return index_ == nullptr || index_->MayContain(hash); }

  // Starts the cache miss of a later MayContain, Get or Add of a key of this hash.
  void Prefetch(uint64_t hash) const {
    if (index_ != nullptr) index_->Prefetch(hash);
  }

  // In both directions, over all versions. It sees every entry added before its last Seek* call and
  // any of those added since. The memtable must outlive it.
  std::unique_ptr<InternalIterator> NewIterator() const;

  // Bytes taken from the pool.
  size_t MemoryUsage() const;

  // About how much MemoryUsage() grows by one Add.
  static size_t ApproximateEntrySize(size_t key_size, size_t value_size);

 private:
  KeyFold::State GetFromList(const LookupKey& lookup, Trailer newest, KeyFold* fold) const;

  const KeyOrder order_;
  Arena arena_;
  const std::unique_ptr<HashIndex> index_;  // null where hashes may not be used
  SkipList list_;
};

}  // namespace cambium::memtable

#endif  // CAMBIUM_MEMTABLE_MEMTABLE_H_
