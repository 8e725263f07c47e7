// JobScheduler: starts flushes and compactions when they are due, and lets others wait for them.
//
// One flush at a time, of the tree whose frozen writes are the oldest; compactions side by side as
// long as their plans do not conflict. What is due is asked of the trees and of the policy whenever
// something has changed: a memtable was frozen, a job ended, writes work again. The trees take
// turns.
//
//   a job's end ─▶ new view ─▶ Schedule() ─▶ next job
//
// A plan runs from the moment in which it is picked until the version that holds its result is
// published, or it has failed. Both ends lie under mutex_, so that whoever holds mutex_ sees a
// version that holds every input of every running plan.
//
// CompactRange and the policy take turns where their plans conflict: after a step of the one the
// other goes first, so that neither keeps the other waiting for more than a plan.
//
// Lock order: manifest_mu before mutex_ before tree_mu. Nobody waits for I/O under mutex_.
#ifndef CAMBIUM_ENGINE_JOBS_SCHEDULER_H_
#define CAMBIUM_ENGINE_JOBS_SCHEDULER_H_

#include <algorithm>
#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "compaction/plan.h"
#include "compaction/policy.h"
#include "engine/jobs/table_jobs.h"
#include "util/mutex.h"

namespace cambium::engine {

// When a job that has failed may start again: 250 ms later, then twice as long each time, up to 750
// ms, so that a full disk is not kept busy. Together with the wait of ErrorState::ShouldProbe that
// is within the two seconds of D13. Thread-compatible.
class Backoff {
 public:
  static constexpr uint64_t kFirstMicros = 250'000;
  static constexpr uint64_t kLongestMicros = 750'000;

  bool Over(uint64_t now_micros) const { return now_micros >= not_before_micros_; }
  // A job has ended.
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
  // Requires Stop() before it is destroyed.
  explicit JobScheduler(JobWorld world) : world_(std::move(world)) {}
  JobScheduler(const JobScheduler&) = delete;
  JobScheduler& operator=(const JobScheduler&) = delete;

  // Starts what is due. Cheap if nothing is: the policy is asked once for each change of what it
  // looks at.
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
  // Merges what overlaps `range` in the tree into the last level, beside what the policy asks for.
  // DataLoss if a damaged file of that range had to be left where it is.
  absl::Status CompactRange(const Tree& tree, const compaction::KeyRange& range)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // The cause of failures was removed: jobs that have failed may start again at once.
  void ForgetFailures() ABSL_LOCKS_EXCLUDED(mutex_);

  // What compactions owe. Nothing is owed once the policy finds nothing to do: writers never wait
  // for what no job will bring down.
  struct Backlog {
    uint64_t bytes = 0;      // to be written until nothing is due, of all trees
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
  // All that decides what can be started: the policy is not asked twice about the same.
  struct Situation {
    std::shared_ptr<const manifest::Version> version;
    uint64_t changes = 0;
    SequenceNumber oldest_snapshot = 0;

    friend bool operator==(const Situation&, const Situation&) = default;
  };

  // What the scheduler knows of one tree.
  struct TreeJobs {
    Tree* tree = nullptr;
    std::vector<ManualRef> manual;
    // A step of a CompactRange waited for the policy's plans: it goes before further ones.
    bool manual_turn = false;
    std::vector<compaction::Plan> running;
    uint64_t changes = 0;  // of `running` and `manual`
    Situation examined;    // nothing more can be started in it
  };
  struct CountedBacklog {
    std::shared_ptr<const manifest::Version> version;  // of which it was counted
    Backlog backlog;
  };

  compaction::PolicyOptions Policy(const Tree& tree) const;
  Situation Now(const TreeJobs& jobs) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  TreeJobs& JobsOf(const Tree& tree) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void StartDue() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void StartFlush() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void StartCompactions() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Starts what the policy asks for in one tree, and the steps of its CompactRanges.
  void StartCompactionsOf(TreeJobs* jobs) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Starts the next step of each CompactRange. Returns the steps that conflict with running plans.
  std::vector<compaction::Plan> StartManual(const manifest::Version& version, TreeJobs* jobs)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // `manual` is null for a plan of the policy's own.
  void Start(compaction::Plan plan, ManualRef manual, TreeJobs* jobs)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void RunPlan(const compaction::Plan& plan, const ManualRef& manual, TreeJobs* jobs)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // Takes `plan` out of the running ones.
  void Leave(const compaction::Plan& plan, TreeJobs* jobs) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // What every job begins its end with.
  void CleanUp() ABSL_LOCKS_EXCLUDED(mutex_);
  bool NoJobRuns() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool CanStartCompaction() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Returns true if nothing runs and something that has failed waits for its next attempt.
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
  size_t compactions_running_ ABSL_GUARDED_BY(mutex_) = 0;  // jobs, to their very end
  std::map<ColumnFamilyId, TreeJobs> trees_ ABSL_GUARDED_BY(mutex_);
  ColumnFamilyId next_turn_ ABSL_GUARDED_BY(mutex_) = 0;  // the tree that is asked first
  mutable Mutex backlog_mutex_{LockRank::kBacklog};
  mutable std::map<ColumnFamilyId, CountedBacklog> backlogs_ ABSL_GUARDED_BY(backlog_mutex_);
};

}  // namespace cambium::engine

#endif  // CAMBIUM_ENGINE_JOBS_SCHEDULER_H_
