#include "engine/jobs/scheduler.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "engine/jobs/compaction_job.h"
#include "engine/jobs/flush_job.h"
#include "util/status_macros.h"

namespace cambium::engine {
namespace {

// A waiter looks again after this long even where nobody signalled.
constexpr uint64_t kWaitMicros = 20'000;

// Files of the base level at most, and of one compaction's input.
constexpr uint64_t kBaseFiles = 8;
constexpr uint64_t kPlanFiles = 25;

}  // namespace

JobScheduler::JobScheduler(JobWorld world) : world_(std::move(world)) {}

JobScheduler::~JobScheduler() = default;

void JobScheduler::Schedule() {
  MutexLock lock(&mutex_);
  if (stopping_.load(std::memory_order_relaxed) || !world_.context->errors.writable()) return;
  ScheduleFlush();
  ScheduleCompactions();
}

void JobScheduler::Stop() {
  stopping_.store(true);
  Drain();
}

void JobScheduler::Drain() {
  for (;;) {
    while (world_.context->executor()->RunOne()) {
    }
    MutexLock lock(&mutex_);
    if (!flush_running_ && running_.empty()) return;
    changed_.WaitFor(&mutex_, kWaitMicros);
  }
}

void JobScheduler::ScheduleFlush() {
  if (flush_running_ || world_.tree->Pin()->frozen.empty()) return;
  flush_running_ = true;
  world_.context->executor()->Schedule(Lane::kFlush, [this] { FlushTask(); });
}

void JobScheduler::ScheduleCompactions() {
  if (manual_requests_ > 0) return;
  const auto limit = static_cast<size_t>(std::max(1, world_.context->options.background_threads));
  const std::shared_ptr<const ReadView> view = world_.tree->Pin();
  while (running_.size() < limit) {
    std::optional<compaction::Plan> plan =
        compaction::Pick(*view->tables->version, Policy(), running_);
    if (!plan.has_value()) return;
    Start(*std::move(plan));
  }
}

void JobScheduler::Start(compaction::Plan plan) {
  running_.push_back(plan);
  world_.context->executor()->Schedule(Lane::kCompaction,
                                       [this, plan = std::move(plan)] { CompactionTask(plan); });
}

void JobScheduler::FlushTask() {
  // What went wrong stands in context->errors; whoever waits for the flush finds it there.
  if (!stopping_.load()) RunFlush(world_).IgnoreError();
  world_.context->reaper.Reap();
  world_.load_changed();
  {
    MutexLock lock(&mutex_);
    flush_running_ = false;
    if (!stopping_.load() && world_.context->errors.writable()) {
      ScheduleFlush();
      ScheduleCompactions();
    }
    changed_.SignalAll();
  }
}

void JobScheduler::CompactionTask(const compaction::Plan& plan) {
  const auto cancelled = [this] { return stopping_.load(std::memory_order_relaxed); };
  // As above; a damaged input is quarantined, and the policy leaves it alone from then on.
  if (!cancelled()) RunCompaction(world_, plan, cancelled).IgnoreError();
  world_.context->reaper.Reap();
  world_.load_changed();
  {
    MutexLock lock(&mutex_);
    // Running plans never share a file: the first input tells them apart.
    const FileNumber first = plan.inputs.front().files.front()->number;
    std::erase_if(running_, [first](const compaction::Plan& other) {
      return other.inputs.front().files.front()->number == first;
    });
    if (!stopping_.load() && world_.context->errors.writable()) ScheduleCompactions();
    changed_.SignalAll();
  }
}

bool JobScheduler::Idle() {
  if (flush_running_ || !running_.empty()) return false;
  const std::shared_ptr<const ReadView> view = world_.tree->Pin();
  if (!view->frozen.empty()) return false;
  return !compaction::Pick(*view->tables->version, Policy(), {}).has_value();
}

absl::Status JobScheduler::Failure() const {
  if (stopping_.load()) return absl::CancelledError("the database is closing");
  return world_.context->errors.WriteStatus();
}

absl::Status JobScheduler::Await(const std::function<bool()>& done) {
  for (;;) {
    Schedule();
    {
      MutexLock lock(&mutex_);
      if (done()) return absl::OkStatus();
      RETURN_IF_ERROR(Failure());
    }
    if (world_.context->executor()->RunOne()) continue;
    MutexLock lock(&mutex_);
    if (!done()) changed_.WaitFor(&mutex_, kWaitMicros);
  }
}

absl::Status JobScheduler::AwaitFlushed(SequenceNumber sequence) {
  return Await([this, sequence] {
    const std::shared_ptr<const ReadView> view = world_.tree->Pin();
    return view->frozen.empty() || view->frozen.back()->first.sequence >= sequence;
  });
}

absl::Status JobScheduler::AwaitFrozenAtMost(size_t limit) {
  return Await([this, limit] { return world_.tree->Pin()->frozen.size() <= limit; });
}

absl::Status JobScheduler::AwaitIdle() {
  return Await([this] {
    mutex_.AssertHeld();
    return Idle();
  });
}

JobScheduler::Step JobScheduler::StartManual(const compaction::ManualRequest& request) {
  MutexLock lock(&mutex_);
  const std::shared_ptr<const ReadView> view = world_.tree->Pin();
  std::optional<compaction::Plan> plan =
      compaction::PickManual(*view->tables->version, Policy(), request);
  if (!plan.has_value()) return Step::kDone;
  if (compaction::ConflictsWithAny(*plan, running_, world_.context->order)) return Step::kBlocked;
  Start(*std::move(plan));
  return Step::kStarted;
}

absl::Status JobScheduler::CompactRange(const compaction::KeyRange& range) {
  compaction::ManualRequest request;
  request.range = range;
  request.newest_sequence = world_.versions->FlushedSequence();
  request.first_new_file = FileNumber{world_.context->next_file_number.load()};
  {
    MutexLock lock(&mutex_);
    ++manual_requests_;
  }
  absl::Status status;
  const auto nothing_runs = [this] {
    mutex_.AssertHeld();
    return running_.empty();
  };
  for (;;) {
    status = Await(nothing_runs);
    if (!status.ok() || StartManual(request) == Step::kDone) break;
  }
  {
    MutexLock lock(&mutex_);
    --manual_requests_;
  }
  Schedule();
  return status.ok() ? DamageIn(range) : status;
}

absl::Status JobScheduler::DamageIn(const compaction::KeyRange& range) const {
  const std::shared_ptr<const ReadView> view = world_.tree->Pin();
  for (const RunView& run : view->tables->runs) {
    for (const manifest::FileRef& file :
         manifest::FilesOverlapping(*run.run, {range.begin, range.end}, world_.context->order)) {
      if (file->quarantined()) return absl::DataLossError(file->damage);
    }
  }
  return absl::OkStatus();
}

uint64_t JobScheduler::DebtBytes() const {
  return compaction::DebtBytes(*world_.tree->Pin()->tables->version, Policy());
}

compaction::PolicyOptions JobScheduler::Policy() const {
  compaction::PolicyOptions policy;
  policy.order = world_.context->order;
  policy.target_file_size = world_.context->options.target_file_size;
  policy.max_base_bytes = kBaseFiles * policy.target_file_size;
  policy.max_plan_bytes = kPlanFiles * policy.target_file_size;
  const std::vector<SequenceNumber> snapshots = world_.context->snapshots->Sequences();
  if (!snapshots.empty()) policy.oldest_snapshot = snapshots.front();
  return policy;
}

}  // namespace cambium::engine
