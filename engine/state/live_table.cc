#include "engine/state/live_table.h"

#include <cassert>

#include "absl/strings/str_cat.h"
#include "base/file_names.h"
#include "compaction/run_iterator.h"
#include "util/status_macros.h"

namespace cambium::engine {

absl::Status LiveTable::Report(absl::Status status) const {
  assert(!absl::IsNotFound(status));
  if (absl::IsDataLoss(status)) {
    home_->errors->NoteDamage(status, TablePath(home_->directory.path, file_->number));
  }
  return status;
}

absl::StatusOr<const TombstoneIndex*> LiveTable::RangeDeletes() const {
  if (file_->range_deletes.count == 0) return nullptr;
  const absl::StatusOr<const sstable::TableReader*> reader = table().reader();
  if (!reader.ok()) return Report(reader.status());
  RETURN_IF_ERROR(CheckRangeDeletes(**reader));
  return (*reader)->range_deletes();
}

absl::Status LiveTable::CheckRangeDeletes(const sstable::TableReader& reader) const {
  const TombstoneIndex* const index = reader.range_deletes();
  const size_t found = index == nullptr ? 0 : index->tombstones().size();
  if (found == file_->range_deletes.count) return absl::OkStatus();
  return Report(absl::DataLossError(
      absl::StrCat("read ", TablePath(home_->directory.path, file_->number), ": found ", found,
                   " range deletes, expected the manifest's ", file_->range_deletes.count)));
}

absl::Status LiveTable::Verify() const {
  const absl::StatusOr<const sstable::TableReader*> reader = table().reader();
  if (!reader.ok()) return Report(reader.status());
  RETURN_IF_ERROR(CheckRangeDeletes(**reader));
  return Report((*reader)->Verify(file_->digest));
}

std::unique_ptr<InternalIterator> NewRunIterator(const KeyOrder& order, const TableSlice& slice,
                                                 const sstable::TableIteratorOptions& how) {
  assert(slice.files.size() == slice.tables.size());
  compaction::RunSource source;
  source.files = slice.files;
  source.open = [tables = slice.tables,
                 how](size_t index) -> absl::StatusOr<std::unique_ptr<InternalIterator>> {
    ASSIGN_OR_RETURN(const sstable::TableReader* const reader, tables[index]->table().reader());
    return reader->NewIterator(how);
  };
  source.on_error = [tables = slice.tables](size_t index, const absl::Status& error) {
    tables[index]->Report(error).IgnoreError();
  };
  return compaction::NewRunIterator(order, std::move(source));
}

}  // namespace cambium::engine
