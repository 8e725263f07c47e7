#include "engine/tree/tree.h"

#include <cassert>
#include <map>
#include <utility>

namespace cambium::engine {

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
  std::map<FileNumber, LiveTableRef> known;
  if (previous != nullptr) {
    for (const RunView& run : previous->runs) {
      for (const LiveTableRef& table : run.tables) known.emplace(table->file().number, table);
    }
  }
  auto view = std::make_shared<TablesView>();
  for (int level = 0; level < kLevelCount; ++level) {
    for (const manifest::Run& run : version->runs(level)) {
      std::vector<LiveTableRef> tables;
      tables.reserve(run.files.size());
      for (const manifest::FileRef& file : run.files) {
        if (const auto found = known.find(file->number); found != known.end()) {
          tables.push_back(std::move(found->second));
          known.erase(found);
        } else {
          tables.push_back(std::make_shared<LiveTable>(file, directory_, reaper_));
        }
      }
      view->runs.push_back({level, &run, std::move(tables)});
    }
  }
  // Whatever the new version does not name goes with the last view that does.
  for (const auto& [number, table] : known) table->MarkObsolete();
  view->version = std::move(version);
  return view;
}

}  // namespace cambium::engine
