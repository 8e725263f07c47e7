#include "memtable/list_iterator.h"

#include <algorithm>
#include <cassert>

namespace cambium::memtable {
namespace {

// Entries whose misses are under way at a time: about as many as the machine keeps in flight.
constexpr size_t kEntriesAhead = 12;

}  // namespace

void ListIterator::SeekToFirst() {
  list_->CopyFirst(&leaf_);
  position_ = 0;
  SettleForward();
}

void ListIterator::SeekToLast() {
  list_->CopyLast(&leaf_);
  position_ = leaf_.count;
  PrefetchLeaf(Direction::kBackward);
  SettleBackward();
}

void ListIterator::Seek(std::string_view key, Tag tag) {
  position_ = list_->Find({key, tag}, Bias::kBelow, &leaf_);
  SettleForward();
}

void ListIterator::SeekForPrev(std::string_view key, Tag tag) {
  position_ = list_->Find({key, tag}, Bias::kAtOrBelow, &leaf_);
  PrefetchLeaf(Direction::kBackward);
  SettleBackward();
}

void ListIterator::Next() {
  assert(Valid());
  ++position_;
  if (position_ + kEntriesAhead < leaf_.count) PrefetchEntry(position_ + kEntriesAhead);
  if (position_ < leaf_.count) {
    Show();
  } else {
    SettleForward();
  }
}

void ListIterator::Prev() {
  assert(Valid());
  if (position_ == 0) {
    // The first entry of a leaf: the one before it is at the end of another.
    const Target here = TargetOf(*leaf_.entries[0]);
    position_ = list_->Find(here, Bias::kBelow, &leaf_);
    PrefetchLeaf(Direction::kBackward);
  } else if (position_ > kEntriesAhead) {
    PrefetchEntry(position_ - 1 - kEntriesAhead);
  }
  SettleBackward();
}

// Stands on the entry at position_, in the next leaf where that is past this one's end.
void ListIterator::SettleForward() {
  if (position_ == leaf_.count) {
    position_ = 0;
    if (!list_->CopyNext(&leaf_)) return SetInvalid();
  }
  PrefetchLeaf(Direction::kForward);
  Show();
}

// Stands on the entry before position_.
void ListIterator::SettleBackward() {
  if (position_ == 0) return SetInvalid();
  --position_;
  Show();
}

void ListIterator::Show() {
  const Entry& entry = *leaf_.entries[position_];
  SetEntry(entry.key(), entry.tag(), entry.value());
}

// The entries about position_ that a walk in this direction comes to first, and, going forward, the
// leaf after.
void ListIterator::PrefetchLeaf(Direction direction) const {
  if (direction == Direction::kForward) {
    if (leaf_.next != nullptr) leaf_.next->Prefetch();
    const size_t end = std::min(leaf_.count, position_ + kEntriesAhead);
    for (size_t i = position_; i < end; ++i) PrefetchEntry(i);
  } else {
    const size_t begin = position_ > kEntriesAhead ? position_ - kEntriesAhead : 0;
    for (size_t i = position_; i > begin; --i) PrefetchEntry(i - 1);
  }
}

void ListIterator::PrefetchEntry(size_t position) const {
  __builtin_prefetch(leaf_.entries[position]);
}

}  // namespace cambium::memtable
