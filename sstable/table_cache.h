// TableCache: the open tables of a database directory, by file number.
//
// A TableHandle is a table that may not be open yet. The read view keeps the handles of its files,
// so that the hot path is one load of the handle's pointer; opening happens at the first use.
#ifndef CAMBIUM_SSTABLE_TABLE_CACHE_H_
#define CAMBIUM_SSTABLE_TABLE_CACHE_H_

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/keys.h"
#include "cambium/file_system.h"
#include "sstable/block_cache.h"
#include "sstable/table_reader.h"
#include "util/mutex.h"

namespace cambium::sstable {

// What all tables of one directory share. Plain data.
struct TableCacheOptions {
  FileSystem* file_system = nullptr;  // outlives every handle
  std::string directory;
  KeyOrder order{BytewiseComparator()};
  BlockCache* cache = nullptr;  // outlives every handle
};

// One table, opened at its first use and closed with the handle. A table that turned out to be
// damaged stays so: every call answers the first error; an error of the file system is tried again
// at the next call. Thread-safe.
class TableHandle {
 public:
  TableHandle(const TableCacheOptions& options, FileNumber number, uint64_t file_size);
  TableHandle(const TableHandle&) = delete;
  TableHandle& operator=(const TableHandle&) = delete;
  ~TableHandle();

  // The open reader; lives as long as the handle. One load where it is open already.
  absl::StatusOr<const TableReader*> reader() {
    if (const TableReader* open = open_.load(std::memory_order_acquire)) return open;
    return Open();
  }
  // The same, or null where it is not open.
  const TableReader* reader_if_open() const { return open_.load(std::memory_order_acquire); }

  uint64_t file_size() const { return file_size_; }

 private:
  absl::StatusOr<const TableReader*> Open() ABSL_LOCKS_EXCLUDED(mutex_);

  const TableCacheOptions options_;
  const FileNumber number_;
  const uint64_t file_size_;
  std::atomic<const TableReader*> open_{nullptr};
  Mutex mutex_;  // held while opening, so that a table is opened once
  std::unique_ptr<TableReader> reader_ ABSL_GUARDED_BY(mutex_);
  absl::Status damage_ ABSL_GUARDED_BY(mutex_);
};

// Thread-safe.
class TableCache {
 public:
  explicit TableCache(const TableCacheOptions& options);
  TableCache(const TableCache&) = delete;
  TableCache& operator=(const TableCache&) = delete;

  // The handle of a table, the same one to every caller until Evict(). `file_size` is what the
  // manifest says. Opens nothing.
  std::shared_ptr<TableHandle> GetHandle(FileNumber number, uint64_t file_size);

  // Forgets a table: its file is closed when the last holder lets go of the handle.
  void Evict(FileNumber number);

 private:
  const TableCacheOptions options_;
  Mutex mutex_;
  std::map<FileNumber, std::shared_ptr<TableHandle>> handles_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace cambium::sstable

#endif  // CAMBIUM_SSTABLE_TABLE_CACHE_H_
