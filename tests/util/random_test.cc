#include "util/random.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace cambium {
namespace {

TEST(Random, IsAFunctionOfItsSeed) {
  Random a(7), b(7), c(8);
  int different = 0;
  for (int i = 0; i < 100; ++i) {
    const uint64_t value = a.Next();
    EXPECT_EQ(value, b.Next());
    if (value != c.Next()) ++different;
  }
  EXPECT_GT(different, 95);
}

// The published algorithms' first answers from SplitMix64 seed 0.
TEST(Random, FirstNumbersAreThoseOfXoshiro) {
  EXPECT_EQ(MixBits(0), 0xe220a8397b1dcdafULL);
  Random random(0);
  EXPECT_EQ(random.Next(), 0x99ec5f36cb75f2b4ULL);
  EXPECT_EQ(random.Next(), 0xbf6e1f784956452aULL);
}

TEST(Random, UniformIsEvenAndInRange) {
  Random random(9);
  std::vector<int> seen(10);
  for (int i = 0; i < 100000; ++i) ++seen[random.Uniform(10)];
  for (const int count : seen) EXPECT_NEAR(count, 10000, 500);
  EXPECT_EQ(random.Uniform(1), 0u);
  // Where n is near 2^64 an unfair draw would show at once: three quarters of it.
  const uint64_t n = uint64_t{3} << 62;
  int low = 0;
  for (int i = 0; i < 30000; ++i) {
    const uint64_t value = random.Uniform(n);
    ASSERT_LT(value, n);
    if (value < n / 3) ++low;
  }
  EXPECT_NEAR(low, 10000, 500);
}

TEST(Random, OneInAndDoublesHaveTheirMeans) {
  Random random(10);
  int hits = 0;
  double sum = 0;
  for (int i = 0; i < 100000; ++i) {
    if (random.OneIn(20)) ++hits;
    const double value = random.NextDouble();
    ASSERT_GE(value, 0);
    ASSERT_LT(value, 1);
    sum += value;
  }
  EXPECT_NEAR(hits, 5000, 400);
  EXPECT_NEAR(sum / 100000, 0.5, 0.01);
}

TEST(Random, SkewedPrefersSmallNumbers) {
  Random random(11);
  int small = 0;
  for (int i = 0; i < 10000; ++i) {
    const uint64_t value = random.Skewed(20);
    ASSERT_LT(value, uint64_t{1} << 20);
    if (value < 1024) ++small;
  }
  EXPECT_GT(small, 4500);
  EXPECT_EQ(random.Skewed(0), 0u);
}

TEST(Zipfian, FrequenciesFollowTheLaw) {
  constexpr uint64_t kCount = 50;
  for (const double skew : {0.5, 0.99, 1.0, 1.5}) {
    Random random(12);
    const Zipfian zipfian(kCount, skew);
    double total = 0;
    for (uint64_t rank = 1; rank <= kCount; ++rank) total += std::pow(rank, -skew);
    constexpr int kDraws = 200000;
    std::vector<int> seen(kCount);
    for (int i = 0; i < kDraws; ++i) {
      const uint64_t rank = zipfian.Draw(&random);
      ASSERT_LT(rank, kCount);
      ++seen[rank];
    }
    for (uint64_t rank = 0; rank < kCount; ++rank) {
      const double expected = kDraws * std::pow(rank + 1, -skew) / total;
      EXPECT_NEAR(seen[rank], expected, 5 * std::sqrt(expected) + 1) << skew << " " << rank;
    }
  }
}

TEST(Zipfian, OneRankAndVeryManyRanks) {
  Random random(13);
  const Zipfian one(1, 0.99), many(uint64_t{1} << 40, 0.99);
  for (int i = 0; i < 1000; ++i) {
    EXPECT_EQ(one.Draw(&random), 0u);
    EXPECT_LT(many.Draw(&random), uint64_t{1} << 40);
  }
}

}  // namespace
}  // namespace cambium
