#include "sstable/table/table_handle.h"

#include <cassert>
#include <utility>

#include "base/file_names.h"
#include "util/file_status.h"
#include "util/status_copy.h"

namespace cambium::sstable {

TableHandle::TableHandle(const TableDirectory* directory, FileNumber number, uint64_t file_size)
    : directory_(directory), number_(number), file_size_(file_size) {}

TableHandle::~TableHandle() = default;

absl::StatusOr<const TableReader*> TableHandle::Open() {
  MutexLock lock(&mutex_);
  if (reader_ != nullptr) return reader_.get();
  if (!damage_.ok()) return CopyStatus(damage_);
  TableReaderOptions options;
  options.order = directory_->order;
  options.cache = directory_->cache;
  options.number = number_;
  options.path = TablePath(directory_->path, number_);
  options.file_size = file_size_;
  absl::StatusOr<std::unique_ptr<RandomAccessFile>> file =
      directory_->file_system->OpenRandomAccess(options.path);
  if (!file.ok()) return ReadError(file.status());
  absl::StatusOr<std::unique_ptr<TableReader>> opened =
      TableReader::Open(options, *std::move(file));
  if (!opened.ok()) {
    if (absl::IsDataLoss(opened.status())) damage_ = CopyStatus(opened.status());
    return opened.status();
  }
  reader_ = *std::move(opened);
  assert(reader_ != nullptr);
  open_.store(reader_.get(), std::memory_order_release);
  return reader_.get();
}

}  // namespace cambium::sstable
