#include "engine/jobs/scheduler.h"

#include <algorithm>
#include <cassert>
#include <memory>
#include <optional>
#include <utility>

#include "util/out_of_memory.h"
#include "util/status_macros.h"

namespace cambium::engine {
namespace {

// A waiter looks again after this long even where nobody signalled.
constexpr uint64_t kWaitMicros = 20'000;

// Flushed runs that the base level holds at most, and files of one compaction's input.
constexpr uint64_t kBaseRuns = 8;
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
  const uint64_t now = context->clock()->NowMicros();
  // What cannot be started for want of memory is still due at the next call.
  IfMemoryAllows([&] {
    mutex_.AssertHeld();
    if (flush_backoff_.Over(now)) StartFlush();
    if (compaction_backoff_.Over(now)) StartCompactions();
  });
}

void JobScheduler::StartFlush() {
  if (flush_running_ || world_.tree->Pin()->frozen.empty()) return;
  // It cannot end before mutex_ is free.
  world_.context->executor()->Schedule(Lane::kFlush, [this] {
    // What went wrong stands in context->errors; whoever waits for the flush finds it there.
    const absl::Status outcome = CatchBadAlloc(
        [this] { return stopping_.load() ? absl::CancelledError("stopping") : RunFlush(world_); });
    CleanUp();
    MutexLock lock(&mutex_);
    assert(flush_running_);
    flush_running_ = false;
    flush_backoff_.Note(outcome, world_.context->clock()->NowMicros());
    StartDue();
    changed_.SignalAll();
  });
  flush_running_ = true;
}

JobScheduler::Situation JobScheduler::Now() const {
  return {world_.tree->Pin()->tables->version, changes_, world_.context->snapshots->Oldest()};
}

void JobScheduler::StartCompactions() {
  const Situation now = Now();
  if (examined_ == now) return;
  std::vector<compaction::Plan> waiting;
  const bool manual_first = manual_turn_;
  if (manual_first) waiting = StartManual(*now.version);
  // What waits is kept free: to the policy it is as good as running.
  waiting.insert(waiting.end(), running_.begin(), running_.end());
  const auto limit = static_cast<size_t>(std::max(1, world_.context->options.background_threads));
  while (compactions_running_ < limit) {
    std::optional<compaction::Plan> plan = compaction::Pick(*now.version, Policy(), waiting);
    if (!plan.has_value()) break;
    waiting.push_back(*plan);
    Start(*std::move(plan), nullptr);
  }
  if (!manual_first) StartManual(*now.version);
  examined_ = {now.version, changes_, now.oldest_snapshot};
  if (compactions_running_ > 0) return;
  MutexLock lock(&backlog_mutex_);
  backlog_ = {now.version, 0, 0};
}

std::vector<compaction::Plan> JobScheduler::StartManual(const manifest::Version& version) {
  std::vector<compaction::Plan> waiting;
  for (const ManualRef& manual : manual_) {
    if (manual->step_runs || manual->done) continue;
    std::optional<compaction::Plan> step =
        compaction::PickManual(version, Policy(), manual->request);
    if (!step.has_value()) {
      manual->done = true;
    } else if (compaction::ConflictsWithAny(*step, running_, world_.context->order)) {
      waiting.push_back(*std::move(step));
    } else {
      Start(*std::move(step), manual);
    }
  }
  manual_turn_ = !waiting.empty();
  return waiting;
}

void JobScheduler::Start(compaction::Plan plan, ManualRef manual) {
  assert(!compaction::ConflictsWithAny(plan, running_, world_.context->order));
  assert(manual == nullptr || (!manual->step_runs && !manual->done));
  running_.reserve(running_.size() + 1);
  compaction::Plan running = plan;
  // It cannot end before mutex_ is free. Nothing fails once it is scheduled.
  world_.context->executor()->Schedule(
      Lane::kCompaction, [this, plan = std::move(plan), manual] { RunPlan(plan, manual); });
  running_.push_back(std::move(running));
  ++compactions_running_;
  ++changes_;
  if (manual != nullptr) manual->step_runs = true;
}

void JobScheduler::RunPlan(const compaction::Plan& plan, const ManualRef& manual) {
  bool published = false;
  const auto publish_and_leave = [&](const std::function<void()>& publish) {
    MutexLock lock(&mutex_);
    publish();
    Leave(plan);
    published = true;
    // Otherwise the step is done again.
    if (manual != nullptr) IfMemoryAllows([&] { manual->request.Advance(plan); });
  };
  // As for a flush; a damaged input is quarantined, and the policy leaves it alone from then on.
  const absl::Status outcome = CatchBadAlloc([&] {
    CompactionControl control;
    control.cancelled = [this] { return stopping_.load(std::memory_order_relaxed); };
    control.publish = publish_and_leave;
    return control.cancelled() ? absl::CancelledError("stopping")
                               : RunCompaction(world_, plan, control);
  });
  CleanUp();
  MutexLock lock(&mutex_);
  if (!published) Leave(plan);
  assert(compactions_running_ > 0 && running_.size() < compactions_running_);
  if (manual != nullptr) manual->step_runs = false;
  --compactions_running_;
  ++changes_;
  compaction_backoff_.Note(outcome, world_.context->clock()->NowMicros());
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
  ++changes_;
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

bool JobScheduler::OnlyTimeHelps() const {
  const uint64_t now = world_.context->clock()->NowMicros();
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
    if (world_.context->executor()->RunOne()) continue;
    bool sleep = false;
    {
      MutexLock lock(&mutex_);
      if (done()) return absl::OkStatus();
      sleep = OnlyTimeHelps();
      if (!sleep) changed_.WaitFor(&mutex_, kWaitMicros);
    }
    // By the database's clock, which decides when the next attempt is due.
    if (sleep) world_.context->clock()->SleepMicros(kWaitMicros);
  }
}

absl::Status JobScheduler::AwaitIdle() {
  return Await([this] {
    mutex_.AssertHeld();
    return NoJobRuns() && world_.tree->Pin()->frozen.empty() && examined_ == Now();
  });
}

absl::Status JobScheduler::CompactRange(const compaction::KeyRange& range) {
  const auto manual = std::make_shared<Manual>();
  manual->request.range = range;
  manual->request.newest_sequence =
      world_.versions->state().families.at(kDefaultFamily).flushed_sequence;
  manual->request.first_new_file = FileNumber{world_.context->next_file_number.load()};
  {
    MutexLock lock(&mutex_);
    manual_.push_back(manual);
    ++changes_;
  }
  const absl::Status status =
      CatchBadAlloc([&] { return Await([&manual] { return manual->done; }); });
  {
    MutexLock lock(&mutex_);
    std::erase(manual_, manual);
    ++changes_;
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

JobScheduler::Backlog JobScheduler::CountBacklog() const {
  const std::shared_ptr<const manifest::Version> version = world_.tree->Pin()->tables->version;
  MutexLock lock(&backlog_mutex_);
  if (backlog_.version != version) {
    backlog_ = {version, compaction::DebtBytes(*version, Policy()),
                compaction::MergeableRuns(*version)};
  }
  return backlog_;
}

compaction::PolicyOptions JobScheduler::Policy() const {
  const Context& context = *world_.context;
  compaction::PolicyOptions policy;
  policy.order = context.order;
  policy.target_file_size = context.options.target_file_size;
  policy.min_file_size = std::min<uint64_t>(policy.target_file_size, context.memory.memtable_bytes);
  policy.max_base_bytes = kBaseRuns * context.memory.memtable_bytes;
  policy.max_plan_bytes = kPlanFiles * policy.target_file_size;
  policy.oldest_snapshot = context.snapshots->Oldest();
  return policy;
}

}  // namespace cambium::engine
