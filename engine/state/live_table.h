// LiveTable: one SSTable of a tree: its metadata in the manifest, its reader, and the removal of
// its file.
#ifndef CAMBIUM_ENGINE_STATE_LIVE_TABLE_H_
#define CAMBIUM_ENGINE_STATE_LIVE_TABLE_H_

#include <atomic>
#include <memory>
#include <optional>
#include <span>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/internal_iterator.h"
#include "base/keys.h"
#include "base/range_tombstones.h"
#include "engine/state/error_state.h"
#include "engine/state/file_reaper.h"
#include "manifest/version_edit.h"
#include "sstable/table/table_handle.h"

namespace cambium::engine {

// The state that the tables of one tree share. Plain data; outlives the tables.
struct TableHome {
  sstable::TableDirectory directory;
  FileReaper* reaper = nullptr;
  ErrorState* errors = nullptr;
};

// A version that drops the file marks it obsolete, and the last view that releases it closes the
// table and passes the file to the reaper. Immutable after construction except for that mark.
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

  // Returns `status`, the result of a read of the table. If it is damage, GetHealth() reports it
  // (D15). `status` must not be NotFound, which for a read means that a key does not exist.
  absl::Status Report(absl::Status status) const;
  // Returns the table's range tombstones, or null if it has none. Opens the table if it has some.
  // They live as long as the table.
  absl::StatusOr<const TombstoneIndex*> RangeDeletes() const;
  // Reads and verifies every byte.
  absl::Status Verify() const;

 private:
  absl::Status CheckRangeDeletes(const sstable::TableReader& reader) const;

  const manifest::FileRef file_;
  mutable std::optional<sstable::TableHandle> table_;  // empty only in the destructor
  const TableHome* const home_;
  mutable std::atomic<bool> obsolete_{false};
};
using LiveTableRef = std::shared_ptr<const LiveTable>;

// Adjacent tables of one run. Plain data; the view that contains them outlives the slice.
struct TableSlice {
  std::span<const manifest::FileRef> files;
  std::span<const LiveTableRef> tables;  // in the order of files
};

// Returns an iterator over the entries of the tables, ascending. The view that contains them must
// outlive the iterator.
std::unique_ptr<InternalIterator> NewRunIterator(const KeyOrder& order, const TableSlice& slice,
                                                 const sstable::TableIteratorOptions& how);

}  // namespace cambium::engine

#endif  // CAMBIUM_ENGINE_STATE_LIVE_TABLE_H_
