// Node: a node of the skiplist with many slots, and its version word, which allows reads without
// locks.
//
//   offset  size
//   0       64    version, right neighbor, its first entry, count, skip; level, leftmost
//   64      512   abbreviated keys: eight bytes of each slot's key, from byte `skip` on
//                 (abbreviated_search.h)
//   576     512   entries: the entry of each slot
//   1088    512   children: the node of the level below that begins with the slot's entry
//                 (not in a leaf)
//
// Invariants:
//   - Slots below `count` are in the order of entries and cover [slot 0, high). Slot 0 never
//     changes: a node only ever splits, and then its right part moves to a new right neighbor. The
//     leftmost node of a level begins before every entry; its slot 0 above the leaves is null.
//   - high == the right neighbor's slot 0; null in the last node of a level.
//   - All keys in [slot 0, high) share their first `skip` bytes; skip is 0 in the first and in the
//     last node of a level.
//   - An entry pointer below `count`, once not null, is never null again.
//   - No node is freed before the list is destroyed.
//
// The version word is even if no writer holds the node, odd while a writer holds it, and larger
// after each change. A writer makes it odd by compare-and-swap, changes the fields with release
// stores, and makes it even. A reader remembers an even version, reads the fields with acquire
// loads, and reads the version again: if it is the same, all fields are from one state. (If it read
// a field of a later writer, that store synchronizes with it, and the second read of the version
// sees at least that writer's odd version.) No fence is needed, which ThreadSanitizer would not
// understand.
#ifndef CAMBIUM_MEMTABLE_NODE_H_
#define CAMBIUM_MEMTABLE_NODE_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <thread>

#include "memtable/abbreviated_search.h"
#include "memtable/entry.h"
#include "util/arena.h"

namespace cambium::memtable {

enum class NodePlace : uint8_t { kLeftmost, kInner };

struct alignas(Arena::kCacheLine) Node {
  Node(int node_level, NodePlace node_place)
      : level(static_cast<uint8_t>(node_level)), place(node_place) {
    for (auto& abbreviated : abbreviated_keys)
      abbreviated.store(kNoAbbreviatedKey, std::memory_order_relaxed);
    for (auto& entry : entries) entry.store(nullptr, std::memory_order_relaxed);
  }

  // Waits for a writer, if there is one: a few dozen instructions, unless it is descheduled.
  uint64_t BeginRead() const {
    for (int spins = 0;; ++spins) {
      const uint64_t seen = version.load(std::memory_order_acquire);
      if ((seen & 1) == 0) return seen;
      if (spins >= kSpinsBeforeYield) std::this_thread::yield();
    }
  }
  bool Unchanged(uint64_t since) const { return version.load(std::memory_order_relaxed) == since; }

  // Locks the node if it has not changed since BeginRead returned `since`.
  bool TryLock(uint64_t since) {
    return version.compare_exchange_strong(since, since + 1, std::memory_order_acquire,
                                           std::memory_order_relaxed);
  }
  // This thread must hold the lock.
  void Unlock() {
    version.store(version.load(std::memory_order_relaxed) + 1, std::memory_order_release);
  }

  // Prefetches all lines that a search in this node may need at once: waiting for the abbreviated
  // keys to select one line of the entries costs more than sixteen lines do.
  void Prefetch() const {
    const char* const from = reinterpret_cast<const char*>(this);
    for (size_t offset = 0; offset < kSearchedBytes; offset += Arena::kCacheLine) {
      __builtin_prefetch(from + offset);
    }
  }

  size_t Count() const { return count.load(std::memory_order_acquire); }
  const Entry* EntryAt(size_t slot) const { return entries[slot].load(std::memory_order_acquire); }
  const Entry* High() const { return high.load(std::memory_order_acquire); }
  Node* Next() const { return next.load(std::memory_order_acquire); }

  static constexpr int kSpinsBeforeYield = 64;
  static constexpr size_t kSearchedBytes = Arena::kCacheLine + 2 * sizeof(AbbreviatedKeys);

  std::atomic<uint64_t> version{0};
  std::atomic<Node*> next{nullptr};
  std::atomic<const Entry*> high{nullptr};
  std::atomic<uint32_t> count{0};
  std::atomic<uint32_t> skip{0};
  const uint8_t level;  // 0: a leaf
  const NodePlace place;
  alignas(Arena::kCacheLine) AbbreviatedKeys abbreviated_keys;
  std::atomic<const Entry*> entries[kNodeCapacity];
};
static_assert(sizeof(Node) == Arena::kCacheLine + 16 * kNodeCapacity);

// A node above the leaves.
struct InnerNode : Node {
  InnerNode(int node_level, NodePlace node_place) : Node(node_level, node_place) {
    for (auto& child : children) child.store(nullptr, std::memory_order_relaxed);
  }

  std::atomic<Node*> children[kNodeCapacity];
};

}  // namespace cambium::memtable

#endif  // CAMBIUM_MEMTABLE_NODE_H_
