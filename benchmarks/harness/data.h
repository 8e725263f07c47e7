// Keys and values of a run, computed from numbers as in db_bench.
#ifndef CAMBIUM_BENCHMARKS_HARNESS_DATA_H_
#define CAMBIUM_BENCHMARKS_HARNESS_DATA_H_

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "benchmarks/harness/settings.h"

namespace cambium::bench {

// Writes the key of `number`: eight bytes, most significant first, then '0' up to the key's size.
void MakeKey(uint64_t number, int key_size, std::string* key);
// Returns the number of a key.
uint64_t NumberOf(std::string_view key);

// Values that compress to a given fraction of their size. The value of a key is a function of its
// number, so reads can be checked. Immutable after construction.
class ValueSource {
 public:
  explicit ValueSource(const DataShape& shape);

  // Both live as long as the source. The long value is used by fill100K.
  std::string_view ValueOf(uint64_t number) const { return Piece(number, SizeOf(number)); }
  std::string_view LongValueOf(uint64_t number) const { return Piece(number, kLongBytes); }
  // Returns another value of the same size, which casrandom swaps with ValueOf.
  std::string_view SwappedValueOf(uint64_t number) const { return Piece(~number, SizeOf(number)); }
  bool IsValueOf(uint64_t number, std::string_view value) const;
  size_t SizeOf(uint64_t number) const;

 private:
  static constexpr size_t kLongBytes = 100'000;

  std::string_view Piece(uint64_t number, size_t size) const;

  std::vector<size_t> sizes_;  // drawn from the distribution; a single one if the size is fixed
  std::string bytes_;
};

// A permutation of [0, size), without a table: a Feistel network over the next even power of two,
// applied repeatedly until the result is in the range. Immutable after construction.
class Permutation {
 public:
  // 0 < size <= 2^62 is required.
  Permutation(uint64_t size, uint64_t seed);
  uint64_t At(uint64_t index) const;

 private:
  static constexpr int kRounds = 4;

  uint64_t size_;
  int half_bits_;
  std::array<uint64_t, kRounds> round_keys_;
};

}  // namespace cambium::bench

#endif  // CAMBIUM_BENCHMARKS_HARNESS_DATA_H_
