// MemTableSwitch: the memtables that accept writes, and their replacement when they are full.
//
//   tree without writes ──first write──▶ active ──full, or Flush()──▶ frozen ──flush──▶ in a table
//        no memtable                        │
//                                           └─ full: all active memtables together hold as much as
//                                              one may; the largest is frozen
//
// Therefore one tree fills a memtable of the whole size, and ten thousand trees share it: memory
// does not grow with the number of trees. The writer that finds a memtable full replaces it. If too
// many frozen memtables wait for their flush, that writer waits.
//
// A tree with few writes keeps its log segment alive. If the log is longer than
// MemoryPlan::log_bytes, the active memtable of the tree that needs the oldest segment is frozen.
#ifndef CAMBIUM_ENGINE_WRITE_MEMTABLE_SWITCH_H_
#define CAMBIUM_ENGINE_WRITE_MEMTABLE_SWITCH_H_

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "absl/status/status.h"
#include "engine/write/write_world.h"
#include "util/mutex.h"

namespace cambium::engine {

// Thread-safe.
class MemTableSwitch {
 public:
  // The trees must have been started.
  explicit MemTableSwitch(const WriteWorld& world);
  MemTableSwitch(const MemTableSwitch&) = delete;
  MemTableSwitch& operator=(const MemTableSwitch&) = delete;

  // --- The caller must hold the commit lock:

  // Returns true if Reserve() may be called.
  bool HasRoom(std::span<const TreeShare> shares) const {
    size_t bytes = 0;
    for (const TreeShare& share : shares) {
      if (!share.tree->active()->takes_writes()) return false;
      bytes += share.memtable_bytes;
    }
    // A single write is always admitted, even if it is larger than the limit.
    return reserved_ == 0 || charged_ + bytes <= world_.memory->plan.memtable_bytes;
  }
  // Reserves room for the shares, and sets their memtables. `segment` is the current log segment.
  void Reserve(std::span<TreeShare> shares, uint64_t segment) {
    for (TreeShare& share : shares) {
      MemSlot* const slot = share.memtable = share.tree->active();
      slot->reserved += share.memtable_bytes;
      reserved_ += share.memtable_bytes;
      charged_ += share.memtable_bytes;
      if (slot->oldest_segment.load(std::memory_order_relaxed) == MemSlot::kNoSegment) {
        slot->oldest_segment.store(segment, std::memory_order_release);
      }
    }
  }

  // --- The caller must hold no lock:

  // Makes the room that the shares lack, and sets *made to true if it made any. Waits while too
  // many frozen memtables wait for their flush.
  absl::Status MakeRoom(std::span<const TreeShare> shares, bool* made)
      ABSL_LOCKS_EXCLUDED(switch_mu_);
  // Freezes the active memtable of the tree if it contains a write, and gives the tree a new one.
  // Waits while too many frozen memtables wait for their flush.
  absl::Status FreezeActive(TreeRef tree) ABSL_LOCKS_EXCLUDED(switch_mu_);
  // Returns when every earlier write to these trees is in tables.
  absl::Status Flush(std::span<const TreeRef> trees) ABSL_LOCKS_EXCLUDED(switch_mu_);

  // Ends a tree whose family is no longer in the manifest (Tree::Drop), and forgets its memtables.
  // Returns its last view, which commits in flight may still use. Allocates nothing.
  std::shared_ptr<const ReadView> Drop(Tree* tree, Tree::Ending ending)
      ABSL_LOCKS_EXCLUDED(switch_mu_);

  // Between Pause() and Resume() only FreezeAll() replaces memtables; other threads wait.
  void Pause() ABSL_LOCKS_EXCLUDED(switch_mu_);
  void Resume() ABSL_LOCKS_EXCLUDED(switch_mu_);
  // Freezes every memtable that contains a write. Call it between Pause() and Resume(), with no
  // commit in flight.
  void FreezeAll();

 private:
  // A memtable to be replaced. Plain data.
  struct Candidate {
    TreeRef tree;
    const MemSlot* active = nullptr;  // of the tree, when it was read
    size_t charge = 0;                // 0: it contains no write
  };

  // Returns the memtable to replace so that the shares have room; its tree is null if none is
  // needed.
  Candidate FindObstacle(std::span<const TreeShare> shares);
  Candidate Look(TreeRef tree);
  // Replaces the active memtable, unless another thread has replaced it in the meantime. The next
  // one accepts writes if `wanted` is kYes.
  enum class Wanted { kYes, kNo };
  absl::Status Switch(const Candidate& candidate, Wanted wanted) ABSL_LOCKS_EXCLUDED(switch_mu_);
  // The same, without a next one; ok if the family was dropped in the meantime.
  absl::Status SwitchUnlessDropped(const Candidate& candidate) ABSL_LOCKS_EXCLUDED(switch_mu_);
  void Replace(Tree* tree, std::shared_ptr<MemSlot> next);
  // Removes `active`, the active memtable of the tree so far, from the state below.
  void Forget(const Tree* tree, const MemSlot& active);
  bool CanFreeze(const Candidate& candidate) const;
  // Freezes the memtable that needs the oldest log segment, if the log is too long.
  absl::Status ShortenLog();

  const WriteWorld world_;
  Mutex switch_mu_{LockRank::kSwitch};  // one replacement at a time
  CondVar resumed_;
  bool paused_ ABSL_GUARDED_BY(switch_mu_) = false;
  // State of the active memtables of all trees. Guarded by the commit lock. On its own cache line,
  // because every commit writes it while other threads read the members around it.
  alignas(64) size_t reserved_ = 0;  // bytes reserved for writes
  size_t charged_ = 0;               // reserved_ and the overhead of the memtables
  std::vector<Tree*> writable_;      // the trees whose active memtable accepts writes
};

}  // namespace cambium::engine

#endif  // CAMBIUM_ENGINE_WRITE_MEMTABLE_SWITCH_H_
