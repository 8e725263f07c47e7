// SkipList: all entries of a memtable in order; a concurrent B-skiplist.
//
// Each level is a linked list of nodes (node.h) with up to 64 slots. Level 0 contains every entry;
// a slot of an upper level refers to a node of the level below by that node's first entry:
//
//   level 1   [ -∞        m          ] ─▶ [ t           ]
//               │         │                 │
//   level 0   [ a c f ] ─▶ [ m n p ] ─▶ [ r ] ─▶ [ t w z ]        r was just split off p
//
// A search moves right while the target is not below the node's high, then moves down at the last
// slot that is not above the target. A node that the level above does not refer to yet is reached
// from its left neighbor, as in a B-link tree: therefore a search needs no lock and never restarts
// from the top; if a node changed during the search, that node is read again.
//
// An insertion locks one node at a time: the leaf; if it was full and has been split, then the node
// above, to insert the new node; and so on. Writers hold only one lock at a time and cannot
// deadlock.
//
// Splits determine the height of an entry. In a textbook B-skiplist coin flips do: an entry of
// height h begins a new node on every level below h, and full nodes are also split, without an
// entry in the level above. Splits alone (the deterministic skiplist of Munro, Papadakis, and
// Sedgewick, with larger nodes) keep nodes fuller, leave no chains of unreferenced nodes, and need
// no second lock; README.md has measurements of both.
//
// Full compares are expensive, because each is a cache miss. Two techniques avoid them:
//   - Abbreviated keys start at the first byte in which the keys of the node can differ
//     (Node::skip), so keys with a long common prefix are not equal more often than others.
//   - A search passes down its right bound; if that is the same entry that the child has as its
//     high, the child was not split in the meantime, and nothing is compared.
//
// Entries after the last one (sequential insertion) are appended to the remembered last leaf
// without a search, and a full last node splits off an empty neighbor instead of half of its slots.
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

// A position in the order of entries.
struct Target {
  std::string_view key;
  Trailer trailer;
};
inline Target TargetOf(const Entry& entry) { return {entry.key(), entry.trailer()}; }

// Which entries are before a target: only those below it, or also the target itself.
enum class Bias : uint8_t { kBelow, kAtOrBelow };

// The entries of one leaf at one point in time. Entries inserted into the leaf later are not
// included; the included entries are never removed.
struct LeafCopy {
  std::array<const Entry*, kNodeCapacity> entries;
  size_t count = 0;
  const Node* next = nullptr;  // the leaf with the entries after these
};

// Thread-safe.
class SkipList {
 public:
  // The arena and the comparator must outlive the list.
  SkipList(const KeyOrder& order, Arena* arena);
  SkipList(const SkipList&) = delete;
  SkipList& operator=(const SkipList&) = delete;

  // Inserts an entry. Its key and trailer must not be in the list. If there is a search,
  // `meanwhile` is called between search and insertion, while the cache misses of the leaf are in
  // progress: the caller may start its own cache misses there.
  template <typename Meanwhile>
  void Insert(const Entry* entry, Meanwhile meanwhile) {
    if (AppendToLastLeaf(entry)) return;
    Path path;
    const Cursor leaf = Descend(TargetOf(*entry), Bias::kBelow, &path);
    meanwhile();
    InsertFrom(leaf, path, entry);
  }

  // Copies the leaf that contains the position of `target`, and returns how many of its entries are
  // before it. If none are, no entry in the list is before it; if all are, the next entry is the
  // first entry of leaf->next.
  size_t Find(const Target& target, Bias bias, LeafCopy* leaf) const;

  // Copy the first leaf, the last leaf, or the one after `leaf` (returns false if there is none).
  // Only the first leaf of an empty list is empty.
  void CopyFirst(LeafCopy* leaf) const;
  void CopyLast(LeafCopy* leaf) const;
  bool CopyNext(LeafCopy* leaf) const;

 private:
  // Levels: a node other than the last of its level has at least 32 used slots, so nine levels
  // address 2^45 entries.
  static constexpr int kMaxLevels = 10;

  // The state of a search: a node, and the entry that is its right bound in the level above (null:
  // unbounded).
  struct Cursor {
    Node* node;
    const Entry* upper;
  };
  // The nodes on the path of a search, per level.
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
  std::atomic<Node*> last_leaf_;                        // or briefly a leaf to the left of it
};

}  // namespace cambium::memtable

#endif  // CAMBIUM_MEMTABLE_SKIP_LIST_H_
