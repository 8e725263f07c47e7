#include "memtable/abbreviated_search.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "util/random.h"

namespace cambium::memtable {
namespace {

constexpr AbbreviatedSearch kAll[] = {AbbreviatedSearch::kBest, AbbreviatedSearch::kScalar,
                                      AbbreviatedSearch::kAvx2, AbbreviatedSearch::kAvx512};

TEST(AbbreviatedSearch, SupportsTheScalarWayAnywhere) {
  EXPECT_TRUE(Supports(AbbreviatedSearch::kBest));
  EXPECT_TRUE(Supports(AbbreviatedSearch::kScalar));
}

TEST(AbbreviatedSearch, EveryWayCountsAsStdLowerBound) {
  Random random(1);
  for (size_t count = 0; count <= kNodeCapacity; ++count) {
    uint64_t sorted[kNodeCapacity];
    std::fill(std::begin(sorted), std::end(sorted), kNoAbbreviatedKey);
    for (size_t i = 0; i < count; ++i) {
      // Ties, and numbers on both sides of the sign bit.
      sorted[i] = random.Uniform(2) == 0 ? random.Uniform(8) << 61 : random.Next();
    }
    std::sort(std::begin(sorted), std::begin(sorted) + count);
    alignas(64) AbbreviatedKeys abbreviated_keys;
    for (size_t i = 0; i < kNodeCapacity; ++i) abbreviated_keys[i] = sorted[i];
    for (int i = 0; i < 100; ++i) {
      const uint64_t abbreviated = i < 64   ? sorted[i]
                                   : i < 80 ? random.Uniform(9) << 61
                                            : random.Next();
      const auto expected = static_cast<size_t>(
          std::lower_bound(std::begin(sorted), std::end(sorted), abbreviated) - std::begin(sorted));
      for (const AbbreviatedSearch search : kAll) {
        if (!Supports(search)) continue;
        ASSERT_EQ(CountBelow(abbreviated_keys, abbreviated, search), expected)
            << static_cast<int>(search);
      }
      ASSERT_EQ(CountBelow(abbreviated_keys, abbreviated), expected);
    }
  }
}

}  // namespace
}  // namespace cambium::memtable
