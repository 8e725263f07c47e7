// FileReaper: removes files that no view names any more.
//
// A table's file is enqueued by the last view that names it, from whatever thread lets go of that
// view, and removed later by Reap(), because a removal does I/O. After a manifest error nothing is
// removed (D12): what the disk's manifest still names must stay; the next Open clears away what is
// left.
#ifndef CAMBIUM_ENGINE_STATE_FILE_REAPER_H_
#define CAMBIUM_ENGINE_STATE_FILE_REAPER_H_

#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "base/keys.h"
#include "cambium/file_system.h"
#include "util/mutex.h"

namespace cambium::engine {

// Thread-safe.
class FileReaper {
 public:
  FileReaper(FileSystem* file_system, std::string directory)
      : file_system_(file_system), directory_(std::move(directory)) {}

  // `table` is named by no version and no view.
  void Enqueue(FileNumber table);
  // A file that is neither a table nor named by anything, such as an old manifest.
  void EnqueuePath(std::string path);
  // Removes what was enqueued. A failed removal is forgotten: the next Open finds the file.
  void Reap();

  // Between Suspend() and Allow() nothing is removed.
  void Suspend();
  void Allow();

 private:
  FileSystem* const file_system_;
  const std::string directory_;
  mutable Mutex mutex_;
  std::vector<std::string> doomed_ ABSL_GUARDED_BY(mutex_);
  bool suspended_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace cambium::engine

#endif  // CAMBIUM_ENGINE_STATE_FILE_REAPER_H_
