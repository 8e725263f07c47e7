#include "engine/tree/trees.h"

#include <algorithm>
#include <cassert>
#include <utility>

namespace cambium::engine {

Trees::~Trees() {
  for (const auto& [id, tree] : by_id_) tree->Release();
  for (const std::weak_ptr<Tree>& removed : removed_) {
    if (const TreeRef tree = removed.lock()) tree->Release();
  }
}

Trees::Prepared Trees::Prepare(ColumnFamilyId id, std::string name, TreeOptions options) const {
  Prepared prepared;
  prepared.tree = std::make_shared<Tree>(id, std::move(options), world_);
  std::map<ColumnFamilyId, TreeRef> by_id = {{id, prepared.tree}};
  prepared.by_id = by_id.extract(by_id.begin());
  std::map<std::string, TreeRef, std::less<>> by_name = {{std::move(name), prepared.tree}};
  prepared.by_name = by_name.extract(by_name.begin());
  return prepared;
}

void Trees::Insert(Prepared prepared) {
  MutexLock lock(&mutex_);
  [[maybe_unused]] const bool new_id = by_id_.insert(std::move(prepared.by_id)).inserted;
  [[maybe_unused]] const bool new_name = by_name_.insert(std::move(prepared.by_name)).inserted;
  assert(new_id && new_name);
}

Tree* Trees::Add(ColumnFamilyId id, std::string name, TreeOptions options) {
  Prepared prepared = Prepare(id, std::move(name), std::move(options));
  Tree* const tree = prepared.tree.get();
  Insert(std::move(prepared));
  return tree;
}

void Trees::Remove(ColumnFamilyId id, std::string_view name) {
  TreeRef removed;
  MutexLock lock(&mutex_);
  assert(removed_.size() < removed_.capacity());
  const auto place = by_id_.find(id);
  const auto named = by_name_.find(name);
  assert(place != by_id_.end() && named != by_name_.end() && named->second == place->second);
  removed = place->second;
  removed_.push_back(removed);
  by_name_.erase(named);
  by_id_.erase(place);
}

void Trees::PrepareToRemove() {
  MutexLock lock(&mutex_);
  std::erase_if(removed_, [](const std::weak_ptr<Tree>& tree) { return tree.expired(); });
  removed_.reserve(removed_.size() + 1);
}

void Trees::Rename(std::string_view from, std::string to) {
  MutexLock lock(&mutex_);
  const auto place = by_name_.find(from);
  assert(place != by_name_.end() && !by_name_.contains(to));
  auto node = by_name_.extract(place);
  node.key() = std::move(to);
  by_name_.insert(std::move(node));
}

TreeRef Trees::Find(ColumnFamilyId id) const {
  MutexLock lock(&mutex_);
  const auto place = by_id_.find(id);
  return place == by_id_.end() ? nullptr : place->second;
}

TreeRef Trees::FindByName(std::string_view name) const {
  MutexLock lock(&mutex_);
  const auto place = by_name_.find(name);
  return place == by_name_.end() ? nullptr : place->second;
}

std::vector<TreeRef> Trees::All() const {
  MutexLock lock(&mutex_);
  std::vector<TreeRef> all;
  all.reserve(by_id_.size());
  for (const auto& [id, tree] : by_id_) all.push_back(tree);
  return all;
}

std::vector<std::string> Trees::Names() const {
  MutexLock lock(&mutex_);
  std::vector<std::string> names;
  for (const auto& [name, tree] : by_name_) names.push_back(name);
  return names;
}

size_t Trees::size() const {
  MutexLock lock(&mutex_);
  return by_id_.size();
}

uint64_t Trees::OldestSegment(const Tree* flushing, const ReadView* flushed) const {
  uint64_t oldest = MemSlot::kNoSegment;
  for (const TreeRef& tree : All()) {
    oldest = std::min(oldest, tree->OldestSegment(tree.get() == flushing ? flushed : nullptr));
  }
  return oldest;
}

}  // namespace cambium::engine
