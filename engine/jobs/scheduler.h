// JobScheduler: starts flushes and compactions when they are due, and lets others wait for them.
//
// One flush at a time; compactions side by side as long as their plans do not conflict. What is due
// is asked of the tree and of the policy whenever something has changed: a memtable was frozen, a
// job ended, writes work again.
//
//   a job's end ─▶ new view ─▶ Schedule() ─▶ next job
//
// A plan runs from the moment in which it is picked until the version that holds its result is
// published, or it has failed. Both ends lie under mutex_, so that whoever holds mutex_ sees a
// version that holds every input of every running plan.
//
// Lock order: manifest_mu before mutex_ before tree_mu. Nobody waits for I/O under mutex_.
#ifndef CAMBIUM_ENGINE_JOBS_SCHEDULER_H_
#define CAMBIUM_ENGINE_JOBS_SCHEDULER_H_

#include <atomic>
#include <functional>
#include <vector>

#include "absl/status/status.h"
#include "compaction/plan.h"
#include "compaction/policy.h"
#include "engine/jobs/table_jobs.h"
#include "util/mutex.h"

namespace cambium::engine {

// Thread-safe.
class JobScheduler {
 public:
  // Requires Stop() before it is destroyed.
  explicit JobScheduler(JobWorld world) : world_(std::move(world)) {}
  JobScheduler(const JobScheduler&) = delete;
  JobScheduler& operator=(const JobScheduler&) = delete;

  // Starts what is due. Cheap where nothing is.
  void Schedule() ABSL_LOCKS_EXCLUDED(mutex_);
  // Starts no more jobs, has running compactions give up, and returns when none runs.
  void Stop() ABSL_LOCKS_EXCLUDED(mutex_);

  // Returns when no job runs; to be called while none can start, after an error or Stop().
  void Drain() ABSL_LOCKS_EXCLUDED(mutex_);

  // As Drain(), for flushes alone: compactions may go on.
  void DrainFlush() ABSL_LOCKS_EXCLUDED(mutex_);

  // Returns when done() holds, which is asked under the scheduler's lock after every job; or why
  // jobs no longer run. Lends the caller's thread to the executor.
  absl::Status Await(const std::function<bool()>& done) ABSL_LOCKS_EXCLUDED(mutex_);
  // Returns when no job runs and none is due; or why none can run.
  absl::Status AwaitIdle() ABSL_LOCKS_EXCLUDED(mutex_);
  // Merges what overlaps `range` into the last level. Nothing else is compacted meanwhile. DataLoss
  // where a damaged file of that range had to be left where it is.
  absl::Status CompactRange(const compaction::KeyRange& range) ABSL_LOCKS_EXCLUDED(mutex_);

  // Bytes that compactions would have to write until nothing is due.
  uint64_t DebtBytes() const;
  const JobWorld& world() const { return world_; }

 private:
  compaction::PolicyOptions Policy() const;
  void StartDue() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Start(compaction::Plan plan) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void RunPlan(const compaction::Plan& plan) ABSL_LOCKS_EXCLUDED(mutex_);
  // Takes `plan` out of the running ones.
  void Leave(const compaction::Plan& plan) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // What every job begins its end with.
  void CleanUp() ABSL_LOCKS_EXCLUDED(mutex_);
  bool NoJobRuns() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status Failure() const;
  absl::Status DamageIn(const compaction::KeyRange& range) const;

  const JobWorld world_;
  std::atomic<bool> stopping_{false};
  mutable Mutex mutex_;
  CondVar changed_;
  bool flush_running_ ABSL_GUARDED_BY(mutex_) = false;
  int manual_requests_ ABSL_GUARDED_BY(mutex_) = 0;
  size_t compactions_running_ ABSL_GUARDED_BY(mutex_) = 0;  // jobs, to their very end
  std::vector<compaction::Plan> running_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace cambium::engine

#endif  // CAMBIUM_ENGINE_JOBS_SCHEDULER_H_
