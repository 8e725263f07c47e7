// Trees: the trees of one database, by the id and the name of their column family.
#ifndef CAMBIUM_ENGINE_TREE_TREES_H_
#define CAMBIUM_ENGINE_TREE_TREES_H_

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/keys.h"
#include "engine/tree/tree.h"
#include "util/mutex.h"

namespace cambium::engine {

using TreeRef = std::shared_ptr<Tree>;

// Thread-safe. A tree lives as long as it is in here, and as long as a handle or a job refers to
// it.
class Trees {
 public:
  explicit Trees(const TreeWorld& world) : world_(world) {}
  // No call of any tree may run. Trees that handles still refer to release what they hold.
  ~Trees();
  Trees(const Trees&) = delete;
  Trees& operator=(const Trees&) = delete;

  // A tree that is not in use yet. Plain data.
  struct Prepared {
    TreeRef tree;
    std::map<ColumnFamilyId, TreeRef>::node_type by_id;
    std::map<std::string, TreeRef, std::less<>>::node_type by_name;
  };
  // Creates a tree; Start() it before Insert().
  Prepared Prepare(ColumnFamilyId id, std::string name, TreeOptions options) const;
  // Makes other threads find the tree. Its id and its name must be new. Allocates nothing.
  void Insert(Prepared prepared);
  // Does both; start the tree before other threads look it up.
  Tree* Add(ColumnFamilyId id, std::string name, TreeOptions options);

  // Removes the tree of a family that was dropped. Call PrepareToRemove() before: then it allocates
  // nothing. One removal at a time.
  void PrepareToRemove();
  void Remove(ColumnFamilyId id, std::string_view name);
  // The new name must not be in use.
  void Rename(std::string_view from, std::string to);

  // Returns null if there is no such tree.
  TreeRef Find(ColumnFamilyId id) const;
  TreeRef FindByName(std::string_view name) const;
  // Returns all trees, sorted by id.
  std::vector<TreeRef> All() const;
  std::vector<std::string> Names() const;  // sorted
  size_t size() const;
  // Like Tree::OldestSegment, for all trees; `flushed` is a view of `flushing`. Does not count
  // writes that begin during the call: read the end of the log before the call.
  uint64_t OldestSegment(const Tree* flushing, const ReadView* flushed) const;

 private:
  const TreeWorld world_;
  mutable Mutex mutex_;  // a leaf lock
  std::map<ColumnFamilyId, TreeRef> by_id_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, TreeRef, std::less<>> by_name_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::weak_ptr<Tree>> removed_ ABSL_GUARDED_BY(mutex_);  // handles may refer to them
};

}  // namespace cambium::engine

#endif  // CAMBIUM_ENGINE_TREE_TREES_H_
