#include "engine/state/file_reaper.h"

#include <utility>

#include "base/file_names.h"

namespace cambium::engine {

void FileReaper::Enqueue(FileNumber table) { EnqueuePath(TablePath(directory_, table)); }

void FileReaper::EnqueuePath(std::string path) {
  MutexLock lock(&mutex_);
  doomed_.push_back(std::move(path));
}

void FileReaper::Reap() {
  std::vector<std::string> doomed;
  {
    MutexLock lock(&mutex_);
    if (suspended_) return;
    doomed.swap(doomed_);
  }
  for (const std::string& path : doomed) {
    // A file that stays is an orphan: the next Open removes it.
    file_system_->Remove(path).IgnoreError();
  }
}

void FileReaper::Suspend() {
  MutexLock lock(&mutex_);
  suspended_ = true;
}

void FileReaper::Allow() {
  MutexLock lock(&mutex_);
  suspended_ = false;
}

}  // namespace cambium::engine
