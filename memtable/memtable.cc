#include "memtable/memtable.h"

#include <algorithm>
#include <bit>
#include <cassert>

#include "absl/status/status.h"

namespace cambium::memtable {
namespace {

constexpr size_t kMinChunkBytes = size_t{8} << 10;
constexpr size_t kMaxChunkBytes = ChunkPool::kHugePageBytes;
constexpr size_t kChunksPerMemtable = 16;

// The size of an entry in the skiplist: a slot of a leaf that is two thirds full, and its share of
// the levels above.
constexpr size_t kListBytesPerEntry = 26;

std::unique_ptr<HashIndex> MakeIndex(const KeyOrder& order, ChunkPool* pool, size_t capacity) {
  if (!order.comparator_identical()) return nullptr;
  return std::make_unique<HashIndex>(pool, capacity);
}

// Iterates over the skiplist in both directions. It uses a copy of one leaf (LeafCopy), so that a
// step is an index ± 1 regardless of concurrent insertions, and so that the next entries are
// prefetched before they are needed. Stepping back over the beginning of a leaf is a search.
//
// Invariants: while Valid(), leaf_.entries[position_] is the current entry. An entry inserted after
// the last Seek* may be skipped or seen; one inserted before is always seen. Thread-compatible; the
// list must outlive it.
class ListIterator final : public InternalIterator {
 public:
  explicit ListIterator(const SkipList* list) : list_(list) {}

  void SeekToFirst() override {
    list_->CopyFirst(&leaf_);
    position_ = 0;
    SettleForward();
  }

  void SeekToLast() override {
    list_->CopyLast(&leaf_);
    position_ = leaf_.count;
    PrefetchLeaf(Direction::kBackward);
    SettleBackward();
  }

  void Seek(std::string_view key, Trailer trailer) override {
    position_ = list_->Find({key, trailer}, Bias::kBelow, &leaf_);
    SettleForward();
  }

  void SeekForPrev(std::string_view key, Trailer trailer) override {
    position_ = list_->Find({key, trailer}, Bias::kAtOrBelow, &leaf_);
    PrefetchLeaf(Direction::kBackward);
    SettleBackward();
  }

  void Next() override {
    assert(Valid());
    ++position_;
    if (position_ + kEntriesAhead < leaf_.count) PrefetchEntry(position_ + kEntriesAhead);
    if (position_ < leaf_.count) {
      Show();
    } else {
      SettleForward();
    }
  }

  void Prev() override {
    assert(Valid());
    if (position_ == 0) {
      // The first entry of a leaf: the previous one is at the end of another leaf.
      const Target here = TargetOf(*leaf_.entries[0]);
      position_ = list_->Find(here, Bias::kBelow, &leaf_);
      PrefetchLeaf(Direction::kBackward);
    } else if (position_ > kEntriesAhead) {
      PrefetchEntry(position_ - 1 - kEntriesAhead);
    }
    SettleBackward();
  }

  absl::Status status() const override { return absl::OkStatus(); }

 private:
  enum class Direction { kForward, kBackward };

  // Entries prefetched at a time: about as many as the machine keeps in flight.
  static constexpr size_t kEntriesAhead = 12;

  // Moves to the entry at position_, in the next leaf if that is past this one's end.
  void SettleForward() {
    if (position_ == leaf_.count) {
      position_ = 0;
      if (!list_->CopyNext(&leaf_)) return SetInvalid();
    }
    PrefetchLeaf(Direction::kForward);
    Show();
  }

  // Moves to the entry before position_.
  void SettleBackward() {
    if (position_ == 0) return SetInvalid();
    --position_;
    Show();
  }

  void Show() {
    const Entry& entry = *leaf_.entries[position_];
    SetEntry(entry.key(), entry.trailer(), entry.value());
  }

  // Prefetches the entries near position_ that an iteration in this direction reaches first, and,
  // forward, the next leaf.
  void PrefetchLeaf(Direction direction) const {
    if (direction == Direction::kForward) {
      if (leaf_.next != nullptr) leaf_.next->Prefetch();
      const size_t end = std::min(leaf_.count, position_ + kEntriesAhead);
      for (size_t i = position_; i < end; ++i) PrefetchEntry(i);
    } else {
      const size_t begin = position_ > kEntriesAhead ? position_ - kEntriesAhead : 0;
      for (size_t i = position_; i > begin; --i) PrefetchEntry(i - 1);
    }
  }

