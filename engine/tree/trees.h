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

// Thread-safe. The trees exist as long as this object.
class Trees {
 public:
  explicit Trees(const TreeWorld& world) : world_(world) {}
  Trees(const Trees&) = delete;
  Trees& operator=(const Trees&) = delete;

  // Creates a tree; it must be started before other threads look it up. The id must be new.
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
  // Returns all trees, sorted by id.
  std::vector<Tree*> All() const {
    MutexLock lock(&mutex_);
    std::vector<Tree*> all;
    all.reserve(by_id_.size());
    for (const auto& [id, tree] : by_id_) all.push_back(tree.get());
    return all;
  }
  // Like Tree::OldestSegment, for all trees; `flushed` is a view of `flushing`. Does not count
  // writes that begin during the call: read the end of the log before the call.
  uint64_t OldestSegment(const Tree* flushing, const ReadView* flushed) const {
    uint64_t oldest = MemSlot::kNoSegment;
    for (const Tree* tree : All()) {
      oldest = std::min(oldest, tree->OldestSegment(tree == flushing ? flushed : nullptr));
    }
    return oldest;
  }

 private:
  const TreeWorld world_;
  mutable Mutex mutex_;  // a leaf lock
  std::map<ColumnFamilyId, std::unique_ptr<Tree>> by_id_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace cambium::engine

#endif  // CAMBIUM_ENGINE_TREE_TREES_H_
