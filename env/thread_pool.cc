#include "env/thread_pool.h"

#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cassert>
#include <utility>

#include "util/out_of_memory.h"

namespace cambium::env {
namespace {

constexpr int kBackgroundNice = 5;

// On Linux a nice value belongs to a thread, and setpriority takes a thread's id.
void LowerPriorityOfThisThread() {
  const id_t thread = static_cast<id_t>(::syscall(SYS_gettid));
  const int now = ::getpriority(PRIO_PROCESS, thread);
  // If this is denied (for example in a sandbox), the thread keeps its priority: this is slower for
  // other threads, but never wrong.
  (void)::setpriority(PRIO_PROCESS, thread, std::min(now + kBackgroundNice, 19));
}

}  // namespace

ThreadPool::ThreadPool(int threads) : concurrency_(std::max(threads, 1)) {
  threads_.reserve(static_cast<size_t>(concurrency_));
  const auto start = [this] {
    for (int i = 0; i < concurrency_; ++i) {
      const Role role = concurrency_ == 1 ? Role::kAny
                        : i == 0          ? Role::kFlushOnly
                                          : Role::kAnyNiced;
      threads_.emplace_back([this, role] { Work(role); });
    }
  };
  UndoIfThrown(start, [this] { Stop(); });
}

void ThreadPool::Stop() {
  {
    MutexLock lock(&mu_);
    stopping_ = true;
  }
  flush_work_.SignalAll();
  any_work_.SignalAll();
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
  decltype(delayed_) dropped;  // destroyed outside the lock
  MutexLock lock(&mu_);
  assert(running_ == 0);
  stopped_ = true;
  dropped.swap(delayed_);
}

void ThreadPool::Schedule(Lane lane, std::function<void()> task) {
  bool for_flush_thread = false;
  {
    MutexLock lock(&mu_);
    if (stopped_) return;
    lanes_[static_cast<size_t>(lane)].push_back(std::move(task));
    if (lane == Lane::kFlush && flush_thread_idle_) {
      // If the next flush arrives before that thread wakes, the other threads run it.
      flush_thread_idle_ = false;
      for_flush_thread = true;
    }
  }
  if (for_flush_thread) {
    flush_work_.Signal();
  } else {
    any_work_.Signal();
  }
}

bool ThreadPool::ScheduleAfter(uint64_t micros, std::function<void()> task) {
  const auto due = std::chrono::steady_clock::now() + std::chrono::microseconds(micros);
  {
    MutexLock lock(&mu_);
    delayed_.emplace(due, std::move(task));
  }
  any_work_.SignalAll();  // each waits for the first one
  return true;
}

void ThreadPool::ReleaseDue() {
  if (delayed_.empty()) return;
  const auto now = std::chrono::steady_clock::now();
  while (!delayed_.empty() && delayed_.begin()->first <= now) {
    lanes_[static_cast<size_t>(Lane::kMaintenance)].push_back(std::move(delayed_.begin()->second));
    delayed_.erase(delayed_.begin());
  }
}

void ThreadPool::AwaitWork(Role role) {
  if (role == Role::kFlushOnly) {
    flush_thread_idle_ = true;
    flush_work_.Wait(&mu_);
    flush_thread_idle_ = false;
  } else if (delayed_.empty()) {
    any_work_.Wait(&mu_);
  } else {
    const auto left = delayed_.begin()->first - std::chrono::steady_clock::now();
    const auto micros = std::chrono::duration_cast<std::chrono::microseconds>(left).count();
    any_work_.WaitFor(&mu_, static_cast<uint64_t>(std::max<int64_t>(micros, 0)) + 1);
  }
}

std::optional<ThreadPool::Task> ThreadPool::Take(Role role) {
  const size_t lanes = role == Role::kFlushOnly ? 1 : lanes_.size();
  for (size_t i = 0; i < lanes; ++i) {
    if (lanes_[i].empty()) continue;
    Task task = std::move(lanes_[i].front());
    lanes_[i].pop_front();
    return task;
  }
  return std::nullopt;
}

bool ThreadPool::Drained() const {
  // Running tasks may schedule more.
  return stopping_ && running_ == 0 &&
         std::all_of(lanes_.begin(), lanes_.end(), [](const auto& lane) { return lane.empty(); });
}

void ThreadPool::Work(Role role) {
  if (role == Role::kAnyNiced) LowerPriorityOfThisThread();
  mu_.Lock();
  while (true) {
    ReleaseDue();
    if (std::optional<Task> task = Take(role); task.has_value()) {
      ++running_;
      mu_.Unlock();
      (*task)();
      task.reset();  // its captures are destroyed outside the lock
      mu_.Lock();
      assert(running_ > 0);
      --running_;
    } else if (Drained()) {
      break;
    } else {
      AwaitWork(role);
    }
  }
  mu_.Unlock();
  flush_work_.SignalAll();
  any_work_.SignalAll();
}

}  // namespace cambium::env
