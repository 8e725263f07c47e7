// FileReaper: removes obsolete files.
//
// The last view that refers to a table's file enqueues the file, from any thread that releases the
// view: a job, a reader, or the destructor of an iterator. A removal does I/O, so it runs in a task
// of the executor's maintenance lane, or earlier in a call of Reap(); no other job is needed.
//
// After a manifest error nothing is removed (D12): files that the manifest on disk may refer to
// must stay. The next Open removes the remaining files.
#ifndef CAMBIUM_ENGINE_STATE_FILE_REAPER_H_
#define CAMBIUM_ENGINE_STATE_FILE_REAPER_H_

#include <memory>
#include <string>
#include <vector>

#include "base/keys.h"
#include "cambium/executor.h"
#include "cambium/file_system.h"
#include "util/mutex.h"

namespace cambium::engine {

// Thread-safe.
class FileReaper {
 public:
  // `file_system` and `executor` must outlive the reaper, or its Close().
  FileReaper(FileSystem* file_system, Executor* executor, std::string directory);
  ~FileReaper() { Close(); }
  FileReaper(const FileReaper&) = delete;
  FileReaper& operator=(const FileReaper&) = delete;

  // Enqueues an obsolete file for removal: a table that is in no version and no view, or an old
  // manifest. Does no I/O. Drops the request if there is no memory for the file's name.
  void Enqueue(std::string path);
  void EnqueueTable(FileNumber table);

  // Removes the enqueued files. A failed removal is not retried: the next Open finds the file.
  // Waits for removals that run in other threads.
  void Reap();

  // Between Suspend() and Allow() no file is removed.
  void Suspend();
  void Allow();

  // Returns when no removal runs. Afterwards no file is removed, because the directory may belong
  // to another process. Idempotent.
  void Close();

 private:
  // Shared with the tasks, which may start after the reaper is destroyed.
  struct Queue {
    explicit Queue(FileSystem* fs) : file_system(fs) {}
    FileSystem* const file_system;
    Mutex mutex;
    CondVar idle;
    std::vector<std::string> paths ABSL_GUARDED_BY(mutex);
    int running ABSL_GUARDED_BY(mutex) = 0;  // calls of Reap() that are removing
    bool scheduled ABSL_GUARDED_BY(mutex) = false;
    bool suspended ABSL_GUARDED_BY(mutex) = false;
    bool closed ABSL_GUARDED_BY(mutex) = false;
  };

  static void Reap(Queue* queue);
  // Schedules a task if there are files to remove and no task is scheduled.
  void ScheduleReap();

  Executor* const executor_;
  const std::string directory_;
  const std::shared_ptr<Queue> queue_;
};

}  // namespace cambium::engine

#endif  // CAMBIUM_ENGINE_STATE_FILE_REAPER_H_
