#include "sstable/block/block.h"

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstring>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "sstable/block/block_simd.h"
#include "util/absl_view.h"
#include "util/byte_reader.h"
#include "util/status_macros.h"

namespace cambium::sstable {
namespace {

static_assert(kBlockHeaderSize >= kMinColumnOffset && kBlockHeaderSize >= kFingerprintReach,
              "loads that begin before their column stay in the block");
static_assert(sizeof(Block) == 64, "a block is copied beside its cached frame: keep it small");

absl::Status DamageError(std::string_view what, uint64_t found) {
  return absl::DataLossError(absl::StrCat("data block: ", ToAbsl(what), ": found ", found));
}

// ---- Parsing

// Sets the fields that the header contains, and checks those that can be checked separately.
absl::Status ParseHeader(ByteReader* reader, size_t block_size, BlockLayout* layout) {
  layout->count = reader->ReadFixed32();
  layout->flags = reader->ReadFixed8();
  layout->sequence_width = reader->ReadFixed8();
  layout->key_width = reader->ReadFixed8();
  layout->value_width = reader->ReadFixed8();
  layout->kind = reader->ReadFixed8();
  const std::string_view reserved = reader->ReadBytes(3);
  layout->prefix_size = reader->ReadFixed32();
  layout->suffix_size = reader->ReadFixed32();
  layout->middle_size = reader->ReadFixed32();
  layout->value_size = reader->ReadFixed32();
  const uint32_t reserved_word = reader->ReadFixed32();
  layout->least_sequence = reader->ReadFixed64();
  if (!reader->ok()) return DamageError("shorter than its header", block_size);

  if ((layout->flags & ~kBlockKnownFlags) != 0) {
    return absl::UnimplementedError(
        absl::StrCat("data block: unknown flags, found ", uint32_t{layout->flags}));
  }
  if (layout->kind >= kKindCount) {
    return absl::UnimplementedError(
        absl::StrCat("data block: unknown kind, found ", uint32_t{layout->kind}));
  }
  // A valid block has at least one byte per entry: two entries differ in key or sequence number.
  if (layout->count == 0 || layout->count > block_size) {
    return DamageError("impossible count of entries", layout->count);
  }
  if (!IsColumnWidth(layout->sequence_width)) {
    return DamageError("width of sequence numbers is not 0, 1, 2, 4 or 8", layout->sequence_width);
  }
  if (!IsColumnWidth(layout->key_width) || layout->key_width > 4) {
    return DamageError("width of key bounds is not 0, 1, 2 or 4", layout->key_width);
  }
  if (!IsColumnWidth(layout->value_width) || layout->value_width > 4) {
    return DamageError("width of value bounds is not 0, 1, 2 or 4", layout->value_width);
  }
  if (layout->key_width != 0 && layout->suffix_size != 0) {
    return DamageError("common suffix of keys of several sizes", layout->suffix_size);
  }
  if (reserved != std::string_view("\0\0\0", 3) || reserved_word != 0) {
    return DamageError("reserved bytes are not zero", reserved_word);
  }
  return absl::OkStatus();
}

// Reads the bounds (if they have a width) and the bytes of `layout.count` pieces from `reader`.
struct Pieces {
  std::string_view what;
  unsigned width;
  uint32_t size;  // of each piece if width is 0, else of all
};
absl::Status ParsePieces(ByteReader* reader, const Pieces& pieces, size_t count,
                         uint32_t* bounds_offset, uint32_t* offset) {
  *bounds_offset = static_cast<uint32_t>(reader->offset());
  const uint64_t bounds_size = pieces.width == 0 ? 0 : (uint64_t{count} + 1) * pieces.width;
  const std::string_view bounds = reader->ReadBytes(bounds_size);
  *offset = static_cast<uint32_t>(reader->offset());
  const uint64_t total = pieces.width == 0 ? uint64_t{count} * pieces.size : pieces.size;
  reader->ReadBytes(total);
  if (!reader->ok())
    return DamageError(absl::StrCat(ToAbsl(pieces.what), " end after the block"), total);
  if (pieces.width != 0 && !AreBounds(bounds.data(), count, pieces.width, total)) {
    return DamageError(absl::StrCat("bounds of ", ToAbsl(pieces.what), " are not ascending to"),
                       total);
  }
  return absl::OkStatus();
}

// Checks that no sequence number exceeds 56 bits.
absl::Status CheckSequences(std::string_view column, const BlockLayout& layout) {
  const uint64_t most = kMaxSequenceNumber;
  if (layout.least_sequence > most) {
    return DamageError("sequence number above 2^56 - 1", layout.least_sequence);
  }
  const uint64_t room = most - layout.least_sequence;
  // Usually the width alone proves that there is room.
  if (layout.sequence_width < 7 && room >> (8 * layout.sequence_width) != 0) {
    return absl::OkStatus();
  }
  for (size_t i = 0; i < layout.count; ++i) {
    const uint64_t delta = LoadColumn(column.data(), i, layout.sequence_width);
    if (delta > room) return DamageError("sequence number above 2^56 - 1, at entry", i);
  }
  return absl::OkStatus();
}

absl::Status CheckKinds(std::string_view kinds) {
  unsigned bits = 0;
  for (const char kind : kinds) bits |= static_cast<uint8_t>(kind);
  static_assert(kKindCount == 8, "the kinds of this release are the numbers of three bits");
  if (bits < kKindCount) return absl::OkStatus();
  return absl::UnimplementedError("data block: an entry of an unknown kind");
}

// ---- Searching

// Short keys are compared by overlapping loads instead of a function call.
inline bool SameBytes(const char* a, const char* b, size_t size) {
  if (size > 16) return std::memcmp(a, b, size) == 0;
  if (size >= 8) {
    return LoadFixed64(a) == LoadFixed64(b) &&
           LoadFixed64(a + size - 8) == LoadFixed64(b + size - 8);
  }
  if (size >= 4) {
    return LoadFixed32(a) == LoadFixed32(b) &&
           LoadFixed32(a + size - 4) == LoadFixed32(b + size - 4);
  }
  for (size_t i = 0; i < size; ++i) {
    if (a[i] != b[i]) return false;
  }
  return true;
}

// Like AbbreviateKey(), for bytes inside a block: returns the first eight bytes, padded with zeros,
// as an integer that orders like `bytes`. Loads the eight bytes that end where the abbreviated key
// ends, which are in the block for any size, and shifts out the bytes before it.
inline uint64_t AbbreviatedInBlock(const char* bytes, size_t size) {
  const size_t used = std::min<size_t>(size, 8);
  const uint64_t word = __builtin_bswap64(LoadFixed64(bytes + used - 8));
  const size_t half = 32 - 4 * used;
  return word << half << half;
}

// Returns `abbreviated` without the bytes after the first `size` bytes.
inline uint64_t TruncateHead(uint64_t abbreviated, size_t size) {
  const size_t half = 32 - 4 * std::min<size_t>(size, 8);
  return abbreviated >> half >> half << half << half;
}

// Compares middle + suffix with `rest` (a key without the block's prefix): negative if the former
// is smaller.
inline int CompareToRest(std::string_view middle, std::string_view suffix, std::string_view rest) {
  const int order = middle.compare(rest.substr(0, middle.size()));
  if (order != 0) return order;
  return suffix.compare(rest.substr(middle.size()));
}

FingerprintMatcher ChooseMatcher() {
  static const FingerprintMatcher chosen = FingerprintMatcherFor(BestSimd());
  return chosen;
}

}  // namespace

absl::StatusOr<Block> Block::Parse(std::string_view bytes) {
  if (bytes.size() > UINT32_MAX) return DamageError("larger than 4 GiB", bytes.size());
  Block block;
  BlockLayout& layout = block.layout_;
  ByteReader reader(bytes);
  RETURN_IF_ERROR(ParseHeader(&reader, bytes.size(), &layout));
  const size_t n = layout.count;

  reader.ReadBytes(layout.prefix_size);
  reader.ReadBytes(layout.suffix_size);
  if ((layout.flags & kBlockHasFingerprints) != 0) reader.ReadBytes(n);
  RETURN_IF_ERROR(ParsePieces(&reader, {"keys", layout.key_width, layout.middle_size}, n,
                              &layout.key_bounds, &layout.middles));
  layout.sequences = static_cast<uint32_t>(reader.offset());
  const std::string_view sequences = reader.ReadBytes(uint64_t{n} * layout.sequence_width);
  const bool has_kinds = (layout.flags & kBlockHasKinds) != 0;
  const std::string_view kinds = reader.ReadBytes(has_kinds ? n : 0);
  RETURN_IF_ERROR(ParsePieces(&reader, {"values", layout.value_width, layout.value_size}, n,
                              &layout.value_bounds, &layout.values));
  if (!reader.Finished()) return DamageError("bytes after the last value", reader.remaining());

  RETURN_IF_ERROR(CheckSequences(sequences, layout));
  RETURN_IF_ERROR(CheckKinds(kinds));
  const bool zero = layout.least_sequence == 0 && layout.sequence_width == 0;
  if (block.all_sequences_zero() != zero) {
    return DamageError("flags and sequence numbers disagree", layout.flags);
  }
  block.data_ = bytes.data();
  return block;
}

std::string_view Block::KeyAt(size_t index, std::string* buffer) const {
  const std::string_view middle = MiddleAt(index);
  if (layout_.prefix_size == 0 && layout_.suffix_size == 0) return middle;
  buffer->assign(prefix());
  buffer->append(middle);
  buffer->append(suffix());
  return *buffer;
}

// Searches in an order that is not bytewise: nothing is known about the bytes of keys.
size_t Block::LowerBoundByOrder(std::string_view key, Trailer trailer,
                                const KeyOrder& order) const {
  std::string buffer;
  return PartitionPoint(0, count(), [&](size_t i) {
    return order.CompareEntries(KeyAt(i, &buffer), TrailerAt(i), key, trailer) < 0;
  });
}

// Returns the first entry whose rest is not below `rest`: first by abbreviated keys and then, among
// equal abbreviated keys, by bytes.
template <typename AbbreviateAt>
size_t Block::LowerBoundRest(std::string_view rest, uint64_t abbreviated,
                             const AbbreviateAt& abbreviated_at) const {
  const size_t first =
      PartitionPoint(0, count(), [&](size_t i) { return abbreviated_at(i) < abbreviated; });
  const auto below = [&](size_t i) { return CompareToRest(MiddleAt(i), suffix(), rest) < 0; };
  // Usually one entry has this abbreviated key, or none.
  if (first == count() || abbreviated_at(first) != abbreviated || !below(first)) return first;
  const size_t end = PartitionPoint(first + 1, count(),
                                    [&](size_t i) { return abbreviated_at(i) <= abbreviated; });
  return PartitionPoint(first + 1, end, below);
}

// Returns the first entry whose key is not below `key`, bytewise.
size_t Block::LowerBoundKey(std::string_view key) const {
  const int order = key.substr(0, layout_.prefix_size).compare(prefix());
  if (order < 0) return 0;
  if (order > 0) return count();
  const std::string_view rest = key.substr(layout_.prefix_size);
  const uint64_t abbreviated = AbbreviateKey(rest);
  const char* const middles = data_ + layout_.middles;
  if (layout_.key_width == 0) {
    // The suffix continues where a middle ends: only the part of the abbreviated key that the
    // middles have is compared.
    const size_t size = layout_.middle_size;
    return LowerBoundRest(rest, TruncateHead(abbreviated, size),
                          [&](size_t i) { return AbbreviatedInBlock(middles + i * size, size); });
  }
  return LowerBoundRest(rest, abbreviated, [&](size_t i) {
    const std::string_view middle = MiddleAt(i);
    return AbbreviatedInBlock(middle.data(), middle.size());
  });
}

size_t Block::LowerBound(std::string_view key, Trailer trailer, const KeyOrder& order) const {
  if (!order.bytewise()) return LowerBoundByOrder(key, trailer, order);
  const size_t first = LowerBoundKey(key);
  if (first == count() || TrailerAt(first) <= trailer || !HasKey(first, key)) return first;
  if (!has_duplicates()) return first + 1;
  // From here on keys are not below `key`: only versions of it that are too new come first.
  return PartitionPoint(first + 1, count(),
                        [&](size_t i) { return TrailerAt(i) > trailer && HasKey(i, key); });
}

inline bool Block::HasKey(size_t index, std::string_view key) const {
  const std::string_view middle = MiddleAt(index);
  const size_t prefix_size = layout_.prefix_size;
  if (key.size() != prefix_size + middle.size() + layout_.suffix_size) return false;
  const char* const bytes = key.data();
  return SameBytes(bytes + prefix_size, middle.data(), middle.size()) &&
         SameBytes(bytes, prefix().data(), prefix_size) &&
         SameBytes(bytes + prefix_size + middle.size(), suffix().data(), layout_.suffix_size);
}

// Returns the first entry with exactly this key, by its fingerprint; count() if there is none.
size_t Block::FindByFingerprint(std::string_view key, uint64_t hash) const {
  const FingerprintMatcher match = ChooseMatcher();
  const char* const column = data_ + kBlockHeaderSize + layout_.prefix_size + layout_.suffix_size;
  const size_t n = count();
  for (size_t group = 0; group < n; group += kFingerprintGroup) {
    const size_t size = std::min(n - group, kFingerprintGroup);
    uint64_t matches = match(column + group, size, Fingerprint(hash));
    for (; matches != 0; matches &= matches - 1) {
      const size_t index = group + static_cast<size_t>(std::countr_zero(matches));
      if (HasKey(index, key)) return index;
    }
  }
  return n;
}

bool Block::Get(const LookupKey& lookup, const KeyOrder& order, KeyFold* fold) const {
  const bool by_fingerprint = has_fingerprints() && order.comparator_identical();
  size_t index = by_fingerprint ? FindByFingerprint(lookup.key, lookup.hash)
                                : LowerBound(lookup.key, ~Trailer{0}, order);
  std::string buffer;
  bool continues = false;
  // Versions of one key are adjacent, newest first.
  for (bool found = by_fingerprint; index < count(); ++index, found = false) {
    if (!found) {
      const bool same = order.comparator_identical()
                            ? HasKey(index, lookup.key)
                            : order.Equal(KeyAt(index, &buffer), lookup.key);
      if (!same) return false;
    }
    if (fold->Step(TrailerAt(index), ValueAt(index)) != KeyFold::State::kMore) return false;
    continues = true;
  }
  return continues;
}

void BlockIterator::SetBlock(const Block& block) {
  block_ = block;
  SetInvalid();
  if (block.count() == 0) return;
  const std::string_view prefix = block.prefix();
  const std::string_view suffix = block.suffix();
  prefix_size_ = prefix.size();
  suffix_size_ = suffix.size();
  if (prefix_size_ + suffix_size_ == 0) return;  // keys are read in place
  const size_t room = prefix_size_ + block.max_middle_size() + suffix_size_;
  if (key_.size() < room) key_.resize(room);
  std::memcpy(key_.data(), prefix.data(), prefix_size_);
  // If there is a suffix, all middles have the same size: it never moves.
  if (suffix_size_ != 0)
    std::memcpy(key_.data() + room - suffix_size_, suffix.data(), suffix_size_);
}

void BlockIterator::SeekForPrev(std::string_view key, Trailer trailer) {
  const size_t at = block_.LowerBound(key, trailer, order_);
  MoveTo(at);
  if (!Valid() || this->trailer() != trailer || !order_.Equal(this->key(), key)) MoveTo(at - 1);
}

}  // namespace cambium::sstable
