// SyncQueue: lets many writers that need their records synced share one sync.
//
// It has no thread of its own: the first waiter that finds no sync running becomes the syncer,
// syncs up to the largest position requested by then, and wakes all waiters. Threads that arrive
// during the sync wait for the next one, and one of them runs it.
//
//   idle ──SyncTo(p > synced)──▶ syncing ──ok──▶ synced = target; waiters behind it remain ──▶ idle
//                                   └──error──▶ failed: every SyncTo beyond `synced` returns it
//                                                  └──Reset──▶ idle, in the next generation
//
// The first error is sticky until Reset() (D10: a failed sync is never repeated, because the kernel
// may have dropped the pages and would return ok).
//
// A wait belongs to one generation. If Reset() runs during a wait, the waiter returns the error
// that ended its generation and runs no sync: its position is in an abandoned part of the log.
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
  // `sync(p)` makes everything below p durable; it is never called concurrently or under a lock.
  using SyncFunction = std::function<absl::Status(LogPosition)>;
  explicit SyncQueue(SyncFunction sync) : sync_(std::move(sync)) {}

  // Returns the generation: counted from 0, incremented by each Reset().
  uint64_t generation() const { return generation_.load(std::memory_order_acquire); }

  // Returns ok when everything below `position` is durable. All records below it must have been
  // written before the call. `generation` is the value that generation() returned when the caller
  // checked that `position` can still be synced. Returns the error that ended that generation if it
  // is over.
  [[nodiscard]] absl::Status SyncTo(LogPosition position, uint64_t generation);
  [[nodiscard]] absl::Status SyncTo(LogPosition position) { return SyncTo(position, generation()); }

  // Returns the synced watermark. Never decreases.
  LogPosition SyncedUpTo() const { return UnpackPosition(PackedSyncedUpTo()); }
  uint64_t PackedSyncedUpTo() const { return synced_.load(std::memory_order_acquire); }

  // Returns the sticky error, or ok.
  absl::Status status() const;
  // Makes every SyncTo of this generation return `cause`, or the earlier error, and returns when no
  // sync runs.
  void Fail(const absl::Status& cause);
  // Clears the sticky error and begins the next generation. Fail() must have been called. Records
  // below the failed position must become durable in another way.
  void Reset();

 private:
  const SyncFunction sync_;
  std::atomic<uint64_t> synced_{0};      // packed
  std::atomic<uint64_t> generation_{0};  // written under mu_

  mutable Mutex mu_;
  CondVar changed_;
  bool syncing_ ABSL_GUARDED_BY(mu_) = false;
  LogPosition wanted_ ABSL_GUARDED_BY(mu_);  // at least what each waiter needs
  absl::Status error_ ABSL_GUARDED_BY(mu_);
  absl::Status last_error_ ABSL_GUARDED_BY(mu_);  // of the previous generation
};

}  // namespace cambium::wal

#endif  // CAMBIUM_WAL_SYNC_QUEUE_H_
