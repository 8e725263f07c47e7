// Block: the entries of one data block, searched where they lie.
//
// A block is columns, not rows: a point read compares one-byte fingerprints of the keys' hashes, a
// seek searches the column of keys, a step in either direction is an index ± 1. Nothing is decoded
// entry by entry, so an entry can be reached without walking to it.
//
// Format: docs/format/sstable-blocks.md, "Data block". Entries are in the order of base/keys.h:
// user key ascending, then trailer descending. The versions of one key may go on in the next block
// of the file.
//
// Parse() checks, in time linear in the count, everything that a later access relies on: after it
// no bytes, however made, lead an access out of the block. What it does not check is the order of
// the keys: in a block whose order is wrong searches give wrong answers, and no worse.
#ifndef CAMBIUM_SSTABLE_BLOCK_BLOCK_H_
#define CAMBIUM_SSTABLE_BLOCK_BLOCK_H_

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/internal_iterator.h"
#include "base/key_fold.h"
#include "base/keys.h"
#include "sstable/block/block_format.h"
#include "util/coding.h"

namespace cambium::sstable {

inline constexpr size_t kBlockHeaderSize = 40;

// Bits of a data block's flags byte.
inline constexpr uint8_t kBlockHasTombstones = 1;
inline constexpr uint8_t kBlockHasDuplicates = 2;
inline constexpr uint8_t kBlockSequencesZero = 4;
inline constexpr uint8_t kBlockHasValuePointers = 8;
inline constexpr uint8_t kBlockHasFingerprints = 16;
inline constexpr uint8_t kBlockHasKinds = 32;
inline constexpr uint8_t kBlockKnownFlags = 63;

// The header, decoded, and where each column begins. Plain data.
struct BlockLayout {
  uint64_t least_sequence = 0;
  uint32_t count = 0;
  uint32_t prefix_size = 0;
  uint32_t suffix_size = 0;
  uint32_t middle_size = 0;  // of each, where key_width is 0, else of all
  uint32_t value_size = 0;   // of each, where value_width is 0, else of all
  uint32_t key_bounds = 0;   // from here on offsets in the block
  uint32_t middles = 0;
  uint32_t sequences = 0;
  uint32_t value_bounds = 0;
  uint32_t values = 0;
  uint8_t flags = 0;
  uint8_t sequence_width = 0;
  uint8_t key_width = 0;
  uint8_t value_width = 0;
  uint8_t kind = 0;
};

// A checked view of a block's bytes, which must outlive it; 64 bytes to copy. Immutable after
// construction.
class Block {
 public:
  // A block without entries.
  Block() = default;

  // DataLoss on bytes that are not a block; Unimplemented on a flag or kind that this release does
  // not know. Messages say what was found; the caller adds file and offset.
  static absl::StatusOr<Block> Parse(std::string_view bytes);

  size_t count() const { return layout_.count; }
  uint8_t flags() const { return layout_.flags; }
  // A user key has more than one version in this block.
  bool has_duplicates() const { return HasFlag(kBlockHasDuplicates); }
  bool all_sequences_zero() const { return HasFlag(kBlockSequencesZero); }
  bool has_fingerprints() const { return HasFlag(kBlockHasFingerprints); }

  // What every key begins and ends with.
  std::string_view prefix() const { return {data_ + kBlockHeaderSize, layout_.prefix_size}; }
  std::string_view suffix() const {
    return {data_ + kBlockHeaderSize + layout_.prefix_size, layout_.suffix_size};
  }

  // No middle (a key without prefix and suffix) is longer than this.
  size_t max_middle_size() const { return layout_.middle_size; }

