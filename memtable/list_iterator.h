// ListIterator: a walk over a memtable's skiplist, in both directions.
//
// It stands in a copy of one leaf (SkipList::LeafCopy), so that a step is an index moved by one,
// whatever is inserted meanwhile, and so that the cache misses of the entries to come are under way
// before they are needed. Going back over the beginning of a leaf is a search.
//
// Invariants: while Valid(), leaf_.entries[position_] is the entry it stands on. An entry inserted
// after the last Seek* may be passed over or seen; one inserted before is always seen.
#ifndef CAMBIUM_MEMTABLE_LIST_ITERATOR_H_
#define CAMBIUM_MEMTABLE_LIST_ITERATOR_H_

#include <cstddef>
#include <string_view>

#include "absl/status/status.h"
#include "base/internal_iterator.h"
#include "base/keys.h"
#include "memtable/skip_list.h"

namespace cambium::memtable {

// Thread-compatible; the list must outlive it.
class ListIterator final : public InternalIterator {
 public:
  explicit ListIterator(const SkipList* list) : list_(list) {}

  void SeekToFirst() override;
  void SeekToLast() override;
  void Seek(std::string_view key, Tag tag) override;
  void SeekForPrev(std::string_view key, Tag tag) override;
  void Next() override;
  void Prev() override;
  absl::Status status() const override { return absl::OkStatus(); }

 private:
  enum class Direction { kForward, kBackward };

  void SettleForward();
  void SettleBackward();
  void Show();
  void PrefetchLeaf(Direction direction) const;
  void PrefetchEntry(size_t position) const;

  const SkipList* const list_;
  LeafCopy leaf_;
  size_t position_ = 0;
};

}  // namespace cambium::memtable

#endif  // CAMBIUM_MEMTABLE_LIST_ITERATOR_H_
