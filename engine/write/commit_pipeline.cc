#include "engine/write/commit_pipeline.h"

#include <algorithm>
#include <cassert>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "util/out_of_memory.h"
#include "util/status_copy.h"
#include "util/status_macros.h"

namespace cambium::engine {
namespace {

// Number of checks before a thread sleeps. The other thread needs about a microsecond, unless it
// was preempted: then more checks would only keep the core busy.
constexpr int kSpins = 64;
constexpr uint64_t kNapMicros = 100;

void Pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

// ResourceExhausted means "not applied" to the writer (cambium/db.h), so it is not returned here.
absl::Status UnknownOutcome(const absl::Status& cause) {
  assert(!cause.ok());
  const absl::StatusCode code =
      absl::IsResourceExhausted(cause) ? absl::StatusCode::kUnavailable : cause.code();
  absl::Status unknown = CatchBadAlloc([&] {
    return absl::Status(code, absl::StrCat("write: outcome unknown, it may or may not be found "
                                           "after a restart: ",
                                           cause.message()));
  });
  if (unknown.code() == code) return unknown;
  return NoThrowStatus(code, "write: outcome unknown");
}

}  // namespace

// Holds commit_mu_ for a scope. The lock is held for a few dozen nanoseconds, so a few checks are
// worthwhile before a system call. Confined to its scope.
class ABSL_SCOPED_LOCKABLE CommitPipeline::CommitLock {
 public:
  explicit CommitLock(Mutex* mutex) ABSL_EXCLUSIVE_LOCK_FUNCTION(mutex) : mutex_(mutex) {
    for (int i = 0; i < kSpins; ++i) {
      if (mutex_->TryLock()) return;
      Pause();
    }
    mutex_->Lock();
  }
  ~CommitLock() ABSL_UNLOCK_FUNCTION() { mutex_->Unlock(); }
  CommitLock(const CommitLock&) = delete;
  CommitLock& operator=(const CommitLock&) = delete;

