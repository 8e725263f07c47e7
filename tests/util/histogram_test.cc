#include "util/histogram.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "util/random.h"

namespace cambium {
namespace {

TEST(Histogram, BucketsCoverAllNumbersWithoutGap) {
  using histogram_internal::BucketOf;
  using histogram_internal::BucketStart;
  using histogram_internal::BucketWidth;
  for (size_t i = 0; i < histogram_internal::kBuckets; ++i) {
    const uint64_t start = BucketStart(i);
    const uint64_t last = start + (BucketWidth(i) - 1);
    ASSERT_EQ(BucketOf(start), i);
    ASSERT_EQ(BucketOf(last), i);
    if (i + 1 < histogram_internal::kBuckets) {
      ASSERT_EQ(BucketStart(i + 1), last + 1);
    }
    ASSERT_LE(static_cast<double>(BucketWidth(i) - 1), static_cast<double>(start) / 32);
  }
  EXPECT_EQ(BucketOf(UINT64_MAX), histogram_internal::kBuckets - 1);
}

TEST(Histogram, EmptyAnswersZero) {
  const Histogram histogram;
  EXPECT_EQ(histogram.count(), 0u);
  EXPECT_EQ(histogram.min(), 0u);
  EXPECT_EQ(histogram.max(), 0u);
  EXPECT_EQ(histogram.Quantile(0.5), 0);
  EXPECT_EQ(histogram.Summary().p9999, 0);
}

TEST(Histogram, OneValueIsEveryQuantile) {
  for (const uint64_t value : {uint64_t{0}, uint64_t{7}, uint64_t{1000003}, uint64_t{1} << 60}) {
    Histogram histogram;
    histogram.Record(value);
    for (const double quantile : {0.0, 0.5, 1.0}) {
      EXPECT_EQ(histogram.Quantile(quantile), static_cast<double>(value));
    }
  }
}

TEST(Histogram, SmallValuesAreExact) {
  Histogram histogram;
  for (uint64_t value = 1; value <= 60; ++value) histogram.Record(value);
  EXPECT_EQ(histogram.Quantile(0.5), 30);
  EXPECT_EQ(histogram.Quantile(0.9), 54);
  EXPECT_EQ(histogram.Mean(), 30.5);
}

TEST(Histogram, QuantilesAreWithinTwoPercentOfTheSortedValues) {
  Random random(4);
  for (int round = 0; round < 20; ++round) {
    Histogram histogram;
    std::vector<uint64_t> values;
    for (int i = 0; i < 5000; ++i) {
      values.push_back(round % 2 == 0 ? random.Next() >> (24 + random.Uniform(40))
                                      : 1000 + random.Uniform(1u << round));
      histogram.Record(values.back());
    }
    std::sort(values.begin(), values.end());
    for (const double quantile : {0.01, 0.25, 0.5, 0.9, 0.99, 0.999, 1.0}) {
      const auto rank = static_cast<size_t>(std::ceil(quantile * 5000)) - 1;
      const auto exact = static_cast<double>(values[rank]);
      EXPECT_NEAR(histogram.Quantile(quantile), exact, exact * 0.02 + 1e-9);
    }
    EXPECT_EQ(histogram.min(), values.front());
    EXPECT_EQ(histogram.max(), values.back());
  }
}

TEST(Histogram, MiddleOfABucketIsWithinTwoPercent) {
  for (uint64_t value = 1; value < (uint64_t{1} << 62); value += value / 50 + 1) {
    Histogram histogram;  // min and max differ, so only the bucket determines the result
    histogram.Record(0);
    histogram.Record(value);
    histogram.Record(UINT64_MAX);
    EXPECT_NEAR(histogram.Quantile(0.5), static_cast<double>(value),
                static_cast<double>(value) * 0.02);
  }
}

TEST(Histogram, MergeIsAsIfRecordedInOne) {
  Random random(5);
  Histogram whole, a, b;
  for (int i = 0; i < 3000; ++i) {
    const uint64_t value = random.Next() >> (34 + random.Uniform(30));
    whole.Record(value);
    (i % 3 == 0 ? a : b).Record(value);
  }
  a.Merge(b);
  a.Merge(Histogram());
  EXPECT_EQ(a.count(), whole.count());
  EXPECT_EQ(a.min(), whole.min());
  EXPECT_EQ(a.max(), whole.max());
  EXPECT_DOUBLE_EQ(a.sum(), whole.sum());
  for (const double quantile : {0.1, 0.5, 0.99}) {
    EXPECT_EQ(a.Quantile(quantile), whole.Quantile(quantile));
  }
}

TEST(Histogram, SummaryIsInTheUnitAskedFor) {
  Histogram nanos;
  for (int i = 0; i < 100; ++i) nanos.Record(50000);
  const HistogramSummary micros = nanos.Summary(1000);
  EXPECT_EQ(micros.count, 100u);
  EXPECT_EQ(micros.sum, 5000);
  EXPECT_EQ(micros.min, 50);
  EXPECT_EQ(micros.p50, 50);
  EXPECT_EQ(micros.p9999, 50);
  EXPECT_EQ(micros.max, 50);
}

TEST(Histogram, ShowsItsBucketsInOrder) {
  Histogram histogram;
  for (const uint64_t value : {7, 1000, 7, 999'999}) histogram.Record(value);
  std::vector<std::pair<double, uint64_t>> buckets;
  histogram.ForEachBucket(
      [&buckets](double middle, uint64_t count) { buckets.emplace_back(middle, count); });
  ASSERT_EQ(buckets.size(), 3u);
  EXPECT_EQ(buckets[0], std::pair(7.0, uint64_t{2}));
  EXPECT_NEAR(buckets[1].first, 1000, 20);
  EXPECT_NEAR(buckets[2].first, 999'999, 20'000);
  EXPECT_EQ(buckets[2].second, 1u);
}

}  // namespace
}  // namespace cambium
