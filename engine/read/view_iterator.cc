#include "engine/read/view_iterator.h"

#include <utility>
#include <vector>

#include "base/merging_iterator.h"
#include "engine/read/db_iterator.h"

namespace cambium::engine {

std::unique_ptr<Iterator> NewViewIterator(const IteratorWorld& world,
                                          std::shared_ptr<const ReadView> view,
                                          SequenceNumber sequence, const ReadOptions& options) {
  std::vector<std::unique_ptr<InternalIterator>> children;
  if (view->active->takes_writes()) children.push_back(view->active->table.NewIterator());
  for (const auto& slot : view->frozen) children.push_back(slot->table.NewIterator());
  for (const RunView& run : view->tables->runs) {
    children.push_back(NewRunIterator(world.tree->order, run.All(), {FillOf(options), 0}));
  }
  DBIteratorArgs args;
  args.pin = std::move(view);
  args.input = NewMergingIterator(world.tree->order, std::move(children));
  args.order = world.tree->order;
  args.merge_operator = world.tree->merge_operator.get();
  args.time.emplace(world.wall);
  args.time->Fix();
  args.sequence = sequence;
  args.lower_bound = options.lower_bound;
  args.upper_bound = options.upper_bound;
  args.stats = world.stats;
  args.open = world.open;
  return NewDBIterator(std::move(args));
}

std::unique_ptr<Iterator> NewErrorIterator(absl::Status error) {
  std::unique_ptr<Iterator> iterator = NewDBIterator({.input = NewEmptyIterator(std::move(error))});
  iterator->SeekToFirst();  // sets its status
  return iterator;
}

}  // namespace cambium::engine
