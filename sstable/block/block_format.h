// What blocks have in common: their kinds, the handle of a stored one, columns of integers of one
// width, and how sorted things are searched.
//
// A column of width w (0, 1, 2, 4 or 8 bytes) holds integers back to back, little-endian,
// unaligned; width 0 is a column of zeros that takes no bytes. A "bounds" column of n variable-size
// pieces has n + 1 integers, the first 0 and none below the one before: piece i of the bytes that
// follow reaches from bounds[i] to bounds[i + 1].
#ifndef CAMBIUM_SSTABLE_BLOCK_BLOCK_FORMAT_H_
#define CAMBIUM_SSTABLE_BLOCK_BLOCK_FORMAT_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "util/coding.h"

namespace cambium::sstable {

// Numbers are stored in files and never change.
enum class BlockKind : uint8_t {
  kData = 1,
  kFilter = 2,
  kIndex = 3,
  kTopIndex = 4,
  kProperties = 5,
  kRangeDeletes = 6,  // reserved
  kDictionary = 7,    // reserved
};
const char* BlockKindName(BlockKind kind);

// Where a block lies in its file: its stored bytes, without the trailer that follows them.
struct BlockHandle {
  uint64_t offset = 0;
  uint32_t size = 0;

  friend bool operator==(const BlockHandle&, const BlockHandle&) = default;
};

// Bytes that stand before the first column of a block or partition: LoadColumn reads up to 8 bytes
// before an integer's end, so every column lies at least that far into its buffer.
inline constexpr size_t kMinColumnOffset = 8;

// Integer `index` of the column of `width` at `column`. One load whatever the width: the eight
// bytes that end where the integer ends, shifted down (in two steps, because a shift by 64 has no
// meaning).
inline uint64_t LoadColumn(const char* column, size_t index, unsigned width) {
  const uint64_t word = LoadFixed64(column + (index + 1) * width - 8);
  const unsigned half = 32 - 4 * width;
  return word >> half >> half;
}

constexpr bool IsColumnWidth(unsigned width) { return width <= 8 && (width & (width - 1)) == 0; }

// The least width that holds `largest`.
unsigned ColumnWidthFor(uint64_t largest);

void AppendColumnValue(std::string* out, uint64_t value, unsigned width);

// Whether the `count` + 1 integers at `column` are bounds of pieces that fill `total` bytes.
bool AreBounds(const char* column, size_t count, unsigned width, uint64_t total);

// Bytes that both begin with, `most` at the most.
size_t CommonPrefix(std::string_view a, std::string_view b, size_t most);

// The first index in [begin, end) for which `before` is false, where it is true up to some index
// and false from there on; `end` where it is never false. No branch depends on what it finds.
template <typename Before>
inline size_t PartitionPoint(size_t begin, size_t end, const Before& before) {
  size_t size = end - begin;
  if (size == 0) return begin;
  while (size > 1) {
    const size_t half = size / 2;
    begin += before(begin + half - 1) ? half : 0;
    size -= half;
  }
  return begin + (before(begin) ? 1 : 0);
}

}  // namespace cambium::sstable

#endif  // CAMBIUM_SSTABLE_BLOCK_BLOCK_FORMAT_H_
