// JobScheduler: starts flushes and compactions when they are due, and lets callers wait for them.
//
// One flush runs at a time, for the tree with the oldest frozen writes. Compactions run in parallel
// as long as their plans do not conflict. The scheduler asks the trees and the policy for due jobs
// whenever something has changed: a memtable was frozen, a job ended, or writes work again. The
// trees take turns.
//
//   a job's end ─▶ new view ─▶ Schedule() ─▶ next job
//
// A plan runs from the moment when it is picked until the version with its result is published or
// the plan has failed. Both ends are under mutex_, so a thread that holds mutex_ sees a version
// that contains every input of every running plan.
//
// CompactRange and the policy alternate if their plans conflict: after a step of one, the other
// goes first, so neither waits for more than one plan.
//
// Lock order: manifest_mu before mutex_ before tree_mu. No thread waits for I/O under mutex_.
#ifndef CAMBIUM_ENGINE_JOBS_SCHEDULER_H_
#define CAMBIUM_ENGINE_JOBS_SCHEDULER_H_

#include <algorithm>
#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <vector>

#include "absl/status/status.h"
#include "compaction/plan.h"
#include "compaction/policy.h"
#include "engine/jobs/table_jobs.h"
#include "util/mutex.h"

namespace cambium::engine {

// Computes when a failed job may start again: after 250 ms, then twice as long each time, up to 750
// ms, so that a full disk is not kept busy. Together with the wait of ErrorState::ShouldProbe this
// is within the two seconds of D13. Thread-compatible.
class Backoff {
 public:
  static constexpr uint64_t kFirstMicros = 250'000;
  static constexpr uint64_t kLongestMicros = 750'000;

  bool Over(uint64_t now_micros) const { return now_micros >= not_before_micros_; }
  // Records the outcome of a job that has ended.
  void Note(const absl::Status& outcome, uint64_t now_micros) {
    if (outcome.ok() || absl::IsCancelled(outcome)) return Forget();
    delay_micros_ = std::clamp(2 * delay_micros_, kFirstMicros, kLongestMicros);
    not_before_micros_ = now_micros + delay_micros_;
  }
  void Forget() { *this = Backoff(); }

 private:
  uint64_t delay_micros_ = 0, not_before_micros_ = 0;
};

// Thread-safe.
class JobScheduler {
 public:
  // Stop() must be called before the destructor.
  explicit JobScheduler(JobWorld world);
  JobScheduler(const JobScheduler&) = delete;
  JobScheduler& operator=(const JobScheduler&) = delete;

  // Starts the due jobs. Cheap if no job is due: the policy is called once per change of its input.
  void Schedule() ABSL_LOCKS_EXCLUDED(mutex_);
  // Starts no more jobs because time has passed. Does not wait for jobs.
  void CancelWakeup() ABSL_LOCKS_EXCLUDED(mutex_);
  // Starts no more jobs, cancels running compactions, and returns when no job runs.
  void Stop() ABSL_LOCKS_EXCLUDED(mutex_);

  // Returns when no job runs. Call it only while no job can start: after an error or Stop().
  void Drain() ABSL_LOCKS_EXCLUDED(mutex_);

  // Like Drain(), but only for flushes: compactions may continue.
  void DrainFlush() ABSL_LOCKS_EXCLUDED(mutex_);

  // Returns ok when done() is true, or the reason why jobs no longer run. done() is called under
  // the scheduler's lock after every job. The executor may use the caller's thread.
  absl::Status Await(const std::function<bool()>& done) ABSL_LOCKS_EXCLUDED(mutex_);
  // Returns ok when no job runs and none is due, or the reason why no job can run.
  absl::Status AwaitIdle() ABSL_LOCKS_EXCLUDED(mutex_);
  // Merges the files of the tree that overlap `range` into the last level, in parallel with the
  // policy's plans. Returns DataLoss if a damaged file of that range had to stay in place.
  absl::Status CompactRange(const TreeRef& tree, const compaction::KeyRange& range)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // Lets failed jobs start again at once, because the cause of the failures was removed.
  void ForgetFailures() ABSL_LOCKS_EXCLUDED(mutex_);

  // The compaction backlog. It is zero if the policy finds nothing to do, so writers never wait for
  // a backlog that no job will reduce.
  struct Backlog {
    uint64_t bytes = 0;      // of all trees, to be written until no job is due
    size_t level0_runs = 0;  // of the tree that has the most
  };
  Backlog CountBacklog() const ABSL_LOCKS_EXCLUDED(backlog_mutex_);
  const JobWorld& world() const { return world_; }

