// Pseudo-random numbers that are a function of their seed: xoshiro256** (Blackman and Vigna),
// seeded by SplitMix64. Not for cryptography.
#ifndef CAMBIUM_UTIL_RANDOM_H_
#define CAMBIUM_UTIL_RANDOM_H_

#include <array>
#include <bit>
#include <cstdint>

namespace cambium {

// One step of SplitMix64: a bijection that mixes every bit into every other.
constexpr uint64_t MixBits(uint64_t value) {
  value += 0x9e3779b97f4a7c15ULL;
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9ULL;
  value = (value ^ (value >> 27)) * 0x94d049bb133111ebULL;
  return value ^ (value >> 31);
}

// Thread-compatible.
class Random {
 public:
  explicit Random(uint64_t seed);

  // 64 random bits.
  uint64_t Next() {
    const uint64_t result = std::rotl(state_[1] * 5, 7) * 9;
    const uint64_t shifted = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= shifted;
    state_[3] = std::rotl(state_[3], 45);
    return result;
  }

  // Uniform in [0, n), without bias. Requires: n > 0.
  uint64_t Uniform(uint64_t n);

  // True once in n times, on average. Requires: n > 0.
  bool OneIn(uint64_t n) { return Uniform(n) == 0; }

  // Uniform in [0, 1).
  double NextDouble() { return static_cast<double>(Next() >> 11) * 0x1p-53; }

  // In [0, 2^max_log): a number of bits drawn from [0, max_log], then that many random bits. Small
  // numbers are frequent. Requires: max_log < 64.
  uint64_t Skewed(int max_log);

 private:
  std::array<uint64_t, 4> state_;
};

// Draws ranks from [0, count) where rank r comes with a frequency proportional to 1 / (r + 1)^skew,
// by rejection-inversion (Hoermann and Derflinger 1996): no table, constant time. Immutable after
// construction.
class Zipfian {
 public:
  // Requires: count > 0, skew > 0.
  Zipfian(uint64_t count, double skew);

  uint64_t Draw(Random* random) const;

 private:
  // The integral of 1 / x^skew_, and its inverse.
  double Integral(double x) const;
  double InverseIntegral(double y) const;

  const double count_;
  const double skew_;
  double first_;      // Integral at the left end of the range drawn from
  double last_;       // … and at its right end
  double threshold_;  // nearer than this to its rank, a point is inside the histogram
};

}  // namespace cambium

#endif  // CAMBIUM_UTIL_RANDOM_H_