  // These require index < count(). What they return points into the block, but for KeyAt.
  std::string_view MiddleAt(size_t index) const {
    assert(index < count());
    if (layout_.key_width == 0) {
      return {data_ + layout_.middles + index * layout_.middle_size, layout_.middle_size};
    }
    return Piece(layout_.key_bounds, layout_.middles, index, layout_.key_width);
  }
  Trailer TrailerAt(size_t index) const {
    assert(index < count());
    const uint64_t sequence = layout_.least_sequence +
                              LoadColumn(data_ + layout_.sequences, index, layout_.sequence_width);
    return (sequence << 8) | KindByteAt(index);
  }
  std::string_view ValueAt(size_t index) const {
    assert(index < count());
    if (layout_.value_width == 0) {
      return {data_ + layout_.values + index * layout_.value_size, layout_.value_size};
    }
    return Piece(layout_.value_bounds, layout_.values, index, layout_.value_width);
  }
  // The whole key, in the block where it lies there whole, else put together in `*buffer`.
  std::string_view KeyAt(size_t index, std::string* buffer) const;

  // The first entry at or after (key, trailer) in the order of entries; count() where there is
  // none.
  size_t LowerBound(std::string_view key, Trailer trailer, const KeyOrder& order) const;

  // Steps `fold` over the key's versions in this block, newest first, until it is decided; it is
  // undecided at the call. Returns true if it is not decided and the block's last entry is a
  // version of the key: older versions may begin the next block. The fold's value points into the
  // block.
  bool Get(const LookupKey& lookup, const KeyOrder& order, KeyFold* fold) const;

 private:
  bool HasFlag(uint8_t flag) const { return (layout_.flags & flag) != 0; }
  uint8_t KindByteAt(size_t index) const {
    if (!HasFlag(kBlockHasKinds)) return layout_.kind;
    const size_t kinds = layout_.sequences + size_t{layout_.count} * layout_.sequence_width;
    return static_cast<uint8_t>(data_[kinds + index]);
  }
  std::string_view Piece(size_t bounds, size_t pieces, size_t index, unsigned width) const {
    const uint64_t begin = LoadColumn(data_ + bounds, index, width);
    const uint64_t end = LoadColumn(data_ + bounds, index + 1, width);
    return {data_ + pieces + begin, end - begin};
  }

  bool HasKey(size_t index, std::string_view key) const;
  size_t FindByFingerprint(std::string_view key, uint64_t hash) const;
  size_t LowerBoundByOrder(std::string_view key, Trailer trailer, const KeyOrder& order) const;
  size_t LowerBoundKey(std::string_view key) const;
  template <typename AbbreviateAt>
  size_t LowerBoundRest(std::string_view rest, uint64_t abbreviated,
                        const AbbreviateAt& abbreviated_at) const;

  const char* data_ = nullptr;
  BlockLayout layout_;
};

// A walk over the entries of one block, and of another after it. A step is an index ± 1. The one
// thing that costs is putting a key together from prefix, middle and suffix: prefix and (where
// middles are of one size) suffix stand in a buffer that is filled once a block, so a step copies
// the middle alone. The block's bytes must outlive their use here. Thread-compatible.
class BlockIterator final : public InternalIterator {
 public:
  // Stands nowhere, over a block without entries.
  explicit BlockIterator(const KeyOrder& order) : order_(order) {}

  // Walks `block` from now on; stands nowhere. Allocates only where the block's keys are longer
  // than those of every block before.
  void SetBlock(const Block& block);

  void SeekToFirst() override { MoveTo(0); }
  void SeekToLast() override { MoveTo(block_.count() - 1); }
  void Seek(std::string_view key, Trailer trailer) override {
    MoveTo(block_.LowerBound(key, trailer, order_));
  }
  void SeekForPrev(std::string_view key, Trailer trailer) override;
  void Next() override {
    assert(Valid());
    MoveTo(index_ + 1);
  }
  void Prev() override {
    assert(Valid());
    MoveTo(index_ - 1);
  }
  absl::Status status() const override { return absl::OkStatus(); }

  // To entry `index`; stands nowhere where index >= count().
  void MoveTo(size_t index) {
    index_ = index;
    if (index >= block_.count()) {
      SetInvalid();
      return;
    }
    SetEntry(KeyAt(index), block_.TrailerAt(index), block_.ValueAt(index));
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

#endif  // CAMBIUM_SSTABLE_BLOCK_BLOCK_H_
