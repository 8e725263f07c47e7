// HashIndex: maps the hash of a key to its versions in a memtable, newest first.
//
// An array of buckets. Each bucket is one word:
//
//   bit 63 … 48   a Bloom filter of 16 bits for the hashes in the bucket, two bits each
//   bit 47 …  1   the first entry of the bucket's chain (entries are 8-byte aligned)
//   bit 0         overflowed: the chain is not complete, search the skiplist
//
// A chain is linked through Entry::next and ordered by trailer, descending, regardless of the keys:
// therefore the first entry of a key that is visible to a reader is the one that it needs. Trailers
// are added nearly in ascending order, so an insertion nearly always goes to the front; an older
// entry is inserted further back, with the same compare-and-swap on the previous link. Links are
// never removed.
//
// Both operations are bounded: a reader gives up after kMaxSteps entries, and a writer that does
// not find its place within as many steps marks the bucket as overflowed, permanently. Then the
// skiplist is searched instead. This happens if one key has very many versions, or if trailers are
// added in descending order.
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

  // Allocates about a sixteenth of `capacity_bytes` from the pool, which must outlive the index.
  HashIndex(ChunkPool* pool, size_t capacity_bytes);
  ~HashIndex();
  HashIndex(const HashIndex&) = delete;
  HashIndex& operator=(const HashIndex&) = delete;

  // Adds an entry. `hash` must be the hash of its key, and the entry must not be in any index.
  void Insert(Entry* entry, uint64_t hash);

  // Returns false if no entry with this hash was inserted, and true if there may be one.
  bool MayContain(uint64_t hash) const {
    const uint64_t bits = FilterBits(hash);
    return (BucketFor(hash).load(std::memory_order_acquire) & bits) == bits;
  }
  // Prefetch the cache lines of a later call: first the bucket's, then, when it has arrived, that
  // of the first entry of its chain.
  void Prefetch(uint64_t hash) const { __builtin_prefetch(&BucketFor(hash)); }
  void PrefetchChain(uint64_t hash) const {
    __builtin_prefetch(First(BucketFor(hash).load(std::memory_order_acquire)));
  }

  // Iterates over the versions of a key. Thread-compatible.
  class Versions {
   public:
    enum class State : uint8_t { kEntry, kEnd, kUnknown };  // kUnknown: search the skiplist

    // Starts at the newest version of `key` whose trailer is <= `newest`. `key` must outlive it.
    Versions(const HashIndex& index, std::string_view key, uint64_t hash, Trailer newest);

    State state() const { return state_; }
    // Return the current entry. state() must be kEntry.
    const Entry& entry() const { return *entry_; }
    void Next() {
      newest_ = entry_->trailer() - 1;
      Settle(entry_->next().load(std::memory_order_acquire));
    }

   private:
    // Moves to the first matching entry, from `entry` on.
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

  // Returns the bucket: the high bits of the hash select it, the low bits its filter bits.
  Bucket& BucketFor(uint64_t hash) const {
    const uint64_t number = hash >> bucket_shift_;
    return chunks_[number >> chunk_shift_][number & chunk_mask_];
  }
  // Creates an index without buckets. If the other constructor, which delegates to it, throws, the
  // destructor returns the memory allocated by then.
  explicit HashIndex(ChunkPool* pool) : pool_(pool) {}
  bool InsertInside(Entry* first, Entry* entry);

  ChunkPool* const pool_;
  std::vector<Bucket*> chunks_;  // their number is a power of two
  int bucket_shift_ = 0;
  int chunk_shift_ = 0;
  uint64_t chunk_mask_ = 0;
};

}  // namespace cambium::memtable

#endif  // CAMBIUM_MEMTABLE_HASH_INDEX_H_
