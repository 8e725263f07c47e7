// SnapshotList: the sequence numbers that must stay readable.
//
// Ordering with flush and compaction: a job reads the list once, when it starts. A later snapshot
// has a sequence number at least as high as every entry of the job's input. The job keeps the
// newest version of each key, so that snapshot loses nothing.
#ifndef CAMBIUM_ENGINE_STATE_SNAPSHOT_LIST_H_
#define CAMBIUM_ENGINE_STATE_SNAPSHOT_LIST_H_

#include <cassert>
#include <map>
#include <memory>
#include <set>
#include <utility>
#include <vector>

#include "base/keys.h"
#include "cambium/snapshot.h"
#include "util/mutex.h"
#include "util/process.h"

namespace cambium::engine {

// The snapshot that a closed database returns; no read can use it. Immutable.
class NoSnapshot final : public Snapshot {
 public:
  uint64_t sequence() const override { return 0; }
};

// Thread-safe. Shared by its snapshots, so they may outlive the database.
class SnapshotList : public std::enable_shared_from_this<SnapshotList> {
 public:
  // Returns a snapshot at the number that `visible`, called under the list's lock, returns.
  template <typename Visible>
  std::shared_ptr<const Snapshot> Take(const Visible& visible) {
    MutexLock lock(&mutex_);
    return std::make_shared<const Entry>(shared_from_this(), live_.insert(visible()));
  }

  // Returns the live snapshots' sequence numbers, ascending.
  std::vector<SequenceNumber> Sequences() const {
    MutexLock lock(&mutex_);
    return {live_.begin(), live_.end()};
  }
  // Returns the oldest sequence number, or kMaxSequenceNumber.
  SequenceNumber Oldest() const {
    MutexLock lock(&mutex_);
    return live_.empty() ? kMaxSequenceNumber : *live_.begin();
  }
  size_t Count() const {
    MutexLock lock(&mutex_);
    return live_.size();
  }

  // Keeps `state` until no snapshot at `sequence` or before is live; not at all if none is.
  void Keep(SequenceNumber sequence, std::shared_ptr<const void> state) {
    MutexLock lock(&mutex_);
    if (!live_.empty() && *live_.begin() <= sequence) kept_.emplace(sequence, std::move(state));
  }
  // Releases everything that is kept, because the database ends. No snapshot is read afterwards.
  void ReleaseKept() {
    Kept released;
    MutexLock lock(&mutex_);
    released.swap(kept_);
  }

  // Returns true if `snapshot` was taken from this list.
  bool Owns(const Snapshot& snapshot) const {
    const auto* entry = dynamic_cast<const Entry*>(&snapshot);
    return entry != nullptr && entry->list() == this;
  }

 private:
  using Live = std::multiset<SequenceNumber>;
  using Kept = std::multimap<SequenceNumber, std::shared_ptr<const void>>;

  // Immutable after construction.
  class Entry final : public Snapshot {
   public:
    Entry(std::shared_ptr<SnapshotList> list, Live::const_iterator place)
        : list_(std::move(list)), place_(place) {}
    ~Entry() override {
      if (list_->made_in_ != ProcessGeneration()) return;  // it belongs to the parent
      list_->Remove(place_);
    }

    uint64_t sequence() const override { return *place_; }
    const SnapshotList* list() const { return list_.get(); }

   private:
    const std::shared_ptr<SnapshotList> list_;
    const Live::const_iterator place_;
  };

  void Remove(Live::const_iterator place) {
    Kept released;  // destroyed after the lock is released; allocates nothing
    MutexLock lock(&mutex_);
    assert(!live_.empty());
    live_.erase(place);
    const SequenceNumber oldest = live_.empty() ? kMaxSequenceNumber : *live_.begin();
    while (!kept_.empty() && kept_.begin()->first < oldest) {
      released.insert(kept_.extract(kept_.begin()));
    }
  }

  const uint32_t made_in_ = ProcessGeneration();
  mutable Mutex mutex_;
  Live live_ ABSL_GUARDED_BY(mutex_);
  // States of dropped families that older snapshots may read, by the time of the drop.
  Kept kept_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace cambium::engine

#endif  // CAMBIUM_ENGINE_STATE_SNAPSHOT_LIST_H_
