// MemTable: the sorted write buffer.
//
// An entry (key, trailer, value) is written once to an arena and can be found in two ways:
//
//   HashIndex   hash of the key → its versions, newest first. A point read costs one cache miss if
//               the key does not exist, and two if it does.
//   SkipList    all entries in order: for iterators, and for point reads without the index
//               (orders in which different bytes may be equal; very many versions of one key).
//
// Range tombstones are kept beside the entries (RangeDeletes). A memtable without one costs a read
// one branch.
//
// Invariants: nothing is ever removed or changed, so an entry that a reader has found stays in
// place until the memtable is destroyed. Every read that starts after an Add has returned finds its
// entry. The engine determines visibility by sequence number, and keeps the memtable alive while it
// is in use.
#ifndef CAMBIUM_MEMTABLE_MEMTABLE_H_
#define CAMBIUM_MEMTABLE_MEMTABLE_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "base/internal_iterator.h"
#include "base/key_fold.h"
#include "base/keys.h"
#include "memtable/hash_index.h"
#include "memtable/range_deletes.h"
#include "memtable/skip_list.h"
#include "util/arena.h"
#include "util/chunk_pool.h"

namespace cambium::memtable {

// Thread-safe.
class MemTable {
 public:
  // Returns the chunk size of a pool for memtables of `capacity_bytes`: 2 MiB for 32 MiB and more,
  // otherwise a sixteenth.
  static size_t ChunkBytesFor(size_t capacity_bytes);

  // `capacity_bytes` is the intended maximum of MemoryUsage(); it determines the size of the index,
  // and is not enforced. The pool and the order's comparator must outlive the memtable. An empty
  // memtable already uses its index and one chunk.
  MemTable(const KeyOrder& order, ChunkPool* pool, size_t capacity_bytes);
  MemTable(const MemTable&) = delete;
  MemTable& operator=(const MemTable&) = delete;

  // Inserts one version. (key, trailer) must be new to the memtable. `hash` is HashKey(key), and is
  // ignored if the order's comparator_identical() is false. Fastest if the trailers of a key are
  // ascending. The value is `value_head` and then `value`.
  void Add(std::string_view key, Trailer trailer, std::string_view value, uint64_t hash,
           std::string_view value_head = {});

  // Adds a range tombstone, whose sequence number is new to the memtable.
  void AddRangeDelete(const RangeTombstone& tombstone) { range_deletes_.Add(tombstone); }
  const RangeDeletes& range_deletes() const { return range_deletes_; }

  // Steps `fold` over the versions of lookup.key that are visible at lookup.sequence, newest first,
  // until it is decided, and returns its state. If a visible range tombstone covers the key, the
  // fold is decided. After kValue, its value lives as long as the memtable.
  KeyFold::State Get(const LookupKey& lookup, KeyFold* fold) const {
    if (range_deletes_.any()) [[unlikely]]
      return GetUnderRangeDeletes(lookup, fold);
    return GetVersions(lookup, fold);
  }

  // Returns the trailer of the newest version of lookup.key that is visible at lookup.sequence, or
  // nullopt.
  std::optional<Trailer> NewestTrailer(const LookupKey& lookup) const;

  // Returns false if no version of a key with this hash was added, and true if there may be one.
  // One cache miss.
  bool MayContain(uint64_t hash) const { return index_ == nullptr || index_->MayContain(hash); }

  // Prefetches the cache line for a later MayContain, Get, or Add of a key with this hash.
  void Prefetch(uint64_t hash) const {
    if (index_ != nullptr) index_->Prefetch(hash);
  }

  // Returns an iterator in both directions over all versions, without regard to range tombstones.
  // It sees every entry added before its last Seek* call, and may see entries added later. The
  // memtable must outlive it.
  std::unique_ptr<InternalIterator> NewIterator() const;

  // Returns the number of bytes taken from the pool.
  size_t MemoryUsage() const;

  // Returns approximately how much MemoryUsage() grows by one Add.
  static size_t ApproximateEntrySize(size_t key_size, size_t value_size);

 private:
  KeyFold::State GetUnderRangeDeletes(const LookupKey& lookup, KeyFold* fold) const;
  KeyFold::State GetVersions(const LookupKey& lookup, KeyFold* fold) const;
  KeyFold::State GetFromList(const LookupKey& lookup, Trailer newest, KeyFold* fold) const;

  const KeyOrder order_;
  Arena arena_;
  const std::unique_ptr<HashIndex> index_;  // null if hashes may not be used
  SkipList list_;
  RangeDeletes range_deletes_;
};

}  // namespace cambium::memtable

#endif  // CAMBIUM_MEMTABLE_MEMTABLE_H_
