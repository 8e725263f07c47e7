// Tree: one column family: its options, memtables, and tables, and its published read view, which
// only this class replaces.
//
// Readers take no lock and write no shared memory: inside an EpochGuard they load one pointer. A
// replaced view is released through the epoch, so a reader that has just loaded it may still use or
// pin it.
//
// Lock order (docs/threading.md): tree_mu is taken last. Under it there are a few instructions and
// small allocations, and no I/O.
#ifndef CAMBIUM_ENGINE_TREE_TREE_H_
#define CAMBIUM_ENGINE_TREE_TREE_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "base/keys.h"
#include "engine/state/memory.h"
#include "engine/state/read_view.h"
#include "engine/state/storage.h"
#include "engine/state/tree_options.h"
#include "util/epoch.h"
#include "util/mutex.h"
#include "util/status_copy.h"

namespace cambium::engine {

// A view and its link for reclamation. Immutable while it is published.
struct PublishedView {
  std::shared_ptr<const ReadView> view;
  EpochLink link;
};
// Releases a published view through the epoch.
struct RetireView {
  EpochDomain* epochs = nullptr;
  void operator()(PublishedView* view) const;
};
// A replaced view. A caller that replaces a view under a lock must destroy this after it releases
// the lock, because releasing a view may close files and free memtables.
using ReplacedView = std::unique_ptr<PublishedView, RetireView>;

// Calls its argument once, inside of the critical section that connects other state to the current
// version: a thread that reads both under that lock sees both before the change, or both after it.
using PublishBracket = std::function<void(const std::function<void()>& publish)>;

// The state that the trees of one database share. Plain data; all of it outlives the trees.
struct TreeWorld {
  Storage* storage = nullptr;
  Memory* memory = nullptr;
  EpochDomain* epochs = nullptr;
  ErrorState* errors = nullptr;
};

// Thread-safe.
class Tree : public std::enable_shared_from_this<Tree> {
 public:
  // Creates a tree without a view; Start() publishes the first one.
  Tree(ColumnFamilyId id, TreeOptions options, const TreeWorld& world);
  ~Tree() { delete current_.load(std::memory_order_acquire); }
  Tree(const Tree&) = delete;
  Tree& operator=(const Tree&) = delete;

  ColumnFamilyId id() const { return id_; }
  const TreeOptions& options() const { return options_; }
  const KeyOrder& order() const { return options_.order; }
  // Returns false if nothing may read or change the files of the tree, now or ever in this session.
  bool usable() const { return options_.refusal.ok(); }

  // Returns the newest view, and sets *sequence to a value that `visible()` returned while this
  // view was the newest. The caller must hold an EpochGuard as long as it uses the reference.
  //
  // A number read at any other time may not match the view. With an older number, a flush may have
  // dropped versions that the read needs. With a newer number: after a failed commit, visible()
  // skips the numbers of uncommitted entries as soon as the newest view no longer contains them
  // (WritePath::Resume). An older view still contains them, and they would be visible at that
  // number.
  template <typename Visible>
  const std::shared_ptr<const ReadView>& Current(const Visible& visible,
                                                 SequenceNumber* sequence) const {
    const PublishedView* published = current_.load(std::memory_order_acquire);
    for (;;) {
      *sequence = visible();
      // The guard keeps replaced views allocated, so no two of them have the same address.
      const PublishedView* const newest = current_.load(std::memory_order_acquire);
      if (newest == published) [[likely]]
        return published->view;
      published = newest;
    }
  }
  // Returns the newest view with a reference that keeps it alive.
  std::shared_ptr<const ReadView> Pin() const {
    const EpochGuard guard(world_.epochs);
    return current_.load(std::memory_order_acquire)->view;
  }

  // Returns `view`, one of this tree, with a reference that also keeps the tree alive: for every
  // use that may outlive the call and the caller's handle.
  std::shared_ptr<const ReadView> KeepAlive(std::shared_ptr<const ReadView> view) const;

