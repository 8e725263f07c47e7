#include "memtable/head_search.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "util/random.h"

namespace cambium::memtable {
namespace {

constexpr HeadSearch kAll[] = {HeadSearch::kBest, HeadSearch::kScalar, HeadSearch::kAvx2,
                               HeadSearch::kAvx512};

TEST(HeadSearch, SupportsTheScalarWayAnywhere) {
  EXPECT_TRUE(Supports(HeadSearch::kBest));
  EXPECT_TRUE(Supports(HeadSearch::kScalar));
}

TEST(HeadSearch, EveryWayCountsAsStdLowerBound) {
  Random random(1);
  for (size_t count = 0; count <= kNodeCapacity; ++count) {
    uint64_t sorted[kNodeCapacity];
    std::fill(std::begin(sorted), std::end(sorted), kNoHead);
    for (size_t i = 0; i < count; ++i) {
      // Ties, and numbers on both sides of the sign bit.
      sorted[i] = random.Uniform(2) == 0 ? random.Uniform(8) << 61 : random.Next();
    }
    std::sort(std::begin(sorted), std::begin(sorted) + count);
    alignas(64) HeadArray heads;
    for (size_t i = 0; i < kNodeCapacity; ++i) heads[i] = sorted[i];
    for (int i = 0; i < 100; ++i) {
      const uint64_t head = i < 64 ? sorted[i] : i < 80 ? random.Uniform(9) << 61 : random.Next();
      const auto expected = static_cast<size_t>(
          std::lower_bound(std::begin(sorted), std::end(sorted), head) - std::begin(sorted));
      for (const HeadSearch search : kAll) {
        if (!Supports(search)) continue;
        ASSERT_EQ(CountBelow(heads, head, search), expected) << static_cast<int>(search);
      }
      ASSERT_EQ(CountBelow(heads, head), expected);
    }
  }
}

}  // namespace
}  // namespace cambium::memtable
