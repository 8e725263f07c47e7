#include "engine/write/resumption.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "engine/jobs/table_jobs.h"
#include "engine/write/admission.h"
#include "util/out_of_memory.h"
#include "util/status_macros.h"

namespace cambium::engine {

SequenceNumber Resumption::LastAllocated() const {
  SequenceNumber last = 0;
  world_.pipeline->RunUnderCommitLock([&](SequenceNumber allocated) { last = allocated; });
  return last;
}

absl::Status Resumption::Resume() {
  MutexLock lock(&resume_mu_);
  if (closed_) return absl::FailedPreconditionError("the database is closed");
  const WriteEpoch epoch = world_.errors->epoch();
  const absl::Status cause = world_.errors->WriteStatus();
  if (cause.ok()) return cause;
  StopWriting(cause);
  const absl::Status repaired = CatchBadAlloc([this] {
    resume_mu_.AssertHeld();
    return Repair();
  });
  if (repaired.ok()) {
    // In this order: a commit that fails right after commits are accepted again is an error of the
    // new epoch.
    world_.errors->Clear();
    world_.pipeline->ResetAfterError();
  } else {
    world_.errors->NoteWriteError(repaired, epoch);
  }
  memtables_->Resume();
  if (!repaired.ok()) return repaired;
  world_.admission->UpdateLoad();
  world_.jobs->Schedule();
  return absl::OkStatus();
}

void Resumption::StopWriting(const absl::Status& cause) {
  // In this order: a flush may wait for commits that are in flight.
  world_.pipeline->Stop(cause);
  memtables_->Pause();
  world_.pipeline->Drain();
  world_.jobs->DrainFlush();
}

absl::Status Resumption::Repair() {
  RETURN_IF_ERROR(world_.versions->Recover());
  RETURN_IF_ERROR(world_.log->Recover());
  // Entries that failed commits left in memtables are above visible(). Their flush drops them, and
  // records that all sequence numbers up to the last allocated one are in tables, so recovery
  // ignores them, too. The same flush makes records durable that the log has lost.
  const bool published = world_.pipeline->visible() == LastAllocated();
  return published && !world_.log->NeedsFlush() ? absl::OkStatus() : FlushStopped();
}

absl::Status Resumption::FlushStopped() {
  const SequenceNumber visible = world_.pipeline->visible();
  // Memtables that are already frozen come first. Therefore an attempt that fails, on a full disk,
  // has frozen nothing, and memtables do not accumulate after any number of attempts.
  RETURN_IF_ERROR(FlushFrozen(visible));
  memtables_->FreezeAll();
  RETURN_IF_ERROR(FlushFrozen(visible));
  // Now no record in the log is needed, for any tree that can be used.
  uint64_t end = world_.jobs->world().log_end();
  manifest::VersionEdit edit;
  for (const TreeRef& tree : world_.trees->All()) {
    end = std::min(end, tree->held_segment());
    if (!tree->usable()) continue;
    // A family that is being dropped is not flushed.
    assert(tree->OldestSegment(nullptr) == MemSlot::kNoSegment ||
           world_.versions->FlushedSequence(tree->id()) == 0);
    edit.Family(tree->id()).flushed_sequence = LastAllocated();
  }
  edit.log_number = FileNumber{end};
  RETURN_IF_ERROR(world_.versions->Commit(std::move(edit), 0));
  return world_.log->RetireBefore({end, 0});
}

absl::Status Resumption::FlushFrozen(SequenceNumber newest) {
  for (const TreeRef& tree : world_.trees->All()) {
    const absl::Status status = RunFlush(world_.jobs->world(), tree.get(), newest);
    if (!absl::IsCancelled(status)) RETURN_IF_ERROR(status);  // cancelled: the family was dropped
  }
  return absl::OkStatus();
}

absl::Status Resumption::Close() {
  MutexLock lock(&resume_mu_);
  assert(!closed_);
  closed_ = true;
  StopWriting(NoThrowStatus(absl::StatusCode::kFailedPrecondition, "the database is closed"));
  memtables_->Resume();  // waiting threads are rejected
  world_.jobs->Stop();
  absl::Status status;
  if (target_->has_unlogged_writes()) {
    status = CatchBadAlloc([this] {
      resume_mu_.AssertHeld();
      return FlushStopped();
    });
  }
  const absl::Status closed = world_.log->Close();
  return status.ok() ? closed : status;
}

FilledLog Resumption::PinLog() {
  MutexLock lock(&resume_mu_);  // prevents the log from being replaced
  FilledLog log;
  log.pin = world_.log->PinSegments();
  SequenceNumber last = 0;
  world_.pipeline->RunUnderCommitLock([&](SequenceNumber last_allocated) {
    last = last_allocated;
    log.end = world_.log->ReservedEnd();
  });
  // After an error some records will never be filled; those below a synced position are all filled.
  if (!world_.pipeline->WaitUntilPublished(last).ok()) log.end = world_.log->SyncedUpTo();
  log.segments = world_.log->LiveSegments();
  return log;
}

}  // namespace cambium::engine
