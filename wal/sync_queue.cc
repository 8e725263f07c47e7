#include "wal/sync_queue.h"

#include <algorithm>

#include "util/status_copy.h"

namespace cambium::wal {

absl::Status SyncQueue::SyncTo(LogPosition position) {
  if (SyncedUpTo() >= position) return absl::OkStatus();
  mu_.Lock();
  wanted_ = std::max(wanted_, position);
  while (SyncedUpTo() < position && error_.ok()) {
    if (syncing_) {
      changed_.Wait(&mu_);
      continue;
    }
    // This thread syncs, for all who wait by now.
    syncing_ = true;
    const LogPosition target = wanted_;
    mu_.Unlock();
    absl::Status status = sync_(target);
    mu_.Lock();
    syncing_ = false;
    if (status.ok()) {
      synced_.store(PackPosition(target), std::memory_order_release);
    } else {
      error_ = CopyStatus(status);
    }
    changed_.SignalAll();
  }
  absl::Status status = SyncedUpTo() >= position ? absl::OkStatus() : CopyStatus(error_);
  mu_.Unlock();
  return status;
}

void SyncQueue::Reset() {
  MutexLock lock(&mu_);
  while (syncing_) changed_.Wait(&mu_);
  error_ = absl::OkStatus();
  wanted_ = SyncedUpTo();
}

}  // namespace cambium::wal
