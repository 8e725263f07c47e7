// ThreadPool: runs background work on its own threads, in three lanes.
//
// With two threads or more, thread 0 runs only flushes, at the caller's priority: a writer that
// waits for the flush of a memtable never waits for a compaction. The other threads have a lower
// priority (nice +5, which an ordinary process may lower and never raise again, so it belongs to a
// thread and not to a task). They run compactions and maintenance, and flushes if thread 0 is busy.
// A single thread runs all three lanes.
#ifndef CAMBIUM_ENV_THREAD_POOL_H_
#define CAMBIUM_ENV_THREAD_POOL_H_

#include <array>
#include <chrono>
#include <cstddef>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <thread>
#include <vector>

#include "cambium/executor.h"
#include "util/mutex.h"

namespace cambium::env {

// Thread-safe.
class ThreadPool final : public Executor {
 public:
  // Creates at least one thread. Throws std::bad_alloc or std::system_error if not all can be
  // created.
  explicit ThreadPool(int threads);
  ~ThreadPool() override { Stop(); }

  // Runs the waiting tasks, and the tasks that these schedule, then ends the threads. Tasks
  // scheduled later never run. Idempotent. Do not call it from a task, or from two threads at a
  // time.
  void Stop();

  void Schedule(Lane lane, std::function<void()> task) override;
  bool RunOne() override { return false; }
  bool ScheduleAfter(uint64_t micros, std::function<void()> task) override;
  int Concurrency() const override { return concurrency_; }

 private:
  using Task = std::function<void()>;
  enum class Role { kFlushOnly, kAnyNiced, kAny };

  void Work(Role role);
  // Returns the next task that a thread of this role may run.
  std::optional<Task> Take(Role role) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Moves the delayed tasks whose time has come to their lane.
  void ReleaseDue() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Waits for work, or until the next delayed task is due.
  void AwaitWork(Role role) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  bool Drained() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const int concurrency_;
  Mutex mu_;
  CondVar flush_work_;  // the flush thread waits here
  CondVar any_work_;    // the others wait here
  std::array<std::deque<Task>, kLaneCount> lanes_ ABSL_GUARDED_BY(mu_);
  std::multimap<std::chrono::steady_clock::time_point, Task> delayed_ ABSL_GUARDED_BY(mu_);
  size_t running_ ABSL_GUARDED_BY(mu_) = 0;
  bool flush_thread_idle_ ABSL_GUARDED_BY(mu_) = false;
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
  bool stopped_ ABSL_GUARDED_BY(mu_) = false;  // no thread is left
  std::vector<std::thread> threads_;           // constant between constructor and Stop()
};

}  // namespace cambium::env

#endif  // CAMBIUM_ENV_THREAD_POOL_H_
