// SyncQueue: many writers that want their records on stable storage share one sync.
//
// There is no thread of its own: the first waiter that finds no sync under way becomes the syncer,
// syncs as far as any waiter has asked by then, and wakes all. Whoever came while it ran waits for
// the next one, and one of them runs it.
//
//   idle ──SyncTo(p > synced)──▶ syncing ──ok──▶ synced = target; waiters behind it remain ──▶ idle
//                                   └──error──▶ failed: every SyncTo beyond `synced` returns it
//                                                  └──Reset──▶ idle, in the next generation
//
// The first error is sticky (D10: a sync that failed is never repeated, because the kernel may have
// dropped the pages and would answer ok), until Reset().
//
// A wait belongs to one generation. A waiter that a Reset() overtakes returns the error that ended
// its generation and runs no sync: its position lies in a part of the log that is given up.
#ifndef CAMBIUM_WAL_SYNC_QUEUE_H_
#define CAMBIUM_WAL_SYNC_QUEUE_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <utility>

#include "absl/status/status.h"
#include "util/mutex.h"
#include "wal/log_format.h"

namespace cambium::wal {

// Thread-safe.
class SyncQueue {
 public:
  // `sync(p)` makes everything below p durable; never called twice at once, never under a lock.
  using SyncFunction = std::function<absl::Status(LogPosition)>;
  explicit SyncQueue(SyncFunction sync) : sync_(std::move(sync)) {}

  // Generations are counted from 0, one more for each Reset().
  uint64_t generation() const { return generation_.load(std::memory_order_acquire); }

  // Returns ok once everything below `position` is durable. All records below it must have been
  // written before the call. `generation` is what generation() returned when the caller made sure
  // that `position` can still be synced; the error that ended that generation if it is over.
  [[nodiscard]] absl::Status SyncTo(LogPosition position, uint64_t generation);
  [[nodiscard]] absl::Status SyncTo(LogPosition position) { return SyncTo(position, generation()); }

  // Everything below was synced. Never goes back.
  LogPosition SyncedUpTo() const { return UnpackPosition(PackedSyncedUpTo()); }
  uint64_t PackedSyncedUpTo() const { return synced_.load(std::memory_order_acquire); }

  // The sticky error, or ok.
  absl::Status status() const;
  // Has every SyncTo of this generation return `cause`, or the error that came first, and returns
  // when no sync runs.
  void Fail(const absl::Status& cause);
  // Forgets the sticky error and begins the next generation. Requires a call of Fail() before. What
  // was below the failed position must become durable elsewhere.
  void Reset();

 private:
  const SyncFunction sync_;
  std::atomic<uint64_t> synced_{0};      // packed
  std::atomic<uint64_t> generation_{0};  // written under mu_

  mutable Mutex mu_;
  CondVar changed_;
  bool syncing_ ABSL_GUARDED_BY(mu_) = false;
  LogPosition wanted_ ABSL_GUARDED_BY(mu_);  // at least what each waiter of this generation wants
  absl::Status error_ ABSL_GUARDED_BY(mu_);
  absl::Status last_error_ ABSL_GUARDED_BY(mu_);  // of the generation before
};

}  // namespace cambium::wal

#endif  // CAMBIUM_WAL_SYNC_QUEUE_H_
