#include "sstable/block/block_builder.h"

#include <algorithm>
#include <cassert>
#include <cstring>

#include "sstable/block/block.h"
#include "sstable/block/block_format.h"
#include "sstable/block/block_simd.h"
#include "util/coding.h"

namespace cambium::sstable {
namespace {

// Reset() frees a buffer that is larger than this.
constexpr size_t kKeptBytes = size_t{1} << 20;

size_t CommonSuffix(std::string_view a, std::string_view b, size_t most) {
  size_t same = 0;
  while (same < most && a[a.size() - 1 - same] == b[b.size() - 1 - same]) ++same;
  return same;
}

// Returns the width of a column of bounds up to `total`: 1, 2, or 4 bytes.
unsigned BoundsWidth(uint64_t total) { return std::max(1u, ColumnWidthFor(total)); }

// Returns true if all pieces, which end at `ends`, have the size of the first.
bool AreOfOneSize(const std::vector<uint32_t>& ends) {
  const uint32_t size = ends[0];
  for (size_t i = 1; i < ends.size(); ++i) {
    if (ends[i] - ends[i - 1] != size) return false;
  }
  return true;
}

char* WriteBytes(char* to, std::string_view bytes) {
  std::memcpy(to, bytes.data(), bytes.size());
  return to + bytes.size();
}

// Writes value(0) … value(count - 1) with `width` bytes each, and up to 8 bytes after them: the
// following data must be written afterwards.
template <typename Value>
char* WriteColumn(char* to, size_t count, unsigned width, const Value& value) {
  for (size_t i = 0; i < count; ++i, to += width) StoreFixed64(to, value(i));
  return to;
}

void WriteHeader(char* to, const BlockLayout& layout) {
  std::memset(to, 0, kBlockHeaderSize);
  StoreFixed32(to, layout.count);
  to[4] = static_cast<char>(layout.flags);
  to[5] = static_cast<char>(layout.sequence_width);
  to[6] = static_cast<char>(layout.key_width);
  to[7] = static_cast<char>(layout.value_width);
  to[8] = static_cast<char>(layout.kind);
  StoreFixed32(to + 12, layout.prefix_size);
  StoreFixed32(to + 16, layout.suffix_size);
  StoreFixed32(to + 20, layout.middle_size);
  StoreFixed32(to + 24, layout.value_size);
  StoreFixed64(to + 32, layout.least_sequence);
}

}  // namespace

BlockBuilder::BlockBuilder(const KeyOrder& order) : order_(order) {}

std::string_view BlockBuilder::KeyAt(size_t index) const {
  const size_t begin = index == 0 ? 0 : key_ends_[index - 1];
  return std::string_view(keys_).substr(begin, key_ends_[index] - begin);
}

std::string_view BlockBuilder::first_key() const { return KeyAt(0); }
std::string_view BlockBuilder::last_key() const { return KeyAt(count() - 1); }

// Updates prefix_size_ and suffix_size_ for `key`, the second or a later key.
void BlockBuilder::NarrowCommon(std::string_view key) {
  const std::string_view first = first_key();
  prefix_size_ = CommonPrefix(first, key, prefix_size_);
  suffix_size_ = key.size() == first.size() ? CommonSuffix(first, key, suffix_size_) : 0;
}

void BlockBuilder::Add(std::string_view key, Trailer trailer, std::string_view value,
                       uint64_t hash) {
  if (empty()) {
    // If the order needs whole keys to compare them, they are stored whole.
    prefix_size_ = suffix_size_ = order_.bytewise() ? key.size() : 0;
  } else {
    assert(order_.CompareEntries(last_key(), trailers_.back(), key, trailer) < 0);
    if (order_.Equal(last_key(), key)) flags_ |= kBlockHasDuplicates;
    NarrowCommon(key);
  }
  switch (TrailerKind(trailer)) {
    case Kind::kDelete:
    case Kind::kSingleDelete:
      flags_ |= kBlockHasTombstones;
      break;
    case Kind::kValuePointer:
      flags_ |= kBlockHasValuePointers;
      break;
    default:
      break;
  }
  keys_.append(key);
  key_ends_.push_back(static_cast<uint32_t>(keys_.size()));
  values_.append(value);
  value_ends_.push_back(static_cast<uint32_t>(values_.size()));
  trailers_.push_back(trailer);
  fingerprints_.push_back(static_cast<char>(Fingerprint(hash)));
}

size_t BlockBuilder::EstimatedSize() const {
  constexpr size_t kEntryOverhead = 1 + 2 + 4 + 2;  // fingerprint, key bound, sequence, value bound
  const size_t repeated = empty() ? 0 : (count() - 1) * prefix_size_;
  return kBlockHeaderSize + keys_.size() - repeated + values_.size() + count() * kEntryOverhead;
}

BlockLayout BlockBuilder::MakeLayout() const {
  BlockLayout layout;
  layout.count = static_cast<uint32_t>(count());
  layout.prefix_size = static_cast<uint32_t>(prefix_size_);
  if (AreOfOneSize(key_ends_)) {
    // In short keys prefix and suffix may overlap: the prefix takes precedence.
    const size_t rest = key_ends_[0] - prefix_size_;
    layout.suffix_size = static_cast<uint32_t>(std::min(suffix_size_, rest));
    layout.middle_size = static_cast<uint32_t>(rest) - layout.suffix_size;
  } else {
    layout.middle_size = static_cast<uint32_t>(keys_.size() - count() * prefix_size_);
    layout.key_width = static_cast<uint8_t>(BoundsWidth(layout.middle_size));
  }
  layout.value_size = value_ends_[0];
  if (!AreOfOneSize(value_ends_)) {
    layout.value_size = static_cast<uint32_t>(values_.size());
    layout.value_width = static_cast<uint8_t>(BoundsWidth(values_.size()));
  }

  Trailer least = trailers_[0];
  Trailer greatest = trailers_[0];
  bool one_kind = true;
  for (const Trailer trailer : trailers_) {
    least = std::min(least, trailer);
    greatest = std::max(greatest, trailer);
    one_kind = one_kind && TrailerKind(trailer) == TrailerKind(trailers_[0]);
  }
  layout.least_sequence = TrailerSequence(least);
  layout.sequence_width =
      static_cast<uint8_t>(ColumnWidthFor(TrailerSequence(greatest) - TrailerSequence(least)));
  layout.kind = one_kind ? static_cast<uint8_t>(TrailerKind(trailers_[0])) : 0;

  layout.flags = flags_;
  if (!one_kind) layout.flags |= kBlockHasKinds;
  if (TrailerSequence(greatest) == 0) layout.flags |= kBlockSequencesZero;
  if (order_.comparator_identical()) layout.flags |= kBlockHasFingerprints;
  return layout;
}

// Writes the key columns to `to`; returns a pointer to the next byte.
char* BlockBuilder::WriteKeys(char* to, const BlockLayout& layout) const {
  to = WriteBytes(to, first_key().substr(0, layout.prefix_size));
  to = WriteBytes(to, first_key().substr(first_key().size() - layout.suffix_size));
  if ((layout.flags & kBlockHasFingerprints) != 0) to = WriteBytes(to, fingerprints_);
  if (layout.key_width != 0) {
    to = WriteColumn(to, count() + 1, layout.key_width, [&](size_t i) {
      return i == 0 ? 0 : uint64_t{key_ends_[i - 1]} - i * layout.prefix_size;
    });
  }
  const size_t around = layout.prefix_size + layout.suffix_size;
  for (size_t i = 0; i < count(); ++i) {
    const std::string_view key = KeyAt(i);
    to = WriteBytes(to, key.substr(layout.prefix_size, key.size() - around));
  }
  return to;
}

std::string_view BlockBuilder::Finish() {
  const BlockLayout layout = MakeLayout();
  flags_ = layout.flags;
  const size_t count_in_bounds = count() + 1;
  // An upper bound; every column may be written up to 8 bytes past its end.
  block_.resize(kBlockHeaderSize + keys_.size() + count() * (1 + layout.sequence_width + 1) +
                count_in_bounds * (layout.key_width + layout.value_width) + values_.size() + 8);
  char* const begin = block_.data();
  WriteHeader(begin, layout);
  char* to = WriteKeys(begin + kBlockHeaderSize, layout);
  to = WriteColumn(to, count(), layout.sequence_width,
                   [&](size_t i) { return TrailerSequence(trailers_[i]) - layout.least_sequence; });
  if ((layout.flags & kBlockHasKinds) != 0) {
    to = WriteColumn(to, count(), 1, [&](size_t i) { return trailers_[i] & 0xff; });
  }
  if (layout.value_width != 0) {
    to = WriteColumn(to, count_in_bounds, layout.value_width,
                     [&](size_t i) { return i == 0 ? 0 : value_ends_[i - 1]; });
  }
  to = WriteBytes(to, values_);
  block_.resize(static_cast<size_t>(to - begin));
  return block_;
}

uint8_t BlockBuilder::flags() const { return flags_; }

void BlockBuilder::Reset() {
  if (block_.capacity() > kKeptBytes) {
    // One very large entry must not keep its memory allocated for the builder's lifetime.
    block_ = std::string();
    values_ = std::string();
  }
  keys_.clear();
  key_ends_.clear();
  values_.clear();
  value_ends_.clear();
  trailers_.clear();
  fingerprints_.clear();
  flags_ = 0;
}

}  // namespace cambium::sstable
