#include "env/descriptor_pool.h"

#include <pthread.h>

#include <algorithm>
#include <cassert>
#include <vector>

#include "util/out_of_memory.h"

namespace cambium::env {
namespace {

// The number of idle descriptors that are closed in each pool if descriptors run out: more than
// one, so that the next calls also succeed.
constexpr size_t kCloseAtOnce = 8;

class Pools;
Pools& ThePools();

// The pools of the process: a lack of descriptors concerns all of them. Thread-safe.
class Pools {
 public:
  void Add(DescriptorPool* pool) {
    MutexLock lock(&mutex_);
    pools_.push_back(pool);
  }
  void Remove(DescriptorPool* pool) {
    MutexLock lock(&mutex_);
    std::erase(pools_, pool);
  }
  size_t CloseIdle() {
    MutexLock lock(&mutex_);
    size_t closed = 0;
    for (DescriptorPool* pool : pools_) closed += pool->CloseIdle(kCloseAtOnce);
    return closed;
  }

  // Around fork(): the pools belong to the parent, and its threads may be using them.
  static void BeforeFork() ABSL_EXCLUSIVE_LOCK_FUNCTION(ThePools().mutex_) {
    ThePools().mutex_.LockInAnyOrder();
  }
  static void AfterForkInParent() ABSL_UNLOCK_FUNCTION(ThePools().mutex_) {
    ThePools().mutex_.Unlock();
  }
  static void AfterForkInChild() ABSL_UNLOCK_FUNCTION(ThePools().mutex_) {
    ThePools().pools_.clear();
    ThePools().mutex_.Unlock();
  }

 private:
  Mutex mutex_{LockRank::kPool};
  std::vector<DescriptorPool*> pools_ ABSL_GUARDED_BY(mutex_);
};

Pools& ThePools() {
  // Never destroyed: databases in static objects may still use it at exit.
  static Pools& pools = *[] {
    ::pthread_atfork(Pools::BeforeFork, Pools::AfterForkInParent, Pools::AfterForkInChild);
    return std::make_unique<Pools>().release();
  }();
  return pools;
}

}  // namespace

DescriptorPool::DescriptorPool(FileSystem* base, size_t max_open)
    : base_(base), max_open_(max_open) {
  assert(max_open > 0);
  ThePools().Add(this);
}

DescriptorPool::~DescriptorPool() {
  ThePools().Remove(this);
  assert(open_count() == 0);
}

bool DescriptorPool::TryPin(PooledDescriptor* descriptor) {
  uint32_t state = descriptor->state.load(std::memory_order_relaxed);
  while ((state & PooledDescriptor::kOpen) != 0) {
    if (!descriptor->state.compare_exchange_weak(state, state + PooledDescriptor::kPin)) continue;
    if (!descriptor->used.load(std::memory_order_relaxed)) {
      descriptor->used.store(true, std::memory_order_relaxed);
    }
    return true;
  }
  return false;
}

absl::Status DescriptorPool::Pin(PooledDescriptor* descriptor) {
  return TryPin(descriptor) ? absl::OkStatus() : OpenPinned(descriptor);
}

void DescriptorPool::Unpin(PooledDescriptor* descriptor) {
  const uint32_t before = descriptor->state.fetch_sub(PooledDescriptor::kPin);
  assert(before >= PooledDescriptor::kOpen + PooledDescriptor::kPin);
  // Either a waiter that incremented the count before its search sees this descriptor idle, or this
  // thread sees the waiter.
  if (before != PooledDescriptor::kOpen + PooledDescriptor::kPin || waiters_.load() == 0) return;
  MutexLock lock(&mutex_);
  changed_.SignalAll();
}

absl::Status DescriptorPool::OpenPinned(PooledDescriptor* descriptor) {
  std::list<PooledDescriptor*> place{descriptor};
  std::unique_ptr<RandomAccessFile> evicted;
  {
    MutexLock lock(&mutex_);
    waiters_.fetch_add(1);
    bool pinned = false;
    while (!(pinned = TryPin(descriptor))) {
      if (!descriptor->opening) {
        if (open_ < max_open_) {
          ++open_;
          break;
        }
        evicted = TakeIdle();
        if (evicted != nullptr) break;
      }
      changed_.Wait(&mutex_);
    }
    waiters_.fetch_sub(1);
    if (pinned) return absl::OkStatus();
    descriptor->opening = true;
  }
  evicted.reset();
  auto opened = CatchBadAlloc(
      [&] { return WithRoom([&] { return base_->OpenRandomAccess(descriptor->path); }); });
  MutexLock lock(&mutex_);
  assert(open_ > 0 && open_ <= max_open_);
  descriptor->opening = false;
  assert(descriptor->state.load() == 0 && descriptor->file == nullptr);
  if (opened.ok()) {
    descriptor->file = *std::move(opened);
    descriptor->place = place.begin();
    descriptors_.splice(descriptors_.end(), place);
    descriptor->state.store(PooledDescriptor::kOpen + PooledDescriptor::kPin);
  } else {
    --open_;
  }
  changed_.SignalAll();
  return opened.status();
}

std::unique_ptr<RandomAccessFile> DescriptorPool::TakeIdle() {
  // In the second round no marks are left, except those that readers set in the meantime.
  for (size_t steps = 2 * descriptors_.size(); steps > 0; --steps) {
    PooledDescriptor* const candidate = descriptors_.front();
    uint32_t idle = PooledDescriptor::kOpen;
    if (!candidate->used.exchange(false, std::memory_order_relaxed) &&
        candidate->state.compare_exchange_strong(idle, 0)) {
      descriptors_.pop_front();
      return std::move(candidate->file);
    }
    descriptors_.splice(descriptors_.end(), descriptors_, descriptors_.begin());
  }
  return nullptr;
}

void DescriptorPool::Forget(PooledDescriptor* descriptor) {
  std::unique_ptr<RandomAccessFile> closed;  // destroyed outside the lock
  MutexLock lock(&mutex_);
  const uint32_t state = descriptor->state.exchange(0);
  if (state == 0) return;
  assert(state == PooledDescriptor::kOpen);
  assert(open_ > 0 && descriptor->file != nullptr);
  closed = std::move(descriptor->file);
  descriptors_.erase(descriptor->place);
  --open_;
  changed_.SignalAll();
}

size_t DescriptorPool::open_count() const {
  MutexLock lock(&mutex_);
  return open_;
}

size_t DescriptorPool::CloseIdle(size_t count) {
  std::vector<std::unique_ptr<RandomAccessFile>> closed;  // destroyed outside the lock
  MutexLock lock(&mutex_);
  closed.reserve(std::min(count, descriptors_.size()));
  while (closed.size() < count) {
    std::unique_ptr<RandomAccessFile> file = TakeIdle();
    if (file == nullptr) break;
    assert(open_ > 0);
    closed.push_back(std::move(file));
    --open_;
  }
  if (!closed.empty()) changed_.SignalAll();
  return closed.size();
}

void DescriptorPool::MakeRoom(int attempt) {
  if (ThePools().CloseIdle() > 0) return;
  MutexLock lock(&mutex_);
  waiters_.fetch_add(1);
  changed_.WaitFor(&mutex_, uint64_t{1000} << attempt);
  waiters_.fetch_sub(1);
}

}  // namespace cambium::env
