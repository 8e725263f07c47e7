// CommitPipeline: determines the order of writes, and when each becomes visible.
//
//   order     a few instructions under commit_mu: ticket t, sequence numbers [first, last],
//             CommitTarget::Reserve
//   copy      no lock, in parallel: WriteLog, then Apply
//   publish   in ticket order: visible goes from first - 1 to last; a thread that finishes also
//             publishes the commits after its own that finished before
//   durable   only if requested: SyncTo the end of the record
//
// A caller returns after its commit is published. Therefore all records before an acknowledged
// record are filled, and a crash can leave a hole only before writes that were not acknowledged.
//
// A commit in flight has a slot of a ring: its ticket modulo the ring's size. The slot's state
// contains the generation (ticket / size), so that two commits cannot be confused:
//
//   kOpen ──copied──▶ kDone ──owner sleeps──▶ kAsleep
//     ▲                 │ │ ◀──woken to look──   │
//     │    published by │ │ published by another │
//     │  its own thread │ ▼                      ▼
//     └─────────────────┴─────── kPublished ◀────┘        (kOpen of the next generation)
//
//   kOpen       free, or its owner copies: visible is below its first
//   kDone       its entries are in the log and the memtables. It is published when visible reaches
//               first - 1: by its owner, or by the thread that published the commit before it. Both
//               "write mine, then read the other's" in sequentially consistent order, so one of
//               them sees that both are complete. A compare-and-swap moves visible from the one
//               value first - 1 to last: only one thread succeeds, and none can overtake.
//   kPublished  set by a publisher that is not the owner; the owner waits for this, not for
//               visible, so that the slot is not reused while the publisher still accesses it
//
// Only the owner reopens the slot. An error is sticky: the failed commit and all commits with
// higher tickets return it, with unknown outcome (D10: writes that reached the log may be recovered
// after a crash). New commits are rejected, and visible stays below the failed commit until
// ResetAfterError().
//
// A commit may be conditional: it is ordered only if no commit after a given sequence number wrote
// its key. The check and the allocation of its own number are one step under the lock
// (engine/write/recent_writes.h).
//
// Rejected alternative: a queue whose leader writes for all (LevelDB, RocksDB). One write() then
// serves many commits. With a mapped log there is no write() to share, and the handover, a futex
// wake per commit, costs more than the copy.
#ifndef CAMBIUM_ENGINE_WRITE_COMMIT_PIPELINE_H_
#define CAMBIUM_ENGINE_WRITE_COMMIT_PIPELINE_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/batch_codec.h"
#include "base/keys.h"
#include "engine/write/recent_writes.h"
#include "util/mutex.h"
#include "wal/log_set.h"

namespace cambium::engine {

class Tree;
struct MemSlot;

// Whether a commit is written to the log.
enum class Logging { kLogged, kUnlogged };

// The part of a commit that goes to one tree. Plain data.
struct TreeShare {
  Tree* tree = nullptr;
  size_t memtable_bytes = 0;    // approximate memory use
  MemSlot* memtable = nullptr;  // set by Reserve; Apply inserts into it
};

// One write in the pipeline. Confined to the committing thread.
struct CommitRequest {
  // The encoded batch, in pieces: `payload_size` bytes in total, and `count` operations.
  std::span<const std::string_view> pieces;
  size_t payload_size = 0;
  uint32_t count = 0;
  // Set if the batch is a single operation on the stack; then no decoding is needed.
  const SingleOp* single = nullptr;
  uint64_t key_hash = 0;  // KeyOrder::Hash of the key of `single`
  // RecentWrites::SlotOf each key. If there are none, the commit counts as a write of every key.
  std::span<const uint32_t> slots;
  // The commit is ordered only if no commit after this number wrote one of its slots. For a lower
  // number than the default, the caller must be a watcher: see Watch.
  SequenceNumber read_at = kMaxSequenceNumber;
  // If set, that condition is about these slots instead, and about every slot if there are none.
  const std::span<const uint32_t>* depends = nullptr;
  bool exclusive = false;       // it may be ordered while an Exclusive exists; see there
  std::span<TreeShare> shares;  // one per tree that the batch writes to, sorted by its id
  Logging logging = Logging::kLogged;
  wal::Durability durability = wal::Durability::kProcess;
};

// The result of Reserve, which is passed to WriteLog and Apply. A plain value.
struct CommitSlot {
  SequenceNumber first = 0;  // set by the pipeline; operation i has first + i
  wal::LogReservation log;   // if request.logging is kLogged
};

// The dependencies of the pipeline. Thread-safe.
class CommitTarget {
 public:
  virtual ~CommitTarget() = default;

