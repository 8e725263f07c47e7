// HashIndex: from the hash of a key to its versions in a memtable, newest first.
//
// An array of buckets; each is one word:
//
//   bit 63 … 48   a bloom filter of 16 bits over the hashes in the bucket, two bits each
//   bit 47 …  1   the first entry of the bucket's chain (entries are 8-byte aligned)
//   bit 0         overflowed: the chain is not complete, look in the skiplist
//
// A chain is linked through Entry::next and ordered by trailer, descending, whatever the keys: so
// the first entry of a key that a reader may see is the one it wants. Trailers come nearly
// ascending, so an insertion nearly always goes to the front; an older one is let in further back,
// by the same compare-and-swap on the link before it. Links are never cut.
//
// Both ways are bounded: a reader gives up after kMaxSteps entries, a writer that does not find its
// place within as many marks the bucket as overflowed, for good. Then the skiplist answers. This
// happens where one key has very many versions, or where trailers come in descending.
#ifndef CAMBIUM_MEMTABLE_HASH_INDEX_H_
#define CAMBIUM_MEMTABLE_HASH_INDEX_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "memtable/entry.h"
#include "util/chunk_pool.h"

namespace cambium::memtable {

// Thread-safe.
class HashIndex {
 public:
  static constexpr int kMaxSteps = 32;

  // Takes about a sixteenth of `capacity_bytes` from the pool, which must outlive the index.
  HashIndex(ChunkPool* pool, size_t capacity_bytes);
  ~HashIndex();
  HashIndex(const HashIndex&) = delete;
  HashIndex& operator=(const HashIndex&) = delete;

  // Requires: `hash` is the hash of the entry's key, and the entry is in no index.
  void Insert(Entry* entry, uint64_t hash);

  // False: no entry of this hash was inserted. True: there may be one.
  bool MayContain(uint64_t hash) const {
    const uint64_t bits = FilterBits(hash);
    return (BucketFor(hash).load(std::memory_order_acquire) & bits) == bits;
  }
  // Start the misses of a later call: first the bucket's, then, when that has arrived, that of the
  // first entry of its chain.
  void Prefetch(uint64_t hash) const { __builtin_prefetch(&BucketFor(hash)); }
  void PrefetchChain(uint64_t hash) const {
    __builtin_prefetch(First(BucketFor(hash).load(std::memory_order_acquire)));
  }

  // A walk over the versions of a key. Thread-compatible.
  class Versions {
   public:
    enum class State : uint8_t { kEntry, kEnd, kUnknown };  // kUnknown: ask the skiplist

    // Stands on the newest version of `key` whose trailer is <= `newest`. `key` must outlive it.
    Versions(const HashIndex& index, std::string_view key, uint64_t hash, Trailer newest);

    State state() const { return state_; }
    // Require state() == kEntry.
    const Entry& entry() const { return *entry_; }
    void Next() {
      newest_ = entry_->trailer() - 1;
      Settle(entry_->next().load(std::memory_order_acquire));
    }

   private:
    // Stands on the first entry wanted, from `entry` on.
    void Settle(const Entry* entry);

    const std::string_view key_;
    Trailer newest_;
    const Entry* entry_ = nullptr;
    int steps_ = 0;
    State state_ = State::kEnd;
  };

  size_t MemoryUsage() const { return chunks_.size() * pool_->chunk_bytes(); }

 private:
  using Bucket = std::atomic<uint64_t>;
  static constexpr uint64_t kOverflowed = 1;
  static constexpr uint64_t kAddressMask = ((uint64_t{1} << 48) - 1) & ~kOverflowed;
  static constexpr int kFilterShift = 48;

  static uint64_t FilterBits(uint64_t hash) {
    return (uint64_t{1} << (kFilterShift + (hash & 15))) |
           (uint64_t{1} << (kFilterShift + (hash >> 4 & 15)));
  }
  static Entry* First(uint64_t word) { return reinterpret_cast<Entry*>(word & kAddressMask); }

  // The top bits of the hash choose the bucket, the low ones its filter bits.
  Bucket& BucketFor(uint64_t hash) const {
    const uint64_t number = hash >> bucket_shift_;
    return chunks_[number >> chunk_shift_][number & chunk_mask_];
  }
  // Without buckets: what the other constructor, which may throw, has taken by then goes back.
  explicit HashIndex(ChunkPool* pool) : pool_(pool) {}
  bool InsertInside(Entry* first, Entry* entry);

  ChunkPool* const pool_;
  std::vector<Bucket*> chunks_;  // a power of two of them
  int bucket_shift_ = 0;
  int chunk_shift_ = 0;
  uint64_t chunk_mask_ = 0;
};

}  // namespace cambium::memtable

#endif  // CAMBIUM_MEMTABLE_HASH_INDEX_H_
