// FileReaper: removes files that no view names any more.
//
// A table's file is enqueued by the last view that names it, from whatever thread lets go of that
// view, and removed later by Reap(), because a removal does I/O. After a manifest error nothing is
// removed (D12): what the disk's manifest still names must stay; the next Open clears away what is
// left.
#ifndef CAMBIUM_ENGINE_STATE_FILE_REAPER_H_
#define CAMBIUM_ENGINE_STATE_FILE_REAPER_H_

#include <string>
#include <utility>
#include <vector>

#include "base/file_names.h"
#include "cambium/file_system.h"
#include "util/mutex.h"

namespace cambium::engine {

// Thread-safe.
class FileReaper {
 public:
  FileReaper(FileSystem* file_system, std::string directory)
      : file_system_(file_system), directory_(std::move(directory)) {}

  // A file that nothing names any more: a table that stands in no version and no view, or an old
  // manifest.
  void Enqueue(std::string path) {
    MutexLock lock(&mutex_);
    doomed_.push_back(std::move(path));
  }
  void EnqueueTable(FileNumber table) { Enqueue(TablePath(directory_, table)); }

  // Removes what was enqueued. A failed removal is forgotten: the next Open finds the file.
  void Reap() {
    std::vector<std::string> doomed;
    {
      MutexLock lock(&mutex_);
      if (suspended_) return;
      doomed.swap(doomed_);
    }
    for (const std::string& path : doomed) file_system_->Remove(path).IgnoreError();
  }

  // Between Suspend() and Allow() nothing is removed.
  void Suspend() {
    MutexLock lock(&mutex_);
    suspended_ = true;
  }
  void Allow() {
    MutexLock lock(&mutex_);
    suspended_ = false;
  }

 private:
  FileSystem* const file_system_;
  const std::string directory_;
  Mutex mutex_;
  std::vector<std::string> doomed_ ABSL_GUARDED_BY(mutex_);
  bool suspended_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace cambium::engine

#endif  // CAMBIUM_ENGINE_STATE_FILE_REAPER_H_
