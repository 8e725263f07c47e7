// ReadView: the data of a read, as one immutable value: {memtable, frozen memtables, tables}.
//
//   view 7  {M3, [M2, M1], tables 4}
//     │ memtable full        →  view 8  {M4, [M3, M2, M1], tables 4}
//     │ flush of M1, M2 done →  view 9  {M4, [M3], tables 5}
//
// A change never modifies a view; it publishes a new one (engine/tree/tree.h). The memtables and
// the tables on disk of a view stay readable as long as the view exists.
#ifndef CAMBIUM_ENGINE_STATE_READ_VIEW_H_
#define CAMBIUM_ENGINE_STATE_READ_VIEW_H_

#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "base/keys.h"
#include "engine/state/live_table.h"
#include "engine/state/mem_slot.h"
#include "manifest/version.h"
#include "util/shared_array.h"

namespace cambium::engine {

// One sorted run: tables that do not overlap, ascending. Immutable after construction.
struct RunView {
  int level = 0;
  const manifest::Run* run = nullptr;  // of TablesView::version
  SharedArray<LiveTableRef> tables;    // as run->files; shared with other views of the same run

  // Returns the one table that may contain `key`, or null.
  const LiveTable* Find(const LookupKey& key, const KeyOrder& order) const {
    const size_t index = manifest::FindFileIndex(*run, key.key, key.abbreviated, order);
    if (index == tables.size()) return nullptr;
    const LiveTable* table = tables[index].get();
    return order.Less(key.key, table->file().smallest_key) ? nullptr : table;
  }
  // Returns the table of `file`, or null if the run does not contain it.
  LiveTableRef Find(const manifest::FileMetadata& file, const KeyOrder& order) const {
    const size_t index = manifest::FindFileIndex(*run, file.smallest_key,
                                                 order.Abbreviate(file.smallest_key), order);
    if (index == tables.size() || tables[index]->file().number != file.number) return nullptr;
    return tables[index];
  }
  // Returns all tables.
  TableSlice All() const { return {run->files, tables}; }
};

// The tables of one version, newest run first. Immutable after construction.
struct TablesView {
  std::shared_ptr<const manifest::Version> version;
  std::vector<RunView> runs;
};

// Immutable after construction; the active memtable accepts writes.
struct ReadView {
  std::shared_ptr<MemSlot> active;               // Memory::no_memtable if the tree has no memtable
  std::vector<std::shared_ptr<MemSlot>> frozen;  // newest first
  std::shared_ptr<const TablesView> tables;
  // Null, or the error of every read and write: of a family that was dropped, or that cannot be
  // used. The tree owns it.
  const absl::Status* refusal = nullptr;
  // Of a dropped family: its last view, as long as older snapshots may read it.
  std::weak_ptr<const ReadView> before_drop = {};
};

}  // namespace cambium::engine

#endif  // CAMBIUM_ENGINE_STATE_READ_VIEW_H_
