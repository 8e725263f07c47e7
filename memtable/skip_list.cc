#include "memtable/skip_list.h"

#include <algorithm>
#include <cassert>
#include <cstring>
#include <new>

namespace cambium::memtable {
namespace {

// A node's abbreviated keys are recomputed, with a cache miss each, only if at least this many more
// bytes of its keys are common: until then an abbreviated key still has five distinguishing bytes.
constexpr size_t kMinSkipGain = 4;

InnerNode* AsInner(Node* node) {
  assert(node->level > 0);
  return static_cast<InnerNode*>(node);
}

void StoreAbbreviated(Node* node, size_t slot, uint64_t abbreviated) {
  node->abbreviated_keys[slot].store(abbreviated, std::memory_order_release);
}
void StoreEntry(Node* node, size_t slot, const Entry* entry) {
  node->entries[slot].store(entry, std::memory_order_release);
}
void StoreChild(Node* node, size_t slot, Node* child) {
  AsInner(node)->children[slot].store(child, std::memory_order_release);
}
void StoreCount(Node* node, size_t count) {
  node->count.store(static_cast<uint32_t>(count), std::memory_order_release);
}
// For the thread that holds the node's lock.
uint64_t OwnAbbreviated(const Node* node, size_t slot) {
  return node->abbreviated_keys[slot].load(std::memory_order_relaxed);
}
const Entry* OwnEntry(const Node* node, size_t slot) {
  return node->entries[slot].load(std::memory_order_relaxed);
}
Node* OwnChild(Node* node, size_t slot) {
  return AsInner(node)->children[slot].load(std::memory_order_relaxed);
}

size_t CommonPrefix(std::string_view a, std::string_view b) {
  const size_t shorter = std::min(a.size(), b.size());
  return static_cast<size_t>(
      std::mismatch(a.begin(), a.begin() + static_cast<ptrdiff_t>(shorter), b.begin()).first -
      a.begin());
}

// Returns the number of slots that stay when a full node is split for a slot at `position`.
size_t SlotsToKeep(const Node& node, size_t position) {
  // Ascending insertion fills nodes completely, and so does descending insertion.
  if (node.High() == nullptr && position == kNodeCapacity) return kNodeCapacity;
  if (node.place == NodePlace::kLeftmost && position == 0) return 0;
  return kNodeCapacity / 2;
}

}  // namespace

SkipList::SkipList(const KeyOrder& order, Arena* arena)
    : order_(order), arena_(arena), last_leaf_(NewNode(0, NodePlace::kLeftmost)) {
  first_[0].store(last_leaf_.load(std::memory_order_relaxed), std::memory_order_release);
}

Node* SkipList::NewNode(int level, NodePlace place) {
  if (level == 0) return new (arena_->AllocateLine(sizeof(Node))) Node(level, place);
  return new (arena_->AllocateLine(sizeof(InnerNode))) InnerNode(level, place);
}

// Returns the first node of a level, and creates it if there is none yet.
Node* SkipList::FirstOfLevel(int level) {
  assert(level < kMaxLevels);
  std::atomic<Node*>& slot = first_[static_cast<size_t>(level)];
  Node* first = slot.load(std::memory_order_acquire);
  if (first == nullptr) {
    Node* const made = NewNode(level, NodePlace::kLeftmost);
    Node* const below = first_[static_cast<size_t>(level - 1)].load(std::memory_order_acquire);
    StoreAbbreviated(made, 0, 0);
    StoreChild(made, 0, below);
    StoreCount(made, 1);
    // If two writers do this at the same time, the loser's node stays unused in the arena.
    if (slot.compare_exchange_strong(first, made, std::memory_order_acq_rel)) first = made;
  }
  int top = top_level_.load(std::memory_order_relaxed);
  while (top < level && !top_level_.compare_exchange_weak(top, level, std::memory_order_release,
                                                          std::memory_order_relaxed)) {
  }
  return first;
}

uint64_t SkipList::AbbreviateAt(std::string_view key, size_t skip) const {
  if (!order_.bytewise() || skip >= key.size()) return 0;
  const size_t left = key.size() - skip;
  if (left >= 8 || key.size() < 8) return AbbreviateKey(key.substr(skip));
  return AbbreviateKey(key.substr(key.size() - 8)) << (8 * (8 - left));
}

// ---- Searching. All functions here may read a node during a change; the caller must check the
// node's version afterwards and discard the result if it has changed.

// Returns true if the target is to the right of a node with this `high`. `upper` is known to be
// above the target (for kBelow: not below it).
bool SkipList::Beyond(const Entry* high, const Entry* upper, const Target& target,
                      Bias bias) const {
  if (high == nullptr || high == upper) return false;
  const int order = order_.CompareEntries(high->key(), high->trailer(), target.key, target.trailer);
  return order < 0 || (order == 0 && bias == Bias::kAtOrBelow);
}

// Returns how many slots are before the target; slots below `begin` are known to be.
size_t SkipList::Position(const Node& node, size_t begin, const Target& target, Bias bias) const {
  const size_t count = node.Count();
  const uint64_t abbreviated = AbbreviateAt(target.key, node.skip.load(std::memory_order_acquire));
  const size_t lower = std::min(CountBelow(node.abbreviated_keys, abbreviated), count);
  if (lower == count ||
      node.abbreviated_keys[lower].load(std::memory_order_acquire) != abbreviated) {
    return std::max(lower, begin);
  }
  const size_t upper = abbreviated == kNoAbbreviatedKey
                           ? count
                           : std::min(CountBelow(node.abbreviated_keys, abbreviated + 1), count);
  return PositionAmongTies(node, std::max(lower, begin), upper, target, bias);
}

size_t SkipList::PositionAmongTies(const Node& node, size_t lower, size_t upper,
                                   const Target& target, Bias bias) const {
  while (lower < upper) {
    const size_t middle = lower + (upper - lower) / 2;
    const Entry* const entry = node.EntryAt(middle);
    const int order =
        order_.CompareEntries(entry->key(), entry->trailer(), target.key, target.trailer);
    if (order < 0 || (order == 0 && bias == Bias::kAtOrBelow)) {
      lower = middle + 1;
    } else {
      upper = middle;
    }
  }
  return lower;
}

// Makes one step of a search: right, down, or none if the node changed in the meantime.
SkipList::Cursor SkipList::StepDown(const InnerNode& node, const Cursor& cursor,
                                    const Target& target, Bias bias) const {
  const uint64_t version = node.BeginRead();
  const Entry* const high = node.High();
  Cursor to;
  if (Beyond(high, cursor.upper, target, bias)) {
    to = {node.Next(), cursor.upper};
  } else {
    // Slot 0 is before the target: the level above, or an earlier step, has ensured it.
    const size_t position = Position(node, 1, target, bias);
    to.node = node.children[position - 1].load(std::memory_order_acquire);
    to.upper = position < node.Count() ? node.EntryAt(position) : high;
  }
  if (!node.Unchanged(version)) return cursor;
  to.node->Prefetch();
  return to;
}

// Returns the leaf that contains the target's position, or one to its left if it was just split.
SkipList::Cursor SkipList::Descend(const Target& target, Bias bias, Path* path) const {
  path->top = top_level_.load(std::memory_order_acquire);
  const auto top = static_cast<size_t>(path->top);
  Cursor cursor = {first_[top].load(std::memory_order_acquire), nullptr};
  while (cursor.node->level > 0) {
    path->nodes[cursor.node->level] = cursor.node;
    cursor = StepDown(*AsInner(cursor.node), cursor, target, bias);
  }
  return cursor;
}

namespace {

void CopySlots(const Node& node, LeafCopy* leaf) {
  leaf->count = node.Count();
  leaf->next = node.Next();
  for (size_t i = 0; i < leaf->count; ++i) leaf->entries[i] = node.EntryAt(i);
}

}  // namespace

size_t SkipList::Find(const Target& target, Bias bias, LeafCopy* leaf) const {
  Path path;
  const Cursor found = Descend(target, bias, &path);
  const Node* node = found.node;
  for (;;) {
    const uint64_t version = node->BeginRead();
    if (Beyond(node->High(), found.upper, target, bias)) {
      const Node* const next = node->Next();
      if (node->Unchanged(version)) node = next;
      continue;
    }
    const size_t position = Position(*node, 0, target, bias);
    CopySlots(*node, leaf);
    if (node->Unchanged(version)) return position;
  }
}

namespace {

void CopyLeaf(const Node* node, LeafCopy* leaf) {
  for (;;) {
    const uint64_t version = node->BeginRead();
    CopySlots(*node, leaf);
    if (node->Unchanged(version)) return;
  }
}

}  // namespace

void SkipList::CopyFirst(LeafCopy* leaf) const {
  CopyLeaf(first_[0].load(std::memory_order_acquire), leaf);
}

void SkipList::CopyLast(LeafCopy* leaf) const {
  CopyLeaf(last_leaf_.load(std::memory_order_acquire), leaf);
  while (CopyNext(leaf)) {
  }
}

bool SkipList::CopyNext(LeafCopy* leaf) const {
  if (leaf->next == nullptr) return false;
  CopyLeaf(leaf->next, leaf);
  return true;
}

// ---- Inserting.

// Inserts into the leaf that a search found, and adds split nodes to the levels above.
void SkipList::InsertFrom(const Cursor& leaf, const Path& path, const Entry* entry) {
  Node* child = InsertInLevel(leaf, entry, nullptr);
  for (int level = 1; child != nullptr; ++level) {
    // The new node can already be reached from its left neighbor.
    Node* const node =
        level <= path.top ? path.nodes[static_cast<size_t>(level)] : FirstOfLevel(level);
    child = InsertInLevel({node, nullptr}, child->EntryAt(0), child);
  }
}

// Appends without a search if the entry is after the last one and there is room. Returns false
// otherwise, or if another writer interfered.
bool SkipList::AppendToLastLeaf(const Entry* entry) {
  Node* const node = last_leaf_.load(std::memory_order_acquire);
  const uint64_t version = node->version.load(std::memory_order_acquire);
  const size_t count = node->Count();
  if ((version & 1) != 0 || count == kNodeCapacity || node->High() != nullptr) return false;
  const uint64_t abbreviated =
      AbbreviateAt(entry->key(), 0);  // the last node of a level skips nothing
  if (count > 0) {
    const uint64_t last_abbreviated =
        node->abbreviated_keys[count - 1].load(std::memory_order_acquire);
    if (abbreviated < last_abbreviated) return false;
    if (abbreviated == last_abbreviated) {
      const Entry* const last = node->EntryAt(count - 1);
      if (order_.CompareEntries(last->key(), last->trailer(), entry->key(), entry->trailer()) > 0) {
        return false;
      }
    }
  }
  if (!node->TryLock(version)) return false;
  StoreAbbreviated(node, count, abbreviated);
  StoreEntry(node, count, entry);
  StoreCount(node, count + 1);
  node->Unlock();
  return true;
}

// Inserts at the level of cursor.node, in that node or to its right. Returns the new node if one
// was split off for it.
Node* SkipList::InsertInLevel(const Cursor& cursor, const Entry* entry, Node* child) {
  const Target target = TargetOf(*entry);
  Node* node = cursor.node;
  Node* spare = nullptr;
  for (;;) {
    const uint64_t version = node->BeginRead();
    if (Beyond(node->High(), cursor.upper, target, Bias::kBelow)) {
      Node* const next = node->Next();
      if (node->Unchanged(version)) node = next;
      continue;
    }
    const size_t position = Position(*node, node->level > 0 ? 1 : 0, target, Bias::kBelow);
    const bool full = node->Count() == kNodeCapacity;
    // Allocated before locking: it may throw std::bad_alloc, and then no thread waits for a node.
    // If it is not used after all, because another writer was faster, it stays in the arena.
    if (full && spare == nullptr) spare = NewNode(node->level, NodePlace::kInner);
    if (!node->TryLock(version)) continue;
    if (full) {
      Split(node, position, entry, child, spare);
    } else {
      InsertSlot(node, position, entry, child);
    }
    node->Unlock();
    return full ? spare : nullptr;
  }
}

// The node must be locked, or not published yet, and not full.
void SkipList::InsertSlot(Node* node, size_t position, const Entry* entry, Node* child) const {
  const size_t count = node->Count();
  assert(position <= count && count < kNodeCapacity);
  for (size_t i = count; i > position; --i) {
    StoreAbbreviated(node, i, OwnAbbreviated(node, i - 1));
    StoreEntry(node, i, OwnEntry(node, i - 1));
  }
  StoreAbbreviated(node, position,
                   AbbreviateAt(entry->key(), node->skip.load(std::memory_order_relaxed)));
  StoreEntry(node, position, entry);
  if (node->level > 0) {
    for (size_t i = count; i > position; --i) StoreChild(node, i, OwnChild(node, i - 1));
    StoreChild(node, position, child);
  }
  StoreCount(node, count + 1);
}

// Splits a full node for a slot at `position`, inserts that, too, and publishes `right`, which must
// be empty, as the new right node. The node must be locked.
void SkipList::Split(Node* node, size_t position, const Entry* entry, Node* child, Node* right) {
  const size_t keep = SlotsToKeep(*node, position);
  assert(node->Count() == kNodeCapacity && right->Count() == 0 && right->level == node->level);
  right->skip.store(node->skip.load(std::memory_order_relaxed), std::memory_order_relaxed);
  right->high.store(node->high.load(std::memory_order_relaxed), std::memory_order_relaxed);
  right->next.store(node->next.load(std::memory_order_relaxed), std::memory_order_relaxed);
  MoveSlots(node, keep, right);
  if (position > keep || keep == kNodeCapacity) {
    InsertSlot(right, position - keep, entry, child);
  } else {
    InsertSlot(node, position, entry, child);
  }
  node->high.store(OwnEntry(right, 0), std::memory_order_release);
  RaiseSkip(right);
  RaiseSkip(node);
  node->next.store(right, std::memory_order_release);
  if (right->High() == nullptr && right->level == 0) {
    last_leaf_.store(right, std::memory_order_release);
  }
}

// Moves the slots from `keep` on. `from` must be locked, and `to` empty and not published yet.
void SkipList::MoveSlots(Node* from, size_t keep, Node* to) const {
  for (size_t i = keep; i < kNodeCapacity; ++i) {
    StoreAbbreviated(to, i - keep, OwnAbbreviated(from, i));
    StoreEntry(to, i - keep, OwnEntry(from, i));
    StoreAbbreviated(from, i, kNoAbbreviatedKey);
    // The old slot keeps its entry, unused: a concurrent reader of the node finds no null.
    if (from->level > 0) StoreChild(to, i - keep, OwnChild(from, i));
  }
  StoreCount(to, kNodeCapacity - keep);
  StoreCount(from, keep);
}

// Increases the `skip` of a node if its keys have more bytes in common. The node must be locked, or
// not published yet.
void SkipList::RaiseSkip(Node* node) const {
  const Entry* const high = node->high.load(std::memory_order_relaxed);
  if (node->place == NodePlace::kLeftmost || high == nullptr || !order_.bytewise()) return;
  const size_t common = CommonPrefix(OwnEntry(node, 0)->key(), high->key());
  if (common < node->skip.load(std::memory_order_relaxed) + kMinSkipGain) return;
  node->skip.store(static_cast<uint32_t>(common), std::memory_order_release);
  const size_t count = node->Count();
  for (size_t i = 0; i < count; ++i) {
    StoreAbbreviated(node, i, AbbreviateAt(OwnEntry(node, i)->key(), common));
  }
}

}  // namespace cambium::memtable
