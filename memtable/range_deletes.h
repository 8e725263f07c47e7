// RangeDeletes: the range tombstones of a memtable.
//
// The tombstones are in a few immutable indexes (base/range_tombstones.h), each at least four times
// as large as the next one. Add() makes an index of the new tombstone, and merges it with the
// smallest ones as long as the rule is broken:
//
//   64 16 4 1   Add ▶  64 16 4 1 1  ▶  64 16 4 2  ▶  64 16 6  ▶  64 22  ▶  86
//
// Therefore a read searches O(log n) indexes, an Add moves O(log n) tombstones on average, and no
// read ever builds anything, even if reads and range deletes alternate.
//
// Readers take no lock and never wait. A reader announces itself in one of a few counters, loads
// the pointer to the current indexes, and leaves. A writer that has replaced them frees the old
// ones when it has seen each counter at zero once after that: a reader that arrives later loads the
// new pointer.
#ifndef CAMBIUM_MEMTABLE_RANGE_DELETES_H_
#define CAMBIUM_MEMTABLE_RANGE_DELETES_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "base/keys.h"
#include "base/range_tombstones.h"
#include "util/mutex.h"

namespace cambium::memtable {

// Thread-safe.
class RangeDeletes {
 public:
  using Index = std::shared_ptr<const TombstoneIndex>;
  using Indexes = std::vector<Index>;

  explicit RangeDeletes(const KeyOrder& order) : order_(order) {}
  ~RangeDeletes() { delete current_.load(std::memory_order_acquire); }
  RangeDeletes(const RangeDeletes&) = delete;
  RangeDeletes& operator=(const RangeDeletes&) = delete;

  // Copies the bytes. Every read that starts afterwards finds the tombstone. Changes nothing if it
  // throws std::bad_alloc. Ignores an empty range.
  void Add(const RangeTombstone& tombstone) ABSL_LOCKS_EXCLUDED(mutex_);

  // Returns true if there may be a tombstone.
  bool any() const { return current_.load(std::memory_order_acquire) != nullptr; }
  // Returns the largest sequence number <= `at_most` of the tombstones over `key`, or 0.
  SequenceNumber NewestOver(std::string_view key, SequenceNumber at_most) const;
  // Returns all tombstones so far.
  Indexes Get() const;

 private:
  static constexpr size_t kReaders = 8;
  static constexpr size_t kGrowth = 4;

  // On its own cache line, because many threads write it.
  struct alignas(64) ReaderCount {
    std::atomic<uint32_t> count{0};
  };
  // Keeps the indexes that current() returns, during its scope.
  class Reader;

  // Frees replaced indexes that no reader can use.
  void Collect() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const KeyOrder order_;
  std::atomic<const Indexes*> current_{nullptr};  // the largest first; null: no tombstone
  mutable std::array<ReaderCount, kReaders> readers_;
  Mutex mutex_;  // a leaf lock: one writer at a time
  // Replaced before the first of these counters was checked, and after it; and the counters that
  // were not zero yet since then.
  std::vector<std::unique_ptr<const Indexes>> leaving_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::unique_ptr<const Indexes>> waiting_ ABSL_GUARDED_BY(mutex_);
  uint32_t busy_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace cambium::memtable

#endif  // CAMBIUM_MEMTABLE_RANGE_DELETES_H_
