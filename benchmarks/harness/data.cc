#include "benchmarks/harness/data.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "util/coding.h"
#include "util/random.h"

namespace cambium::bench {
namespace {

constexpr size_t kPoolBytes = size_t{1} << 20;
// A piece of the pool: random bytes, repeated until the piece is full.
constexpr size_t kPieceBytes = 100;
constexpr size_t kDrawnSizes = 4096;

size_t DrawSize(const ValueSizes& sizes, Random* random) {
  const auto span = static_cast<uint64_t>(sizes.max - sizes.min) + 1;
  if (sizes.distribution == ValueSizes::Distribution::kUniform) {
    return static_cast<size_t>(sizes.min) + random->Uniform(span);
  }
  // The sum of twelve uniform numbers, minus six, is approximately normal, and within six
  // deviations: the range is six deviations wide.
  double sum = -6;
  for (int i = 0; i < 12; ++i) sum += static_cast<double>(random->Next() >> 11) * 0x1p-53;
  const double size = 0.5 * (sizes.min + sizes.max) + sum * (sizes.max - sizes.min) / 6.0;
  return static_cast<size_t>(
      std::clamp(size, static_cast<double>(sizes.min), static_cast<double>(sizes.max)));
}

}  // namespace

void MakeKey(uint64_t number, int key_size, std::string* key) {
  key->assign(static_cast<size_t>(key_size), '0');
  StoreFixed64(key->data(), __builtin_bswap64(number));
}

uint64_t NumberOf(std::string_view key) {
  uint64_t number = 0;
  for (size_t i = 0; i < 8 && i < key.size(); ++i) {
    number = number << 8 | static_cast<unsigned char>(key[i]);
  }
  return number;
}

ValueSource::ValueSource(const DataShape& shape) {
  Random random(shape.seed);
  if (shape.sizes.distribution == ValueSizes::Distribution::kFixed) {
    sizes_ = {static_cast<size_t>(shape.sizes.fixed)};
  } else {
    for (size_t i = 0; i < kDrawnSizes; ++i) sizes_.push_back(DrawSize(shape.sizes, &random));
  }
  const size_t longest = std::max(kLongBytes, *std::max_element(sizes_.begin(), sizes_.end()));
  const double fresh = std::clamp(shape.compression_ratio, 0.01, 1.0) * kPieceBytes;
  const size_t fresh_bytes = std::max<size_t>(1, static_cast<size_t>(fresh));
  while (bytes_.size() < kPoolBytes + longest) {
    std::string piece;
    for (size_t i = 0; i < fresh_bytes; ++i) {
      piece.push_back(static_cast<char>(' ' + random.Uniform(95)));
    }
    while (piece.size() < kPieceBytes) {
      piece.append(piece, 0, std::min(fresh_bytes, kPieceBytes - piece.size()));
    }
    bytes_ += piece;
  }
}

size_t ValueSource::SizeOf(uint64_t number) const {
  return sizes_.size() == 1 ? sizes_[0] : sizes_[MixBits(number) % sizes_.size()];
}

std::string_view ValueSource::Piece(uint64_t number, size_t size) const {
  const uint64_t mixed = number * 0x9e3779b97f4a7c15ULL;
  return {bytes_.data() + (mixed >> 32) % kPoolBytes, size};
}

bool ValueSource::IsValueOf(uint64_t number, std::string_view value) const {
  return value == ValueOf(number) || value == LongValueOf(number) ||
         value == SwappedValueOf(number);
}

Permutation::Permutation(uint64_t size, uint64_t seed)
    : size_(size), half_bits_(std::max(1, (static_cast<int>(std::bit_width(size - 1)) + 1) / 2)) {
  for (uint64_t& key : round_keys_) key = seed = MixBits(seed);
}

uint64_t Permutation::At(uint64_t index) const {
  const uint64_t mask = (uint64_t{1} << half_bits_) - 1;
  do {
    uint64_t left = index >> half_bits_, right = index & mask;
    for (const uint64_t key : round_keys_) {
      const uint64_t mixed = left ^ (MixBits(right ^ key) & mask);
      left = right;
      right = mixed;
    }
    index = left << half_bits_ | right;
  } while (index >= size_);
  return index;
}

}  // namespace cambium::bench
