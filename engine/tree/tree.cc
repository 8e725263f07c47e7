#include "engine/tree/tree.h"

#include <algorithm>
#include <cassert>
#include <functional>
#include <map>
#include <utility>

#include "base/limits.h"

namespace cambium::engine {
namespace {

using OldRuns = std::map<std::pair<int, uint64_t>, const RunView*>;  // key: level and id
using DroppedTables = std::map<FileNumber, LiveTableRef>;

const RunView* TakeOld(std::pair<int, uint64_t> place, OldRuns* runs) {
  const auto old = runs->extract(place);
  return old.empty() ? nullptr : old.mapped();
}

// Returns the tables of `run`, from `old`, the same run in the previous view, if it has them; null
// for a file that is new in the run. Tables only in the old run are added to `dropped`. Iterates
// over both, which are ascending.
std::vector<LiveTableRef> Match(const RunView* old, const manifest::Run& run, const KeyOrder& order,
                                DroppedTables* dropped) {
  std::vector<LiveTableRef> tables;
  tables.reserve(run.files.size());
  const size_t old_size = old == nullptr ? 0 : old->tables.size();
  size_t next = 0;  // of the old run
  const auto drop = [&] {
    dropped->emplace(old->run->numbers[next], old->tables[next]);
    ++next;
  };
  for (size_t i = 0; i < run.files.size(); ++i) {
    while (next < old_size && old->run->numbers[next] != run.numbers[i] &&
           !order.Less(run.files[i]->smallest_key, old->run->files[next]->smallest_key)) {
      drop();
    }
    const bool same = next < old_size && old->run->numbers[next] == run.numbers[i];
    tables.push_back(same ? old->tables[next++] : nullptr);
  }
  while (next < old_size) drop();
  return tables;
}

}  // namespace

void RetireView::operator()(PublishedView* view) const {
  epochs->Retire(&view->link, view,
                 [](void* object) { delete static_cast<PublishedView*>(object); });
  // Frees replaced memtables and files now: does not wait for more retirements.
  epochs->Collect();
}

Tree::Tree(ColumnFamilyId id, TreeOptions options, const TreeWorld& world)
    : id_(id),
      options_(std::move(options)),
      world_(world),
      home_{{world.storage->fs(), world.storage->path, options_.order, &world.memory->cache},
            &world.storage->reaper,
            world.errors} {}

void Tree::Start(const std::vector<std::shared_ptr<MemSlot>>& memtables,
                 std::shared_ptr<const manifest::Version> version) {
  assert(!memtables.empty() && current_.load(std::memory_order_relaxed) == nullptr);
  NextVersion next = Prepare(std::move(version));
  next.view->active = memtables.back();
  next.view->frozen.assign(memtables.rbegin() + 1, memtables.rend());
  if (!usable()) next.view->refusal = &options_.refusal;
  active_ = next.view->active.get();
  for (const auto& slot : next.view->frozen) world_.memory->frozen_bytes += slot->charge();
  MutexLock lock(&tree_mu_);
  const ReplacedView none = Publish(std::move(next.published));
}

ReplacedView Tree::ReplaceActive(std::shared_ptr<MemSlot> next, SequenceNumber last) {
  assert(next != nullptr && next.get() != active_);
  auto published = std::make_unique<PublishedView>();
  auto view = std::make_shared<ReadView>();
  MutexLock lock(&tree_mu_);
  const ReadView& old = View();
  assert(old.active.get() == active_);
  view->frozen.reserve(old.frozen.size() + 1);
  if (active_->reserved > 0) view->frozen.push_back(old.active);
  view->frozen.insert(view->frozen.end(), old.frozen.begin(), old.frozen.end());
  view->active = std::move(next);
  view->tables = old.tables;
  published->view = std::move(view);
  // Nothing can fail from here on.
  if (active_->reserved > 0) {
    assert(active_->last == 0 && last > 0);
    active_->last = last;
    world_.memory->frozen_bytes += active_->charge();
  }
  active_ = published->view->active.get();
  return Publish(std::move(published));
}

Tree::Ending Tree::PrepareToDrop(absl::Status refusal) {
  assert(!refusal.ok());
  drop_refusal_ = std::move(refusal);  // no view refers to it yet
  NextVersion next = Prepare(std::make_shared<const manifest::Version>());
  next.view->refusal = &drop_refusal_;
  next.view->active = world_.memory->no_memtable;
  Ending ending;
  ending.empty = std::move(next.published);
  ending.view = std::move(next.view);
  ending.last = std::make_shared<KeptView>();
  ending.last->tree = shared_from_this();
  return ending;
}

std::shared_ptr<const ReadView> Tree::Drop(Ending ending, const PublishBracket& bracket) {
  ReplacedView replaced;
  std::shared_ptr<const ReadView> last;
  const auto publish = [&] {
    MutexLock lock(&tree_mu_);
    ending.last->view = current_.load(std::memory_order_relaxed)->view;
    last = {ending.last, ending.last->view.get()};
    ending.view->before_drop = last;
    for (const auto& slot : last->frozen) world_.memory->frozen_bytes -= slot->charge();
    active_ = ending.view->active.get();
    replaced = Publish(std::move(ending.empty));
  };
  bracket(std::ref(publish));
  assert(last != nullptr && replaced != nullptr);
  for (const RunView& run : last->tables->runs) {
    for (const LiveTableRef& table : run.tables) table->MarkObsolete();
  }
  return last;
}

std::shared_ptr<const ReadView> Tree::KeepAlive(std::shared_ptr<const ReadView> view) const {
  const auto kept = std::make_shared<KeptView>();
  kept->tree = shared_from_this();
  kept->view = std::move(view);
  return {kept, kept->view.get()};
}

uint64_t Tree::OldestSegment(const ReadView* flushed) const {
  const std::shared_ptr<const ReadView> view = Pin();
  if (view->refusal == &drop_refusal_) return MemSlot::kNoSegment;
  const size_t gone = flushed == nullptr ? 0 : flushed->frozen.size();
  assert(gone <= view->frozen.size());  // one flush per tree at a time
  const size_t left = view->frozen.size() - gone;
  const MemSlot& oldest = left > 0 ? *view->frozen[left - 1] : *view->active;
  return std::min(held_segment_, oldest.oldest_segment.load(std::memory_order_acquire));
}

Tree::NextVersion Tree::Prepare(std::shared_ptr<const manifest::Version> version) const {
  assert(version != nullptr);
  const bool first = current_.load(std::memory_order_acquire) == nullptr;
  const std::shared_ptr<const ReadView> old = first ? nullptr : Pin();
  NextVersion next;
  next.published = std::make_unique<PublishedView>();
  next.view = std::make_shared<ReadView>();
  next.view->tables =
      MakeTables(std::move(version), first ? nullptr : old->tables.get(), &next.dropped);
  // Reserves room for memtables that are frozen until the version is installed.
  next.view->frozen.reserve((first ? 0 : old->frozen.size()) + kMaxFrozenMemtables + 1);
  next.published->view = next.view;
  return next;
}

void Tree::Install(NextVersion next, size_t flushed, const PublishBracket& bracket) {
  ReplacedView replaced;
  const auto publish = [&] {
    MutexLock lock(&tree_mu_);
    const ReadView& old = View();
    assert(flushed <= old.frozen.size() && old.frozen.size() <= next.view->frozen.capacity());
    const auto first_flushed = old.frozen.end() - static_cast<ptrdiff_t>(flushed);
    next.view->active = old.active;
    next.view->frozen.assign(old.frozen.begin(), first_flushed);
    for (auto slot = first_flushed; slot != old.frozen.end(); ++slot) {
      world_.memory->frozen_bytes -= (*slot)->charge();
    }
    replaced = Publish(std::move(next.published));
  };
  if (bracket) {
    bracket(std::ref(publish));  // allocates nothing
  } else {
    publish();
  }
  assert(replaced != nullptr);
  // Tables that are not in the new version are removed with the last view that refers to them.
  for (const LiveTableRef& table : next.dropped) table->MarkObsolete();
  next.dropped.clear();
  replaced.reset();
  // Flushed memtables and replaced files are freed now, even if a reader has an open guard: guards
  // are short.
  world_.epochs->Drain();
}

ReplacedView Tree::Publish(std::unique_ptr<PublishedView> next) {
  assert(next->view->active != nullptr && next->view->tables != nullptr);
  return ReplacedView(current_.exchange(next.release(), std::memory_order_acq_rel),
                      RetireView{world_.epochs});
}

std::shared_ptr<const TablesView> Tree::MakeTables(std::shared_ptr<const manifest::Version> version,
                                                   const TablesView* previous,
                                                   std::vector<LiveTableRef>* dropped) const {
  OldRuns old_runs;
  if (previous != nullptr) {
    for (const RunView& run : previous->runs) old_runs[{run.level, run.run->id}] = &run;
  }
  DroppedTables left;  // not in the version
  auto view = std::make_shared<TablesView>();
  std::vector<std::pair<size_t, std::vector<LiveTableRef>>> changed;  // runs of `view`
  for (int level = 0; level < kLevelCount; ++level) {
    for (const manifest::Run& run : version->runs(level)) {
      const RunView* const old = TakeOld({level, run.id}, &old_runs);
      view->runs.push_back({level, &run, {}});
      if (old != nullptr && old->run->files.SharesWith(run.files)) {
        view->runs.back().tables = old->tables;
      } else {
        changed.emplace_back(view->runs.size() - 1, Match(old, run, options_.order, &left));
      }
    }
  }
  for (const auto& [place, old] : old_runs) {
    for (const LiveTableRef& table : old->tables) left.emplace(table->file().number, table);
  }
  for (auto& [index, tables] : changed) {
    RunView& run = view->runs[index];
    for (size_t i = 0; i < tables.size(); ++i) {
      if (tables[i] != nullptr) continue;
      // A file that came from another run is the same file, open or not.
      const auto moved = left.extract(run.run->numbers[i]);
      tables[i] = !moved.empty() ? std::move(moved.mapped())
                                 : std::make_shared<LiveTable>(run.run->files[i], &home_);
    }
    run.tables = SharedArray(std::move(tables));
    assert(run.tables.size() == run.run->files.size());
  }
  dropped->reserve(left.size());
  for (const auto& [number, table] : left) dropped->push_back(table);
  view->version = std::move(version);
  return view;
}

}  // namespace cambium::engine
