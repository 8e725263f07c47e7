#include "engine/write/write_controller.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <vector>

#include "engine/state/stats_recorder.h"
#include "env/testing/manual_clock.h"

namespace cambium::engine {
namespace {

constexpr double kMegabyte = 1 << 20;

WriteLoad QuietLoad() {
  WriteLoad load;
  load.flush_bytes_per_second = 200 * kMegabyte;
  load.compaction_bytes_per_second = 100 * kMegabyte;
  return load;
}

TEST(WritePressure, IsNoneBelowTheStartLimits) {
  const WriteLimits limits;
  EXPECT_EQ(ComputePressure(WriteLoad(), limits).pressure, 0);
  WriteLoad load = QuietLoad();
  load.frozen_memtables = 2;
  load.level0_runs = 8;
  load.compaction_debt_bytes = uint64_t{1} << 30;
  EXPECT_EQ(ComputePressure(load, limits).pressure, 0);
}

TEST(WritePressure, IsOneAtEachStopLimit) {
  const WriteLimits limits;
  WriteLoad load = QuietLoad();
  load.frozen_memtables = 5;
  EXPECT_EQ(ComputePressure(load, limits).pressure, 1);
  load = QuietLoad();
  load.level0_runs = 40;
  EXPECT_EQ(ComputePressure(load, limits).pressure, 1);
  load = QuietLoad();
  load.compaction_debt_bytes = uint64_t{1} << 40;
  EXPECT_EQ(ComputePressure(load, limits).pressure, 1);
}

TEST(WritePressure, RateIsTheDrainWhereThePressureIsHalf) {
  WriteLoad load = QuietLoad();
  load.level0_runs = 20;  // half-way between 8 and 32
  EXPECT_NEAR(static_cast<double>(ComputePressure(load, {}).bytes_per_second), 100 * kMegabyte, 1);
  load = QuietLoad();
  load.frozen_memtables = 4;
  WriteLimits limits;
  limits.memtables_stop = 6;  // half-way from 2
  EXPECT_NEAR(static_cast<double>(ComputePressure(load, limits).bytes_per_second), 200 * kMegabyte,
              1);
}

TEST(WritePressure, SlowestOfTwoDebtsCounts) {
  WriteLoad load = QuietLoad();
  load.level0_runs = 20;
  load.frozen_memtables = 3;
  EXPECT_NEAR(static_cast<double>(ComputePressure(load, {}).bytes_per_second), 100 * kMegabyte, 1);
}

TEST(WritePressure, MeasuredSpeedCountsHoweverLowItIs) {
  WriteLoad load;
  load.level0_runs = 20;
  EXPECT_NEAR(static_cast<double>(ComputePressure(load, {}).bytes_per_second), 16 * kMegabyte, 1);
  load.compaction_bytes_per_second = kMegabyte / 2;
  EXPECT_NEAR(static_cast<double>(ComputePressure(load, {}).bytes_per_second), kMegabyte / 2, 1);
}

TEST(WritePressure, RateFallsWithoutACliff) {
  WriteLoad load = QuietLoad();
  double previous = 1e19;
  for (uint64_t debt = (uint64_t{1} << 30) + 1; debt < uint64_t{16} << 30; debt += 1 << 22) {
    load.compaction_debt_bytes = debt;
    const WritePressure pressure = ComputePressure(load, {});
    const auto rate = static_cast<double>(pressure.bytes_per_second);
    ASSERT_LT(rate, previous);
    ASSERT_GT(rate, 0);
    // A step of 0.03 % of the way moves the delay a byte by little: 1/rate is continuous.
    if (previous < 1e18 && pressure.pressure < 0.9) {
      ASSERT_LT(1 / rate - 1 / previous, 0.03 / (100 * kMegabyte)) << debt;
    }
    previous = rate;
  }
}

// Waits as the write path does. Returns the microseconds slept.
uint64_t AwaitTurn(WriteController* controller, env::ManualClock* clock, uint64_t bytes) {
  const std::optional<WriteController::Ticket> ticket = controller->Admit(bytes);
  if (!ticket.has_value()) return 0;
  uint64_t slept = 0;
  while (const uint64_t micros = controller->MicrosLeft(*ticket)) {
    EXPECT_LE(micros, WriteController::kStepMicros);
    EXPECT_FALSE(controller->stopped());
    if (controller->stopped()) break;
    clock->SleepMicros(micros);
    slept += micros;
  }
  return slept;
}

TEST(WriteController, LetsEverybodyGoWithoutPressure) {
  env::ManualClock clock;
  WriteController controller(&clock, {});
  controller.Update(QuietLoad());
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(controller.Admit(1 << 20), std::nullopt);
}

TEST(WriteController, StopsAtTheLimitAndGoesOnBelowIt) {
  env::ManualClock clock;
  WriteController controller(&clock, {});
  WriteLoad load = QuietLoad();
  load.level0_runs = 32;
  controller.Update(load);
  const std::optional<WriteController::Ticket> ticket = controller.Admit(1);
  ASSERT_TRUE(ticket.has_value());
  EXPECT_TRUE(controller.stopped());
  clock.Advance(1'000'000'000);
  EXPECT_EQ(controller.MicrosLeft(*ticket), WriteController::kStepMicros);
  load.level0_runs = 5;
  controller.Update(load);
  EXPECT_EQ(controller.MicrosLeft(*ticket), 0u);
  EXPECT_EQ(controller.Admit(1), std::nullopt);
}

// One level of debt short of the stop: a writer would have had to sleep for more than a minute. It
// asks again after each short step, and goes on as soon as the pressure is gone.
TEST(WriteController, LongDelayIsSleptInStepsThatEndWithThePressure) {
  env::ManualClock clock;
  WriteController controller(&clock, {});
  WriteLoad load;
  load.compaction_bytes_per_second = kMegabyte;
  load.compaction_debt_bytes = (uint64_t{16} << 30) - (uint64_t{10} << 20);
  controller.Update(load);
  const std::optional<WriteController::Ticket> ticket = controller.Admit(64 << 10);
  ASSERT_TRUE(ticket.has_value());
  for (int step = 0; step < 200; ++step) {
    ASSERT_EQ(controller.MicrosLeft(*ticket), WriteController::kStepMicros);
    clock.SleepMicros(WriteController::kStepMicros);
  }
  load.compaction_debt_bytes = 0;
  controller.Update(load);
  EXPECT_EQ(controller.MicrosLeft(*ticket), 0u);
}

// A rate that changes counts for those who wait already, in both directions.
TEST(WriteController, RateThatChangesCountsForThoseWhoWait) {
  env::ManualClock clock;
  WriteController controller(&clock, {});
  WriteLoad load;
  load.level0_runs = 20;
  load.compaction_bytes_per_second = kMegabyte;
  controller.Update(load);
  const WriteController::Ticket ticket = controller.Admit(1 << 20).value();  // one second
  clock.Advance(500'000);
  EXPECT_GT(controller.MicrosLeft(ticket), 0u);
  load.compaction_bytes_per_second = 100 * kMegabyte;
  controller.Update(load);
  EXPECT_NEAR(static_cast<double>(controller.MicrosLeft(ticket)), 5000, 10);
  clock.Advance(5100);
  EXPECT_EQ(controller.MicrosLeft(ticket), 0u);
}

TEST(RecentSpeed, FollowsTheLastJobs) {
  RecentSpeed speed;
  EXPECT_EQ(speed.BytesPerSecond(), 0);
  for (int i = 0; i < 100; ++i) speed.Add(200'000'000, 1'000'000);
  EXPECT_NEAR(speed.BytesPerSecond(), 200e6, 1);
  // After ten seconds of slow work a quarter of what counts is older.
  for (int i = 0; i < 10; ++i) speed.Add(2'000'000, 1'000'000);
  EXPECT_LT(speed.BytesPerSecond(), 60e6);
  for (int i = 0; i < 40; ++i) speed.Add(2'000'000, 1'000'000);
  EXPECT_LT(speed.BytesPerSecond(), 3e6);
}

TEST(WriteController, DelayIsPaidForAQuantumAndWorthASleep) {
  env::ManualClock clock;
  WriteController controller(&clock, {});
  WriteLoad load = QuietLoad();
  load.level0_runs = 20;
  controller.Update(load);
  uint64_t bytes = 0;
  uint64_t slept = 0;
  int delays = 0;
  for (int i = 0; i < 100000; ++i) {
    const uint64_t delay = AwaitTurn(&controller, &clock, 100);
    bytes += 100;
    if (delay > 0) {
      ASSERT_GE(delay, WriteController::kLeastDelayMicros);
      slept += delay;
      ++delays;
    }
  }
  // 10 MB at 100 MiB/s.
  EXPECT_NEAR(static_cast<double>(slept), static_cast<double>(bytes) / (100 * kMegabyte) * 1e6,
              2000);
  EXPECT_LE(delays, static_cast<int>(bytes / WriteController::kQuantumBytes) + 1);
}

TEST(WriteController, ShortDelaysAddUpUntilTheyAreWorthASleep) {
  env::ManualClock clock;
  WriteController controller(&clock, {});
  WriteLoad load = QuietLoad();
  load.compaction_bytes_per_second = 5000 * kMegabyte;  // 64 KiB cost 12 µs
  load.level0_runs = 20;
  controller.Update(load);
  uint64_t slept = 0;
  for (int i = 0; i < 1000; ++i) {
    const uint64_t delay = AwaitTurn(&controller, &clock, 64 << 10);
    if (delay == 0) continue;
    ASSERT_GE(delay, WriteController::kLeastDelayMicros);
    slept += delay;
  }
  EXPECT_NEAR(static_cast<double>(slept), 1000 * 65536 / (5000 * kMegabyte) * 1e6, 1500);
}

TEST(WriteController, SleepersQueueUpSoThatTheRateHoldsForAll) {
  env::ManualClock clock(1000);
  WriteController controller(&clock, {});
  WriteLoad load = QuietLoad();
  load.level0_runs = 20;
  controller.Update(load);
  // Four writers at the same moment: each wakes one quantum's time after the one before.
  std::vector<uint64_t> delays;
  for (int writer = 0; writer < 4; ++writer) {
    delays.push_back(controller.MicrosLeft(controller.Admit(64 << 10).value()));
  }
  for (int writer = 1; writer < 4; ++writer) {
    EXPECT_NEAR(static_cast<double>(delays[static_cast<size_t>(writer)]), 625.0 * (writer + 1), 5);
  }
  // Time without writes does not accumulate for a burst.
  clock.Advance(10'000'000);
  const WriteController::Ticket late = controller.Admit(64 << 10).value();
  EXPECT_NEAR(static_cast<double>(controller.MicrosLeft(late)), 625, 2);
}

// A writer that wants 400 MB/s against a background that compacts 100 MB/s: it settles at the
// background's speed, without stopping, and no second differs much from the next.
TEST(WriteController, SettlesAtTheSpeedOfTheBackgroundWithoutStops) {
  env::ManualClock clock;
  WriteController controller(&clock, {});
  WriteLoad load = QuietLoad();
  double debt = 0;
  uint64_t last_micros = 0;
  std::vector<double> seconds;
  double written_in_second = 0;
  uint64_t longest_delay = 0;
  while (clock.NowMicros() < 400'000'000) {
    longest_delay = std::max(longest_delay, AwaitTurn(&controller, &clock, 4096));
    clock.Advance(10);  // the write itself: 4 KiB in 10 µs
    written_in_second += 4096;
    debt += 4096;
    const uint64_t now = clock.NowMicros();
    debt = std::max(0.0, debt - static_cast<double>(now - last_micros) * 1e-6 * 100 * kMegabyte);
    if (now / 1'000'000 != last_micros / 1'000'000) {
      seconds.push_back(written_in_second / kMegabyte);
      written_in_second = 0;
    }
    last_micros = now;
    load.compaction_debt_bytes = static_cast<uint64_t>(debt);
    controller.Update(load);
  }
  EXPECT_NEAR(seconds.back(), 100, 5);
  for (size_t i = 1; i < seconds.size(); ++i) {
    EXPECT_LT(std::abs(seconds[i] - seconds[i - 1]), 0.2 * seconds[i - 1] + 1) << "second " << i;
  }
  EXPECT_LT(longest_delay, 10'000u);
}

}  // namespace
}  // namespace cambium::engine
