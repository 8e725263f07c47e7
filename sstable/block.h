// Block: the entries of one data block, searched where they lie.
//
// A block is columns, not rows: a point read compares one-byte fingerprints of the keys' hashes, a
// seek searches the column of keys, a step in either direction is an index ± 1. Nothing is decoded
// entry by entry, so an entry can be reached without walking to it.
//
//   offset  size  meaning (little-endian)
//        0     4  count of entries, n >= 1
//        4     1  flags: 1 tombstones, 2 a user key more than once, 4 every sequence number is 0,
//                 8 value pointers, 16 fingerprints present, 32 kinds differ
//        5     1  width of sequence numbers: 0, 1, 2, 4, 8
//        6     1  width of key bounds: 0 (middles of one size), 1, 2, 4
//        7     1  width of value bounds: 0 (values of one size), 1, 2, 4
//        8     1  kind of every entry; 0 where kinds differ
//        9     3  zero
//       12     4  size of the common prefix, p
//       16     4  size of the common suffix, s (0 unless middles are of one size)
//       20     4  size of each middle, or of all together where they have bounds
//       24     4  size of each value, or of all together where they have bounds
//       28     4  zero
//       32     8  least sequence number
//       40     p  common prefix of the keys
//              s  common suffix of the keys
//              n  fingerprints: low byte of the key's hash             (where the flag says so)
//                 key bounds (n + 1)                                   (where their width is not 0)
//                 key middles: a key is prefix + middle + suffix
//                 sequence numbers less the least                      (n, of their width)
//              n  kinds                                                (where the flag says so)
//                 value bounds (n + 1)                                 (where their width is not 0)
//                 values, to the end of the block
//
// Entries are in the order of base/keys.h: user key ascending, then tag descending. The versions of
// one key may go on in the next block of the file.
//
// Parse() checks, in time linear in the count, everything that a later access relies on: after it
// no bytes, however made, lead an access out of the block. What it does not check is the order of
// the keys: in a block whose order is wrong searches give wrong answers, and no worse.
#ifndef CAMBIUM_SSTABLE_BLOCK_H_
#define CAMBIUM_SSTABLE_BLOCK_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "base/key_fold.h"
#include "base/keys.h"
#include "sstable/block_format.h"
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

// What Block::Get says beside the fold's answer. The value points into the block.
struct BlockHit {
  std::string_view value;  // of the version that decided
  Tag tag = 0;             // of the version that decided
  // The fold is not decided and the block's last entry is a version of the key: older versions may
  // begin the next block.
  bool continues = false;
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
  bool has_tombstones() const { return HasFlag(kBlockHasTombstones); }
  // A user key has more than one version in this block.
  bool has_duplicates() const { return HasFlag(kBlockHasDuplicates); }
  bool all_sequences_zero() const { return HasFlag(kBlockSequencesZero); }
  bool has_value_pointers() const { return HasFlag(kBlockHasValuePointers); }
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
    if (layout_.key_width == 0) {
      return {data_ + layout_.middles + index * layout_.middle_size, layout_.middle_size};
    }
    return Piece(layout_.key_bounds, layout_.middles, index, layout_.key_width);
  }
  Tag TagAt(size_t index) const {
    const uint64_t sequence = layout_.least_sequence +
                              LoadColumn(data_ + layout_.sequences, index, layout_.sequence_width);
    return (sequence << 8) | KindByteAt(index);
  }
  std::string_view ValueAt(size_t index) const {
    if (layout_.value_width == 0) {
      return {data_ + layout_.values + index * layout_.value_size, layout_.value_size};
    }
    return Piece(layout_.value_bounds, layout_.values, index, layout_.value_width);
  }
  // The whole key, in the block where it lies there whole, else put together in `*buffer`.
  std::string_view KeyAt(size_t index, std::string* buffer) const;

  // The first entry at or after (key, tag) in the order of entries; count() where there is none.
  size_t LowerBound(std::string_view key, Tag tag, const KeyOrder& order) const;

  // Feeds the key's versions in this block to `fold`, newest first, until it is decided; `fold` is
  // undecided at the call. Fills `*hit`, and returns the fold's answer.
  KeyFold::Answer Get(const LookupKey& lookup, const KeyOrder& order, KeyFold* fold,
                      BlockHit* hit) const;

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
  size_t LowerBoundByOrder(std::string_view key, Tag tag, const KeyOrder& order) const;
  size_t LowerBoundKey(std::string_view key) const;
  template <typename HeadAt>
  size_t LowerBoundRest(std::string_view rest, uint64_t head, const HeadAt& head_at) const;

  const char* data_ = nullptr;
  BlockLayout layout_;
};

}  // namespace cambium::sstable

#endif  // CAMBIUM_SSTABLE_BLOCK_H_
