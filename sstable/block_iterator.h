// BlockIterator: a walk over the entries of one block, and of another after it.
//
// A step is an index ± 1. The one thing that costs is putting a key together from prefix, middle
// and suffix: prefix and (where middles are of one size) suffix stand in a buffer that is filled
// once a block, so a step copies the middle alone.
#ifndef CAMBIUM_SSTABLE_BLOCK_ITERATOR_H_
#define CAMBIUM_SSTABLE_BLOCK_ITERATOR_H_

#include <cstddef>
#include <cstring>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "base/internal_iterator.h"
#include "base/keys.h"
#include "sstable/block.h"

namespace cambium::sstable {

// The block's bytes must outlive its use here. Thread-compatible.
class BlockIterator final : public InternalIterator {
 public:
  // Stands nowhere, over a block without entries.
  explicit BlockIterator(const KeyOrder& order) : order_(order) {}

  // Walks `block` from now on; stands nowhere. Allocates only where the block's keys are longer
  // than those of every block before.
  void SetBlock(const Block& block);
  const Block& block() const { return block_; }

  void SeekToFirst() override { MoveTo(0); }
  void SeekToLast() override { MoveTo(block_.count() - 1); }
  void Seek(std::string_view key, Tag tag) override { MoveTo(block_.LowerBound(key, tag, order_)); }
  void SeekForPrev(std::string_view key, Tag tag) override;
  void Next() override { MoveTo(index_ + 1); }
  void Prev() override { MoveTo(index_ - 1); }
  absl::Status status() const override { return absl::OkStatus(); }

  // Requires Valid().
  size_t index() const { return index_; }
  // To entry `index`; stands nowhere where index >= count().
  void MoveTo(size_t index) {
    index_ = index;
    if (index >= block_.count()) {
      SetInvalid();
      return;
    }
    SetEntry(KeyAt(index), block_.TagAt(index), block_.ValueAt(index));
  }

 private:
  std::string_view KeyAt(size_t index);

  const KeyOrder order_;
  Block block_;
  size_t index_ = 0;
  std::vector<char> key_;  // prefix, room for the longest middle, suffix
};

}  // namespace cambium::sstable

#endif  // CAMBIUM_SSTABLE_BLOCK_ITERATOR_H_
