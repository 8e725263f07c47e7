// SkipList: all entries of a memtable in order; a concurrent B-skiplist.
//
// Each level is a linked list of fat nodes (node.h) with up to 64 slots; level 0 holds every entry,
// a slot of a level above names a node of the level below by the entry it begins with:
//
//   level 1   [ -∞        m          ] ─▶ [ t           ]
//               │         │                 │
//   level 0   [ a c f ] ─▶ [ m n p ] ─▶ [ r ] ─▶ [ t w z ]        r was split off p a moment ago
//
// A search walks right while the target is not below the node's high, then goes down at the last
// slot that is not above the target. A node that the level above does not name yet is reached from
// its left neighbour, as in a B-link tree: so a search needs no lock and never starts again from
// the top; where a node changed under it, it looks at that node again.
//
// An insertion locks one node at a time: the leaf; and where that was full and has been split, the
// node above, to name the new one; and so on. Holding one lock only, writers cannot deadlock.
//
// What decides how high an entry reaches: the split. In a textbook B-skiplist a coin does: an entry
// of height h begins a new node on every level below h, and full nodes split besides, unnamed
// above. Splits alone (the deterministic skiplist of Munro, Papadakis and Sedgewick, with fat
// nodes) keep nodes fuller, leave no chains of unnamed nodes to walk, and need no second lock;
// README.md has the measurement of both.
//
// Full compares are the dear part, for each is a cache miss. Two things avoid them:
//   - Abbreviated keys start at the first byte in which the keys of the node can differ
//   (Node::skip), so that
//     keys with a long common prefix tie no more often than others.
//   - A search carries down the entry that bounds it on the right; where that is the very entry
//     that the child has as its high, the child was not split since and nothing is compared.
//
// Entries past the last one (sequential insertion) are appended to the remembered last leaf without
// a search, and a full last node splits off an empty neighbour instead of half of itself.
#ifndef CAMBIUM_MEMTABLE_SKIP_LIST_H_
#define CAMBIUM_MEMTABLE_SKIP_LIST_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/keys.h"
#include "memtable/entry.h"
#include "memtable/node.h"
#include "util/arena.h"

namespace cambium::memtable {

// A place in the order of entries.
struct Target {
  std::string_view key;
  Trailer trailer;
};
inline Target TargetOf(const Entry& entry) { return {entry.key(), entry.trailer()}; }

// Which entries count as before a target: those below it, or the target itself too.
enum class Bias : uint8_t { kBelow, kAtOrBelow };

// The entries of one leaf as they stood at one moment. What is inserted into the leaf later is not
// here, and nothing that is here ever goes away.
struct LeafCopy {
  std::array<const Entry*, kNodeCapacity> entries;
  size_t count = 0;
  const Node* next = nullptr;  // the leaf that held the entries after these
};

// Thread-safe.
class SkipList {
 public:
  // The arena and the comparator must outlive the list.
  SkipList(const KeyOrder& order, Arena* arena);
  SkipList(const SkipList&) = delete;
  SkipList& operator=(const SkipList&) = delete;

  // Requires: no entry of this key and trailer is in the list. `meanwhile` is called between search
  // and insertion, when the cache misses of the leaf are under way, if there is a search: what else
  // the caller has to wait for it may start there.
  template <typename Meanwhile>
  void Insert(const Entry* entry, Meanwhile meanwhile) {
    if (AppendToLastLeaf(entry)) return;
    Path path;
    const Cursor leaf = Descend(TargetOf(*entry), Bias::kBelow, &path);
    meanwhile();
    InsertFrom(leaf, path, entry);
  }

  // Copies the leaf in which `target` falls, and returns how many of its entries are before it.
  // Where that is none, nothing in the list is before it; where it is all of them, what comes next
  // is the first entry of leaf->next.
  size_t Find(const Target& target, Bias bias, LeafCopy* leaf) const;

  // Copy the first leaf, the last, and the one after `leaf` (then false: there is none). Only the
  // first leaf of an empty list is empty.
  void CopyFirst(LeafCopy* leaf) const;
  void CopyLast(LeafCopy* leaf) const;
  bool CopyNext(LeafCopy* leaf) const;

 private:
  // Levels: a node other than the last of its level has at least 32 slots in use, so that nine
  // levels name 2^45 entries.
  static constexpr int kMaxLevels = 10;

  // Where a search stands: on a node, with the entry by which the level above bounds it on the
  // right (null: it does not).
  struct Cursor {
    Node* node;
    const Entry* upper;
  };
  // The nodes by which a search went down, by level.
  struct Path {
    int top = 0;
    std::array<Node*, kMaxLevels> nodes;
  };

  Cursor Descend(const Target& target, Bias bias, Path* path) const;
  Cursor StepDown(const InnerNode& node, const Cursor& cursor, const Target& target,
                  Bias bias) const;
  bool Beyond(const Entry* high, const Entry* upper, const Target& target, Bias bias) const;
  size_t Position(const Node& node, size_t begin, const Target& target, Bias bias) const;
  size_t PositionAmongTies(const Node& node, size_t lower, size_t upper, const Target& target,
                           Bias bias) const;

  bool AppendToLastLeaf(const Entry* entry);
  void InsertFrom(const Cursor& leaf, const Path& path, const Entry* entry);
  Node* InsertInLevel(const Cursor& cursor, const Entry* entry, Node* child);
  void InsertSlot(Node* node, size_t position, const Entry* entry, Node* child) const;
  void Split(Node* node, size_t position, const Entry* entry, Node* child, Node* right);
  void MoveSlots(Node* from, size_t keep, Node* to) const;
  void RaiseSkip(Node* node) const;

  Node* NewNode(int level, NodePlace place);
  Node* FirstOfLevel(int level);
  uint64_t AbbreviateAt(std::string_view key, size_t skip) const;

  const KeyOrder order_;
  Arena* const arena_;
  std::atomic<int> top_level_{0};
  std::array<std::atomic<Node*>, kMaxLevels> first_{};  // of each level up to top_level_
  std::atomic<Node*> last_leaf_;                        // or a leaf left of it, for a moment
};

}  // namespace cambium::memtable

#endif  // CAMBIUM_MEMTABLE_SKIP_LIST_H_