  // Reserves space in the log, and in the memtables that Apply will insert into. Called under
  // commit_mu: a few instructions, no I/O. Returns false, and reserves nothing, if there is no
  // room.
  virtual bool Reserve(const CommitRequest& request, CommitSlot* slot) = 0;
  // Makes the room that Reserve lacked; called without a lock. After an error, the commit has no
  // effect.
  virtual absl::Status MakeRoom(const CommitRequest& request) = 0;

  // WriteLog and Apply run in parallel, without a lock. An error of either stops the pipeline.
  virtual absl::Status WriteLog(const CommitRequest& request, const CommitSlot& slot) = 0;
  virtual absl::Status Apply(const CommitRequest& request, const CommitSlot& slot) = 0;

  // Returns ok when everything in the log below `position` survives a power cut.
  virtual absl::Status SyncTo(wal::LogPosition position) = 0;
};

// Thread-safe.
class CommitPipeline {
 public:
  // `last` is the last sequence number in use, and the first value of visible(). The target
  // outlives the pipeline.
  CommitPipeline(CommitTarget* target, SequenceNumber last);

  // Commits the batch. On ok it is visible, and as durable as the request demands. Returns ok for a
  // batch without operations. After an error of MakeRoom the batch is not applied; after an error
  // with "outcome unknown" it may be.
  [[nodiscard]] absl::Status Commit(const CommitRequest& request);
  // Does the same if the condition `read_at` holds. Otherwise does nothing, returns ok, and sets
  // *newer to the number of a later commit that may have written one of the keys.
  [[nodiscard]] absl::Status CommitIfUnchanged(const CommitRequest& request,
                                               std::optional<SequenceNumber>* newer);

  // As long as it exists, the keys of all commits are recorded. Confined to its scope.
  class Watch {
   public:
    explicit Watch(CommitPipeline* pipeline)
        : pipeline_(pipeline), since_(pipeline->BeginWatch()) {}
    ~Watch() { pipeline_->watchers_.fetch_sub(1, std::memory_order_relaxed); }
    Watch(const Watch&) = delete;
    Watch& operator=(const Watch&) = delete;

    // Returns the last number that may not be recorded.
    SequenceNumber since() const { return since_; }

   private:
    CommitPipeline* const pipeline_;
    const SequenceNumber since_;
  };
  // As long as it exists, only requests with `exclusive` are ordered, and everything ordered before
  // is complete. One exists at a time. The caller must be a watcher, and brief: all writers wait.
  // Confined to its scope.
  class Exclusive {
   public:
    explicit Exclusive(CommitPipeline* pipeline) : pipeline_(pipeline) {
      pipeline->BeginExclusive();
    }
    ~Exclusive() { pipeline_->EndExclusive(); }
    Exclusive(const Exclusive&) = delete;
    Exclusive& operator=(const Exclusive&) = delete;

   private:
    CommitPipeline* const pipeline_;
  };

  // Returns true if the slots of requests are needed. May be outdated: then a commit without slots
  // counts as a write of every key.
  bool has_watchers() const { return watchers_.load(std::memory_order_relaxed) != 0; }

  // Returns the sequence number that readers use: every commit up to it is complete in the log and
  // the memtables. Never decreases.
  SequenceNumber visible() const { return visible_.load(std::memory_order_acquire); }

