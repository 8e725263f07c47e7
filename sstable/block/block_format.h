// Shared parts of all blocks: kinds, handles of stored blocks, columns of integers of one width,
// and binary search.
//
// A column of width w (0, 1, 2, 4, or 8 bytes) contains consecutive integers, little-endian,
// unaligned; a column of width 0 contains zeros and takes no bytes. A "bounds" column of n
// variable-size pieces has n + 1 integers; the first is 0 and each is at least the previous one:
// piece i of the bytes that follow extends from bounds[i] to bounds[i + 1].
#ifndef CAMBIUM_SSTABLE_BLOCK_BLOCK_FORMAT_H_
#define CAMBIUM_SSTABLE_BLOCK_BLOCK_FORMAT_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "util/coding.h"

namespace cambium::sstable {

// The numbers are stored in files and never change.
enum class BlockKind : uint8_t {
  kData = 1,
  kFilter = 2,
  kIndex = 3,
  kTopIndex = 4,
  kProperties = 5,
  kRangeDeletes = 6,
  kDictionary = 7,  // reserved
};
const char* BlockKindName(BlockKind kind);

// The location of a block in its file: its stored bytes, without the trailer that follows them.
struct BlockHandle {
  uint64_t offset = 0;
  uint32_t size = 0;

  friend bool operator==(const BlockHandle&, const BlockHandle&) = default;
};

// Minimum number of bytes before the first column of a block or partition: LoadColumn reads up to 8
// bytes before an integer's end, so every column must be at least that far into its buffer.
inline constexpr size_t kMinColumnOffset = 8;

// Returns integer `index` of the column of `width` at `column`. One load for any width: the eight
// bytes up to the integer's end, shifted right (in two steps, because a shift by 64 is undefined).
inline uint64_t LoadColumn(const char* column, size_t index, unsigned width) {
  const uint64_t word = LoadFixed64(column + (index + 1) * width - 8);
  const unsigned half = 32 - 4 * width;
  return word >> half >> half;
}

constexpr bool IsColumnWidth(unsigned width) { return width <= 8 && (width & (width - 1)) == 0; }

// Returns the smallest width for `largest`.
unsigned ColumnWidthFor(uint64_t largest);

void AppendColumnValue(std::string* out, uint64_t value, unsigned width);

// Returns true if the `count` + 1 integers at `column` are bounds of pieces that fill `total`
// bytes.
bool AreBounds(const char* column, size_t count, unsigned width, uint64_t total);

// Returns the length of the common prefix, at most `most`.
size_t CommonPrefix(std::string_view a, std::string_view b, size_t most);

// Returns the first index in [begin, end) for which `before` is false, or `end` if there is none;
// `before` must be true up to some index and false from there on. No branch depends on its results.
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
