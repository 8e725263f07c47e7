// Tree: the published read view of one column family, and the only place where it is replaced.
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
#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

#include "engine/state/read_view.h"
#include "util/epoch.h"
#include "util/mutex.h"

namespace cambium::engine {

// A view that was replaced, on its way out: destroying this lets go of it through the epoch.
// Whoever replaces a view under a lock destroys this after leaving it, because letting go may close
// files and free memtables. Thread-compatible.
class ReplacedView {
 public:
  ReplacedView() = default;
  explicit ReplacedView(const std::shared_ptr<const ReadView>* view) : view_(view) {}
  ReplacedView(ReplacedView&& other) noexcept : view_(std::exchange(other.view_, nullptr)) {}
  ReplacedView& operator=(ReplacedView&& other) noexcept {
    std::swap(view_, other.view_);
    return *this;
  }
  ~ReplacedView();

 private:
  const std::shared_ptr<const ReadView>* view_ = nullptr;
};

// Thread-safe.
class Tree {
 public:
  Tree(const KeyOrder& order, sstable::TableCache* tables, FileReaper* reaper);
  ~Tree();
  Tree(const Tree&) = delete;
  Tree& operator=(const Tree&) = delete;

  // The newest view. The caller holds an EpochGuard for as long as it uses the reference.
  const ReadView& Current() const { return **current_.load(std::memory_order_acquire); }
  // The newest view, kept alive by the caller.
  std::shared_ptr<const ReadView> Pin() const;

  // The first view: recovered memtables and version.
  void Start(std::shared_ptr<MemSlot> active, std::vector<std::shared_ptr<MemSlot>> frozen,
             std::shared_ptr<const manifest::Version> version);
  // `next` takes the writes; the active memtable is frozen.
  [[nodiscard]] ReplacedView Freeze(std::shared_ptr<MemSlot> next);
  // `version` takes the place of the present one; the `flushed` oldest frozen memtables are in its
  // tables. Files that only the old version named go when the last view does.
  void Install(std::shared_ptr<const manifest::Version> version, size_t flushed);

 private:
  ReplacedView Publish(std::shared_ptr<const ReadView> view)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(tree_mu_);
  std::shared_ptr<const TablesView> MakeTables(std::shared_ptr<const manifest::Version> version,
                                               const TablesView* previous) const;

  const KeyOrder order_;
  sstable::TableCache* const tables_;
  FileReaper* const reaper_;
  mutable Mutex tree_mu_;
  std::atomic<const std::shared_ptr<const ReadView>*> current_{nullptr};
};

}  // namespace cambium::engine

#endif  // CAMBIUM_ENGINE_TREE_TREE_H_
