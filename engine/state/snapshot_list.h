// SnapshotList: the sequence numbers that must stay readable.
//
// Ordering with flush and compaction: a job reads the list once, when it starts. A later snapshot
// has a sequence number at least as high as every entry of the job's input. The job keeps the
// newest version of each key, so that snapshot loses nothing.
#ifndef CAMBIUM_ENGINE_STATE_SNAPSHOT_LIST_H_
#define CAMBIUM_ENGINE_STATE_SNAPSHOT_LIST_H_

#include <cassert>
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

  // Returns true if `snapshot` was taken from this list.
  bool Owns(const Snapshot& snapshot) const {
    const auto* entry = dynamic_cast<const Entry*>(&snapshot);
    return entry != nullptr && entry->list() == this;
  }

 private:
  using Live = std::multiset<SequenceNumber>;

  // Immutable after construction.
  class Entry final : public Snapshot {
   public:
    Entry(std::shared_ptr<SnapshotList> list, Live::const_iterator place)
        : list_(std::move(list)), place_(place) {}
    ~Entry() override {
      if (list_->made_in_ != ProcessGeneration()) return;  // it belongs to the parent
      MutexLock lock(&list_->mutex_);
      assert(!list_->live_.empty());
      list_->live_.erase(place_);
    }

    uint64_t sequence() const override { return *place_; }
    const SnapshotList* list() const { return list_.get(); }

   private:
    const std::shared_ptr<SnapshotList> list_;
    const Live::const_iterator place_;
  };

  const uint32_t made_in_ = ProcessGeneration();
  mutable Mutex mutex_;
  Live live_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace cambium::engine

#endif  // CAMBIUM_ENGINE_STATE_SNAPSHOT_LIST_H_
