#include "engine/jobs/scheduler.h"

#include <algorithm>
#include <cassert>
#include <iterator>
#include <memory>
#include <optional>
#include <utility>

#include "util/out_of_memory.h"
#include "util/status_macros.h"

namespace cambium::engine {
namespace {

// A waiter checks again after this time even without a signal.
constexpr uint64_t kWaitMicros = 20'000;

// The maximum number of flushed runs in the base level, and of files in one compaction's input.
constexpr uint64_t kBaseRuns = 8;
constexpr uint64_t kPlanFiles = 25;

// The jobs of a database that uses expiries look at the time at least this often: it may jump.
constexpr uint64_t kLookMicros = 1'000'000;
// At least this often, the manifest records the time. After a crash, the time may be as much
// behind.
constexpr uint64_t kRecordMicros = 10'000'000;

}  // namespace

// The task of the executor's timer, which may outlive the scheduler. Thread-safe.
class JobScheduler::Wakeup {
 public:
  explicit Wakeup(JobScheduler* scheduler) : scheduler_(scheduler) {}

  void Run() {
    MutexLock lock(&mutex_);
    if (scheduler_ != nullptr) scheduler_->WakeUp();
  }
  // Returns when WakeUp() is not running and will not be called again.
  void Cancel() {
    MutexLock lock(&mutex_);
    scheduler_ = nullptr;
  }

