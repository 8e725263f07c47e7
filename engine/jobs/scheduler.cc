#include "engine/jobs/scheduler.h"

#include <algorithm>
#include <cassert>
#include <memory>
#include <optional>
#include <utility>

#include "util/status_macros.h"

namespace cambium::engine {
namespace {

// A waiter looks again after this long even where nobody signalled.
constexpr uint64_t kWaitMicros = 20'000;

// Files of the base level at most, and of one compaction's input.
constexpr uint64_t kBaseFiles = 8;
constexpr uint64_t kPlanFiles = 25;

}  // namespace

void JobScheduler::Schedule() {
  MutexLock lock(&mutex_);
  StartDue();
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
    if (NoJobRuns()) return;
    changed_.WaitFor(&mutex_, kWaitMicros);
  }
}

void JobScheduler::DrainFlush() {
  for (;;) {
    while (world_.context->executor()->RunOne()) {
    }
    MutexLock lock(&mutex_);
    if (!flush_running_) return;
    changed_.WaitFor(&mutex_, kWaitMicros);
  }
}

void JobScheduler::StartDue() {
  Context* const context = world_.context;
  if (stopping_.load(std::memory_order_relaxed) || !context->errors.writable()) return;
  const std::shared_ptr<const ReadView> view = world_.tree->Pin();
  if (!flush_running_ && !view->frozen.empty()) {
    flush_running_ = true;
    context->executor()->Schedule(Lane::kFlush, [this] {
      // What went wrong stands in context->errors; whoever waits for the flush finds it there.
      if (!stopping_.load()) RunFlush(world_).IgnoreError();
      CleanUp();
      MutexLock lock(&mutex_);
      flush_running_ = false;
      StartDue();
      changed_.SignalAll();
    });
  }
  if (manual_requests_ > 0) return;
  const auto limit = static_cast<size_t>(std::max(1, context->options.background_threads));
  while (compactions_running_ < limit) {
    std::optional<compaction::Plan> plan =
        compaction::Pick(*view->tables->version, Policy(), running_);
    if (!plan.has_value()) return;
    Start(*std::move(plan));
  }
}

void JobScheduler::Start(compaction::Plan plan) {
  running_.push_back(plan);
  ++compactions_running_;
  world_.context->executor()->Schedule(Lane::kCompaction,
                                       [this, plan = std::move(plan)] { RunPlan(plan); });
}

void JobScheduler::RunPlan(const compaction::Plan& plan) {
  bool published = false;
  CompactionControl control;
  control.cancelled = [this] { return stopping_.load(std::memory_order_relaxed); };
  control.publish = [this, &plan, &published](const std::function<void()>& publish) {
    MutexLock lock(&mutex_);
    publish();
    Leave(plan);
    published = true;
  };
  // As for a flush; a damaged input is quarantined, and the policy leaves it alone from then on.
  if (!control.cancelled()) RunCompaction(world_, plan, control).IgnoreError();
  CleanUp();
  MutexLock lock(&mutex_);
  if (!published) Leave(plan);
  --compactions_running_;
  StartDue();
  changed_.SignalAll();
}

void JobScheduler::Leave(const compaction::Plan& plan) {
  // Running plans never share a file: the first input tells them apart.
  const FileNumber first = plan.inputs.front().files.front()->number;
  [[maybe_unused]] const size_t left = std::erase_if(running_, [first](const auto& other) {
    return other.inputs.front().files.front()->number == first;
  });
  assert(left == 1);
}

void JobScheduler::CleanUp() {
  world_.context->reaper.Reap();
  world_.load_changed();
}

bool JobScheduler::NoJobRuns() const { return !flush_running_ && compactions_running_ == 0; }

absl::Status JobScheduler::Failure() const {
  if (stopping_.load()) return absl::FailedPreconditionError("the database is closed");
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

absl::Status JobScheduler::AwaitIdle() {
  return Await([this] {
    mutex_.AssertHeld();
    const std::shared_ptr<const ReadView> view = world_.tree->Pin();
    return NoJobRuns() && view->frozen.empty() &&
           !compaction::Pick(*view->tables->version, Policy(), {}).has_value();
  });
}

absl::Status JobScheduler::CompactRange(const compaction::KeyRange& range) {
  const compaction::ManualRequest request{
      range, world_.versions->state().families.at(kDefaultFamily).flushed_sequence,
      FileNumber{world_.context->next_file_number.load()}};
  {
    MutexLock lock(&mutex_);
    ++manual_requests_;
  }
  // One step after the other, each while nothing else runs, until there is none left.
  const absl::Status status = Await([&] {
    mutex_.AssertHeld();
    if (!running_.empty() || !Failure().ok()) return false;
    std::optional<compaction::Plan> step =
        compaction::PickManual(*world_.tree->Pin()->tables->version, Policy(), request);
    if (!step.has_value()) return true;
    Start(*std::move(step));
    return false;
  });
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
