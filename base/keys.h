// Keys: the parts of an entry that identify one version of one user key.
//
// An entry of the engine is (user key, trailer, value). The trailer packs the sequence number and
// the kind:
//
//   bit 63 … 8   sequence number, 56 bits; the first is 1; 0 is visible to every reader
//   bit  7 … 0   kind
//
// Entries are ordered by user key ascending, then trailer descending: the newest version of a key
// comes first. Two entries of a tree never have the same key and sequence number. Kinds are stored
// in files: numbers never change.
#ifndef CAMBIUM_BASE_KEYS_H_
#define CAMBIUM_BASE_KEYS_H_

#include <cassert>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "cambium/comparator.h"
#include "util/checksum.h"
#include "util/coding.h"

namespace cambium {

using SequenceNumber = uint64_t;
inline constexpr SequenceNumber kMaxSequenceNumber = (uint64_t{1} << 56) - 1;

// The kind of an entry. Version 1 writes only kValue, kDelete, kMerge, and kValueWithExpiry
// (base/expiry.h); the others are reserved, and a reader returns Unimplemented for them.
enum class Kind : uint8_t {
  kDelete = 0,
  kValue = 1,
  kSingleDelete = 2,
  kMerge = 3,
  kRangeDelete = 4,
  kValuePointer = 5,
  kValueWithExpiry = 6,
  kWideColumns = 7,
};
inline constexpr uint8_t kKindCount = 8;
static_assert(static_cast<uint8_t>(Kind::kWideColumns) + 1 == kKindCount);

// A sequence number and a kind, ordered by sequence number first.
using Trailer = uint64_t;
constexpr Trailer MakeTrailer(SequenceNumber sequence, Kind kind) {
  assert(sequence <= kMaxSequenceNumber);
  return (sequence << 8) | static_cast<uint8_t>(kind);
}
constexpr SequenceNumber TrailerSequence(Trailer trailer) { return trailer >> 8; }
constexpr Kind TrailerKind(Trailer trailer) { return static_cast<Kind>(trailer & 0xff); }
// Returns the trailer for seeking to the newest version with a sequence number <= `sequence`.
constexpr Trailer SeekTrailer(SequenceNumber sequence) {
  assert(sequence <= kMaxSequenceNumber);
  return (sequence << 8) | 0xff;
}

// A file's number within a database; never reused.
enum class FileNumber : uint64_t {};
constexpr uint64_t ToInteger(FileNumber number) { return static_cast<uint64_t>(number); }

// A column family's number. The default family is 0; version 1 writes no other.
using ColumnFamilyId = uint32_t;

// The user's key order, with the default order inlined. A copyable value; the comparator must
// outlive it. Immutable after construction.
class KeyOrder {
 public:
  explicit KeyOrder(const Comparator* comparator)
      : comparator_(comparator), bytewise_(comparator == BytewiseComparator()) {}

  int Compare(std::string_view a, std::string_view b) const {
    return bytewise_ ? a.compare(b) : comparator_->Compare(a, b);
  }
  bool Less(std::string_view a, std::string_view b) const { return Compare(a, b) < 0; }
  bool Equal(std::string_view a, std::string_view b) const {
    if (comparator_identical()) return a == b;
    return comparator_->Compare(a, b) == 0;
  }
  // Compares (key, trailer) pairs: key ascending, trailer descending.
  int CompareEntries(std::string_view a, Trailer a_trailer, std::string_view b,
                     Trailer b_trailer) const {
    const int order = Compare(a, b);
    if (order != 0) return order;
    return a_trailer > b_trailer ? -1 : (a_trailer < b_trailer ? 1 : 0);
  }

  // Returns an integer: if the integers of two keys differ, they order like the keys. Returns 0 for
  // every key if the order is not bytewise.
  uint64_t Abbreviate(std::string_view key) const { return bytewise_ ? AbbreviateKey(key) : 0; }

  // Returns a hash that is the same for equal keys: HashKey, or 0 if equal keys may differ.
  uint64_t Hash(std::string_view key) const { return comparator_identical() ? HashKey(key) : 0; }

  bool bytewise() const { return bytewise_; }
  // Returns true if hashes of keys may be used to find them.
  bool comparator_identical() const { return bytewise_ || comparator_->EqualMeansIdentical(); }
  const Comparator* comparator() const { return comparator_; }

 private:
  const Comparator* comparator_;
  bool bytewise_;
};

// The key of a point read, hashed once. `key` must outlive it.
struct LookupKey {
  LookupKey(std::string_view user_key, SequenceNumber at_sequence, const KeyOrder& order)
      : key(user_key),
        sequence(at_sequence),
        hash(order.Hash(user_key)),
        abbreviated(order.Abbreviate(user_key)) {}

  std::string_view key;
  SequenceNumber sequence;  // newer versions are not visible
  uint64_t hash;            // order.Hash(key)
  uint64_t abbreviated;     // order.Abbreviate(key)
};

}  // namespace cambium

#endif  // CAMBIUM_BASE_KEYS_H_
