// MemTableSwitch: which memtables take writes, and their replacement when they are full.
//
//   tree without writes ──first write──▶ active ──full, or Flush()──▶ frozen ──flush──▶ in a table
//        no memtable                        │
//                                           └─ full: all active memtables together hold as much as
//                                              one may; the largest is frozen
//
// So one tree fills a memtable of the whole size, and ten thousand trees share it: memory does not
// grow with their number. A memtable that is full is replaced by whichever writer finds it so. If
// too many wait for their flush, that writer waits.
//
// A tree with few writes keeps their log segment alive. When the log is longer than
// MemoryPlan::log_bytes, the tree that holds back its oldest segment is frozen for that reason
// alone.
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
  // The trees have been started.
  explicit MemTableSwitch(const WriteWorld& world);
  MemTableSwitch(const MemTableSwitch&) = delete;
  MemTableSwitch& operator=(const MemTableSwitch&) = delete;

  // --- under the commit lock

  // Returns true if Reserve() may be called.
  bool HasRoom(std::span<const TreeShare> shares) const {
    size_t bytes = 0;
    for (const TreeShare& share : shares) {
      if (!share.tree->active()->takes_writes()) return false;
      bytes += share.memtable_bytes;
    }
    // One write always may: no limit keeps out what is larger than itself.
    return reserved_ == 0 || charged_ + bytes <= world_.memory->plan.memtable_bytes;
  }
  // Takes room for the shares, and sets their memtables. `segment` is where the log goes on.
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

  // --- under no lock

  // Returns true in *made if room was made that the shares lack, and false if they lack none. Waits
  // while too many frozen memtables wait for their flush.
  absl::Status MakeRoom(std::span<const TreeShare> shares, bool* made)
      ABSL_LOCKS_EXCLUDED(switch_mu_);
  // Every write so far to these trees is in tables on return.
  absl::Status Flush(std::span<Tree* const> trees) ABSL_LOCKS_EXCLUDED(switch_mu_);

  // From Pause() to Resume() nobody but FreezeAll() replaces memtables; who wants to, waits.
  void Pause() ABSL_LOCKS_EXCLUDED(switch_mu_);
  void Resume() ABSL_LOCKS_EXCLUDED(switch_mu_);
  // Freezes every memtable that holds a write. Requires Pause(), and no commit under way.
  void FreezeAll();

 private:
  // A memtable that is to be replaced. Plain data.
  struct Candidate {
    Tree* tree = nullptr;
    const MemSlot* active = nullptr;  // of the tree, when it was looked at
    size_t charge = 0;                // 0: it holds no write
  };

  // What stands in the way of the shares; no tree if nothing does.
  Candidate FindObstacle(std::span<const TreeShare> shares);
  Candidate Look(Tree* tree);
  // Replaces the active memtable, unless another thread has done so since it was looked at. The
  // next one takes writes if `wanted` says that some are coming.
  enum class Wanted { kYes, kNo };
  absl::Status Switch(const Candidate& candidate, Wanted wanted) ABSL_LOCKS_EXCLUDED(switch_mu_);
  void Replace(Tree* tree, std::shared_ptr<MemSlot> next);
  bool CanFreeze(const Candidate& candidate) const;
  // Freezes who holds back the log, if it is too long.
  absl::Status ShortenLog();

  const WriteWorld world_;
  Mutex switch_mu_{LockRank::kSwitch};  // one replacement at a time
  CondVar resumed_;
  bool paused_ ABSL_GUARDED_BY(switch_mu_) = false;
  // Of the active memtables of all trees. Guarded by the commit lock.
  size_t reserved_ = 0;          // bytes promised to writes
  size_t charged_ = 0;           // those and what the memtables take by themselves
  std::vector<Tree*> writable_;  // the trees whose active memtable takes writes
};

}  // namespace cambium::engine

#endif  // CAMBIUM_ENGINE_WRITE_MEMTABLE_SWITCH_H_
