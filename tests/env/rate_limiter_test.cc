// RateLimiter: the rate holds over time, bursts do not.
#include "env/rate_limiter.h"

#include <thread>
#include <vector>

#include "env/clock.h"
#include "tests/env/env_test_util.h"

namespace cambium::env {
namespace {

TEST(RateLimiter, HoldsTheRateOverManyRequests) {
  auto clock = std::make_shared<ManualClock>();
  RateLimiter limiter(clock, 1'000'000);
  for (int i = 0; i < 100; ++i) limiter.Acquire(50'000);
  EXPECT_NEAR(static_cast<double>(clock->NowMicros()), 5e6, 1e5);
}

TEST(RateLimiter, PassesARequestLargerThanASecondsBytes) {
  auto clock = std::make_shared<ManualClock>();
  RateLimiter limiter(clock, 1'000);
  limiter.Acquire(3'000);
  EXPECT_EQ(clock->NowMicros(), 3'000'000u);
}

TEST(RateLimiter, IdleTimeEarnsATenthOfASecondAtMost) {
  auto clock = std::make_shared<ManualClock>();
  RateLimiter limiter(clock, 1'000'000);
  clock->Advance(3'600'000'000);
  const uint64_t start = clock->NowMicros();
  limiter.Acquire(100'000);
  EXPECT_EQ(clock->NowMicros(), start) << "the burst";
  limiter.Acquire(100'000);
  EXPECT_EQ(clock->NowMicros(), start + 100'000);
}

TEST(RateLimiter, UnlimitedNeverSleepsAndTheRateCanChange) {
  auto clock = std::make_shared<ManualClock>();
  RateLimiter limiter(clock, RateLimiter::kUnlimited);
  limiter.Acquire(uint64_t{1} << 40);
  EXPECT_EQ(clock->NowMicros(), 0u);
  limiter.SetRate(1'000'000);
  EXPECT_EQ(limiter.rate(), 1'000'000u);
  limiter.Acquire(500'000);
  EXPECT_EQ(clock->NowMicros(), 500'000u);
  limiter.SetRate(RateLimiter::kUnlimited);
  limiter.Acquire(500'000);
  EXPECT_EQ(clock->NowMicros(), 500'000u);
}

TEST(RateLimiter, ThreadsShareTheRate) {
  auto clock = DefaultClock();
  RateLimiter limiter(clock, 1'000'000);
  const uint64_t start = clock->NowMicros();
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 5; ++i) limiter.Acquire(5'000);
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_GE(clock->NowMicros() - start, 95'000u);
}

}  // namespace
}  // namespace cambium::env
