// ReadView: everything a read needs, as one immutable value: {memtable, frozen memtables, tables}.
//
//   view 7  {M3, [M2, M1], tables 4}
//     │ memtable full        →  view 8  {M4, [M3, M2, M1], tables 4}
//     │ flush of M1, M2 done →  view 9  {M4, [M3], tables 5}
//
// A change never alters a view; it publishes the next one (engine/tree/tree.h). What a view names
// stays alive and readable while the view does: memtables in memory, tables on disk.
#ifndef CAMBIUM_ENGINE_STATE_READ_VIEW_H_
#define CAMBIUM_ENGINE_STATE_READ_VIEW_H_

#include <atomic>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "base/keys.h"
#include "engine/state/file_reaper.h"
#include "engine/state/mem_slot.h"
#include "manifest/version.h"
#include "sstable/table_handle.h"
#include "util/shared_array.h"

namespace cambium::engine {

// One live SSTable: what the manifest says of it, and its reader. When a version drops the file it
// is marked obsolete, and the last view to let go of it closes the table and hands the file to the
// reaper. Immutable after construction but for that mark.
class LiveTable {
 public:
  LiveTable(manifest::FileRef file, const sstable::TableDirectory* directory, FileReaper* reaper)
      : file_(std::move(file)),
        table_(std::in_place, directory, file_->number, file_->file_size),
        reaper_(reaper) {}
  ~LiveTable() {
    if (!obsolete_.load(std::memory_order_acquire)) return;
    table_.reset();
    reaper_->EnqueueTable(file_->number);
  }
  LiveTable(const LiveTable&) = delete;
  LiveTable& operator=(const LiveTable&) = delete;

  const manifest::FileMetadata& file() const { return *file_; }
  sstable::TableHandle& table() const { return *table_; }
  void MarkObsolete() const { obsolete_.store(true, std::memory_order_release); }

 private:
  const manifest::FileRef file_;
  mutable std::optional<sstable::TableHandle> table_;  // empty only in the destructor
  FileReaper* const reaper_;
  mutable std::atomic<bool> obsolete_{false};
};
using LiveTableRef = std::shared_ptr<const LiveTable>;

// Neighbouring tables of one run. Plain data; the view that it is taken from outlives it.
struct TableSlice {
  std::span<const manifest::FileRef> files;
  std::span<const LiveTableRef> tables;  // as files
};

// One sorted run: tables that do not overlap, ascending. Immutable after construction.
struct RunView {
  int level = 0;
  const manifest::Run* run = nullptr;  // of the version beside it in TablesView
  SharedArray<LiveTableRef> tables;    // as run->files; shared with views whose run is the same

  // The one table that may hold `key`, or null.
  const LiveTable* Find(const LookupKey& key, const KeyOrder& order) const {
    const size_t index = manifest::FindFileIndex(*run, key.key, key.head, order);
    if (index == tables.size()) return nullptr;
    const LiveTable* table = tables[index].get();
    return order.Less(key.key, table->file().smallest_key) ? nullptr : table;
  }
  // The table of `file`, or null if the run does not hold it.
  LiveTableRef Find(const manifest::FileMetadata& file, const KeyOrder& order) const {
    const size_t index =
        manifest::FindFileIndex(*run, file.largest_key, order.Head(file.largest_key), order);
    if (index == tables.size() || tables[index]->file().number != file.number) return nullptr;
    return tables[index];
  }
  // All tables.
  TableSlice All() const { return {run->files, tables}; }
};

// The tables of one version, newest run first. Immutable after construction.
struct TablesView {
  std::shared_ptr<const manifest::Version> version;
  std::vector<RunView> runs;
};

// Immutable after construction; the active memtable takes writes.
struct ReadView {
  std::shared_ptr<MemSlot> active;
  std::vector<std::shared_ptr<MemSlot>> frozen;  // newest first
  std::shared_ptr<const TablesView> tables;
};

}  // namespace cambium::engine

#endif  // CAMBIUM_ENGINE_STATE_READ_VIEW_H_
