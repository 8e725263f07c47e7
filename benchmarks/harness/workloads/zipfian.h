// Zipfian numbers, as YCSB draws them (Gray et al., "Quickly generating billion-record synthetic
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

  // Requires: size > 0. Takes a step for each rank.
  explicit Zipfian(uint64_t size);
  // For a size whose sum of weights is known.
  Zipfian(uint64_t size, double sum_of_weights);

  // Takes a step for each rank more. Requires: size is no smaller than it was.
  void Grow(uint64_t size);
  uint64_t Next(Random* random) const;

 private:
  void SetUp();

  uint64_t size_ = 0;
  double sum_ = 0;         // of the weights: zeta(size, theta)
  double sum_of_two_ = 0;  // of the first two
  double eta_ = 0;
};

// Numbers in [0, size) of which some are far more frequent than others, and lie anywhere: ranks out
// of ten thousand million, hashed. Thread-compatible.
class ScrambledZipfian {
 public:
  ScrambledZipfian();
  // Requires: size > 0.
  uint64_t Next(uint64_t size, Random* random) const;

 private:
  const Zipfian ranks_;
};

}  // namespace cambium::bench

#endif  // CAMBIUM_BENCHMARKS_HARNESS_WORKLOADS_ZIPFIAN_H_
