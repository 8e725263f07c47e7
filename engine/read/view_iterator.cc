#include "engine/read/view_iterator.h"

#include <functional>
#include <utility>
#include <vector>

#include "base/merging_iterator.h"
#include "engine/read/db_iterator.h"
#include "engine/read/undeleted_iterator.h"

namespace cambium::engine {

namespace {

// Collects the sources of a view, newest first. Confined to the creation of an iterator.
class Sources {
 public:
  Sources(const KeyOrder& order, SequenceNumber sequence) : order_(order), sequence_(sequence) {}

  void Add(const memtable::MemTable& table) {
    std::vector<NewCursor> own;
    if (table.range_deletes().any()) {
      for (const memtable::RangeDeletes::Index& index : table.range_deletes().Get()) {
        if (index->smallest_sequence() > sequence_) continue;  // no reader of this view sees it
        own.push_back([this, index] { return NewIndexCursor(index, sequence_); });
      }
    }
    Add(table.NewIterator(), std::move(own));
  }

  void Add(const RunView& run, const sstable::TableIteratorOptions& how) {
    std::vector<NewCursor> own;
    if (!run.run->with_range_deletes.empty()) {
      own.push_back([this, &run] { return NewRunCursor(order_, run, sequence_); });
    }
    Add(NewRunIterator(order_, run.All(), how), std::move(own));
  }

  std::unique_ptr<InternalIterator> Merge() && {
    return NewMergingIterator(order_, std::move(children_));
  }

 private:
  // A source that has range tombstones, or an older one, needs its own cursor over them.
  using NewCursor = std::function<std::unique_ptr<TombstoneCursor>()>;

  void Add(std::unique_ptr<InternalIterator> source, std::vector<NewCursor> own) {
    ConcernedBy tombstones;
    for (const NewCursor& make : newer_) tombstones.newer.push_back(make());
    for (const NewCursor& make : own) tombstones.own.push_back(make());
    if (!tombstones.newer.empty() || !tombstones.own.empty()) {
      source = NewUndeletedIterator(order_, std::move(source), std::move(tombstones));
    }
    children_.push_back(std::move(source));
    newer_.insert(newer_.end(), own.begin(), own.end());
  }

  const KeyOrder order_;
  const SequenceNumber sequence_;
  std::vector<std::unique_ptr<InternalIterator>> children_;
  std::vector<NewCursor> newer_;
};

}  // namespace

std::unique_ptr<Iterator> NewViewIterator(const IteratorWorld& world,
                                          std::shared_ptr<const ReadView> view,
                                          SequenceNumber sequence, const ReadOptions& options) {
  Sources sources(world.tree->order, sequence);
  if (view->active->takes_writes()) sources.Add(view->active->table);
  for (const auto& slot : view->frozen) sources.Add(slot->table);
  for (const RunView& run : view->tables->runs) sources.Add(run, {FillOf(options), 0});
  DBIteratorArgs args;
  args.pin = std::move(view);
  args.input = std::move(sources).Merge();
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
