#include "engine/state/file_reaper.h"

#include <cassert>
#include <utility>

#include "base/file_names.h"
#include "util/out_of_memory.h"

namespace cambium::engine {

FileReaper::FileReaper(FileSystem* file_system, Executor* executor, std::string directory)
    : executor_(executor),
      directory_(std::move(directory)),
      queue_(std::make_shared<Queue>(file_system)) {}

void FileReaper::Enqueue(std::string path) {
  IfMemoryAllows([&] {
    MutexLock lock(&queue_->mutex);
    if (!queue_->closed) queue_->paths.push_back(std::move(path));
  });
  ScheduleReap();
}

void FileReaper::EnqueueTable(FileNumber table) {
  IfMemoryAllows([&] { Enqueue(TablePath(directory_, table)); });
}

void FileReaper::ScheduleReap() {
  {
    MutexLock lock(&queue_->mutex);
    if (queue_->closed || queue_->suspended || queue_->scheduled || queue_->paths.empty()) return;
    queue_->scheduled = true;
  }
  const bool scheduled = IfMemoryAllows([&] {
    executor_->Schedule(Lane::kMaintenance, [queue = queue_] {
      {
        MutexLock lock(&queue->mutex);
        queue->scheduled = false;
      }
      Reap(queue.get());
    });
  });
  if (scheduled) return;
  // Waiting files are removed with the next job, or with the next file.
  MutexLock lock(&queue_->mutex);
  queue_->scheduled = false;
}

void FileReaper::Reap() {
  Reap(queue_.get());
  MutexLock lock(&queue_->mutex);
  while (queue_->running > 0) queue_->idle.Wait(&queue_->mutex);
}

void FileReaper::Reap(Queue* queue) {
  std::vector<std::string> paths;
  {
    MutexLock lock(&queue->mutex);
    if (queue->closed || queue->suspended || queue->paths.empty()) return;
    paths.swap(queue->paths);
    ++queue->running;
  }
  for (const std::string& path : paths) {
    CatchBadAlloc([&] { return queue->file_system->Remove(path); }).IgnoreError();
  }
  MutexLock lock(&queue->mutex);
  assert(queue->running > 0);
  if (--queue->running == 0) queue->idle.SignalAll();
}

void FileReaper::Suspend() {
  MutexLock lock(&queue_->mutex);
  queue_->suspended = true;
}

void FileReaper::Allow() {
  {
    MutexLock lock(&queue_->mutex);
    queue_->suspended = false;
  }
  ScheduleReap();
}

void FileReaper::Close() {
  MutexLock lock(&queue_->mutex);
  queue_->closed = true;
  while (queue_->running > 0) queue_->idle.Wait(&queue_->mutex);
}

}  // namespace cambium::engine
