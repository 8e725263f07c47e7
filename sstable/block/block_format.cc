#include "sstable/block/block_format.h"

#include <algorithm>
#include <cstring>
#include <iterator>

namespace cambium::sstable {

const char* BlockKindName(BlockKind kind) {
  static constexpr const char* kNames[] = {"unknown block",   "data block", "filter partition",
                                           "index partition", "top index",  "properties",
                                           "range deletes",   "dictionary"};
  const auto number = static_cast<size_t>(kind);
  return kNames[number < std::size(kNames) ? number : 0];
}

namespace {

template <typename T>
bool AreBoundsOf(const char* column, size_t count, uint64_t total) {
  T previous = LoadFixed<T>(column);
  if (previous != 0) return false;
  // No branch in the loop: the bounds of a valid block never decrease, so leaving early has no
  // benefit.
  unsigned falls = 0;
  for (size_t i = 1; i <= count; ++i) {
    const T bound = LoadFixed<T>(column + i * sizeof(T));
    falls |= bound < previous ? 1u : 0u;
    previous = bound;
  }
  return falls == 0 && previous == total;
}

}  // namespace

unsigned ColumnWidthFor(uint64_t largest) {
  if (largest == 0) return 0;
  if (largest <= UINT8_MAX) return 1;
  if (largest <= UINT16_MAX) return 2;
  return largest <= UINT32_MAX ? 4 : 8;
}

void AppendColumnValue(std::string* out, uint64_t value, unsigned width) {
  char bytes[8];
  StoreFixed64(bytes, value);
  out->append(bytes, width);
}

bool AreBounds(const char* column, size_t count, unsigned width, uint64_t total) {
  switch (width) {
    case 1:
      return AreBoundsOf<uint8_t>(column, count, total);
    case 2:
      return AreBoundsOf<uint16_t>(column, count, total);
    case 4:
      return AreBoundsOf<uint32_t>(column, count, total);
    default:
      return false;
  }
}

size_t CommonPrefix(std::string_view a, std::string_view b, size_t most) {
  // Adjacent keys nearly always share the whole prefix of the keys before them.
  if (a.size() >= most && b.size() >= most && std::memcmp(a.data(), b.data(), most) == 0) {
    return most;
  }
  size_t same = 0;
  const size_t limit = std::min({a.size(), b.size(), most});
  while (same < limit && a[same] == b[same]) ++same;
  return same;
}

}  // namespace cambium::sstable
