#include "util/random.h"

#include <algorithm>
#include <cassert>
#include <cmath>

namespace cambium {
namespace {

__extension__ using Wide = unsigned __int128;

// log1p(x) / x and expm1(x) / x, continued over zero.
double Log1pOverX(double x) {
  return std::abs(x) > 1e-8 ? std::log1p(x) / x : 1 - x * (0.5 - x / 3);
}
double Expm1OverX(double x) {
  return std::abs(x) > 1e-8 ? std::expm1(x) / x : 1 + x * 0.5 * (1 + x / 3);
}

}  // namespace

Random::Random(uint64_t seed) : state_() {
  for (uint64_t& word : state_) {
    word = MixBits(seed);
    seed += 0x9e3779b97f4a7c15ULL;
  }
}

// Lemire 2019: the high half of a product is uniform once the few low halves that would favour some
// results are drawn again.
uint64_t Random::Uniform(uint64_t n) {
  assert(n > 0);
  Wide product = Wide{Next()} * n;
  if (static_cast<uint64_t>(product) < n) {
    const uint64_t unfair = (0 - n) % n;
    while (static_cast<uint64_t>(product) < unfair) product = Wide{Next()} * n;
  }
  return static_cast<uint64_t>(product >> 64);
}

uint64_t Random::Skewed(int max_log) {
  assert(max_log >= 0 && max_log < 64);
  return Next() & ((uint64_t{1} << Uniform(static_cast<uint64_t>(max_log) + 1)) - 1);
}

Zipfian::Zipfian(uint64_t count, double skew)
    : count_(static_cast<double>(count)),
      skew_(skew),
      first_(Integral(1.5) - 1),
      last_(Integral(count_ + 0.5)),
      threshold_(2 - InverseIntegral(Integral(2.5) - std::pow(2, -skew))) {
  assert(count > 0 && skew > 0);
}

double Zipfian::Integral(double x) const {
  const double log = std::log(x);
  return Expm1OverX((1 - skew_) * log) * log;
}

double Zipfian::InverseIntegral(double y) const {
  const double scaled = std::max(-1.0, y * (1 - skew_));
  return std::exp(Log1pOverX(scaled) * y);
}

uint64_t Zipfian::Draw(Random* random) const {
  for (;;) {
    const double y = last_ + random->NextDouble() * (first_ - last_);
    const double x = InverseIntegral(y);
    const double rank = std::clamp(std::floor(x + 0.5), 1.0, count_);
    if (rank - x <= threshold_ || y >= Integral(rank + 0.5) - std::pow(rank, -skew_)) {
      return static_cast<uint64_t>(rank) - 1;
    }
  }
}

}  // namespace cambium
