// CommitPipeline: the order of writes, and the moment at which each becomes visible.
//
//   order     a few instructions under commit_mu: ticket t, sequence numbers [first, last],
//             CommitTarget::Reserve
//   copy      no lock, in parallel: WriteLog, then Apply
//   publish   in ticket order: visible goes from first - 1 to last; whoever finishes also publishes
//             those behind it that finished before
//   durable   only where asked: SyncTo the end of the record
//
// A caller returns after its commit is published. So an acked record has only filled records before
// it, and a crash leaves a hole only among writes that nobody was told about.
//
// A commit in flight has a slot of a ring: its ticket modulo the ring's size. The slot's state
// names the generation (ticket / size), so that nobody takes one commit for another:
//
//   kOpen ──copied──▶ kDone ──owner sleeps──▶ kAsleep
//     ▲                 │ │ ◀──woken to look──   │
//     │    published by │ │ published by another │
//     │  its own thread │ ▼                      ▼
//     └─────────────────┴─────── kPublished ◀────┘        (kOpen of the next generation)
//
//   kOpen       free, or its owner copies: visible is below its first
//   kDone       its entries stand in log and memtables. It is published the moment visible reaches
//               first - 1: by its owner, or by who published the commit before it. Both do "write
//               mine, then read the other's" in sequentially consistent order, so one of them sees
//               that both are there. visible goes from the one value first - 1 to last by a
//               compare-and-swap: only one wins, and none can overtake.
//   kPublished  set by a winner that is not the owner; the owner waits for this, not for visible,
//               so that the slot is not used again while the winner still touches it
//
// The owner alone reopens the slot. An error is sticky: the failed commit and all with higher
// tickets answer it, with unknown outcome (D10: what of them reached the log may come back after a
// crash), new ones are refused, and visible stays below the failed one until ResetAfterError().
//
// The alternative that lost: a queue whose leader writes for all (LevelDB, RocksDB). It makes one
// write() serve many; with a mapped log there is no write() to share, and the hand-over, a futex
// wake a commit, is dearer than the copy.
#ifndef CAMBIUM_ENGINE_WRITE_COMMIT_PIPELINE_H_
#define CAMBIUM_ENGINE_WRITE_COMMIT_PIPELINE_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/batch_codec.h"
#include "base/keys.h"
#include "util/mutex.h"
#include "wal/log_set.h"

namespace cambium::engine {

class Tree;
struct MemSlot;

// Whether a commit goes into the log.
enum class Logging { kLogged, kUnlogged };

// The part of a commit that goes to one tree. Plain data.
struct TreeShare {
  Tree* tree = nullptr;
  size_t memtable_bytes = 0;    // that it takes, about
  MemSlot* memtable = nullptr;  // set by Reserve: what Apply inserts into
};

// One write on its way through the pipeline. Confined to the committing thread.
struct CommitRequest {
  // The encoded batch, in pieces, `payload_size` bytes in all, of `count` operations.
  std::span<const std::string_view> pieces;
  size_t payload_size = 0;
  uint32_t count = 0;
  // Set if the batch is one operation laid out on the stack; then nothing needs decoding.
  const SingleOp* single = nullptr;
  std::span<TreeShare> shares;  // one for each tree that the batch writes to
  Logging logging = Logging::kLogged;
  wal::Durability durability = wal::Durability::kProcess;
};

// What Reserve hands to WriteLog and Apply. A plain value.
struct CommitSlot {
  SequenceNumber first = 0;  // set by the pipeline; operation i has first + i
  wal::LogReservation log;   // if request.logging is kLogged
};

// The pipeline's world. Thread-safe.
class CommitTarget {
 public:
  virtual ~CommitTarget() = default;

  // Takes a place in the log, and in the memtables that Apply will insert into. Under commit_mu: a
  // few instructions, no I/O. Returns false if there is no room: nothing was taken.
  virtual bool Reserve(const CommitRequest& request, CommitSlot* slot) = 0;
  // Makes the room that Reserve missed; under no lock. An error ends the commit without a trace.
  virtual absl::Status MakeRoom(const CommitRequest& request) = 0;

  // Both in parallel, under no lock. An error here stops the pipeline.
  virtual absl::Status WriteLog(const CommitRequest& request, const CommitSlot& slot) = 0;
  virtual absl::Status Apply(const CommitRequest& request, const CommitSlot& slot) = 0;

