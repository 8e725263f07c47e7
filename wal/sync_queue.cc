#include "wal/sync_queue.h"

#include <algorithm>
#include <cassert>

#include "util/out_of_memory.h"
#include "util/status_copy.h"

namespace cambium::wal {

absl::Status SyncQueue::SyncTo(LogPosition position, uint64_t generation) {
  if (SyncedUpTo() >= position) return absl::OkStatus();
  mu_.Lock();
  if (generation == this->generation()) wanted_ = std::max(wanted_, position);
  while (SyncedUpTo() < position && generation == this->generation() && error_.ok()) {
    if (syncing_) {
      changed_.Wait(&mu_);
      continue;
    }
    // This thread syncs for all current waiters.
    syncing_ = true;
    const LogPosition target = wanted_;
    assert(target >= position && target > SyncedUpTo());
    mu_.Unlock();
    const absl::Status status = CatchBadAlloc([&] { return sync_(target); });
    mu_.Lock();
    assert(syncing_ && generation == this->generation());
    syncing_ = false;
    if (status.ok()) {
      synced_.store(PackPosition(target), std::memory_order_release);
    } else if (error_.ok()) {
      error_ = CopyStatus(status);
    }
    changed_.SignalAll();
  }
  absl::Status status;
  if (SyncedUpTo() < position) {
    status = CopyStatus(generation == this->generation() ? error_ : last_error_);
    assert(!status.ok());
  }
  mu_.Unlock();
  return status;
}

absl::Status SyncQueue::status() const {
  MutexLock lock(&mu_);
  return CopyStatus(error_);
}

void SyncQueue::Fail(const absl::Status& cause) {
  assert(!cause.ok());
  MutexLock lock(&mu_);
  if (error_.ok()) error_ = CopyStatus(cause);
  changed_.SignalAll();
  while (syncing_) changed_.Wait(&mu_);
}

void SyncQueue::Reset() {
  MutexLock lock(&mu_);
  assert(!error_.ok() && !syncing_);
  last_error_ = CopyStatus(error_);
  error_ = absl::OkStatus();
  wanted_ = SyncedUpTo();
  generation_.fetch_add(1, std::memory_order_release);
  changed_.SignalAll();
}

}  // namespace cambium::wal
