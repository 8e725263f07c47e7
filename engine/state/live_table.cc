#include "engine/state/live_table.h"

#include <cassert>

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

absl::Status LiveTable::Verify() const {
  const absl::StatusOr<const sstable::TableReader*> reader = table().reader();
  return Report(reader.ok() ? (*reader)->Verify(file_->digest) : reader.status());
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
