#include "memtable/memtable.h"

#include <algorithm>
#include <bit>

#include "memtable/list_iterator.h"

namespace cambium::memtable {
namespace {

constexpr size_t kMinChunkBytes = size_t{8} << 10;
constexpr size_t kMaxChunkBytes = ChunkPool::kHugePageBytes;
constexpr size_t kChunksPerMemtable = 16;

// What an entry takes in the skiplist: a slot of a leaf, two thirds full, and its share of the
// levels above.
constexpr size_t kListBytesPerEntry = 26;

std::unique_ptr<HashIndex> MakeIndex(const KeyOrder& order, ChunkPool* pool, size_t capacity) {
  if (!order.comparator_identical()) return nullptr;
  return std::make_unique<HashIndex>(pool, capacity);
}

}  // namespace

size_t MemTable::ChunkBytesFor(size_t capacity_bytes) {
  return std::bit_floor(
      std::clamp(capacity_bytes / kChunksPerMemtable, kMinChunkBytes, kMaxChunkBytes));
}

MemTable::MemTable(const KeyOrder& order, ChunkPool* pool, size_t capacity_bytes)
    : order_(order),
      arena_(pool),
      index_(MakeIndex(order, pool, capacity_bytes)),
      list_(order, &arena_) {}

void MemTable::Add(std::string_view key, Tag tag, std::string_view value, uint64_t hash) {
  Prefetch(hash);
  Entry* const entry = Entry::Make(&arena_, key, tag, value);
  list_.Insert(entry, [this, hash] {
    if (index_ != nullptr) index_->PrefetchChain(hash);
  });
  if (index_ != nullptr) index_->Insert(entry, hash);
  entry_count_.fetch_add(1, std::memory_order_relaxed);
  const Kind kind = TagKind(tag);
  if (kind == Kind::kDelete || kind == Kind::kSingleDelete) {
    tombstone_count_.fetch_add(1, std::memory_order_relaxed);
  }
}

KeyFold::Answer MemTable::Get(const LookupKey& lookup, KeyFold* fold,
                              std::string_view* value) const {
  Tag newest = SeekTag(lookup.sequence);
  if (index_ != nullptr) {
    HashIndex::Versions versions(*index_, lookup.key, lookup.hash, newest);
    for (; versions.state() == HashIndex::Versions::State::kEntry; versions.Next()) {
      const Entry& entry = versions.entry();
      const KeyFold::Answer answer = fold->Feed(entry.tag());
      if (answer == KeyFold::Answer::kValue) *value = entry.value();
      if (answer != KeyFold::Answer::kMore) return answer;
      newest = entry.tag() - 1;
    }
    if (versions.state() == HashIndex::Versions::State::kEnd) return fold->answer();
  }
  return GetFromList(lookup, newest, fold, value);
}

// As Get, over the versions with a tag <= `newest`.
KeyFold::Answer MemTable::GetFromList(const LookupKey& lookup, Tag newest, KeyFold* fold,
                                      std::string_view* value) const {
  LeafCopy leaf;
  size_t position = list_.Find({lookup.key, newest}, Bias::kBelow, &leaf);
  for (;; ++position) {
    if (position == leaf.count) {
      if (!list_.CopyNext(&leaf)) break;
      position = 0;
    }
    const Entry& entry = *leaf.entries[position];
    if (!order_.Equal(entry.key(), lookup.key)) break;
    const KeyFold::Answer answer = fold->Feed(entry.tag());
    if (answer == KeyFold::Answer::kValue) *value = entry.value();
    if (answer != KeyFold::Answer::kMore) return answer;
  }
  return fold->answer();
}

std::unique_ptr<InternalIterator> MemTable::NewIterator() const {
  return std::make_unique<ListIterator>(&list_);
}

size_t MemTable::MemoryUsage() const {
  return arena_.MemoryUsage() + (index_ == nullptr ? 0 : index_->MemoryUsage());
}

size_t MemTable::ApproximateEntrySize(size_t key_size, size_t value_size) {
  return Entry::SizeFor(key_size, value_size) + kListBytesPerEntry;
}

}  // namespace cambium::memtable