  void PrefetchEntry(size_t position) const { __builtin_prefetch(leaf_.entries[position]); }

  const SkipList* const list_;
  LeafCopy leaf_;
  size_t position_ = 0;
};

}  // namespace

size_t MemTable::ChunkBytesFor(size_t capacity_bytes) {
  return std::bit_floor(
      std::clamp(capacity_bytes / kChunksPerMemtable, kMinChunkBytes, kMaxChunkBytes));
}

MemTable::MemTable(const KeyOrder& order, ChunkPool* pool, size_t capacity_bytes)
    : order_(order),
      arena_(pool),
      index_(MakeIndex(order, pool, capacity_bytes)),
      list_(order, &arena_),
      range_deletes_(order) {}

void MemTable::Add(std::string_view key, Trailer trailer, std::string_view value, uint64_t hash,
                   std::string_view value_head) {
  Prefetch(hash);
  Entry* const entry = Entry::Make(&arena_, key, trailer, value, value_head);
  list_.Insert(entry, [this, hash] {
    if (index_ != nullptr) index_->PrefetchChain(hash);
  });
  if (index_ != nullptr) index_->Insert(entry, hash);
}

KeyFold::State MemTable::GetUnderRangeDeletes(const LookupKey& lookup, KeyFold* fold) const {
  const SequenceNumber tombstone = range_deletes_.NewestOver(lookup.key, lookup.sequence);
  if (tombstone != 0) fold->Cover(tombstone);
  GetVersions(lookup, fold);
  fold->EndSource();
  return fold->state();
}

KeyFold::State MemTable::GetVersions(const LookupKey& lookup, KeyFold* fold) const {
  Trailer newest = SeekTrailer(lookup.sequence);
  if (index_ != nullptr) {
    HashIndex::Versions versions(*index_, lookup.key, lookup.hash, newest);
    for (; versions.state() == HashIndex::Versions::State::kEntry; versions.Next()) {
      const Entry& entry = versions.entry();
      const KeyFold::State state = fold->Step(entry.trailer(), entry.value());
      if (state != KeyFold::State::kMore) return state;
      newest = entry.trailer() - 1;
    }
    if (versions.state() == HashIndex::Versions::State::kEnd) return fold->state();
  }
  return GetFromList(lookup, newest, fold);
}

std::optional<Trailer> MemTable::NewestTrailer(const LookupKey& lookup) const {
  const Trailer newest = SeekTrailer(lookup.sequence);
  if (index_ != nullptr) {
    const HashIndex::Versions versions(*index_, lookup.key, lookup.hash, newest);
    if (versions.state() == HashIndex::Versions::State::kEntry) return versions.entry().trailer();
    if (versions.state() == HashIndex::Versions::State::kEnd) return std::nullopt;
  }
  LeafCopy leaf;
  size_t position = list_.Find({lookup.key, newest}, Bias::kBelow, &leaf);
  if (position == leaf.count) {
    if (!list_.CopyNext(&leaf)) return std::nullopt;
    position = 0;
  }
  const Entry& entry = *leaf.entries[position];
  if (!order_.Equal(entry.key(), lookup.key)) return std::nullopt;
  return entry.trailer();
}

// Like GetVersions, for the versions with a trailer <= `newest`.
KeyFold::State MemTable::GetFromList(const LookupKey& lookup, Trailer newest, KeyFold* fold) const {
  LeafCopy leaf;
  size_t position = list_.Find({lookup.key, newest}, Bias::kBelow, &leaf);
  for (;; ++position) {
    if (position == leaf.count) {
      if (!list_.CopyNext(&leaf)) break;
      position = 0;
    }
    const Entry& entry = *leaf.entries[position];
    if (!order_.Equal(entry.key(), lookup.key)) break;
    const KeyFold::State state = fold->Step(entry.trailer(), entry.value());
    if (state != KeyFold::State::kMore) return state;
  }
  return fold->state();
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
