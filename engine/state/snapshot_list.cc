#include "engine/state/snapshot_list.h"

#include <utility>

namespace cambium::engine {

class SnapshotList::Entry final : public Snapshot {
 public:
  Entry(std::shared_ptr<SnapshotList> list, SequenceNumber sequence)
      : list_(std::move(list)), sequence_(sequence) {}
  ~Entry() override { list_->Release(sequence_); }

  uint64_t sequence() const override { return sequence_; }
  const SnapshotList* list() const { return list_.get(); }

 private:
  const std::shared_ptr<SnapshotList> list_;
  const SequenceNumber sequence_;
};

std::shared_ptr<const Snapshot> SnapshotList::Take(const std::function<SequenceNumber()>& visible) {
  MutexLock lock(&mutex_);
  const SequenceNumber sequence = visible();
  live_.insert(sequence);
  return std::make_shared<const Entry>(shared_from_this(), sequence);
}

std::vector<SequenceNumber> SnapshotList::Sequences() const {
  MutexLock lock(&mutex_);
  std::vector<SequenceNumber> sequences;
  for (const SequenceNumber sequence : live_) {
    if (sequences.empty() || sequences.back() != sequence) sequences.push_back(sequence);
  }
  return sequences;
}

size_t SnapshotList::Count() const {
  MutexLock lock(&mutex_);
  return live_.size();
}

bool SnapshotList::Owns(const Snapshot& snapshot) const {
  const auto* entry = dynamic_cast<const Entry*>(&snapshot);
  return entry != nullptr && entry->list() == this;
}

void SnapshotList::Release(SequenceNumber sequence) {
  MutexLock lock(&mutex_);
  live_.erase(live_.find(sequence));
}

}  // namespace cambium::engine
