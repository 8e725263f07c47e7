#include "engine/write/write_path.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "engine/jobs/table_jobs.h"
#include "util/file_status.h"
#include "util/out_of_memory.h"
#include "util/status_macros.h"

namespace cambium::engine {
namespace {

WriteLimits LimitsFor(const Context& context) {
  WriteLimits limits;
  limits.memtables_stop = context.memory.frozen_limit + 1;
  limits.memtables_start = std::max(1.0, limits.memtables_stop / 2);
  return limits;
}

// Counts how long a writer was kept. Confined to its scope.
class StallTimer {
 public:
  explicit StallTimer(Context* context)
      : context_(context), started_(context->clock()->NowMicros()) {}
  ~StallTimer() { context_->stats.AddStall(context_->clock()->NowMicros() - started_); }

 private:
  Context* const context_;
  const uint64_t started_;
};

// A record or a sync that failed stops the log, whatever the reason. A lack of descriptors, which
// elsewhere means that nothing was done and nothing changes, is no exception.
absl::Status LogError(absl::Status status) {
  if (!IsOutOfDescriptors(status)) return status;
  return NoThrowStatus(absl::StatusCode::kUnavailable, status.message());
}

}  // namespace

WritePath::WritePath(Context* context, Tree* tree, VersionStore* versions,
                     std::unique_ptr<wal::LogSet> log, SequenceNumber last_sequence)
    : context_(context),
      tree_(tree),
      versions_(versions),
      log_(std::move(log)),
      pipeline_(this, last_sequence),
      controller_(context->clock(), LimitsFor(*context)),
      jobs_({context, tree, versions,
             [this](SequenceNumber sequence) { return pipeline_.WaitUntilPublished(sequence); },
             [this](wal::LogPosition position) { return log_->RetireBefore(position); },
             [this] { UpdateLoad(); }}),
      active_(tree->Pin()->active.get()) {
  UpdateLoad();
}

WritePath::~WritePath() { jobs_.Stop(); }

absl::Status WritePath::Write(CommitRequest request, const WriteOptions& options) {
  if (options.sync && options.disable_wal) {
    return absl::InvalidArgumentError("a write can be synced or unlogged, not both");
  }
  request.logging = options.disable_wal ? Logging::kUnlogged : Logging::kLogged;
  request.durability = options.sync ? wal::Durability::kMachine : wal::Durability::kProcess;
  RETURN_IF_ERROR(Admit(request.payload_size));
  RETURN_IF_ERROR(pipeline_.Commit(request));
  context_->stats.Add(Counter::kKeysWritten, request.count);
  context_->stats.Add(Counter::kBytesWritten, request.payload_size);
  return absl::OkStatus();
}

absl::Status WritePath::Admit(size_t bytes) {
  if (!context_->errors.writable()) {
    if (!context_->errors.ShouldProbe(context_->clock()->NowMicros())) {
      return context_->errors.WriteStatus();
    }
    RETURN_IF_ERROR(Resume());
  }
  const std::optional<WriteController::Ticket> ticket = controller_.Admit(bytes);
  if (!ticket.has_value()) [[likely]]
    return absl::OkStatus();
  return AwaitTurn(*ticket);
}

absl::Status WritePath::AwaitTurn(WriteController::Ticket ticket) {
  const StallTimer timer(context_);
  while (const uint64_t micros = controller_.MicrosLeft(ticket)) {
    RETURN_IF_ERROR(context_->errors.WriteStatus());
    RETURN_IF_ERROR(pipeline_.status());
    if (controller_.stopped()) {
      RETURN_IF_ERROR(jobs_.Await([this] {
        UpdateLoad();
        return !controller_.stopped();
      }));
    } else if (!context_->executor()->RunOne()) {
      context_->clock()->SleepMicros(micros);
    }
  }
  return absl::OkStatus();
}

void WritePath::UpdateLoad() {
  // A writer that is kept by a load that could not be updated updates it itself (AwaitTurn).
  IfMemoryAllows([this] {
    MutexLock lock(&load_mu_);
    const std::shared_ptr<const ReadView> view = tree_->Pin();
    const JobSpeeds speeds = context_->stats.MeasuredSpeeds();
    WriteLoad load;
    load.flush_bytes_per_second = speeds.flush;
    load.compaction_bytes_per_second = speeds.compaction;
    load.frozen_memtables = static_cast<int>(view->frozen.size());
    const JobScheduler::Backlog backlog = jobs_.CountBacklog();
    load.level0_runs = static_cast<int>(backlog.level0_runs);
    load.compaction_debt_bytes = backlog.bytes;
    controller_.Update(load);
  });
}

// --- The pipeline's world -----------------------------------------------------------------------

bool WritePath::Reserve(const CommitRequest& request, CommitSlot* slot) {
  const size_t bytes = MemTableBytes(request.payload_size, request.count);
  MemSlot* const active = active_;
  if (!active->HasRoom(bytes)) return false;
  if (request.logging == Logging::kLogged && !log_->TryReserve(request.payload_size, &slot->log)) {
    return false;
  }
  assert(request.count > 0 && bytes >= request.payload_size);
  active->reserved += bytes;
  slot->target_data = active;
  return true;
}

absl::Status WritePath::MakeRoom(const CommitRequest& request) {
  const WriteEpoch epoch = context_->errors.epoch();
  RETURN_IF_ERROR(context_->errors.WriteStatus());
  const size_t bytes = MemTableBytes(request.payload_size, request.count);
  const MemSlot* full = nullptr;
  pipeline_.RunUnderCommitLock([&](SequenceNumber) {
    if (!active_->HasRoom(bytes)) full = active_;
  });
  if (full != nullptr) return SwitchMemTable(full);
  if (request.logging == Logging::kUnlogged) return absl::OkStatus();
  absl::Status status = log_->MakeRoom(request.payload_size);
  if (status.ok() || absl::IsInvalidArgument(status)) return status;
  // While a recovery or Close() keeps the pipeline stopped, the log is theirs, and so is its error.
  RETURN_IF_ERROR(pipeline_.status());
  context_->errors.NoteWriteError(status, epoch);
  return status;
}

absl::Status WritePath::SwitchMemTable(const MemSlot* expected) {
  assert(expected != nullptr);
  const auto limit = static_cast<size_t>(context_->memory.frozen_limit);
  const auto has_room = [&] { return tree_->Pin()->frozen.size() < limit; };
  for (bool switched = false; !switched;) {
    if (!has_room()) {
      const StallTimer timer(context_);
      RETURN_IF_ERROR(jobs_.Await(has_room));
    }
    MutexLock lock(&switch_mu_);
    if (active_ != expected) return absl::OkStatus();
    if (closed_) return pipeline_.status();
    // Only under the lock is it certain that nobody else fills the room.
    switched = has_room();
    if (switched) Switch();
  }
  UpdateLoad();
  jobs_.Schedule();
  return absl::OkStatus();
}

void WritePath::Switch() {
  auto next = std::make_shared<MemSlot>(context_->order, &context_->chunks,
                                        context_->memory.memtable_bytes);
  ReplacedView replaced;
  pipeline_.RunUnderCommitLock([&](SequenceNumber last_allocated) {
    next->first = {last_allocated, log_->ReservedEnd()};
    assert(pipeline_.visible() <= last_allocated);
    MemSlot* const active = next.get();
    replaced = tree_->Freeze(std::move(next));
    active_ = active;
  });
}

absl::Status WritePath::WriteLog(const CommitRequest& request, const CommitSlot& slot) {
  const WriteEpoch epoch = context_->errors.epoch();
  absl::Status status =
      LogError(log_->Fill(slot.log, slot.first, request.pieces, request.durability));
  if (!status.ok()) context_->errors.NoteWriteError(status, epoch);
  context_->stats.Add(Counter::kLogBytes, wal::RecordSize(request.payload_size));
  return status;
}

absl::Status WritePath::Apply(const CommitRequest& request, const CommitSlot& slot) {
  const WriteEpoch epoch = context_->errors.epoch();
  auto* const memtable = static_cast<MemSlot*>(slot.target_data);
  if (request.logging == Logging::kUnlogged) {
    unlogged_writes_.store(true, std::memory_order_relaxed);
  }
  const absl::Status status = CatchBadAlloc([&] {
    if (request.single == nullptr) {
      return memtable->InsertBatch(request.pieces.front(), slot.first, 0);
    }
    const BatchOp op{request.single->tag(), 0, request.single->key(), request.single->value()};
    return memtable->Insert(op, slot.first);
  });
  if (!status.ok()) context_->errors.NoteWriteError(status, epoch);
  return status;
}

absl::Status WritePath::SyncTo(wal::LogPosition position) {
  const uint64_t start = context_->options.clock->NowMicros();
  const WriteEpoch epoch = context_->errors.epoch();
  absl::Status status = LogError(log_->SyncTo(position));
  context_->stats.AddSync(context_->options.clock->NowMicros() - start);
  // The log takes no more records then. Its commit is published, so that a recovery may have come
  // and gone meanwhile: the epoch tells.
  if (!status.ok()) context_->errors.NoteWriteError(status, epoch);
  return status;
}

// --- Upkeep -------------------------------------------------------------------------------------

absl::Status WritePath::Flush() {
  RETURN_IF_ERROR(context_->errors.WriteStatus());
  const MemSlot* active = nullptr;
  bool empty = false;
  SequenceNumber last = 0;
  pipeline_.RunUnderCommitLock([&](SequenceNumber last_allocated) {
    active = active_;
    empty = active_->reserved == 0;
    last = last_allocated;
  });
  if (!empty) RETURN_IF_ERROR(SwitchMemTable(active));
  return jobs_.Await([&] {
    const std::shared_ptr<const ReadView> view = tree_->Pin();
    return view->frozen.empty() || view->frozen.back()->first.sequence >= last;
  });
}

WritePath::FilledLog WritePath::PinLog() {
  MutexLock lock(&switch_mu_);  // keeps the log from being replaced by Resume()
  FilledLog log;
  log.pin = log_->PinSegments();
  SequenceNumber last = 0;
  pipeline_.RunUnderCommitLock([&](SequenceNumber last_allocated) {
    last = last_allocated;
    log.end = log_->ReservedEnd();
  });
  // After an error some records never will be filled; those below a synced position all are.
  if (!pipeline_.WaitUntilPublished(last).ok()) log.end = log_->SyncedUpTo();
  log.segments = log_->LiveSegments();
  return log;
}

absl::Status WritePath::Resume() {
  MutexLock lock(&switch_mu_);
  if (closed_) return absl::FailedPreconditionError("the database is closed");
  const WriteEpoch epoch = context_->errors.epoch();
  const absl::Status cause = context_->errors.WriteStatus();
  if (cause.ok()) return cause;
  StopWriting(cause);
  const absl::Status repaired = CatchBadAlloc([this] {
    switch_mu_.AssertHeld();
    return Repair();
  });
  if (!repaired.ok()) {
    context_->errors.NoteWriteError(repaired, epoch);
    return repaired;
  }
  // In this order: a commit that fails as soon as it is let in again is an error of the new epoch.
  context_->errors.Clear();
  pipeline_.ResetAfterError();
  UpdateLoad();
  jobs_.Schedule();
  return absl::OkStatus();
}

void WritePath::StopWriting(const absl::Status& cause) {
  // In this order: a flush may wait for commits that are under way.
  pipeline_.Stop(cause);
  pipeline_.Drain();
  jobs_.DrainFlush();
}

absl::Status WritePath::Repair() {
  RETURN_IF_ERROR(versions_->Recover());
  RETURN_IF_ERROR(log_->Recover());
  // What failed commits left in memtables lies above visible(). Their flush leaves it out, and says
  // that everything up to the last number handed out is in tables, so that recovery leaves it out
  // too. Records that the log has given up become durable by the same flush.
  SequenceNumber last = 0;
  pipeline_.RunUnderCommitLock([&](SequenceNumber last_allocated) { last = last_allocated; });
  const bool published = pipeline_.visible() == last;
  return published && !log_->NeedsFlush() ? absl::OkStatus() : FlushStopped();
}

absl::Status WritePath::FlushStopped() {
  const SequenceNumber visible = pipeline_.visible();
  // First what is frozen already. So an attempt that fails, on a full disk, has frozen nothing, and
  // however many follow, memtables do not pile up.
  if (!tree_->Pin()->frozen.empty()) RETURN_IF_ERROR(RunFlush(jobs_.world(), visible));
  if (active_->reserved == 0 && !log_->NeedsFlush()) return absl::OkStatus();
  Switch();
  assert(tree_->Pin()->frozen.size() == 1);
  return RunFlush(jobs_.world(), visible);
}

absl::Status WritePath::Close() {
  MutexLock lock(&switch_mu_);
  assert(!closed_);
  closed_ = true;
  StopWriting(NoThrowStatus(absl::StatusCode::kFailedPrecondition, "the database is closed"));
  jobs_.Stop();
  absl::Status status;
  if (unlogged_writes_.load(std::memory_order_relaxed)) {
    status = CatchBadAlloc([this] {
      switch_mu_.AssertHeld();
      return FlushStopped();
    });
  }
  const absl::Status closed = log_->Close();
  return status.ok() ? closed : status;
}

}  // namespace cambium::engine
