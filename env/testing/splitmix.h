// SplitMix: the small generator for the seeded parts of env/ (Steele, Lea, Flood 2014).
#ifndef CAMBIUM_ENV_TESTING_SPLITMIX_H_
#define CAMBIUM_ENV_TESTING_SPLITMIX_H_

#include <cstdint>

namespace cambium::env {

// Every seed gives a different, well-mixed sequence. Thread-compatible.
class SplitMix {
 public:
  explicit SplitMix(uint64_t seed) : state_(seed) {}

  uint64_t Next() {
    uint64_t z = (state_ += 0x9e3779b97f4a7c15ull);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
  }
  // Returns a number below `bound`, which must not be 0. (The bias is below bound / 2^64.)
  uint64_t Below(uint64_t bound) { return Next() % bound; }
  bool Coin() { return (Next() & 1) != 0; }

 private:
  uint64_t state_;
};

}  // namespace cambium::env

#endif  // CAMBIUM_ENV_TESTING_SPLITMIX_H_
