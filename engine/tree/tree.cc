#include "engine/tree/tree.h"

#include <cassert>
#include <map>
#include <utility>

namespace cambium::engine {
namespace {

using OldRuns = std::map<std::pair<int, uint64_t>, const RunView*>;  // by level and id
using DroppedTables = std::map<FileNumber, LiveTableRef>;

const RunView* TakeOld(std::pair<int, uint64_t> place, OldRuns* runs) {
  const auto old = runs->extract(place);
  return old.empty() ? nullptr : old.mapped();
}

// The tables of `run`, as far as `old`, the same run before, has them; null stands for a file that
// is new in the run. What only the old run has goes to `dropped`. Walks over both, which ascend.
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

void RetireView::operator()(const std::shared_ptr<const ReadView>* view) const {
  using Holder = std::shared_ptr<const ReadView>;
  epochs->Retire(const_cast<Holder*>(view), [](void* h) { delete static_cast<Holder*>(h); });
  // Perhaps memtables and the files of replaced tables: it does not wait for others to be retired.
  epochs->Collect();
}

void Tree::Start(std::shared_ptr<MemSlot> active, std::vector<std::shared_ptr<MemSlot>> frozen,
                 std::shared_ptr<const manifest::Version> version) {
  std::shared_ptr<const TablesView> tables = MakeTables(std::move(version), nullptr);
  MutexLock lock(&tree_mu_);
  const ReplacedView none = Publish({std::move(active), std::move(frozen), std::move(tables)});
}

ReplacedView Tree::Freeze(std::shared_ptr<MemSlot> next) {
  MutexLock lock(&tree_mu_);
  const ReadView& old = **current_.load(std::memory_order_relaxed);
  std::vector<std::shared_ptr<MemSlot>> frozen = {old.active};
  frozen.insert(frozen.end(), old.frozen.begin(), old.frozen.end());
  return Publish({std::move(next), std::move(frozen), old.tables});
}

void Tree::Install(std::shared_ptr<const manifest::Version> version, size_t flushed,
                   const PublishBracket& bracket) {
  // Versions are installed by one thread at a time (manifest_mu), so the tables that this replaces
  // cannot change meanwhile; memtables can.
  const std::shared_ptr<const TablesView> old_tables = Pin()->tables;
  std::shared_ptr<const TablesView> tables = MakeTables(std::move(version), old_tables.get());
  ReplacedView replaced;
  const auto publish = [&] {
    MutexLock lock(&tree_mu_);
    ReadView view = **current_.load(std::memory_order_relaxed);
    assert(flushed <= view.frozen.size());
    view.frozen.resize(view.frozen.size() - flushed);
    view.tables = std::move(tables);
    replaced = Publish(std::move(view));
  };
  if (bracket) {
    bracket(publish);
  } else {
    publish();
  }
  assert(replaced != nullptr);
  replaced.reset();
  // Flushed memtables and replaced files are freed now, even if a reader had a guard open: guards
  // are short.
  epochs_->Drain();
}

ReplacedView Tree::Publish(ReadView view) {
  auto next = std::make_unique<const std::shared_ptr<const ReadView>>(
      std::make_shared<const ReadView>(std::move(view)));
  return ReplacedView(current_.exchange(next.release(), std::memory_order_acq_rel),
                      RetireView{epochs_});
}

std::shared_ptr<const TablesView> Tree::MakeTables(std::shared_ptr<const manifest::Version> version,
                                                   const TablesView* previous) const {
  OldRuns old_runs;
  if (previous != nullptr) {
    for (const RunView& run : previous->runs) old_runs[{run.level, run.run->id}] = &run;
  }
  DroppedTables dropped;
  auto view = std::make_shared<TablesView>();
  std::vector<std::pair<size_t, std::vector<LiveTableRef>>> changed;  // runs of `view`
  for (int level = 0; level < kLevelCount; ++level) {
    for (const manifest::Run& run : version->runs(level)) {
      const RunView* const old = TakeOld({level, run.id}, &old_runs);
      view->runs.push_back({level, &run, {}});
      if (old != nullptr && old->run->files.SharesWith(run.files)) {
        view->runs.back().tables = old->tables;
      } else {
        changed.emplace_back(view->runs.size() - 1, Match(old, run, directory_->order, &dropped));
      }
    }
  }
  for (const auto& [place, old] : old_runs) {
    for (const LiveTableRef& table : old->tables) dropped.emplace(table->file().number, table);
  }
  for (auto& [index, tables] : changed) {
    RunView& run = view->runs[index];
    for (size_t i = 0; i < tables.size(); ++i) {
      if (tables[i] != nullptr) continue;
      // A file that came from another run is the same file, open or not.
      const auto moved = dropped.extract(run.run->numbers[i]);
      tables[i] = !moved.empty()
                      ? std::move(moved.mapped())
                      : std::make_shared<LiveTable>(run.run->files[i], directory_, reaper_);
    }
    run.tables = SharedArray(std::move(tables));
    assert(run.tables.size() == run.run->files.size());
  }
  // Whatever the new version does not name goes with the last view that does.
  for (const auto& [number, table] : dropped) table->MarkObsolete();
  view->version = std::move(version);
  return view;
}

}  // namespace cambium::engine
