// SnapshotList: which moments must stay readable.
//
// Ordering with flush and compaction: a job reads the list once, when it starts. A snapshot taken
// later has a sequence number at least as high as everything in the job's input, whose newest
// versions the job keeps: so it loses nothing.
#ifndef CAMBIUM_ENGINE_STATE_SNAPSHOT_LIST_H_
#define CAMBIUM_ENGINE_STATE_SNAPSHOT_LIST_H_

#include <functional>
#include <memory>
#include <set>
#include <vector>

#include "base/keys.h"
#include "cambium/snapshot.h"
#include "util/mutex.h"

namespace cambium::engine {

// Thread-safe. Shared by its snapshots, so that they may outlive the database.
class SnapshotList : public std::enable_shared_from_this<SnapshotList> {
 public:
  // A snapshot at what `visible` answers, which is called under the list's lock.
  std::shared_ptr<const Snapshot> Take(const std::function<SequenceNumber()>& visible);

  // The live snapshots' sequence numbers, ascending, each once.
  std::vector<SequenceNumber> Sequences() const;
  size_t Count() const;

  // Whether `snapshot` was taken from this list.
  bool Owns(const Snapshot& snapshot) const;

 private:
  class Entry;
  void Release(SequenceNumber sequence);

  mutable Mutex mutex_;
  std::multiset<SequenceNumber> live_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace cambium::engine

#endif  // CAMBIUM_ENGINE_STATE_SNAPSHOT_LIST_H_
