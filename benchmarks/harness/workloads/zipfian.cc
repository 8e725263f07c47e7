#include "benchmarks/harness/workloads/zipfian.h"

#include <algorithm>
#include <cmath>

namespace cambium::bench {
namespace {

// The number of ranks in YCSB, and the sum of their weights, which takes minutes to compute.
constexpr uint64_t kManyRanks = 10'000'000'000;
constexpr double kSumOfManyWeights = 26.46902820178302;

double Weight(uint64_t rank) {
  return 1 / std::pow(static_cast<double>(rank + 1), Zipfian::kTheta);
}

// FNV-1a over the eight bytes (http://www.isthe.com/chongo/tech/comp/fnv), YCSB's hash.
uint64_t Scramble(uint64_t number) {
  uint64_t hash = 0xcbf29ce484222325ULL;
  for (int i = 0; i < 8; ++i) {
    hash = (hash ^ (number & 0xff)) * 0x100000001b3ULL;
    number >>= 8;
  }
  return hash;
}

}  // namespace

Zipfian::Zipfian(uint64_t size) { Grow(size); }

Zipfian::Zipfian(uint64_t size, double sum_of_weights) : size_(size), sum_(sum_of_weights) {
  SetUp();
}

void Zipfian::Grow(uint64_t size) {
  if (size == size_) return;
  for (; size_ < size; ++size_) sum_ += Weight(size_);
  SetUp();
}

void Zipfian::SetUp() {
  sum_of_two_ = Weight(0) + Weight(1);
  const double of_all = 1 - std::pow(2 / static_cast<double>(size_), 1 - kTheta);
  eta_ = size_ <= 2 ? 0 : of_all / (1 - sum_of_two_ / sum_);
}

uint64_t Zipfian::Next(Random* random) const {
  const double uniform = static_cast<double>(random->Next() >> 11) * 0x1p-53;
  const double weight = uniform * sum_;
  if (weight < 1 || size_ == 1) return 0;
  if (weight < sum_of_two_ || size_ == 2) return 1;
  const double part = std::pow(eta_ * uniform - eta_ + 1, 1 / (1 - kTheta));
  return std::min(size_ - 1, static_cast<uint64_t>(static_cast<double>(size_) * part));
}

ScrambledZipfian::ScrambledZipfian() : ranks_(kManyRanks, kSumOfManyWeights) {}

uint64_t ScrambledZipfian::Next(uint64_t size, Random* random) const {
  return Scramble(ranks_.Next(random)) % size;
}

}  // namespace cambium::bench
