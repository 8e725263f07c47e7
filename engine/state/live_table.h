// LiveTable: one SSTable of a tree: what the manifest says of it, its reader, and the end of its
// file.
#ifndef CAMBIUM_ENGINE_STATE_LIVE_TABLE_H_
#define CAMBIUM_ENGINE_STATE_LIVE_TABLE_H_

#include <atomic>
#include <memory>
#include <optional>
#include <span>
#include <utility>

#include "absl/status/status.h"
#include "base/internal_iterator.h"
#include "base/keys.h"
#include "engine/state/error_state.h"
#include "engine/state/file_reaper.h"
#include "manifest/version_edit.h"
#include "sstable/table/table_handle.h"

namespace cambium::engine {

// What the tables of one tree share. Plain data; outlives them.
struct TableHome {
  sstable::TableDirectory directory;
  FileReaper* reaper = nullptr;
  ErrorState* errors = nullptr;
};

// When a version drops the file it is marked obsolete, and the last view to let go of it closes the
// table and hands the file to the reaper. Immutable after construction but for that mark.
class LiveTable {
 public:
  LiveTable(manifest::FileRef file, const TableHome* home)
      : file_(std::move(file)),
        table_(std::in_place, &home->directory, file_->number, file_->file_size),
        home_(home) {}
  ~LiveTable() {
    if (!obsolete_.load(std::memory_order_acquire)) return;
    table_.reset();
    home_->reaper->EnqueueTable(file_->number);
  }
  LiveTable(const LiveTable&) = delete;
  LiveTable& operator=(const LiveTable&) = delete;

  const manifest::FileMetadata& file() const { return *file_; }
  sstable::TableHandle& table() const { return *table_; }
  void MarkObsolete() const { obsolete_.store(true, std::memory_order_release); }

  // Returns `status`, which a read of the table came to; GetHealth() reports it if it is damage
  // (D15). Requires: it is not NotFound, which from a read means that a key does not exist.
  absl::Status Report(absl::Status status) const;
  // Reads every byte.
  absl::Status Verify() const;

 private:
  const manifest::FileRef file_;
  mutable std::optional<sstable::TableHandle> table_;  // empty only in the destructor
  const TableHome* const home_;
  mutable std::atomic<bool> obsolete_{false};
};
using LiveTableRef = std::shared_ptr<const LiveTable>;

// Neighbouring tables of one run. Plain data; the view that it is taken from outlives it.
struct TableSlice {
  std::span<const manifest::FileRef> files;
  std::span<const LiveTableRef> tables;  // as files
};

// Iterates over the entries of the tables, ascending. The view that holds them outlives the
// iterator.
std::unique_ptr<InternalIterator> NewRunIterator(const KeyOrder& order, const TableSlice& slice,
                                                 const sstable::TableIteratorOptions& how);

}  // namespace cambium::engine

#endif  // CAMBIUM_ENGINE_STATE_LIVE_TABLE_H_
