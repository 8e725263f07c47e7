// RecentWrites: the last sequence number that was allocated to a write of each key, approximately:
// keys share slots. It shows that a key was not written since some moment.
//
//   slot     0      1      2      3    …     hash of (family, key)  ─▶  slot
//            871    0      904    17         all_ = 850
//            Newest(2) = 904    Newest(3) = 850
//
// Commits are recorded only while there is a watcher (CommitPipeline::Watch). A conditional write:
//
//   1 watch      under the commit lock: from here on, commits are recorded. Let w be the last
//                number allocated so far.
//   2 wait       until visible() >= w, which nearly always is true
//   3 read       the key as of a visible number S >= w, and decide
//   4 order      under the commit lock, with the allocation of its own number: if Newest(slot) > S,
//                the commit is not ordered, and the operation goes back to 2 with w = Newest(slot)
//   5 unwatch
//
// Why this is correct. Every write with a number above S was ordered under the commit lock after 1,
// so it is recorded in its slot, or in `all_`. If Newest(slot) <= S at 4, no number in (S, own
// number) belongs to a write of the key, and the next commit cannot be ordered before 4 ends. So
// the value that was read at S is the value just before the own write.
//
// - Two keys may share a slot, a commit may be recorded in `all_`, and a batch is recorded with its
//   last number for each key. All of this only makes Newest() larger. The operation then repeats
//   needlessly, but each repetition means that another commit was ordered: some thread always makes
//   progress.
// - Numbers only grow, so entries never expire: one from before 1 is at most w and changes nothing.
//   Therefore the table is never cleared, and its size does not depend on how long anything takes.
// - A commit that was ordered and then failed stays recorded. Until ResetAfterError() it makes a
//   watcher of the key wait for a number that is never published: the wait returns the error. The
//   reset moves visible() to the last allocated number, so a later read is above the entry. It sees
//   the key without the failed write, whose outcome is no longer open: no read sees it.
// - A conditional commit that is ordered behind a failed one fails together with it, as every
//   commit does, and with the same unknown outcome.
// - A commit whose sync fails is visible, and was recorded.
// - The table does not know about memtables. A memtable that is replaced, or flushed, between 3 and
//   4 allocates no numbers.
// - If the order of keys permits no hashes (KeyOrder::Hash), a whole family shares one slot.
#ifndef CAMBIUM_ENGINE_WRITE_RECENT_WRITES_H_
#define CAMBIUM_ENGINE_WRITE_RECENT_WRITES_H_

#include <algorithm>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>

#include "base/keys.h"

namespace cambium::engine {

// Thread-compatible. The pipeline's table is guarded by the commit lock.
class RecentWrites {
 public:
  // 128 KiB: they fit into the second-level cache of a core, because writes of all threads touch
  // them at random places under the commit lock. With a million writes per second, a read that
  // takes 100 µs is repeated needlessly once in 160 times.
  static constexpr int kSlotBits = 14;
  static constexpr size_t kSlots = size_t{1} << kSlotBits;
  using Table = std::unique_ptr<SequenceNumber[]>;

  // `key_hash` is KeyOrder::Hash of the key.
  static uint32_t SlotOf(ColumnFamilyId family, uint64_t key_hash) {
    constexpr uint64_t kOdd = 0x9E3779B97F4A7C15;
    return static_cast<uint32_t>((key_hash + (uint64_t{family} + 1) * kOdd) >> (64 - kSlotBits));
  }
  static Table MakeTable() { return std::make_unique<SequenceNumber[]>(kSlots); }

  // The number of families that were dropped.
  uint64_t drops() const { return drops_; }
  void RecordDrop() { ++drops_; }

  // The other functions require a table.
  bool has_table() const { return table_ != nullptr; }
  void SetTable(Table table) {
    assert(table_ == nullptr && table != nullptr);
    table_ = std::move(table);
  }

  // Returns the newest number recorded for one of `slots`, or for any slot if there are none.
  SequenceNumber Newest(std::span<const uint32_t> slots) const {
    assert(has_table());
    if (slots.empty()) return newest_;
    SequenceNumber newest = all_;
    for (const uint32_t slot : slots) newest = std::max(newest, table_[slot]);
    assert(newest <= newest_);
    return newest;
  }
  // Records a commit whose last number is `last`, which is above all recorded ones. If there are no
  // slots, it counts as a write of every key.
  void Record(std::span<const uint32_t> slots, SequenceNumber last) {
    assert(has_table() && last > newest_);
    newest_ = last;
    if (slots.empty()) all_ = last;
    for (const uint32_t slot : slots) table_[slot] = last;
  }

 private:
  Table table_;
  SequenceNumber all_ = 0;     // of the last commit that counts as a write of every key
  SequenceNumber newest_ = 0;  // of the last recorded commit
  uint64_t drops_ = 0;
};

}  // namespace cambium::engine

#endif  // CAMBIUM_ENGINE_WRITE_RECENT_WRITES_H_