 private:
  // A call of CompactRange that has not returned. Guarded by mutex_.
  struct Manual {
    compaction::ManualRequest request;
    bool step_runs = false;
    bool done = false;
  };
  using ManualRef = std::shared_ptr<Manual>;
  // Everything that determines which jobs can start: the policy is called once per situation.
  struct Situation {
    std::shared_ptr<const manifest::Version> version;
    uint64_t changes = 0;
    SequenceNumber oldest_snapshot = 0;

    friend bool operator==(const Situation&, const Situation&) = default;
  };

  // The scheduler's state of one tree.
  struct TreeJobs {
    TreeRef tree;
    std::vector<ManualRef> manual;
    // If true, a step of a CompactRange waited for the policy's plans and goes next.
    bool manual_turn = false;
    std::vector<compaction::Plan> running;
    size_t unfinished = 0;  // compactions that have not ended completely
    uint64_t changes = 0;   // of `running` and `manual`
    Situation examined;     // no more jobs can be started in this situation
    // The time (WallTime::Now) from which on there may be more, because values have expired.
    uint64_t next_expiry = UINT64_MAX;
    std::set<FileNumber> futile;  // PolicyOptions::futile
  };
  struct CountedBacklog {
    std::shared_ptr<const manifest::Version> version;  // the backlog belongs to it
    Backlog backlog;
  };

  class Wakeup;

  compaction::PolicyOptions Policy(const Tree& tree) const;
  Situation Now(const TreeJobs& jobs) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Returns true if no more jobs of the tree can be started now.
  bool IsExamined(const TreeJobs& jobs) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Makes the executor call WakeUp() when values will have expired.
  void ScheduleWakeup() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Starts the jobs that are due because time has passed, and records the time.
  void WakeUp() ABSL_LOCKS_EXCLUDED(mutex_);
  TreeJobs& JobsOf(const TreeRef& tree) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Ends the CompactRange calls of trees that were dropped, and forgets these trees.
  void ForgetDropped() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void StartDue() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void StartFlush() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void StartCompactions() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Starts the policy's plans for one tree, and the steps of its CompactRange calls.
  void StartCompactionsOf(TreeJobs* jobs) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Starts the next step of each CompactRange. Returns the steps that conflict with running plans.
  std::vector<compaction::Plan> StartManual(const manifest::Version& version, TreeJobs* jobs)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // `manual` is null if the plan is from the policy.
  void Start(compaction::Plan plan, ManualRef manual, TreeJobs* jobs)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void RunPlan(const compaction::Plan& plan, const ManualRef& manual, TreeJobs* jobs)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // Removes `plan` from the running plans.
  void Leave(const compaction::Plan& plan, TreeJobs* jobs) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Does the cleanup at the end of every job.
  void CleanUp() ABSL_LOCKS_EXCLUDED(mutex_);
  bool NoJobRuns() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool CanStartCompaction() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Returns true if no job runs and a failed job waits for its next attempt.
  bool OnlyTimeHelps() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status Failure() const;
  absl::Status DamageIn(const Tree& tree, const compaction::KeyRange& range) const;

  const JobWorld world_;
  std::atomic<bool> stopping_{false};
  mutable Mutex mutex_{LockRank::kScheduler};
  CondVar changed_;
  bool flush_running_ ABSL_GUARDED_BY(mutex_) = false;
  Backoff flush_backoff_ ABSL_GUARDED_BY(mutex_);
  Backoff compaction_backoff_ ABSL_GUARDED_BY(mutex_);
  size_t compactions_running_ ABSL_GUARDED_BY(mutex_) = 0;  // jobs that have not ended completely
  std::map<ColumnFamilyId, TreeJobs> trees_ ABSL_GUARDED_BY(mutex_);
  ColumnFamilyId next_turn_ ABSL_GUARDED_BY(mutex_) = 0;  // the tree that is checked first
  const std::shared_ptr<Wakeup> wakeup_;
  bool wakeup_waits_ ABSL_GUARDED_BY(mutex_) = false;  // the executor will call it
  mutable Mutex backlog_mutex_{LockRank::kBacklog};
  mutable std::map<ColumnFamilyId, CountedBacklog> backlogs_ ABSL_GUARDED_BY(backlog_mutex_);
};

}  // namespace cambium::engine

#endif  // CAMBIUM_ENGINE_JOBS_SCHEDULER_H_
