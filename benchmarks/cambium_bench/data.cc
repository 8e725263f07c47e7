#include "benchmarks/cambium_bench/data.h"

#include <algorithm>

#include "util/coding.h"
#include "util/random.h"

namespace cambium::bench {
namespace {

constexpr size_t kPoolBytes = size_t{1} << 20;
// A value of the pool: random bytes, repeated until the piece is full.
constexpr size_t kPieceBytes = 100;

}  // namespace

void MakeKey(uint64_t number, int key_size, std::string* key) {
  key->assign(static_cast<size_t>(key_size), '0');
  StoreFixed64(key->data(), __builtin_bswap64(number));
}

ValueSource::ValueSource(int value_size, double compression_ratio, uint64_t seed)
    : value_size_(static_cast<size_t>(value_size)) {
  Random random(seed);
  const double fresh = std::clamp(compression_ratio, 0.01, 1.0) * kPieceBytes;
  const size_t fresh_bytes = std::max<size_t>(1, static_cast<size_t>(fresh));
  while (bytes_.size() < kPoolBytes + value_size_) {
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

std::string_view ValueSource::ValueOf(uint64_t number) const {
  const uint64_t mixed = number * 0x9e3779b97f4a7c15ULL;
  return std::string_view(bytes_).substr((mixed >> 32) % kPoolBytes, value_size_);
}

}  // namespace cambium::bench
