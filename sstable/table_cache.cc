#include "sstable/table_cache.h"

#include <utility>

#include "base/file_names.h"
#include "util/status_copy.h"
#include "util/status_macros.h"

namespace cambium::sstable {

TableHandle::TableHandle(const TableCacheOptions& options, FileNumber number, uint64_t file_size)
    : options_(options), number_(number), file_size_(file_size) {}

TableHandle::~TableHandle() = default;

absl::StatusOr<const TableReader*> TableHandle::Open() {
  MutexLock lock(&mutex_);
  if (reader_ != nullptr) return reader_.get();
  if (!damage_.ok()) return CopyStatus(damage_);
  const std::string path = TablePath(options_.directory, number_);
  ASSIGN_OR_RETURN(std::unique_ptr<RandomAccessFile> file,
                   options_.file_system->OpenRandomAccess(path));
  absl::StatusOr<std::unique_ptr<TableReader>> opened = TableReader::Open({.order = options_.order,
                                                                           .cache = options_.cache,
                                                                           .number = number_,
                                                                           .path = path,
                                                                           .file_size = file_size_},
                                                                          std::move(file));
  if (!opened.ok()) {
    if (absl::IsDataLoss(opened.status())) damage_ = CopyStatus(opened.status());
    return opened.status();
  }
  reader_ = std::move(*opened);
  open_.store(reader_.get(), std::memory_order_release);
  return reader_.get();
}

TableCache::TableCache(const TableCacheOptions& options) : options_(options) {}

std::shared_ptr<TableHandle> TableCache::GetHandle(FileNumber number, uint64_t file_size) {
  MutexLock lock(&mutex_);
  std::shared_ptr<TableHandle>& handle = handles_[number];
  if (handle == nullptr) handle = std::make_shared<TableHandle>(options_, number, file_size);
  return handle;
}

void TableCache::Evict(FileNumber number) {
  std::shared_ptr<TableHandle> evicted;  // closed outside the lock
  MutexLock lock(&mutex_);
  const auto found = handles_.find(number);
  if (found == handles_.end()) return;
  evicted = std::move(found->second);
  handles_.erase(found);
}

}  // namespace cambium::sstable
