// FileReaper: removes files that no view names any more.
//
// The last view that names a table's file enqueues it, from whatever thread lets go of that view:
// a job, a reader, the destructor of an iterator. A removal does I/O, so it happens in a task of
// the executor's maintenance lane, or earlier in a call of Reap(); no further job is needed.
//
// After a manifest error nothing is removed (D12): what the disk's manifest still names must stay;
// the next Open clears away what is left.
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
  // `file_system` and `executor` outlive the reaper, or its Close().
  FileReaper(FileSystem* file_system, Executor* executor, std::string directory);
  ~FileReaper() { Close(); }
  FileReaper(const FileReaper&) = delete;
  FileReaper& operator=(const FileReaper&) = delete;

  // Takes a file that nothing names any more: a table that stands in no version and no view, or an
  // old manifest. Does no I/O. Forgets the file if there is no memory to keep its name.
  void Enqueue(std::string path);
  void EnqueueTable(FileNumber table);

  // Removes what was enqueued. A failed removal is forgotten: the next Open finds the file.
  // Waits for removals that run elsewhere.
  void Reap();

  // Between Suspend() and Allow() nothing is removed.
  void Suspend();
  void Allow();

  // Returns when no removal runs. From then on nothing is removed: the directory may belong to
  // another process. Idempotent.
  void Close();

 private:
  // Shared with the tasks, which may start after the reaper is gone.
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
  // Schedules a task if there is something to remove and none is on its way.
  void ScheduleReap();

  Executor* const executor_;
  const std::string directory_;
  const std::shared_ptr<Queue> queue_;
};

}  // namespace cambium::engine

#endif  // CAMBIUM_ENGINE_STATE_FILE_REAPER_H_
