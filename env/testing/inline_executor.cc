#include "env/testing/inline_executor.h"

#include <utility>

namespace cambium::env {

InlineExecutor::~InlineExecutor() {
  while (RunOne()) {
  }
}

void InlineExecutor::Schedule(Lane, std::function<void()> task) {
  MutexLock lock(&mu_);
  waiting_.push_back(std::move(task));
}

bool InlineExecutor::RunOne() {
  std::function<void()> task;
  {
    MutexLock lock(&mu_);
    if (waiting_.empty()) return false;
    std::swap(waiting_[random_.Below(waiting_.size())], waiting_.back());
    task = std::move(waiting_.back());
    waiting_.pop_back();
  }
  task();
  return true;
}

size_t InlineExecutor::WaitingCount() const {
  MutexLock lock(&mu_);
  return waiting_.size();
}

}  // namespace cambium::env
