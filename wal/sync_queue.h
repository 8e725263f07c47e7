// SyncQueue: many writers that want their records on stable storage share one sync.
//
// There is no thread of its own: the first waiter that finds no sync under way becomes the syncer,
// syncs as far as any waiter has asked by then, and wakes all. Whoever came while it ran waits for
// the next one, and one of them runs it.
//
//   idle ──SyncTo(p > synced)──▶ syncing ──ok──▶ synced = target; waiters behind it remain ──▶ idle
//                                   └──error──▶ failed: every SyncTo beyond `synced` answers it
//
// The first error is sticky (D10: a sync that failed is never repeated, because the kernel may have
// dropped the pages and would answer ok), until Reset().
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

  // Returns ok once everything below `position` is durable. All records below it must have been
  // written before the call.
  [[nodiscard]] absl::Status SyncTo(LogPosition position);

  // Everything below was synced. Never goes back.
  LogPosition SyncedUpTo() const { return UnpackPosition(PackedSyncedUpTo()); }
  uint64_t PackedSyncedUpTo() const { return synced_.load(std::memory_order_acquire); }

  // Forgets the sticky error. What was below the failed position must have become durable
  // elsewhere.
  void Reset();

 private:
  const SyncFunction sync_;
  std::atomic<uint64_t> synced_{0};  // packed

  Mutex mu_;
  CondVar changed_;
  bool syncing_ ABSL_GUARDED_BY(mu_) = false;
  LogPosition wanted_ ABSL_GUARDED_BY(mu_);
  absl::Status error_ ABSL_GUARDED_BY(mu_);
};

}  // namespace cambium::wal

#endif  // CAMBIUM_WAL_SYNC_QUEUE_H_
