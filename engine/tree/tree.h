// Tree: all that belongs to one column family: its options, its memtables and tables, and the
// published read view of them, which is replaced here and nowhere else.
//
// Readers take no lock and write no shared memory: inside an EpochGuard they load one pointer. A
// replaced view is let go through the epoch, so that a reader which has just loaded it may still
// use it or pin it.
//
// Lock order (docs/threading.md): tree_mu is taken last; a few instructions and small allocations
// happen under it, no I/O.
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

namespace cambium::engine {

// A view as it is published. Immutable while it is.
struct PublishedView {
  std::shared_ptr<const ReadView> view;
  EpochLink link;
};
// Lets go of a published view through the epoch.
struct RetireView {
  EpochDomain* epochs = nullptr;
  void operator()(PublishedView* view) const;
};
// A view that was replaced, on its way out. Whoever replaces a view under a lock destroys this
// after leaving it, because letting go may close files and free memtables.
using ReplacedView = std::unique_ptr<PublishedView, RetireView>;

// Calls its argument once, inside of whatever critical section ties other state to the version that
// is in force: who looks at both under that lock sees both before the change, or both after it.
using PublishBracket = std::function<void(const std::function<void()>& publish)>;

// What the trees of one database share. Plain data; all of it outlives them.
struct TreeWorld {
  Storage* storage = nullptr;
  Memory* memory = nullptr;
  EpochDomain* epochs = nullptr;
  ErrorState* errors = nullptr;
};

// Thread-safe.
class Tree {
 public:
  // It has no view before Start().
  Tree(ColumnFamilyId id, TreeOptions options, const TreeWorld& world);
  ~Tree() { delete current_.load(std::memory_order_acquire); }
  Tree(const Tree&) = delete;
  Tree& operator=(const Tree&) = delete;

  ColumnFamilyId id() const { return id_; }
  const TreeOptions& options() const { return options_; }
  const KeyOrder& order() const { return options_.order; }

  // The newest view, and in *sequence what `visible()` returned while it was the newest. The caller
  // holds an EpochGuard for as long as it uses the reference.
  //
  // A number that was read at any other moment may not go with the view. An older one: a flush may
  // have dropped versions that it needs. A newer one: after a failed commit visible() passes over
  // the numbers of entries that were not committed, once the newest view no longer holds them
  // (WritePath::Resume). An older view does, and with that number they would be seen.
  template <typename Visible>
  const std::shared_ptr<const ReadView>& Current(const Visible& visible,
                                                 SequenceNumber* sequence) const {
    const PublishedView* published = current_.load(std::memory_order_acquire);
    for (;;) {
      *sequence = visible();
      // The guard keeps replaced views allocated: no two of them have the same address.
      const PublishedView* const newest = current_.load(std::memory_order_acquire);
      if (newest == published) [[likely]]
        return published->view;
      published = newest;
    }
  }
  // The newest view, kept alive by the caller.
  std::shared_ptr<const ReadView> Pin() const {
    const EpochGuard guard(world_.epochs);
    return current_.load(std::memory_order_acquire)->view;
  }

  // The first view. `memtables` were recovered, oldest first; the last one goes on taking writes.
  // It may be Memory::no_memtable.
  void Start(const std::vector<std::shared_ptr<MemSlot>>& memtables,
             std::shared_ptr<const manifest::Version> version);
  // The memtable that takes the writes. Under the commit lock.
  MemSlot* active() const { return active_; }
  // `next` takes the writes from now on. The active memtable is frozen, if it holds a write; `last`
  // is the last sequence number handed out. Under the commit lock. Changes nothing if it throws
  // std::bad_alloc.
  [[nodiscard]] ReplacedView ReplaceActive(std::shared_ptr<MemSlot> next, SequenceNumber last);
  // Returns the oldest log segment that holds a write which is in no table, or
  // MemSlot::kNoSegment. The memtables frozen in `flushed`, an earlier view, do not count; it may
  // be null.
  uint64_t OldestSegment(const ReadView* flushed) const;

  // A version that is about to take the place of the present one. Made before the manifest names
  // it, so that nothing can fail any more once it does.
  struct NextVersion {
    std::unique_ptr<PublishedView> published;
    std::shared_ptr<ReadView> view;  // of `published`; its memtables are still to be filled in
    std::vector<LiveTableRef> dropped;
  };
  // Only one thread at a time has a NextVersion that is not installed yet (manifest_mu).
  NextVersion Prepare(std::shared_ptr<const manifest::Version> version) const;
  // Publishes `next` inside of `bracket`, if there is one; the `flushed` oldest frozen memtables
  // are in its tables. Files that only the old version named go when the last view does.
  void Install(NextVersion next, size_t flushed, const PublishBracket& bracket);

 private:
  ReplacedView Publish(std::unique_ptr<PublishedView> next) ABSL_EXCLUSIVE_LOCKS_REQUIRED(tree_mu_);
  const ReadView& View() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(tree_mu_) {
    return *current_.load(std::memory_order_relaxed)->view;
  }
  // `dropped` gets the tables of `previous` that the version does not name.
  std::shared_ptr<const TablesView> MakeTables(std::shared_ptr<const manifest::Version> version,
                                               const TablesView* previous,
                                               std::vector<LiveTableRef>* dropped) const;

  const ColumnFamilyId id_;
  const TreeOptions options_;
  const TreeWorld world_;
  const TableHome home_;
  MemSlot* active_ = nullptr;  // of the newest view; guarded by the commit lock
  mutable Mutex tree_mu_{LockRank::kTree};
  std::atomic<PublishedView*> current_{nullptr};
};

}  // namespace cambium::engine

#endif  // CAMBIUM_ENGINE_TREE_TREE_H_
