#include "sstable/block/block_simd.h"

#include "util/coding.h"

#ifdef __x86_64__
#include <immintrin.h>
#endif

namespace cambium::sstable {
namespace {

// If the count is not a multiple of the register, the last load ends with the column and begins
// inside the part that was already compared, or up to kFingerprintReach before the column.

// Returns a mask: bit i is set if byte i of the eight is the fingerprint that fills `pattern`.
uint64_t MatchEight(const char* bytes, uint64_t pattern) {
  constexpr uint64_t kLowBits = 0x7f7f7f7f7f7f7f7f;
  const uint64_t difference = LoadFixed64(bytes) ^ pattern;
  // The high bit of each zero byte of `difference`, and no other bit.
  const uint64_t zeros = ~(((difference & kLowBits) + kLowBits) | difference | kLowBits);
  return ((zeros >> 7) * 0x0102040810204080) >> 56;
}

uint64_t MatchPortable(const char* column, size_t count, uint8_t fingerprint) {
  const uint64_t pattern = fingerprint * uint64_t{0x0101010101010101};
  if (count < 8) return MatchEight(column + count - 8, pattern) >> (8 - count);
  uint64_t matches = 0;
  for (size_t i = 0; i + 8 <= count; i += 8) matches |= MatchEight(column + i, pattern) << i;
  return matches | (MatchEight(column + count - 8, pattern) << (count - 8));
}

#ifdef __x86_64__

__attribute__((target("avx2"))) inline uint64_t Match32(const char* bytes, __m256i pattern) {
  const __m256i loaded = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(bytes));
  return static_cast<uint32_t>(_mm256_movemask_epi8(_mm256_cmpeq_epi8(loaded, pattern)));
}

__attribute__((target("avx2"))) uint64_t MatchAvx2(const char* column, size_t count,
                                                   uint8_t fingerprint) {
  const __m256i pattern = _mm256_set1_epi8(static_cast<char>(fingerprint));
  const uint64_t last = Match32(column + count - 32, pattern);
  if (count < 32) return last >> (32 - count);
  return Match32(column, pattern) | (last << (count - 32));
}

__attribute__((target("avx512bw"))) uint64_t MatchAvx512(const char* column, size_t count,
                                                         uint8_t fingerprint) {
  const __mmask64 wanted = ~uint64_t{0} >> (64 - count);
  const __m512i loaded = _mm512_maskz_loadu_epi8(wanted, column);
  return _mm512_mask_cmpeq_epi8_mask(wanted, loaded,
                                     _mm512_set1_epi8(static_cast<char>(fingerprint)));
}

#endif

}  // namespace

Simd BestSimd() {
#ifdef __x86_64__
  if (__builtin_cpu_supports("avx512bw")) return Simd::kAvx512;
  if (__builtin_cpu_supports("avx2")) return Simd::kAvx2;
#endif
  return Simd::kPortable;
}

FingerprintMatcher FingerprintMatcherFor(Simd simd) {
  switch (simd) {
#ifdef __x86_64__
    case Simd::kAvx512:
      return MatchAvx512;
    case Simd::kAvx2:
      return MatchAvx2;
#endif
    default:
      return MatchPortable;
  }
}

}  // namespace cambium::sstable
