// Zipfian numbers, as in YCSB (Gray et al., "Quickly generating billion-record synthetic
// databases", SIGMOD 1994).
#ifndef CAMBIUM_BENCHMARKS_HARNESS_WORKLOADS_ZIPFIAN_H_
#define CAMBIUM_BENCHMARKS_HARNESS_WORKLOADS_ZIPFIAN_H_

#include <cstdint>

#include "util/random.h"

namespace cambium::bench {

// Ranks in [0, size): the first is the most frequent, rank i with a weight of 1 / (i + 1)^0.99.
// Thread-compatible.
class Zipfian {
 public:
  static constexpr double kTheta = 0.99;

  // size must be > 0. Takes one step per rank.
  explicit Zipfian(uint64_t size);
  // For a size with a known sum of weights.
  Zipfian(uint64_t size, double sum_of_weights);

  // Takes one step per new rank. size must not be smaller than before.
  void Grow(uint64_t size);
  uint64_t Next(Random* random) const;

 private:
  void SetUp();

  uint64_t size_ = 0;
  double sum_ = 0;         // of the weights: zeta(size, theta)
  double sum_of_two_ = 0;  // of the first two
  double eta_ = 0;
};

// Numbers in [0, size) of which some are far more frequent than others, at scattered places: ranks
// out of ten billion, hashed. Thread-compatible.
class ScrambledZipfian {
 public:
  ScrambledZipfian();
  // size must be > 0.
  uint64_t Next(uint64_t size, Random* random) const;

 private:
  const Zipfian ranks_;
};

}  // namespace cambium::bench

#endif  // CAMBIUM_BENCHMARKS_HARNESS_WORKLOADS_ZIPFIAN_H_
