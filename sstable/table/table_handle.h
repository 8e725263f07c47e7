// TableHandle: a table of a database directory that may not be open yet.
//
// Each live table has one handle, which its owner in the read view holds. Tables are not looked up
// by number, so a table that was removed from the tree cannot be opened again by accident. The hot
// path is one load of the handle's pointer; the table is opened on first use.
#ifndef CAMBIUM_SSTABLE_TABLE_TABLE_HANDLE_H_
#define CAMBIUM_SSTABLE_TABLE_TABLE_HANDLE_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/keys.h"
#include "cambium/file_system.h"
#include "sstable/cache/block_cache.h"
#include "sstable/table/table_reader.h"
#include "util/mutex.h"

namespace cambium::sstable {

// The state that all tables of one directory share. Plain data.
struct TableDirectory {
  FileSystem* file_system = nullptr;  // must outlive every handle
  std::string path;
  KeyOrder order{BytewiseComparator()};
  BlockCache* cache = nullptr;  // must outlive every handle
};

// One table, opened on first use and closed with the handle. If a table is damaged, every later
// call returns the first error. A missing file is DataLoss; the next call tries again, as it does
// after an error of the file system. Thread-safe.
class TableHandle {
 public:
  // `directory` must outlive the handle. `file_size` is from the manifest. Opens nothing.
  TableHandle(const TableDirectory* directory, FileNumber number, uint64_t file_size);
  TableHandle(const TableHandle&) = delete;
  TableHandle& operator=(const TableHandle&) = delete;
  ~TableHandle();

  // Returns the open reader, which lives as long as the handle. One load if it is already open.
  // Never returns NotFound.
  absl::StatusOr<const TableReader*> reader() {
    if (const TableReader* open = open_.load(std::memory_order_acquire)) return open;
    return Open();
  }
  // Returns the reader, or null if the table is not open.
  const TableReader* reader_if_open() const { return open_.load(std::memory_order_acquire); }

 private:
  absl::StatusOr<const TableReader*> Open() ABSL_LOCKS_EXCLUDED(mutex_);

  const TableDirectory* const directory_;
  const FileNumber number_;
  const uint64_t file_size_;
  std::atomic<const TableReader*> open_{nullptr};
  Mutex mutex_{LockRank::kTable};  // held while opening, so that a table is opened once
  std::unique_ptr<TableReader> reader_ ABSL_GUARDED_BY(mutex_);
  absl::Status damage_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace cambium::sstable

#endif  // CAMBIUM_SSTABLE_TABLE_TABLE_HANDLE_H_
