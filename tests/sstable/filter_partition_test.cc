#include "sstable/block/filter_partition.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "util/checksum.h"
#include "util/coding.h"

namespace cambium::sstable {
namespace {

uint64_t HashOf(uint64_t i) {
  char key[8];
  StoreFixed64(key, i);
  return HashKey(std::string_view(key, sizeof(key)));
}

std::string FilterOf(size_t count, double bits_per_key) {
  FilterBuilder builder(bits_per_key);
  for (size_t i = 0; i < count; ++i) builder.AddHash(HashOf(i));
  return builder.Finish();
}

// The share of absent keys that the filter lets through.
double FalsePositiveRate(size_t count, double bits_per_key) {
  const std::string bytes = FilterOf(count, bits_per_key);
  const FilterView view = *FilterView::Parse(bytes);
  constexpr size_t kProbes = 200'000;
  size_t passed = 0;
  for (size_t i = 0; i < kProbes; ++i) passed += view.MayContain(HashOf(count + i)) ? 1 : 0;
  return static_cast<double>(passed) / kProbes;
}

TEST(Filter, ContainsEveryKeyThatWasAdded) {
  for (const size_t count : {1, 2, 7, 100, 5'000, 40'000}) {
    for (const double bits : {0.1, 1.0, 4.5, 10.0, 27.0, 500.0}) {
      const std::string bytes = FilterOf(count, bits);
      const FilterView view = *FilterView::Parse(bytes);
      for (size_t i = 0; i < count; ++i) {
        ASSERT_TRUE(view.MayContain(HashOf(i))) << count << " keys, " << bits << " bits, key " << i;
      }
    }
  }
}

TEST(Filter, LetsFewAbsentKeysThrough) {
  // What a Bloom filter without cache lines would let through: 9.2 %, 0.82 %, 0.074 %.
  EXPECT_LT(FalsePositiveRate(20'000, 5), 0.105);
  EXPECT_LT(FalsePositiveRate(20'000, 10), 0.0115);
  EXPECT_LT(FalsePositiveRate(20'000, 15), 0.0017);
  EXPECT_LT(FalsePositiveRate(20'000, 20), 0.0005);
}

TEST(Filter, TakesTheBitsAKeyThatItWasGiven) {
  for (const double bits : {5.0, 9.9, 10.0, 15.0}) {
    const double lines = 20'000 * bits / 512;
    EXPECT_NEAR(static_cast<double>(FilterOf(20'000, bits).size()), 64 * (1 + lines), 64);
  }
}

TEST(Filter, HoldsNothingWhenNoKeyWasAdded) {
  const std::string bytes = FilterOf(0, 10);
  const FilterView view = *FilterView::Parse(bytes);
  for (size_t i = 0; i < 1000; ++i) EXPECT_FALSE(view.MayContain(HashOf(i)));
}

TEST(Filter, GivesAnswersThatDoNotDependOnTheProcessor) {
  // The bits of these keys, computed here from the format's description.
  const std::string bytes = FilterOf(50, 10);
  const FilterView view = *FilterView::Parse(bytes);
  constexpr uint32_t kFirstMultipliers[] = {0x9bd6a4c5, 0x5f3c1e8b, 0xc7a93d21,
                                            0x3d4b8f67, 0xe8156b3f, 0x72f1c9ad};
  ASSERT_EQ(bytes[1], 6);
  const uint64_t lines = bytes.size() / 64 - 1;
  for (uint64_t i = 0; i < 20'000; ++i) {
    const uint64_t hash = HashOf(i);
    const char* const line = bytes.data() + 64 + 64 * (((hash >> 32) * lines) >> 32);
    bool expected = true;
    for (const uint32_t multiplier : kFirstMultipliers) {
      const uint32_t bit = (static_cast<uint32_t>(hash) * multiplier) >> 23;
      const uint32_t word = LoadFixed32(line + 4 * (bit / 32));
      expected = expected && ((word >> (bit % 32)) & 1) != 0;
    }
    ASSERT_EQ(view.MayContain(hash), expected) << i;
  }
}

TEST(FilterBuilder, CountsAHashOnceWhenItComesSeveralTimesInARow) {
  FilterBuilder builder(10);
  for (const uint64_t hash : {5u, 5u, 5u, 6u, 6u}) builder.AddHash(hash);
  EXPECT_EQ(builder.count(), 2u);
  EXPECT_EQ(builder.EstimatedSize(), 128u);
  builder.Finish();
  EXPECT_EQ(builder.count(), 0u);
}

TEST(FilterParse, RejectsEveryTruncationAndEveryExtension) {
  const std::string good = FilterOf(100, 10);
  for (size_t size = 0; size < good.size(); ++size) {
    const auto exact = std::make_unique<char[]>(size);
    good.copy(exact.get(), size);
    EXPECT_EQ(FilterView::Parse({exact.get(), size}).status().code(), absl::StatusCode::kDataLoss);
  }
  EXPECT_FALSE(FilterView::Parse(good + '\0').ok());
}

TEST(FilterParse, IsSafeWhenAnyByteIsFlipped) {
  const std::string good = FilterOf(100, 10);
  for (size_t at = 0; at < good.size(); ++at) {
    for (int flip = 1; flip < 256; flip *= 2) {
      std::string bad = good;
      bad[at] = static_cast<char>(bad[at] ^ flip);
      const auto exact = std::make_unique<char[]>(bad.size());
      bad.copy(exact.get(), bad.size());
      const auto view = FilterView::Parse({exact.get(), bad.size()});
      if (!view.ok()) continue;
      for (const uint64_t hash : {uint64_t{0}, ~uint64_t{0}, HashOf(1), HashOf(1000)}) {
        view->Prefetch(hash);
        view->MayContain(hash);
      }
    }
  }
}

TEST(FilterParse, AnswersUnimplementedWhenTheKindIsUnknown) {
  std::string bytes = FilterOf(100, 10);
  bytes[0] = 2;
  EXPECT_EQ(FilterView::Parse(bytes).status().code(), absl::StatusCode::kUnimplemented);
}

}  // namespace
}  // namespace cambium::sstable