  // Everything in the log below `position` survives a power cut.
  virtual absl::Status SyncTo(wal::LogPosition position) = 0;
};

// Thread-safe.
class CommitPipeline {
 public:
  // `last` is the last sequence number in use: visible() from the start. The target outlives it.
  CommitPipeline(CommitTarget* target, SequenceNumber last);

  // Commits the batch: on ok it is visible, and as durable as the request asks. No operation at all
  // is ok. Errors of MakeRoom mean not applied; those that say "outcome unknown" mean
  // just that.
  [[nodiscard]] absl::Status Commit(const CommitRequest& request);

  // Every commit with sequence numbers up to this is complete in log and memtables; what readers
  // read at. Never goes back.
  SequenceNumber visible() const { return visible_.load(std::memory_order_acquire); }

  // Runs `action` with the last sequence number handed out, while none can be handed out: the place
  // to replace what Reserve looks at. It must not commit, block or do I/O.
  void RunUnderCommitLock(const std::function<void(SequenceNumber last_allocated)>& action);

  // Returns ok once visible() >= sequence, which must have been allocated: then all inserts of
  // commits up to it are finished. The error where a commit has failed before that.
  [[nodiscard]] absl::Status WaitUntilPublished(SequenceNumber sequence);

  // The sticky error, or ok.
  absl::Status status() const;
  // Makes the pipeline refuse every commit with `cause` (a sync elsewhere failed, the database is
  // closing). Keeps an earlier error.
  void Stop(const absl::Status& cause);
  // Blocks until no commit is in flight. On a stopped pipeline: a running one may never be idle.
  void Drain();

  // Lets commits in again after an error or Stop(): drains, then moves visible to the last
  // allocated number. Requires that the newest view holds no entry above visible(): what failed
  // commits left in a memtable has been dropped by its flush. (Older views are never read at the
  // new number: Tree::Current.) Requires that nobody is in WaitUntilPublished.
  void ResetAfterError();

 private:
  enum Phase : uint32_t { kOpen, kDone, kAsleep, kPublished };
  // One commit in flight, on a line of its own.
  struct alignas(64) Ticket {
    std::atomic<uint32_t> state{0};       // Word(ticket, phase)
    std::atomic<SequenceNumber> last{0};  // of the commit; written before kDone
  };
  // More than threads that could commit at once; a power of two.
  static constexpr uint64_t kRingSize = 1024;
  static constexpr uint64_t kNever = UINT64_MAX;

  enum class Ordered { kYes, kNoRoom, kRingFull };

  static constexpr uint32_t Word(uint64_t ticket, Phase phase) {
    return static_cast<uint32_t>(ticket / kRingSize) << 2 | phase;
  }
  Ticket& At(uint64_t ticket) const { return ring_[ticket % kRingSize]; }

  absl::Status Order(const CommitRequest& request, CommitSlot* slot, uint64_t* ticket);
  absl::StatusOr<Ordered> TryOrder(const CommitRequest& request, CommitSlot* slot,
                                   uint64_t* ticket);
  class CommitLock;
  absl::Status FinishInOrder(uint64_t ticket, SequenceNumber first);
  bool PublishFrom(uint64_t ticket, SequenceNumber first);
  bool AwaitPublished(uint64_t ticket);
  void Fail(uint64_t ticket, const absl::Status& cause);
  void WakeSleepers();
  void WakePublishWaiters();
  void Nap(int turn);

  CommitTarget* const target_;
  const std::unique_ptr<Ticket[]> ring_;

  Mutex commit_mu_{LockRank::kCommit};
  SequenceNumber last_allocated_ ABSL_GUARDED_BY(commit_mu_);
  uint64_t next_ticket_ ABSL_GUARDED_BY(commit_mu_) = 0;

  alignas(64) std::atomic<SequenceNumber> visible_;
  std::atomic<uint32_t> publish_waiters_{0};   // threads in WaitUntilPublished
  std::atomic<uint64_t> failed_from_{kNever};  // the lowest ticket that failed
  std::atomic<bool> refusing_{false};          // error_ is set

  mutable Mutex error_mu_;  // a leaf
  CondVar published_;       // with error_mu_; for WaitUntilPublished
  absl::Status error_ ABSL_GUARDED_BY(error_mu_);
};

}  // namespace cambium::engine

#endif  // CAMBIUM_ENGINE_WRITE_COMMIT_PIPELINE_H_
