#include "memtable/hash_index.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <memory>

namespace cambium::memtable {
namespace {

// One bucket per this many bytes of memtable: about one per entry of medium size.
constexpr size_t kBytesPerBucket = 128;

}  // namespace

HashIndex::HashIndex(ChunkPool* pool, size_t capacity_bytes) : HashIndex(pool) {
  static_assert(sizeof(Bucket) == 8 && sizeof(void*) == 8);
  const size_t in_chunk = pool->chunk_bytes() / sizeof(Bucket);  // a power of two
  const size_t wanted = std::bit_ceil(std::max<size_t>(capacity_bytes / kBytesPerBucket, 1));
  const size_t chunk_count = std::max<size_t>(wanted / in_chunk, 1);
  chunks_.reserve(chunk_count);
  for (size_t i = 0; i < chunk_count; ++i) {
    Bucket* const buckets = reinterpret_cast<Bucket*>(pool->Allocate());
    std::uninitialized_value_construct_n(buckets, in_chunk);
    chunks_.push_back(buckets);
  }
  chunk_shift_ = std::countr_zero(in_chunk);
  chunk_mask_ = in_chunk - 1;
  bucket_shift_ = 64 - chunk_shift_ - std::countr_zero(chunk_count);
}

HashIndex::~HashIndex() {
  for (Bucket* const buckets : chunks_) pool_->Release(reinterpret_cast<char*>(buckets));
}

void HashIndex::Insert(Entry* entry, uint64_t hash) {
  const auto address = reinterpret_cast<uint64_t>(entry);
  assert((address & ~kAddressMask) == 0);
  const uint64_t filter = FilterBits(hash);
  Bucket& bucket = BucketFor(hash);
  uint64_t word = bucket.load(std::memory_order_acquire);
  for (;;) {
    Entry* const first = First(word);
    if (first != nullptr && first->trailer() > entry->trailer()) break;
    entry->next().store(first, std::memory_order_relaxed);
    const uint64_t flags = (word & ~kAddressMask) | filter;
    if (bucket.compare_exchange_weak(word, address | flags, std::memory_order_acq_rel,
                                     std::memory_order_acquire)) {
      return;
    }
  }
  const bool inserted = InsertInside(First(word), entry);
  bucket.fetch_or(inserted ? filter : filter | kOverflowed, std::memory_order_acq_rel);
}

// Inserts after `first`, whose trailer is larger. Returns false if the place is too far away.
bool HashIndex::InsertInside(Entry* first, Entry* entry) {
  Entry* before = first;
  for (int steps = 0; steps < kMaxSteps;) {
    Entry* after = before->next().load(std::memory_order_acquire);
    if (after != nullptr && after->trailer() > entry->trailer()) {
      before = after;
      ++steps;
      continue;
    }
    entry->next().store(after, std::memory_order_relaxed);
    if (before->next().compare_exchange_strong(after, entry, std::memory_order_acq_rel,
                                               std::memory_order_acquire)) {
      return true;
    }
  }
  return false;
}

HashIndex::Versions::Versions(const HashIndex& index, std::string_view key, uint64_t hash,
                              Trailer newest)
    : key_(key), newest_(newest) {
  const uint64_t word = index.BucketFor(hash).load(std::memory_order_acquire);
  const uint64_t filter = FilterBits(hash);
  if ((word & filter) != filter) return;
  if ((word & kOverflowed) != 0) {
    state_ = State::kUnknown;
    return;
  }
  Settle(First(word));
}

void HashIndex::Versions::Settle(const Entry* entry) {
  for (; entry != nullptr; entry = entry->next().load(std::memory_order_acquire)) {
    if (++steps_ > kMaxSteps) {
      state_ = State::kUnknown;
      return;
    }
    if (entry->trailer() <= newest_ && entry->key() == key_) {
      entry_ = entry;
      state_ = State::kEntry;
      return;
    }
  }
  state_ = State::kEnd;
}

}  // namespace cambium::memtable
