// Range tombstones: what a range delete leaves behind until the last entry that it covers is gone.
//
// A tombstone (begin, end, sequence number) deletes the versions of the keys between its ends that
// have a smaller sequence number. Its ends are *cuts*, positions between user keys, so that a range
// may include its last key, or extend over the whole order, without a key for it:
//
//   start      before a      after a      before b      end
//     │            │     a      │             │     b     │
//
// TombstoneIndex finds "which is the newest tombstone over this key that a reader at sequence
// number s can see". The cuts of all its tombstones divide the order into segments:
//
//   [a,m)@10  [c,p)@20        cuts      a    c    m    p
//                             segment 0 │ 1  │ 2  │ 3  │ 4
//                             newest    0│10  │20  │20  │0
//
// A reader that sees all tombstones needs one search among the cuts. For an older reader, the
// segments are the leaves of a segment tree, and a tombstone is stored in the few nodes that
// together cover its segments: the search goes through the nodes above the leaf. Therefore n
// tombstones take O(n log n) memory however they overlap; a list of all sequence numbers per
// segment would take O(n²), for example for a queue whose consumer deletes everything before its
// position again and again.
#ifndef CAMBIUM_BASE_RANGE_TOMBSTONES_H_
#define CAMBIUM_BASE_RANGE_TOMBSTONES_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/keys.h"

namespace cambium {

// A position between user keys. Plain data; refers to the bytes of its key.
struct KeyCut {
  enum class Place : uint8_t { kStart, kBefore, kAfter, kEnd };

  static KeyCut Start() { return {Place::kStart, {}}; }
  static KeyCut Before(std::string_view key) { return {Place::kBefore, key}; }
  static KeyCut After(std::string_view key) { return {Place::kAfter, key}; }
  static KeyCut End() { return {Place::kEnd, {}}; }

  bool has_key() const { return place == Place::kBefore || place == Place::kAfter; }

  Place place = Place::kStart;
  std::string_view key;  // empty at the start and at the end
};

// Returns a negative number, 0, or a positive number if `a` is before, at, or after `b`.
int CompareCuts(const KeyOrder& order, const KeyCut& a, const KeyCut& b);
// Returns true if `key` is after the cut.
inline bool IsAfterCut(const KeyOrder& order, std::string_view key, const KeyCut& cut) {
  switch (cut.place) {
    case KeyCut::Place::kStart:
      return true;
    case KeyCut::Place::kBefore:
      return !order.Less(key, cut.key);
    case KeyCut::Place::kAfter:
      return order.Less(cut.key, key);
    case KeyCut::Place::kEnd:
      break;
  }
  return false;
}

// Plain data; refers to the bytes of its keys.
struct RangeTombstone {
  KeyCut begin, end;
  SequenceNumber sequence = 0;
};

// A range, and the sequence numbers, descending, of the tombstones over it. Plain data; refers to
// the bytes of its keys.
struct TombstoneFragment {
  KeyCut begin, end;
  std::vector<SequenceNumber> sequences;
};

// Immutable after construction.
class TombstoneIndex {
 public:
  // Copies the bytes of the tombstones' keys, and ignores tombstones over empty ranges. The order's
  // comparator must outlive the index. Sequence numbers must be above 0.
  TombstoneIndex(const KeyOrder& order, std::span<const RangeTombstone> tombstones);
  TombstoneIndex(const TombstoneIndex&) = delete;
  TombstoneIndex& operator=(const TombstoneIndex&) = delete;

  // Returns the tombstones, ascending by sequence number; they live as long as the index.
  std::span<const RangeTombstone> tombstones() const { return tombstones_; }
  // Return 0 if there are no tombstones.
  SequenceNumber smallest_sequence() const { return smallest_sequence_; }
  SequenceNumber largest_sequence() const { return largest_sequence_; }

  // Segment i extends from cut i - 1 to cut i. Without tombstones there is one segment.
  size_t segment_count() const { return cuts_.size() + 1; }
  KeyCut begin(size_t segment) const { return segment == 0 ? KeyCut::Start() : cuts_[segment - 1]; }
  KeyCut end(size_t segment) const {
    return segment == cuts_.size() ? KeyCut::End() : cuts_[segment];
  }

  // Returns the segment that contains `key`.
  size_t Find(std::string_view key) const;
  // Return the segment just after the cut, and just before it.
  size_t FindAfter(const KeyCut& cut) const;
  size_t FindBefore(const KeyCut& cut) const;

  // Returns the largest sequence number <= `at_most` of the tombstones over the segment, or 0.
  SequenceNumber Newest(size_t segment, SequenceNumber at_most) const {
    if (at_most >= largest_sequence_) [[likely]]
      return newest_[segment];
    return NewestInTree(segment, at_most);
  }
  SequenceNumber NewestOver(std::string_view key, SequenceNumber at_most) const {
    return Newest(Find(key), at_most);
  }

  // Returns the memory used, including the object itself.
  size_t MemoryUsage() const;

 private:
  void CopyTombstones(std::span<const RangeTombstone> tombstones);
  void FindCuts();
  void BuildTree();
  SequenceNumber NewestInTree(size_t segment, SequenceNumber at_most) const;
  uint64_t AbbreviateCut(const KeyCut& cut) const;
  // Returns the index of the first abbreviated cut that is not below `abbreviated`.
  size_t LowerBound(uint64_t abbreviated) const;

  const KeyOrder order_;
  SequenceNumber smallest_sequence_ = 0, largest_sequence_ = 0;
  std::unique_ptr<char[]> bytes_;  // of the keys
  size_t byte_count_ = 0;
  std::vector<RangeTombstone> tombstones_;
  std::vector<KeyCut> cuts_;  // ascending
  // For bytewise orders: the common prefix of the keys of all cuts, and the abbreviated rests.
  // Every so many of these are also in fences_, which a cache holds: a search loads few other
  // lines.
  std::string_view prefix_;
  std::vector<uint64_t> abbreviated_;
  std::vector<uint64_t> fences_;
  // Per segment: the newest tombstone over it.
  std::vector<SequenceNumber> newest_;
  // The sequence numbers of node i, ascending, begin at in_nodes_[node_begin_[i]]. The children of
  // node i are 2i and 2i + 1; segment s is node segment_count() + s.
  std::vector<uint32_t> node_begin_;
  std::vector<SequenceNumber> in_nodes_;
};

}  // namespace cambium

#endif  // CAMBIUM_BASE_RANGE_TOMBSTONES_H_
