// Trees: the trees of one database, by the id of their column family.
#ifndef CAMBIUM_ENGINE_TREE_TREES_H_
#define CAMBIUM_ENGINE_TREE_TREES_H_

#include <algorithm>
#include <cassert>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "base/keys.h"
#include "engine/tree/tree.h"
#include "util/mutex.h"

namespace cambium::engine {

// Thread-safe. Trees live as long as it does.
class Trees {
 public:
  explicit Trees(const TreeWorld& world) : world_(world) {}
  Trees(const Trees&) = delete;
  Trees& operator=(const Trees&) = delete;

  // Makes a tree, which is to be started before others look for it. Requires: none has this id.
  Tree* Add(ColumnFamilyId id, TreeOptions options) {
    auto tree = std::make_unique<Tree>(id, std::move(options), world_);
    MutexLock lock(&mutex_);
    const auto [place, fresh] = by_id_.emplace(id, std::move(tree));
    assert(fresh);
    return place->second.get();
  }
  // Returns null if there is no such tree.
  Tree* Find(ColumnFamilyId id) const {
    MutexLock lock(&mutex_);
    const auto place = by_id_.find(id);
    return place == by_id_.end() ? nullptr : place->second.get();
  }
  // Returns all of them, in the order of their ids.
  std::vector<Tree*> All() const {
    MutexLock lock(&mutex_);
    std::vector<Tree*> all;
    all.reserve(by_id_.size());
    for (const auto& [id, tree] : by_id_) all.push_back(tree.get());
    return all;
  }
  // As Tree::OldestSegment, of all trees; `flushed` is a view of `flushing`. A write that begins
  // while this runs is not counted: look at the end of the log first.
  uint64_t OldestSegment(const Tree* flushing, const ReadView* flushed) const {
    uint64_t oldest = MemSlot::kNoSegment;
    for (const Tree* tree : All()) {
      oldest = std::min(oldest, tree->OldestSegment(tree == flushing ? flushed : nullptr));
    }
    return oldest;
  }

 private:
  const TreeWorld world_;
  mutable Mutex mutex_;  // a leaf
  std::map<ColumnFamilyId, std::unique_ptr<Tree>> by_id_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace cambium::engine

#endif  // CAMBIUM_ENGINE_TREE_TREES_H_