 private:
  Mutex* const mutex_;
};

CommitPipeline::CommitPipeline(CommitTarget* target, SequenceNumber last)
    : target_(target),
      ring_(std::make_unique<Ticket[]>(kRingSize)),
      last_allocated_(last),
      visible_(last) {}

absl::Status CommitPipeline::Commit(const CommitRequest& request) {
  assert(request.read_at == kMaxSequenceNumber);
  std::optional<SequenceNumber> newer;
  absl::Status status = CommitIfUnchanged(request, &newer);
  assert(!newer.has_value());
  return status;
}

absl::Status CommitPipeline::CommitIfUnchanged(const CommitRequest& request,
                                               std::optional<SequenceNumber>* newer) {
  if (request.count == 0) return absl::OkStatus();
  assert(request.read_at == kMaxSequenceNumber || has_watchers());
  Place place;
  RETURN_IF_ERROR(Order(request, &place));
  if (place.newer.has_value()) {
    *newer = place.newer;
    return absl::OkStatus();
  }
  const CommitSlot& slot = place.slot;
  const uint64_t ticket = place.ticket;

  absl::Status status = CatchBadAlloc([&] {
    if (request.logging == Logging::kLogged) RETURN_IF_ERROR(target_->WriteLog(request, slot));
    return target_->Apply(request, slot);
  });
  if (!status.ok()) {
    Fail(ticket, status);
    At(ticket).state.store(Word(ticket + kRingSize, kOpen), std::memory_order_seq_cst);
    return UnknownOutcome(status);
  }
  RETURN_IF_ERROR(FinishInOrder(ticket, slot.first));

  if (request.logging == Logging::kLogged && request.durability == wal::Durability::kMachine) {
    status = CatchBadAlloc([&] { return target_->SyncTo(slot.log.end()); });
    if (!status.ok()) return UnknownOutcome(status);
  }
  return absl::OkStatus();
}

absl::Status CommitPipeline::Order(const CommitRequest& request, Place* place) {
  for (int turn = 0;; ++turn) {
    ASSIGN_OR_RETURN(const Ordered ordered, TryOrder(request, place));
    switch (ordered) {
      case Ordered::kYes:
      case Ordered::kChanged:
        return absl::OkStatus();
      case Ordered::kNoRoom:
        RETURN_IF_ERROR(target_->MakeRoom(request));
        break;
      case Ordered::kNotNow:
        Nap(turn);
        break;
    }
  }
}

// Waits briefly for a commit that another thread is about to finish. Sleeps after a few turns: that
// thread may do I/O, or may have a lower priority than this one.
void CommitPipeline::Nap(int turn) {
  if (turn < kSpins) return std::this_thread::yield();
  MutexLock lock(&error_mu_);
  published_.WaitFor(&error_mu_, kNapMicros);
}

absl::StatusOr<CommitPipeline::Ordered> CommitPipeline::TryOrder(const CommitRequest& request,
                                                                 Place* place) {
  const CommitLock lock(&commit_mu_);
  assert(visible() <= last_allocated_ && last_allocated_ <= kMaxSequenceNumber);
  if (refusing_.load(std::memory_order_relaxed)) return status();
  if (request.count > kMaxSequenceNumber - last_allocated_) {
    return absl::ResourceExhaustedError("write: the sequence numbers are used up");
  }
  const bool watched = has_watchers();
  if (watched) [[unlikely]] {
    if (exclusive_ && !request.exclusive) return Ordered::kNotNow;
    const SequenceNumber newest =
        recent_.Newest(request.depends == nullptr ? request.slots : *request.depends);
    if (newest > request.read_at) {
      place->newer = newest;
      return Ordered::kChanged;
    }
  }
  Ticket& next = At(next_ticket_);
  if (next.state.load(std::memory_order_acquire) != Word(next_ticket_, kOpen)) {
    return Ordered::kNotNow;
  }
  place->slot.first = last_allocated_ + 1;
  if (!target_->Reserve(request, &place->slot)) return Ordered::kNoRoom;
  assert(place->slot.first == last_allocated_ + 1);  // Reserve() does not change it
  place->ticket = next_ticket_++;
  last_allocated_ += request.count;
  if (watched) [[unlikely]]
    recent_.Record(request.slots, last_allocated_);
  next.last.store(last_allocated_, std::memory_order_relaxed);
  return Ordered::kYes;
}

// Takes the commit lock even if there are watchers already: the caller needs a number above which
// everything is recorded.
SequenceNumber CommitPipeline::BeginWatch() {
  RecentWrites::Table table;
  while (true) {
    {
      const CommitLock lock(&commit_mu_);
      if (table != nullptr && !recent_.has_table()) recent_.SetTable(std::move(table));
      if (recent_.has_table()) {
        watchers_.fetch_add(1, std::memory_order_relaxed);
        return last_allocated_;
      }
    }
    table = RecentWrites::MakeTable();  // not under the lock
  }
}

void CommitPipeline::BeginExclusive() {
  for (int turn = 0;; ++turn) {
    {
      const CommitLock lock(&commit_mu_);
      assert(has_watchers());
      if (!std::exchange(exclusive_, true)) break;
    }
    Nap(turn);
  }
  Drain();
}

void CommitPipeline::EndExclusive() {
  const CommitLock lock(&commit_mu_);
  assert(exclusive_);
  exclusive_ = false;
}

absl::Status CommitPipeline::FinishInOrder(uint64_t ticket, SequenceNumber first) {
  Ticket& mine = At(ticket);
  assert(mine.state.load(std::memory_order_relaxed) == Word(ticket, kOpen));
  mine.state.store(Word(ticket, kDone), std::memory_order_seq_cst);
  absl::Status outcome;
  // While the slot is in use no reset can clear the error.
  if (!PublishFrom(ticket, first) && !AwaitPublished(ticket)) outcome = UnknownOutcome(status());
  mine.state.store(Word(ticket + kRingSize, kOpen), std::memory_order_seq_cst);
  return outcome;
}

// Publishes the caller's commit if it is the next one, and finished commits after it. Returns true
// if it published the caller's own commit.
bool CommitPipeline::PublishFrom(uint64_t ticket, SequenceNumber first) {
  assert(first > 0);
  const uint64_t own = ticket;
  SequenceNumber before = first - 1;
  while (true) {
    Ticket& next = At(ticket);
    const uint32_t state = next.state.load(std::memory_order_seq_cst);
    if (state != Word(ticket, kDone) && state != Word(ticket, kAsleep)) break;
    const SequenceNumber last = next.last.load(std::memory_order_relaxed);
    // If the swap succeeds, visible was still below this commit: the slot still belonged to it, and
    // so did `last`.
    SequenceNumber expected = before;
    if (!visible_.compare_exchange_strong(expected, last, std::memory_order_seq_cst)) break;
    assert(last > before);
    if (ticket != own) {
      const uint32_t old = next.state.exchange(Word(ticket, kPublished), std::memory_order_acq_rel);
      assert(old == Word(ticket, kDone) || old == Word(ticket, kAsleep));
      if (old == Word(ticket, kAsleep)) next.state.notify_one();
    }
    before = last;
    ++ticket;
  }
  if (ticket == own) return false;
  WakePublishWaiters();
  return true;
}

// Returns false if an earlier commit failed, so that this one will never be published.
bool CommitPipeline::AwaitPublished(uint64_t ticket) {
  std::atomic<uint32_t>& state = At(ticket).state;
  for (int i = 0; i < kSpins; ++i) {
    if (state.load(std::memory_order_acquire) == Word(ticket, kPublished)) return true;
    Pause();
  }
  while (true) {
    uint32_t done = Word(ticket, kDone);
    if (!state.compare_exchange_strong(done, Word(ticket, kAsleep), std::memory_order_seq_cst)) {
      assert(done == Word(ticket, kPublished));  // no other state follows kDone
      return true;
    }
    if (failed_from_.load(std::memory_order_seq_cst) < ticket) {
      // No thread can publish it any more; WakeSleepers may still read the slot, and changes it
      // only from this ticket's kAsleep.
      return false;
    }
    state.wait(Word(ticket, kAsleep), std::memory_order_acquire);
    if (state.load(std::memory_order_acquire) == Word(ticket, kPublished)) return true;
  }
}

void CommitPipeline::Fail(uint64_t ticket, const absl::Status& cause) {
  assert(!cause.ok());
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

// Wakes every sleeper to check whether it can still be published.
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
  const CommitLock lock(&commit_mu_);
  action(last_allocated_);
}

absl::Status CommitPipeline::WaitUntilPublished(SequenceNumber sequence) {
  assert(sequence <= kMaxSequenceNumber);
  for (int i = 0; i < kSpins; ++i) {
    if (visible() >= sequence) return absl::OkStatus();
    Pause();
  }
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
  // Under the commit lock: after this returns, no new commit is ordered.
  assert(!cause.ok());
  const CommitLock commit_lock(&commit_mu_);
  MutexLock lock(&error_mu_);
  if (error_.ok()) error_ = CopyStatus(cause);
  refusing_.store(true, std::memory_order_seq_cst);
}

void CommitPipeline::Drain() {
  uint64_t end = 0;
  {
    const CommitLock lock(&commit_mu_);
    end = next_ticket_;
  }
  for (uint64_t ticket = end - std::min(end, kRingSize); ticket < end; ++ticket) {
    const auto in_flight = [&] {
      return At(ticket).state.load(std::memory_order_acquire) >> 2 == Word(ticket, kOpen) >> 2;
    };
    for (int turn = 0; in_flight(); ++turn) Nap(turn);
  }
}

void CommitPipeline::ResetAfterError() {
  Drain();
  const CommitLock commit_lock(&commit_mu_);
  MutexLock lock(&error_mu_);
  assert(refusing_.load(std::memory_order_relaxed));
  assert(visible() <= last_allocated_);
  visible_.store(last_allocated_, std::memory_order_seq_cst);
  error_ = absl::OkStatus();
  failed_from_.store(kNever, std::memory_order_seq_cst);
  refusing_.store(false, std::memory_order_seq_cst);
}

}  // namespace cambium::engine