  // Runs `action` with the last allocated sequence number, while none can be allocated. `action`
  // may replace the data that Reserve uses. It must not commit, block, or do I/O.
  void RunUnderCommitLock(const std::function<void(SequenceNumber last_allocated)>& action);

  // Returns ok when visible() >= sequence, which must be an allocated number: then all inserts of
  // commits up to it are finished. Returns the error if an earlier commit has failed.
  [[nodiscard]] absl::Status WaitUntilPublished(SequenceNumber sequence);

  // Returns the sticky error, or ok.
  absl::Status status() const;
  // Makes the pipeline reject every commit with `cause` (a sync elsewhere failed, or the database
  // is closing). Keeps an earlier error.
  void Stop(const absl::Status& cause);
  // Blocks until no commit is in flight. The pipeline must be stopped: a running one may never be
  // idle.
  void Drain();

  // Accepts commits again after an error or Stop(): drains, then moves visible to the last
  // allocated number. The newest view must contain no entry above visible(): a flush has dropped
  // the entries that failed commits left in a memtable. (Older views are never read at the new
  // number: Tree::Current.) A thread that is in WaitUntilPublished returns ok or the error.
  void ResetAfterError();

 private:
  enum Phase : uint32_t { kOpen, kDone, kAsleep, kPublished };
  // One commit in flight, on its own cache line.
  struct alignas(64) Ticket {
    std::atomic<uint32_t> state{0};       // Word(ticket, phase)
    std::atomic<SequenceNumber> last{0};  // of the commit; written before kDone
  };
  // More than the number of threads that could commit at once; a power of two.
  static constexpr uint64_t kRingSize = 1024;
  static constexpr uint64_t kNever = UINT64_MAX;

  enum class Ordered { kYes, kChanged, kNoRoom, kNotNow };
  // The place of a commit in the order. Plain data.
  struct Place {
    CommitSlot slot;
    uint64_t ticket = 0;
    std::optional<SequenceNumber> newer;  // set instead if the condition does not hold
  };

  static constexpr uint32_t Word(uint64_t ticket, Phase phase) {
    return static_cast<uint32_t>(ticket / kRingSize) << 2 | phase;
  }
  Ticket& At(uint64_t ticket) const { return ring_[ticket % kRingSize]; }

  absl::Status Order(const CommitRequest& request, Place* place);
  absl::StatusOr<Ordered> TryOrder(const CommitRequest& request, Place* place);
  SequenceNumber BeginWatch();
  void BeginExclusive();
  void EndExclusive();
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

  // Each group on cache lines of its own: the first is written by the thread that holds the lock,
  // and by each that tries to take it; the second at each publication; the third only by
  // conditional writes, and read by all.
  alignas(64) Mutex commit_mu_{LockRank::kCommit};
  SequenceNumber last_allocated_ ABSL_GUARDED_BY(commit_mu_);
  uint64_t next_ticket_ ABSL_GUARDED_BY(commit_mu_) = 0;
  RecentWrites recent_ ABSL_GUARDED_BY(commit_mu_);
  bool exclusive_ ABSL_GUARDED_BY(commit_mu_) = false;  // an Exclusive exists

  alignas(64) std::atomic<SequenceNumber> visible_;
  std::atomic<uint32_t> publish_waiters_{0};   // threads in WaitUntilPublished
  std::atomic<uint64_t> failed_from_{kNever};  // the lowest ticket that failed
  std::atomic<bool> refusing_{false};          // error_ is set

  alignas(64) std::atomic<uint32_t> watchers_{0};  // incremented under commit_mu_

  alignas(64) mutable Mutex error_mu_;  // a leaf lock
  CondVar published_;                   // with error_mu_; for WaitUntilPublished
  absl::Status error_ ABSL_GUARDED_BY(error_mu_);
};

}  // namespace cambium::engine

#endif  // CAMBIUM_ENGINE_WRITE_COMMIT_PIPELINE_H_
