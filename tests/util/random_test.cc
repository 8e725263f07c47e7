#include "util/random.h"

#include <gtest/gtest.h>

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

// The published algorithms' first results from SplitMix64 seed 0.
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

}  // namespace
}  // namespace cambium
