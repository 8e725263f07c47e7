// Block: the entries of one data block, searched in place.
//
// A block is stored as columns, not rows: a point read compares one-byte fingerprints of the keys'
// hashes, a seek searches the column of keys, and a step in either direction is an index ± 1.
// Entries are not decoded one by one, so any entry can be accessed directly.
//
// Format: docs/format/sstable-blocks.md, "Data block". Entries are in the order of base/keys.h:
// user key ascending, then trailer descending. The versions of one key may continue in the next
// block of the file.
//
// Parse() checks, in time linear in the count, everything that later accesses rely on: afterwards
// no access leaves the block, whatever its bytes are. It does not check the order of the keys: in a
// block with a wrong order searches return wrong results, but cause no other harm.
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

// The decoded header, and the start of each column. Plain data.
struct BlockLayout {
  uint64_t least_sequence = 0;
  uint32_t count = 0;
  uint32_t prefix_size = 0;
  uint32_t suffix_size = 0;
  uint32_t middle_size = 0;  // of each middle if key_width is 0, else of all
  uint32_t value_size = 0;   // of each value if value_width is 0, else of all
  uint32_t key_bounds = 0;   // this and the following: offsets in the block
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

// A checked view of a block's bytes, which must outlive it; copying it copies 64 bytes. Immutable
// after construction.
class Block {
 public:
  // Creates a block without entries.
  Block() = default;

  // Parses a block. Returns DataLoss if the bytes are not a block, and Unimplemented for a flag or
  // kind that this release does not know. Messages contain the found values; the caller adds file
  // and offset.
  static absl::StatusOr<Block> Parse(std::string_view bytes);

  size_t count() const { return layout_.count; }
  uint8_t flags() const { return layout_.flags; }
  // Returns true if a user key has more than one version in this block.
  bool has_duplicates() const { return HasFlag(kBlockHasDuplicates); }
  bool all_sequences_zero() const { return HasFlag(kBlockSequencesZero); }
  bool has_fingerprints() const { return HasFlag(kBlockHasFingerprints); }

  // Return the common prefix and suffix of all keys.
  std::string_view prefix() const { return {data_ + kBlockHeaderSize, layout_.prefix_size}; }
  std::string_view suffix() const {
    return {data_ + kBlockHeaderSize + layout_.prefix_size, layout_.suffix_size};
  }

  // No middle (a key without prefix and suffix) is longer than this.
  size_t max_middle_size() const { return layout_.middle_size; }

  // index must be < count(). The results point into the block, except KeyAt's.
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
  // Returns the whole key: in the block if it is stored as a whole, otherwise assembled in
  // `*buffer`.
  std::string_view KeyAt(size_t index, std::string* buffer) const;

  // Returns the index of the first entry at or after (key, trailer) in the order of entries;
  // count() if there is none.
  size_t LowerBound(std::string_view key, Trailer trailer, const KeyOrder& order) const;

  // Steps `fold`, which must be undecided, over the key's versions in this block, newest first,
  // until it is decided. Returns true if it is still undecided and the block's last entry is a
  // version of the key: older versions may be in the next block. The fold's value points into the
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

// Iterates over the entries of one block, and then of another. A step is an index ± 1. Only
// assembling a key from prefix, middle, and suffix has a cost: the prefix and (if all middles have
// the same size) the suffix are in a buffer that is filled once per block, so a step copies only
// the middle. The block's bytes must outlive their use here. Thread-compatible.
class BlockIterator final : public InternalIterator {
 public:
  // Creates an iterator without a position, over a block without entries.
  explicit BlockIterator(const KeyOrder& order) : order_(order) {}

  // Iterates over `block` from now on; has no position. Allocates only if the block's keys are
  // longer than those of all earlier blocks.
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

  // Moves to entry `index`; has no position if index >= count().
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

  // A memcpy without a function call for the usual sizes of middles.
  static void CopyShort(char* to, std::string_view bytes) {
    const char* const from = bytes.data();
    const size_t size = bytes.size();
    if (size > 16) {
      std::memcpy(to, from, size);
    } else if (size >= 8) {
      // Two overlapping words.
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
