#include "memtable/range_deletes.h"

#include <algorithm>
#include <cassert>
#include <span>
#include <utility>

#include "util/thread_index.h"

namespace cambium::memtable {

class RangeDeletes::Reader {
 public:
  explicit Reader(const RangeDeletes& from)
      : count_(from.readers_[ThreadIndex() % kReaders].count) {
    // In this order, sequentially consistent: if the writer then finds the counter at zero, the
    // pointer that is loaded here is the new one.
    count_.fetch_add(1, std::memory_order_seq_cst);
    current_ = from.current_.load(std::memory_order_seq_cst);
  }
  ~Reader() { count_.fetch_sub(1, std::memory_order_release); }
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  const Indexes* current() const { return current_; }

 private:
  std::atomic<uint32_t>& count_;
  const Indexes* current_;
};

void RangeDeletes::Add(const RangeTombstone& tombstone) {
  if (CompareCuts(order_, tombstone.begin, tombstone.end) >= 0) return;
  MutexLock lock(&mutex_);
  const Indexes* const old = current_.load(std::memory_order_relaxed);
  auto next = old == nullptr ? std::make_unique<Indexes>() : std::make_unique<Indexes>(*old);
  // The indexes that are merged, with the new tombstone: usually the oldest tombstones first.
  size_t first = next->size();
  for (size_t count = 1; first > 0; --first) {
    const size_t size = (*next)[first - 1]->tombstones().size();
    if (size >= kGrowth * count) break;
    count += size;
  }
  std::vector<RangeTombstone> merged;
  for (size_t i = first; i < next->size(); ++i) {
    const std::span<const RangeTombstone> more = (*next)[i]->tombstones();
    merged.insert(merged.end(), more.begin(), more.end());
  }
  merged.push_back(tombstone);
  const auto index = std::make_shared<const TombstoneIndex>(order_, merged);
  next->resize(first);
  next->push_back(index);
  waiting_.reserve(waiting_.size() + 1);
  leaving_.reserve(waiting_.size() + 1);
  // Nothing can fail from here on.
  current_.store(next.release(), std::memory_order_seq_cst);
  if (old != nullptr) waiting_.emplace_back(old);
  Collect();
}

void RangeDeletes::Collect() {
  for (uint32_t reader = 0; reader < kReaders; ++reader) {
    if (readers_[reader].count.load(std::memory_order_seq_cst) == 0) busy_ &= ~(1U << reader);
  }
  if (busy_ != 0) return;
  leaving_.clear();
  leaving_.swap(waiting_);
  busy_ = (1U << kReaders) - 1;
}

SequenceNumber RangeDeletes::NewestOver(std::string_view key, SequenceNumber at_most) const {
  const Reader reader(*this);
  SequenceNumber newest = 0;
  if (reader.current() == nullptr) return newest;
  for (const Index& index : *reader.current()) {
    if (index->largest_sequence() <= newest || index->smallest_sequence() > at_most) continue;
    newest = std::max(newest, index->NewestOver(key, at_most));
  }
  return newest;
}

RangeDeletes::Indexes RangeDeletes::Get() const {
  const Reader reader(*this);
  return reader.current() == nullptr ? Indexes() : *reader.current();
}

}  // namespace cambium::memtable
