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
#include "util/coding.h"

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
  std::string_view KeyAt(size_t index) {
    const std::string_view middle = block_.MiddleAt(index);
    if (prefix_size_ + suffix_size_ == 0) return middle;
    CopyShort(key_.data() + prefix_size_, middle);
    return {key_.data(), prefix_size_ + middle.size() + suffix_size_};
  }

  // memcpy that does without a call for the sizes that middles mostly have.
  static void CopyShort(char* to, std::string_view bytes) {
    const char* const from = bytes.data();
    const size_t size = bytes.size();
    if (size > 16) {
      std::memcpy(to, from, size);
    } else if (size >= 8) {
      // Two words that overlap.
      const uint64_t last = LoadFixed64(from + size - 8);
      StoreFixed64(to, LoadFixed64(from));
      StoreFixed64(to + size - 8, last);
    } else if (size >= 4) {
      const uint32_t last = LoadFixed32(from + size - 4);
      StoreFixed32(to, LoadFixed32(from));
      StoreFixed32(to + size - 4, last);
    } else {
      for (size_t i = 0; i < size; ++i) to[i] = from[i];
    }
  }

  const KeyOrder order_;
  Block block_;
  size_t index_ = 0;
  size_t prefix_size_ = 0;  // of block_
  size_t suffix_size_ = 0;
  std::vector<char> key_;  // prefix, room for the longest middle, suffix
};

}  // namespace cambium::sstable

#endif  // CAMBIUM_SSTABLE_BLOCK_ITERATOR_H_