 private:
  Mutex mutex_{LockRank::kWakeup};
  JobScheduler* scheduler_ ABSL_GUARDED_BY(mutex_);
};

JobScheduler::JobScheduler(JobWorld world)
    : world_(std::move(world)), wakeup_(std::make_shared<Wakeup>(this)) {}

void JobScheduler::Schedule() {
  MutexLock lock(&mutex_);
  StartDue();
}

void JobScheduler::CancelWakeup() { wakeup_->Cancel(); }

void JobScheduler::Stop() {
  stopping_.store(true);
  CancelWakeup();
  Drain();
}

void JobScheduler::Drain() {
  for (;;) {
    while (world_.storage->executor->RunOne()) {
    }
    MutexLock lock(&mutex_);
    if (NoJobRuns()) return;
    changed_.WaitFor(&mutex_, kWaitMicros);
  }
}

void JobScheduler::DrainFlush() {
  for (;;) {
    while (world_.storage->executor->RunOne()) {
    }
    MutexLock lock(&mutex_);
    if (!flush_running_) return;
    changed_.WaitFor(&mutex_, kWaitMicros);
  }
}

void JobScheduler::StartDue() {
  if (stopping_.load(std::memory_order_relaxed) || !world_.errors->writable()) return;
  const uint64_t now = world_.storage->clock->NowMicros();
  // A job that cannot be started for lack of memory is still due at the next call.
  IfMemoryAllows([&] {
    mutex_.AssertHeld();
    if (flush_backoff_.Over(now)) StartFlush();
    if (compaction_backoff_.Over(now)) StartCompactions();
    ScheduleWakeup();
  });
}

void JobScheduler::ScheduleWakeup() {
  const WallTime& wall = world_.storage->wall;
  uint64_t next = UINT64_MAX;
  for (const auto& [id, jobs] : trees_) next = std::min(next, jobs.next_expiry);
  // A database that has never used an expiry does not need the time.
  if (wakeup_waits_ || (next == UINT64_MAX && wall.reached() == 0)) return;
  const uint64_t now = wall.Now();
  const uint64_t delay = std::min(next > now ? next - now : 0, kLookMicros);
  wakeup_waits_ = world_.storage->executor->ScheduleAfter(std::max(delay, kWaitMicros),
                                                          [wakeup = wakeup_] { wakeup->Run(); });
}

void JobScheduler::WakeUp() {
  if (world_.errors->writable()) {
    // An error is recorded in `errors`.
    CatchBadAlloc([this] { return world_.versions->RecordWallTime(kRecordMicros); }).IgnoreError();
  }
  MutexLock lock(&mutex_);
  wakeup_waits_ = false;
  StartDue();
}

void JobScheduler::StartFlush() {
  if (flush_running_) return;
  TreeRef due;
  SequenceNumber oldest = kMaxSequenceNumber;
  for (const TreeRef& tree : world_.trees->All()) {
    const std::shared_ptr<const ReadView> view = tree->Pin();
    if (view->frozen.empty() || view->frozen.back()->last >= oldest) continue;
    due = tree;
    oldest = view->frozen.back()->last;
  }
  if (due == nullptr) return;
  // The job cannot end before mutex_ is released.
  world_.storage->executor->Schedule(Lane::kFlush, [this, due] {
    // Errors are recorded in `errors`; threads that wait for the flush read them there.
    const absl::Status outcome = CatchBadAlloc([this, due] {
      return stopping_.load() ? absl::CancelledError("stopping") : RunFlush(world_, due.get());
    });
    CleanUp();
    MutexLock lock(&mutex_);
    assert(flush_running_);
    flush_running_ = false;
    flush_backoff_.Note(outcome, world_.storage->clock->NowMicros());
    StartDue();
    changed_.SignalAll();
  });
  flush_running_ = true;
}

JobScheduler::Situation JobScheduler::Now(const TreeJobs& jobs) const {
  return {jobs.tree->Pin()->tables->version, jobs.changes, world_.snapshots->Oldest()};
}

bool JobScheduler::IsExamined(const TreeJobs& jobs) const {
  return jobs.examined == Now(jobs) &&
         (jobs.next_expiry == UINT64_MAX || world_.storage->wall.Now() < jobs.next_expiry);
}

JobScheduler::TreeJobs& JobScheduler::JobsOf(const TreeRef& tree) {
  TreeJobs& jobs = trees_[tree->id()];
  if (jobs.tree == nullptr) jobs.tree = tree;
  assert(jobs.tree == tree);
  return jobs;
}

void JobScheduler::ForgetDropped() {
  for (auto entry = trees_.begin(); entry != trees_.end();) {
    TreeJobs& jobs = entry->second;
    const bool dropped = jobs.tree->usable() && jobs.tree->Pin()->refusal != nullptr;
    if (dropped) {
      for (const ManualRef& manual : jobs.manual) manual->done = true;
    }
    const bool unused = jobs.unfinished == 0 && jobs.manual.empty();
    entry = dropped && unused ? trees_.erase(entry) : std::next(entry);
  }
}

bool JobScheduler::CanStartCompaction() const {
  return compactions_running_ <
         static_cast<size_t>(std::max(1, world_.options->background_threads));
}

void JobScheduler::StartCompactions() {
  ForgetDropped();
  std::vector<TreeRef> trees = world_.trees->All();
  // Starts with the tree whose turn it is, so that a busy tree does not block the others.
  const auto first = std::find_if(trees.begin(), trees.end(), [this](const TreeRef& tree) {
    mutex_.AssertHeld();
    return tree->id() >= next_turn_;
  });
  std::rotate(trees.begin(), first, trees.end());
  for (const TreeRef& tree : trees) {
    if (!tree->usable()) continue;
    TreeJobs& jobs = JobsOf(tree);
    if (!IsExamined(jobs)) StartCompactionsOf(&jobs);
  }
}

void JobScheduler::StartCompactionsOf(TreeJobs* jobs) {
  const Situation now = Now(*jobs);
  bool exhausted = false;
  std::vector<compaction::Plan> waiting;
  const bool manual_first = jobs->manual_turn;
  if (manual_first) waiting = StartManual(*now.version, jobs);
  // Waiting steps must not be blocked: for the policy they count as running.
  waiting.insert(waiting.end(), jobs->running.begin(), jobs->running.end());
  compaction::PolicyOptions policy = Policy(*jobs->tree);
  policy.futile = &jobs->futile;
  while (CanStartCompaction()) {
    std::optional<compaction::Plan> plan = compaction::Pick(*now.version, policy, waiting);
    exhausted = !plan.has_value();
    if (exhausted) break;
    waiting.push_back(*plan);
    Start(*std::move(plan), nullptr, jobs);
    next_turn_ = jobs->tree->id() + 1;
  }
  if (!manual_first) StartManual(*now.version, jobs);
  // Otherwise this is called again when a thread is free, after the end of any tree's job.
  if (!exhausted) return;
  jobs->examined = {now.version, jobs->changes, now.oldest_snapshot};
  jobs->next_expiry = compaction::NextExpiry(*now.version, policy);
  if (!jobs->running.empty()) return;
  MutexLock lock(&backlog_mutex_);
  backlogs_[jobs->tree->id()] = {now.version, {}};
}

std::vector<compaction::Plan> JobScheduler::StartManual(const manifest::Version& version,
                                                        TreeJobs* jobs) {
  std::vector<compaction::Plan> waiting;
  for (const ManualRef& manual : jobs->manual) {
    if (manual->step_runs || manual->done) continue;
    std::optional<compaction::Plan> step =
        compaction::PickManual(version, Policy(*jobs->tree), manual->request);
    if (!step.has_value()) {
      manual->done = true;
    } else if (compaction::ConflictsWithAny(*step, jobs->running, jobs->tree->order())) {
      waiting.push_back(*std::move(step));
    } else {
      Start(*std::move(step), manual, jobs);
    }
  }
  jobs->manual_turn = !waiting.empty();
  return waiting;
}

void JobScheduler::Start(compaction::Plan plan, ManualRef manual, TreeJobs* jobs) {
  assert(!compaction::ConflictsWithAny(plan, jobs->running, jobs->tree->order()));
  assert(manual == nullptr || (!manual->step_runs && !manual->done));
  jobs->running.reserve(jobs->running.size() + 1);
  compaction::Plan running = plan;
  // The job cannot end before mutex_ is released. Nothing can fail after it is scheduled.
  world_.storage->executor->Schedule(Lane::kCompaction, [this, plan = std::move(plan), manual,
                                                         jobs] { RunPlan(plan, manual, jobs); });
  jobs->running.push_back(std::move(running));
  ++compactions_running_;
  ++jobs->unfinished;
  ++jobs->changes;
  if (manual != nullptr) manual->step_runs = true;
}

void JobScheduler::RunPlan(const compaction::Plan& plan, const ManualRef& manual, TreeJobs* jobs) {
  bool published = false;
  std::vector<FileNumber> futile;
  const auto note_futile = [&](std::span<const manifest::FileRef> outputs) {
    if (!compaction::WasFutile(plan, outputs)) return;
    for (const manifest::FileRef& file : outputs) futile.push_back(file->number);
  };
  const auto publish_and_leave = [&](const std::function<void()>& publish) {
    MutexLock lock(&mutex_);
    publish();
    Leave(plan, jobs);
    published = true;
    IfMemoryAllows([&] { jobs->futile.insert(futile.begin(), futile.end()); });
    // Otherwise the step is repeated.
    if (manual != nullptr) IfMemoryAllows([&] { manual->request.Advance(plan); });
  };
  // As for a flush; a damaged input is quarantined, and the policy then ignores it.
  const absl::Status outcome = CatchBadAlloc([&] {
    CompactionControl control;
    control.cancelled = [this] { return stopping_.load(std::memory_order_relaxed); };
    control.written = note_futile;
    control.publish = publish_and_leave;
    return control.cancelled() ? absl::CancelledError("stopping")
                               : RunCompaction(world_, jobs->tree.get(), plan, control);
  });
  CleanUp();
  MutexLock lock(&mutex_);
  if (!published) Leave(plan, jobs);
  assert(compactions_running_ > 0 && jobs->running.size() < compactions_running_);
  if (manual != nullptr) manual->step_runs = false;
  --compactions_running_;
  --jobs->unfinished;
  ++jobs->changes;
  compaction_backoff_.Note(outcome, world_.storage->clock->NowMicros());
  StartDue();
  changed_.SignalAll();
}

void JobScheduler::Leave(const compaction::Plan& plan, TreeJobs* jobs) {
  // Running plans never share a file, so the first input identifies a plan.
  const FileNumber first = plan.inputs.front().files.front()->number;
  [[maybe_unused]] const size_t left = std::erase_if(jobs->running, [first](const auto& other) {
    return other.inputs.front().files.front()->number == first;
  });
  assert(left == 1);
  ++jobs->changes;
}

void JobScheduler::CleanUp() {
  world_.storage->reaper.Reap();
  world_.load_changed();
}

bool JobScheduler::NoJobRuns() const { return !flush_running_ && compactions_running_ == 0; }

absl::Status JobScheduler::Failure() const {
  if (stopping_.load()) return absl::FailedPreconditionError("the database is closed");
  return world_.errors->WriteStatus();
}

bool JobScheduler::OnlyTimeHelps() const {
  const uint64_t now = world_.storage->clock->NowMicros();
  return NoJobRuns() && !(flush_backoff_.Over(now) && compaction_backoff_.Over(now));
}

void JobScheduler::ForgetFailures() {
  MutexLock lock(&mutex_);
  flush_backoff_.Forget();
  compaction_backoff_.Forget();
}

absl::Status JobScheduler::Await(const std::function<bool()>& done) {
  for (;;) {
    Schedule();
    {
      MutexLock lock(&mutex_);
      if (done()) return absl::OkStatus();
      RETURN_IF_ERROR(Failure());
    }
    if (world_.storage->executor->RunOne()) continue;
    bool sleep = false;
    {
      MutexLock lock(&mutex_);
      if (done()) return absl::OkStatus();
      sleep = OnlyTimeHelps();
      if (!sleep) changed_.WaitFor(&mutex_, kWaitMicros);
    }
    // Uses the database's clock, which determines when the next attempt is due.
    if (sleep) world_.storage->clock->SleepMicros(kWaitMicros);
  }
}

absl::Status JobScheduler::AwaitIdle() {
  return Await([this] {
    mutex_.AssertHeld();
    if (!NoJobRuns()) return false;
    const std::vector<TreeRef> trees = world_.trees->All();
    return std::all_of(trees.begin(), trees.end(), [this](const TreeRef& tree) {
      mutex_.AssertHeld();
      if (!tree->usable()) return true;
      const TreeJobs& jobs = JobsOf(tree);
      return tree->Pin()->frozen.empty() && IsExamined(jobs);
    });
  });
}

absl::Status JobScheduler::CompactRange(const TreeRef& tree, const compaction::KeyRange& range) {
  const auto manual = std::make_shared<Manual>();
  manual->request.range = range;
  manual->request.newest_sequence = world_.versions->FlushedSequence(tree->id());
  manual->request.first_new_file = FileNumber{world_.storage->next_file_number.load()};
  {
    MutexLock lock(&mutex_);
    TreeJobs& jobs = JobsOf(tree);
    jobs.manual.push_back(manual);
    ++jobs.changes;
  }
  const absl::Status status =
      CatchBadAlloc([&] { return Await([&manual] { return manual->done; }); });
  {
    MutexLock lock(&mutex_);
    TreeJobs& jobs = JobsOf(tree);
    std::erase(jobs.manual, manual);
    ++jobs.changes;
  }
  Schedule();
  return status.ok() ? DamageIn(*tree, range) : status;
}

absl::Status JobScheduler::DamageIn(const Tree& tree, const compaction::KeyRange& range) const {
  const std::shared_ptr<const ReadView> view = tree.Pin();
  for (const RunView& run : view->tables->runs) {
    for (const manifest::FileRef& file :
         manifest::FilesOverlapping(*run.run, {range.begin, range.end}, tree.order())) {
      if (file->quarantined()) return absl::DataLossError(file->damage);
    }
  }
  return absl::OkStatus();
}

JobScheduler::Backlog JobScheduler::CountBacklog() const {
  Backlog all;
  const std::vector<TreeRef> trees = world_.trees->All();
  MutexLock lock(&backlog_mutex_);
  if (backlogs_.size() > 2 * trees.size()) backlogs_.clear();  // most are of dropped families
  for (const TreeRef& tree : trees) {
    if (!tree->usable()) continue;
    const std::shared_ptr<const manifest::Version> version = tree->Pin()->tables->version;
    CountedBacklog& counted = backlogs_[tree->id()];
    if (counted.version != version) {
      counted = {
          version,
          {compaction::DebtBytes(*version, Policy(*tree)), compaction::MergeableRuns(*version)}};
    }
    all.bytes += counted.backlog.bytes;
    all.level0_runs = std::max(all.level0_runs, counted.backlog.level0_runs);
  }
  return all;
}

compaction::PolicyOptions JobScheduler::Policy(const Tree& tree) const {
  const size_t memtable_bytes = world_.memory->memtable_bytes;
  compaction::PolicyOptions policy;
  policy.order = tree.order();
  policy.target_file_size = world_.options->target_file_size;
  policy.min_file_size = std::min<uint64_t>(policy.target_file_size, memtable_bytes);
  policy.max_base_bytes = kBaseRuns * memtable_bytes;
  policy.max_plan_bytes = kPlanFiles * policy.target_file_size;
  policy.oldest_snapshot = world_.snapshots->Oldest();
  policy.now_micros = world_.storage->wall.Now();
  return policy;
}

}  // namespace cambium::engine
