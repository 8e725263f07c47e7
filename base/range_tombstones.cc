#include "base/range_tombstones.h"

#include <algorithm>
#include <cassert>
#include <cstring>

namespace cambium {
namespace {

int RankOf(const KeyCut& cut) {
  if (cut.place == KeyCut::Place::kStart) return -1;
  return cut.place == KeyCut::Place::kEnd ? 1 : 0;
}

// Calls body(node) for the nodes that together cover the leaves [begin, end) of a tree with
// `leaves` leaves.
template <typename Body>
void ForNodesOver(size_t begin, size_t end, size_t leaves, const Body& body) {
  for (begin += leaves, end += leaves; begin < end; begin /= 2, end /= 2) {
    if (begin % 2 == 1) body(begin++);
    if (end % 2 == 1) body(--end);
  }
}

// The distance of the fences.
constexpr size_t kFenceStep = 32;

// Returns the first index in [begin, begin + size) whose value is not below `value`, or the end. No
// branch depends on the values.
size_t FirstNotBelow(const uint64_t* values, size_t begin, size_t size, uint64_t value) {
  if (size == 0) return begin;
  while (size > 1) {
    const size_t half = size / 2;
    begin += values[begin + half - 1] < value ? half : 0;
    size -= half;
  }
  return begin + (values[begin] < value ? 1 : 0);
}

std::string_view CommonPart(std::string_view a, std::string_view b) {
  const size_t most = std::min(a.size(), b.size());
  size_t size = 0;
  while (size < most && a[size] == b[size]) ++size;
  return a.substr(0, size);
}

}  // namespace

int CompareCuts(const KeyOrder& order, const KeyCut& a, const KeyCut& b) {
  const int rank_a = RankOf(a);
  const int rank_b = RankOf(b);
  if (rank_a != 0 || rank_b != 0) return rank_a - rank_b;
  const int keys = order.Compare(a.key, b.key);
  return keys != 0 ? keys : static_cast<int>(a.place) - static_cast<int>(b.place);
}

TombstoneIndex::TombstoneIndex(const KeyOrder& order, std::span<const RangeTombstone> tombstones)
    : order_(order) {
  CopyTombstones(tombstones);
  FindCuts();
  BuildTree();
}

void TombstoneIndex::CopyTombstones(std::span<const RangeTombstone> tombstones) {
  tombstones_.reserve(tombstones.size());
  for (const RangeTombstone& one : tombstones) {
    assert(one.sequence > 0);
    if (CompareCuts(order_, one.begin, one.end) >= 0) continue;
    tombstones_.push_back(one);
    byte_count_ += one.begin.key.size() + one.end.key.size();
  }
  const auto older = [](const RangeTombstone& a, const RangeTombstone& b) {
    return a.sequence < b.sequence;
  };
  if (!std::is_sorted(tombstones_.begin(), tombstones_.end(), older)) {
    std::stable_sort(tombstones_.begin(), tombstones_.end(), older);
  }
  if (!tombstones_.empty()) {
    smallest_sequence_ = tombstones_.front().sequence;
    largest_sequence_ = tombstones_.back().sequence;
  }
  bytes_ = std::make_unique_for_overwrite<char[]>(byte_count_);
  char* free = bytes_.get();
  const auto copy = [&free](std::string_view* key) {
    if (!key->empty()) std::memcpy(free, key->data(), key->size());
    *key = {free, key->size()};
    free += key->size();
  };
  for (RangeTombstone& one : tombstones_) {
    copy(&one.begin.key);
    copy(&one.end.key);
  }
}

void TombstoneIndex::FindCuts() {
  struct Sortable {
    uint64_t abbreviated;
    KeyCut cut;
  };
  std::vector<Sortable> all;
  all.reserve(2 * tombstones_.size());
  bool first = true;
  for (const RangeTombstone& one : tombstones_) {
    for (const KeyCut& cut : {one.begin, one.end}) {
      all.push_back({0, cut});
      if (!cut.has_key()) continue;
      prefix_ = first ? cut.key : CommonPart(prefix_, cut.key);
      first = false;
    }
  }
  for (Sortable& one : all) one.abbreviated = AbbreviateCut(one.cut);
  std::sort(all.begin(), all.end(), [this](const Sortable& a, const Sortable& b) {
    if (a.abbreviated != b.abbreviated) return a.abbreviated < b.abbreviated;
    return CompareCuts(order_, a.cut, b.cut) < 0;
  });
  for (const Sortable& one : all) {
    if (!cuts_.empty() && CompareCuts(order_, cuts_.back(), one.cut) == 0) continue;
    cuts_.push_back(one.cut);
    if (cuts_.size() % kFenceStep == 1) fences_.push_back(one.abbreviated);
    abbreviated_.push_back(one.abbreviated);
  }
}

size_t TombstoneIndex::LowerBound(uint64_t abbreviated) const {
  const size_t fence = FirstNotBelow(fences_.data(), 0, fences_.size(), abbreviated);
  if (fence == 0) return 0;
  const size_t begin = (fence - 1) * kFenceStep;
  const size_t end = std::min(fence * kFenceStep, abbreviated_.size());
  return FirstNotBelow(abbreviated_.data(), begin, end - begin, abbreviated);
}

// Cuts with different abbreviations order like them: 0 for all if the order is not bytewise.
uint64_t TombstoneIndex::AbbreviateCut(const KeyCut& cut) const {
  if (!order_.bytewise()) return 0;
  if (!cut.has_key()) return cut.place == KeyCut::Place::kStart ? 0 : UINT64_MAX;
  return order_.Abbreviate(cut.key.substr(prefix_.size()));
}

void TombstoneIndex::BuildTree() {
  const size_t leaves = segment_count();
  std::vector<std::pair<uint32_t, uint32_t>> ranges;  // of segments, per tombstone
  ranges.reserve(tombstones_.size());
  node_begin_.assign(2 * leaves + 1, 0);
  for (const RangeTombstone& one : tombstones_) {
    ranges.emplace_back(FindAfter(one.begin), FindAfter(one.end));
    ForNodesOver(ranges.back().first, ranges.back().second, leaves,
                 [this](size_t node) { ++node_begin_[node + 1]; });
  }
  for (size_t i = 1; i < node_begin_.size(); ++i) node_begin_[i] += node_begin_[i - 1];
  in_nodes_.resize(node_begin_.back());
  std::vector<uint32_t> next(node_begin_.begin(), node_begin_.end() - 1);
  for (size_t i = 0; i < tombstones_.size(); ++i) {
    ForNodesOver(ranges[i].first, ranges[i].second, leaves,
                 [&](size_t node) { in_nodes_[next[node]++] = tombstones_[i].sequence; });
  }
  // A parent comes before its children.
  std::vector<SequenceNumber> newest(2 * leaves, 0);
  for (size_t node = 1; node < newest.size(); ++node) {
    const uint32_t end = node_begin_[node + 1];
    const SequenceNumber own = end == node_begin_[node] ? 0 : in_nodes_[end - 1];
    newest[node] = std::max(own, newest[node / 2]);
  }
  newest_.assign(newest.begin() + static_cast<std::ptrdiff_t>(leaves), newest.end());
}

size_t TombstoneIndex::Find(std::string_view key) const {
  size_t begin = 0;
  size_t end = cuts_.size();
  if (order_.bytewise()) {
    // The cuts with a key, all of which begin with the prefix, are between the start and the end.
    const int side = key.compare(0, prefix_.size(), prefix_);
    uint64_t abbreviated = side < 0 ? 0 : UINT64_MAX;
    if (side == 0) abbreviated = order_.Abbreviate(key.substr(prefix_.size()));
    begin = LowerBound(abbreviated);
    if (begin == end || abbreviated_[begin] != abbreviated) [[likely]]
      return begin;
    end = static_cast<size_t>(
        std::upper_bound(abbreviated_.begin() + static_cast<std::ptrdiff_t>(begin),
                         abbreviated_.end(), abbreviated) -
        abbreviated_.begin());
  }
  const auto at = [this](size_t i) { return cuts_.begin() + static_cast<std::ptrdiff_t>(i); };
  const auto before = [&](const KeyCut& cut) { return IsAfterCut(order_, key, cut); };
  return static_cast<size_t>(std::partition_point(at(begin), at(end), before) - cuts_.begin());
}

size_t TombstoneIndex::FindAfter(const KeyCut& cut) const {
  const auto at_or_before = [&](const KeyCut& one) { return CompareCuts(order_, one, cut) <= 0; };
  return static_cast<size_t>(std::partition_point(cuts_.begin(), cuts_.end(), at_or_before) -
                             cuts_.begin());
}

size_t TombstoneIndex::FindBefore(const KeyCut& cut) const {
  const auto before = [&](const KeyCut& one) { return CompareCuts(order_, one, cut) < 0; };
  return static_cast<size_t>(std::partition_point(cuts_.begin(), cuts_.end(), before) -
                             cuts_.begin());
}

SequenceNumber TombstoneIndex::NewestInTree(size_t segment, SequenceNumber at_most) const {
  SequenceNumber newest = 0;
  for (size_t node = segment + segment_count(); node > 0; node /= 2) {
    const auto begin = in_nodes_.begin() + node_begin_[node];
    const auto end = in_nodes_.begin() + node_begin_[node + 1];
    const auto after = std::upper_bound(begin, end, at_most);
    if (after != begin) newest = std::max(newest, *(after - 1));
  }
  return newest;
}

size_t TombstoneIndex::MemoryUsage() const {
  return sizeof(*this) + byte_count_ + tombstones_.capacity() * sizeof(RangeTombstone) +
         cuts_.capacity() * sizeof(KeyCut) +
         (abbreviated_.capacity() + fences_.capacity()) * sizeof(uint64_t) +
         newest_.capacity() * sizeof(SequenceNumber) + node_begin_.capacity() * sizeof(uint32_t) +
         in_nodes_.capacity() * sizeof(SequenceNumber);
}

}  // namespace cambium
