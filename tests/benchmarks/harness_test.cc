// The parts of the harness that a whole run does not show: distributions, permutations, the text
// of a histogram.
#include <cmath>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "benchmarks/harness/data.h"
#include "benchmarks/harness/live_keys.h"
#include "benchmarks/harness/records.h"
#include "benchmarks/harness/report/output.h"
#include "benchmarks/harness/workloads/zipfian.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "util/histogram.h"
#include "util/random.h"

namespace cambium::bench {
namespace {

using ::testing::HasSubstr;

constexpr int kDraws = 1'000'000;

std::vector<double> Shares(uint64_t size, const auto& next) {
  std::vector<double> shares(size);
  for (int i = 0; i < kDraws; ++i) shares.at(next()) += 1.0 / kDraws;
  return shares;
}

// How far a share of kDraws may be from its expectation: five deviations.
double Margin(double share) { return 5 * std::sqrt(share * (1 - share) / kDraws); }

TEST(Zipfian, HasTheSharesOfTheTheory) {
  constexpr uint64_t kSize = 1000;
  Random random(301);
  const Zipfian zipfian(kSize);
  const auto shares = Shares(kSize, [&] { return zipfian.Next(&random); });
  double sum = 0;
  for (uint64_t i = 1; i <= kSize; ++i) sum += std::pow(static_cast<double>(i), -0.99);
  const auto expected = [sum](double rank) { return std::pow(rank + 1, -0.99) / sum; };
  // Gray's method is exact for the first two, and an integral of the density for the rest.
  EXPECT_NEAR(shares[0], expected(0), Margin(expected(0)));
  EXPECT_NEAR(shares[1], expected(1), Margin(expected(1)));
  double seen = 0, wanted = 0;
  for (uint64_t rank = 0; rank < kSize; ++rank) {
    seen += shares[rank];
    wanted += expected(static_cast<double>(rank));
    EXPECT_NEAR(seen, wanted, 0.02) << "up to rank " << rank;
  }
}

TEST(Zipfian, GrowsAsIfItHadBeenThatLarge) {
  Zipfian grown(10);
  grown.Grow(5000);
  const Zipfian made(5000);
  Random first(7), second(7);
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(grown.Next(&first), made.Next(&second));
}

TEST(Zipfian, StaysInItsRange) {
  for (const uint64_t size : {1, 2, 3, 17}) {
    const Zipfian zipfian(size);
    Random random(size);
    for (int i = 0; i < 10000; ++i) ASSERT_LT(zipfian.Next(&random), size);
  }
}

TEST(ScrambledZipfian, FavoursAFewThatLieAnywhere) {
  constexpr uint64_t kSize = 10000;
  Random random(301);
  const ScrambledZipfian zipfian;
  const auto shares = Shares(kSize, [&] { return zipfian.Next(kSize, &random); });
  std::multimap<double, uint64_t, std::greater<>> ordered;
  for (uint64_t i = 0; i < kSize; ++i) ordered.emplace(shares[i], i);
  // The first rank of ten thousand million has 1 / 26.469 of all draws, the second 2^-0.99 of that;
  // what else is hashed to the same place is a hundredth of that.
  auto most = ordered.begin();
  EXPECT_NEAR(most->first, 1 / 26.469, 0.002);
  const uint64_t hottest = most->second;
  ++most;
  EXPECT_NEAR(most->first, std::pow(2, -0.99) / 26.469, 0.002);
  EXPECT_GT(std::max(hottest, most->second) - std::min(hottest, most->second), 10u);
  EXPECT_GT(ordered.rbegin()->first, 0);  // and none is left out
}

TEST(Permutation, HasEachNumberOnce) {
  for (const uint64_t size : {1, 2, 3, 1000, 4096, 100'003}) {
    const Permutation permutation(size, 301);
    std::set<uint64_t> seen;
    uint64_t in_place = 0;
    for (uint64_t i = 0; i < size; ++i) {
      const uint64_t number = permutation.At(i);
      ASSERT_LT(number, size);
      seen.insert(number);
      if (number == i) ++in_place;
    }
    EXPECT_EQ(seen.size(), size);
    EXPECT_LT(in_place, 20u);
  }
}

TEST(ValueSource, SizesFollowTheirDistribution) {
  DataShape shape;
  shape.sizes = {ValueSizes::Distribution::kUniform, 100, 50, 150};
  const ValueSource uniform(shape);
  shape.sizes.distribution = ValueSizes::Distribution::kNormal;
  const ValueSource normal(shape);
  double uniform_sum = 0, normal_sum = 0;
  int normal_near = 0;
  constexpr int kValues = 100'000;
  for (uint64_t number = 0; number < kValues; ++number) {
    const size_t size = uniform.ValueOf(number).size();
    ASSERT_TRUE(50 <= size && size <= 150);
    uniform_sum += static_cast<double>(size);
    const size_t other = normal.ValueOf(number).size();
    ASSERT_TRUE(50 <= other && other <= 150);
    normal_sum += static_cast<double>(other);
    if (84 <= other && other <= 116) ++normal_near;  // within a deviation, 16.7
    EXPECT_EQ(normal.SizeOf(number), other);
  }
  EXPECT_NEAR(uniform_sum / kValues, 100, 3);
  EXPECT_NEAR(normal_sum / kValues, 100, 2);
  EXPECT_NEAR(normal_near / static_cast<double>(kValues), 0.68, 0.05);
}

TEST(ValueSource, TellsAValueFromAnother) {
  const ValueSource values{DataShape()};
  EXPECT_TRUE(values.IsValueOf(7, values.ValueOf(7)));
  EXPECT_TRUE(values.IsValueOf(7, values.LongValueOf(7)));
  EXPECT_FALSE(values.IsValueOf(7, values.ValueOf(8)));
  EXPECT_FALSE(values.IsValueOf(7, ""));
}

TEST(LiveKeys, CountsTheBytesOfWhatIsThere) {
  LiveKeys live;
  live.Put(5, 116);
  live.Put(5, 116);
  live.Put(1'000'000'000, 116);
  EXPECT_EQ(live.bytes(), 232u);
  live.PutLong(9, 100'016);
  EXPECT_EQ(live.bytes(), 100'248u);
  live.Put(9, 116);
  EXPECT_EQ(live.bytes(), 348u);
  live.Delete(5, 116);
  live.Delete(6, 116);
  live.PutRecord(5, 116);
  EXPECT_EQ(live.bytes(), 348u);
  live.Clear();
  EXPECT_EQ(live.bytes(), 0u);
  live.Put(5, 116);
  EXPECT_EQ(live.bytes(), 116u);
}

TEST(LiveKeys, IsExactWithTwoThreads) {
  LiveKeys live;
  const auto put_all = [&live] {
    for (uint64_t number = 0; number < 100'000; ++number) live.Put(number, 10);
  };
  std::thread other(put_all);
  put_all();
  other.join();
  EXPECT_EQ(live.bytes(), 1'000'000u);
}

TEST(Records, AreReadableOnceAllBelowAreThere) {
  Records records(10);
  const uint64_t first = records.Add(), second = records.Add();
  EXPECT_EQ(first, 10u);
  records.Acknowledge(second);
  EXPECT_EQ(records.Readable(), 10u);
  records.Acknowledge(first);
  EXPECT_EQ(records.Readable(), 12u);
  EXPECT_NE(records.KeyNumber(0) + 1, records.KeyNumber(1));
}

TEST(HistogramText, IsDbBenchs) {
  Histogram nanos;
  for (int i = 0; i < 90; ++i) nanos.Record(1500);
  for (int i = 0; i < 9; ++i) nanos.Record(700);
  nanos.Record(130'000);
  const std::string text = HistogramText(nanos);
  EXPECT_THAT(text, HasSubstr("Count: 100 Average: 2.7130  StdDev: 12.8"));
  EXPECT_THAT(text, HasSubstr("\nMin: 0  Median: 1.4880  "));
  EXPECT_THAT(text, HasSubstr("Max: 130\n"));
  EXPECT_THAT(
      text, HasSubstr("\nPercentiles: P50: 1.49 P75: 1.49 P99: 1.49 P99.9: 130.00 P99.99: 130.00"));
  EXPECT_THAT(text, HasSubstr("\n[       0,       1 ]        9   9.000%   9.000% ##\n"
                              "(       1,       2 ]       90  90.000%  99.000% "
                              "##################\n"
                              "(     110,     170 ]        1   1.000% 100.000% \n"));
}

}  // namespace
}  // namespace cambium::bench
