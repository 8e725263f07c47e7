#include "engine/write/commit_pipeline.h"

#include <algorithm>
#include <thread>

#include "absl/strings/str_cat.h"
#include "util/status_copy.h"
#include "util/status_macros.h"

namespace cambium::engine {
namespace {

// Looks before a thread goes to sleep. The one it waits for needs about a microsecond, unless it
// was taken off its core: then looking on only keeps it off.
constexpr int kSpins = 64;

void Pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

// ResourceExhausted means "not applied" to whoever writes (cambium/db.h), so it is not answered
// here.
absl::Status UnknownOutcome(const absl::Status& cause) {
  const bool no_space = absl::IsResourceExhausted(cause);
  return absl::Status(no_space ? absl::StatusCode::kUnavailable : cause.code(),
                      absl::StrCat("write: outcome unknown, it may or may not be found after a "
                                   "restart: ",
                                   cause.message()));
}

}  // namespace

CommitPipeline::CommitPipeline(CommitTarget* target, SequenceNumber last)
    : target_(target),
      ring_(std::make_unique<Ticket[]>(kRingSize)),
      last_allocated_(last),
      visible_(last) {}

absl::Status CommitPipeline::Commit(const CommitRequest& request) {
  if (request.count == 0) return absl::OkStatus();
  CommitSlot slot;
  uint64_t ticket = 0;
  RETURN_IF_ERROR(Order(request, &slot, &ticket));

  absl::Status status;
  if (request.logging == Logging::kLogged) status = target_->WriteLog(request, slot);
  if (status.ok()) status = target_->Apply(request, slot);
  if (!status.ok()) {
    Fail(ticket, status);
    At(ticket).state.store(Word(ticket + kRingSize, kOpen), std::memory_order_seq_cst);
    return UnknownOutcome(status);
  }
  RETURN_IF_ERROR(FinishInOrder(ticket, slot.first));

  if (request.logging == Logging::kLogged && request.durability == wal::Durability::kMachine) {
    status = target_->SyncTo(slot.log.end());
    if (!status.ok()) return UnknownOutcome(status);
  }
  return absl::OkStatus();
}

absl::Status CommitPipeline::Order(const CommitRequest& request, CommitSlot* slot,
                                   uint64_t* ticket) {
  while (true) {
    ASSIGN_OR_RETURN(const Ordered ordered, TryOrder(request, slot, ticket));
    switch (ordered) {
      case Ordered::kYes:
        return absl::OkStatus();
      case Ordered::kNoRoom:
        RETURN_IF_ERROR(target_->MakeRoom(request));
        break;
      case Ordered::kRingFull:
        std::this_thread::yield();
        break;
    }
  }
}

absl::StatusOr<CommitPipeline::Ordered> CommitPipeline::TryOrder(const CommitRequest& request,
                                                                 CommitSlot* slot,
                                                                 uint64_t* ticket) {
  LockCommit();
  absl::StatusOr<Ordered> result(Ordered::kYes);
  if (refusing_.load(std::memory_order_relaxed)) {
    result = status();
  } else if (request.count > kMaxSequenceNumber - last_allocated_) {
    result = absl::ResourceExhaustedError("write: the sequence numbers are used up");
  } else if (At(next_ticket_).state.load(std::memory_order_acquire) != Word(next_ticket_, kOpen)) {
    result = Ordered::kRingFull;
  } else {
    slot->first = last_allocated_ + 1;
    if (target_->Reserve(request, slot)) {
      *ticket = next_ticket_++;
      last_allocated_ += request.count;
      At(*ticket).last.store(last_allocated_, std::memory_order_relaxed);
    } else {
      result = Ordered::kNoRoom;
    }
  }
  commit_mu_.Unlock();
  return result;
}

// A mutex whose holder needs a few dozen nanoseconds: worth a look or two before a system call.
void CommitPipeline::LockCommit() {
  for (int i = 0; i < kSpins; ++i) {
    if (commit_mu_.TryLock()) return;
    Pause();
  }
  commit_mu_.Lock();
}

absl::Status CommitPipeline::FinishInOrder(uint64_t ticket, SequenceNumber first) {
  Ticket& mine = At(ticket);
  mine.state.store(Word(ticket, kDone), std::memory_order_seq_cst);
  const bool published = PublishFrom(ticket, first) || AwaitPublished(ticket);
  mine.state.store(Word(ticket + kRingSize, kOpen), std::memory_order_seq_cst);
  return published ? absl::OkStatus() : UnknownOutcome(status());
}

// Publishes the caller's commit if it is the next one, and those behind it that are done. True
// where the caller's own was published here.
bool CommitPipeline::PublishFrom(uint64_t ticket, SequenceNumber first) {
  const uint64_t own = ticket;
  SequenceNumber before = first - 1;
  while (true) {
    Ticket& next = At(ticket);
    const uint32_t state = next.state.load(std::memory_order_seq_cst);
    if (state != Word(ticket, kDone) && state != Word(ticket, kAsleep)) break;
    const SequenceNumber last = next.last.load(std::memory_order_relaxed);
    // Where the swap succeeds, visible was still below this commit: the slot was still its own, and
    // so was `last`.
    SequenceNumber expected = before;
    if (!visible_.compare_exchange_strong(expected, last, std::memory_order_seq_cst)) break;
    if (ticket != own) {
      const uint32_t old = next.state.exchange(Word(ticket, kPublished), std::memory_order_acq_rel);
      if (old == Word(ticket, kAsleep)) next.state.notify_one();
    }
    before = last;
    ++ticket;
  }
  if (ticket == own) return false;
  WakePublishWaiters();
  return true;
}

// False where an earlier commit failed, so that this one will never be published.
bool CommitPipeline::AwaitPublished(uint64_t ticket) {
  std::atomic<uint32_t>& state = At(ticket).state;
  for (int i = 0; i < kSpins; ++i) {
    if (state.load(std::memory_order_acquire) == Word(ticket, kPublished)) return true;
    Pause();
  }
  while (true) {
    uint32_t done = Word(ticket, kDone);
    if (!state.compare_exchange_strong(done, Word(ticket, kAsleep), std::memory_order_seq_cst)) {
      return true;  // nothing but kPublished takes the place of kDone
    }
    if (failed_from_.load(std::memory_order_seq_cst) < ticket) {
      // Nobody can publish it any more; WakeSleepers may still look at the slot, and change it only
      // from this ticket's kAsleep.
      return false;
    }
    state.wait(Word(ticket, kAsleep), std::memory_order_acquire);
    if (state.load(std::memory_order_acquire) == Word(ticket, kPublished)) return true;
  }
}

void CommitPipeline::Fail(uint64_t ticket, const absl::Status& cause) {
  {
    MutexLock lock(&error_mu_);
    if (error_.ok()) error_ = CopyStatus(cause);
    failed_from_.store(std::min(failed_from_.load(std::memory_order_relaxed), ticket),
                       std::memory_order_seq_cst);
    refusing_.store(true, std::memory_order_seq_cst);
  }
  WakeSleepers();
  WakePublishWaiters();
}

// Has every sleeper look whether it can still be published.
void CommitPipeline::WakeSleepers() {
  for (uint64_t i = 0; i < kRingSize; ++i) {
    std::atomic<uint32_t>& state = At(i).state;
    uint32_t seen = state.load(std::memory_order_seq_cst);
    if ((seen & 3) != kAsleep) continue;
    if (state.compare_exchange_strong(seen, (seen & ~uint32_t{3}) | kDone,
                                      std::memory_order_seq_cst)) {
      state.notify_one();
    }
  }
}

void CommitPipeline::WakePublishWaiters() {
  if (publish_waiters_.load(std::memory_order_seq_cst) == 0) return;
  MutexLock lock(&error_mu_);
  published_.SignalAll();
}

void CommitPipeline::RunUnderCommitLock(
    const std::function<void(SequenceNumber last_allocated)>& action) {
  LockCommit();
  action(last_allocated_);
  commit_mu_.Unlock();
}

absl::Status CommitPipeline::WaitUntilPublished(SequenceNumber sequence) {
  if (visible() >= sequence) return absl::OkStatus();
  MutexLock lock(&error_mu_);
  publish_waiters_.fetch_add(1, std::memory_order_seq_cst);
  while (visible_.load(std::memory_order_seq_cst) < sequence &&
         failed_from_.load(std::memory_order_relaxed) == kNever) {
    published_.Wait(&error_mu_);
  }
  publish_waiters_.fetch_sub(1, std::memory_order_relaxed);
  return visible() >= sequence ? absl::OkStatus() : CopyStatus(error_);
}

absl::Status CommitPipeline::status() const {
  MutexLock lock(&error_mu_);
  return CopyStatus(error_);
}

void CommitPipeline::Stop(const absl::Status& cause) {
  // Under the commit lock: once this returns, no new commit is ordered.
  LockCommit();
  {
    MutexLock lock(&error_mu_);
    if (error_.ok()) error_ = CopyStatus(cause);
    refusing_.store(true, std::memory_order_seq_cst);
  }
  commit_mu_.Unlock();
}

void CommitPipeline::Drain() {
  uint64_t end = 0;
  LockCommit();
  end = next_ticket_;
  commit_mu_.Unlock();
  for (uint64_t ticket = end - std::min(end, kRingSize); ticket < end; ++ticket) {
    while (At(ticket).state.load(std::memory_order_acquire) >> 2 == Word(ticket, kOpen) >> 2) {
      std::this_thread::yield();
    }
  }
}

void CommitPipeline::ResetAfterError() {
  Drain();
  LockCommit();
  {
    MutexLock lock(&error_mu_);
    visible_.store(last_allocated_, std::memory_order_seq_cst);
    error_ = absl::OkStatus();
    failed_from_.store(kNever, std::memory_order_seq_cst);
    refusing_.store(false, std::memory_order_seq_cst);
  }
  commit_mu_.Unlock();
}

}  // namespace cambium::engine