  // Publishes the first view. `memtables` were recovered, oldest first; the last one continues to
  // accept writes. It may be Memory::no_memtable.
  void Start(const std::vector<std::shared_ptr<MemSlot>>& memtables,
             std::shared_ptr<const manifest::Version> version);
  // Returns ok if the newest view can be read and written; FailedPrecondition if the family was
  // dropped or cannot be used.
  absl::Status Check() const {
    const std::shared_ptr<const ReadView> view = Pin();
    return view->refusal == nullptr ? absl::OkStatus() : CopyStatus(*view->refusal);
  }
  // Makes OldestSegment() return at most `segment`, for log records that cannot be applied in this
  // session. Call it before other threads use the tree.
  void HoldLog(uint64_t segment) { held_segment_ = segment; }
  uint64_t held_segment() const { return held_segment_; }

  // A view and its tree, which its tables refer to. The view is destroyed first.
  struct KeptView {
    std::shared_ptr<const Tree> tree;
    std::shared_ptr<const ReadView> view;
  };
  // The memory that Drop() needs.
  struct Ending {
    std::unique_ptr<PublishedView> empty;
    std::shared_ptr<ReadView> view;  // of `empty`
    std::shared_ptr<KeptView> last;
  };
  // Prepares for Drop(); `refusal`, which must not be ok, is the error of every later call.
  Ending PrepareToDrop(absl::Status refusal);
  // Ends the tree, whose family is no longer in the manifest: every write, and every read without
  // an older snapshot, is refused. Returns the last view, whose tables are removed when the last
  // reference to it is released. The caller must hold the commit lock while `bracket` calls its
  // argument. Allocates nothing.
  std::shared_ptr<const ReadView> Drop(Ending ending, const PublishBracket& bracket);
  // Releases the views when the database ends. No call may run.
  void Release() { delete current_.exchange(nullptr); }

  // Returns the memtable that accepts writes. The caller must hold the commit lock.
  MemSlot* active() const { return active_; }
  // Makes `next` the active memtable. Freezes the previous one if it contains a write; `last` is
  // the last allocated sequence number. The caller must hold the commit lock. Changes nothing if it
  // throws std::bad_alloc.
  [[nodiscard]] ReplacedView ReplaceActive(std::shared_ptr<MemSlot> next, SequenceNumber last);
  // Returns the oldest log segment with a write that is in no table, or MemSlot::kNoSegment.
  // Ignores the frozen memtables of `flushed`, an earlier view, which may be null. A dropped family
  // needs no log.
  uint64_t OldestSegment(const ReadView* flushed) const;

  // A version that will replace the current one. It is prepared before the manifest refers to it,
  // so that installing it cannot fail.
  struct NextVersion {
    std::unique_ptr<PublishedView> published;
    std::shared_ptr<ReadView> view;  // of `published`; its memtables are not set yet
    std::vector<LiveTableRef> dropped;
  };
  // Only one NextVersion may exist that is not installed yet (manifest_mu).
  NextVersion Prepare(std::shared_ptr<const manifest::Version> version) const;
  // Publishes `next`, inside of `bracket` if there is one. Its tables contain the `flushed` oldest
  // frozen memtables. Files that only the old version refers to are released with its last view.
  void Install(NextVersion next, size_t flushed, const PublishBracket& bracket);

 private:
  ReplacedView Publish(std::unique_ptr<PublishedView> next) ABSL_EXCLUSIVE_LOCKS_REQUIRED(tree_mu_);
  const ReadView& View() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(tree_mu_) {
    return *current_.load(std::memory_order_relaxed)->view;
  }
  // Appends the tables of `previous` that are not in the version to `dropped`.
  std::shared_ptr<const TablesView> MakeTables(std::shared_ptr<const manifest::Version> version,
                                               const TablesView* previous,
                                               std::vector<LiveTableRef>* dropped) const;

  const ColumnFamilyId id_;
  const TreeOptions options_;
  const TreeWorld world_;
  const TableHome home_;
  MemSlot* active_ = nullptr;  // of the newest view; guarded by the commit lock
  uint64_t held_segment_ = MemSlot::kNoSegment;
  absl::Status drop_refusal_;  // written before the view that refers to it is published
  mutable Mutex tree_mu_{LockRank::kTree};
  std::atomic<PublishedView*> current_{nullptr};
};

}  // namespace cambium::engine

#endif  // CAMBIUM_ENGINE_TREE_TREE_H_
