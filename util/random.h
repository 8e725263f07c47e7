// Pseudorandom numbers that are a function of their seed: xoshiro256** (Blackman and Vigna), seeded
// by SplitMix64. Not for cryptography.
#ifndef CAMBIUM_UTIL_RANDOM_H_
#define CAMBIUM_UTIL_RANDOM_H_

#include <array>
#include <bit>
#include <cassert>
#include <cstdint>

namespace cambium {

// Computes one step of SplitMix64: a bijection that mixes every bit into every other.
constexpr uint64_t MixBits(uint64_t value) {
  value += 0x9e3779b97f4a7c15ULL;
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9ULL;
  value = (value ^ (value >> 27)) * 0x94d049bb133111ebULL;
  return value ^ (value >> 31);
}

// Thread-compatible.
class Random {
 public:
  explicit Random(uint64_t seed) {
    for (uint64_t& word : state_) {
      word = MixBits(seed);
      seed += 0x9e3779b97f4a7c15ULL;
    }
  }

  // Returns 64 random bits.
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

  // Returns a uniform number in [0, n), without bias. n must be > 0. Lemire 2019: the high half of
  // a product is uniform if the few low halves that would favor some results are drawn again.
  uint64_t Uniform(uint64_t n) {
    assert(n > 0);
    Wide product = Wide{Next()} * n;
    if (static_cast<uint64_t>(product) < n) {
      const uint64_t unfair = (0 - n) % n;
      while (static_cast<uint64_t>(product) < unfair) product = Wide{Next()} * n;
    }
    return static_cast<uint64_t>(product >> 64);
  }

 private:
  __extension__ using Wide = unsigned __int128;

  std::array<uint64_t, 4> state_;
};

}  // namespace cambium

#endif  // CAMBIUM_UTIL_RANDOM_H_
