// SystemClock and ManualClock.
#include "env/clock.h"

#include <ctime>

#include "env/testing/manual_clock.h"
#include "tests/env/env_test_util.h"

namespace cambium::env {
namespace {

TEST(SystemClock, NeverGoesBackAndSleepsLongEnough) {
  SystemClock clock;
  uint64_t before = clock.NowMicros();
  for (int i = 0; i < 1'000; ++i) {
    const uint64_t now = clock.NowMicros();
    ASSERT_GE(now, before);
    before = now;
  }
  clock.SleepMicros(20'000);
  EXPECT_GE(clock.NowMicros(), before + 20'000);
}

TEST(SystemClock, WallIsTheTimeOfDay) {
  const auto now = static_cast<uint64_t>(std::time(nullptr));
  const uint64_t wall = SystemClock().WallMicros() / 1'000'000;
  EXPECT_GE(wall + 1, now);
  EXPECT_LE(wall, now + 10);
}

TEST(SystemClock, DefaultIsOneForTheProcess) {
  EXPECT_NE(DefaultClock(), nullptr);
  EXPECT_EQ(DefaultClock(), DefaultClock());
}

TEST(ManualClock, MovesOnlyWhenMoved) {
  ManualClock clock(1'500'000, 100'000'000);
  EXPECT_EQ(clock.NowMicros(), 1'500'000u);
  EXPECT_EQ(clock.NowMicros(), 1'500'000u);
  EXPECT_EQ(clock.WallMicros(), 100'000'000u);
  clock.Advance(400'000);
  EXPECT_EQ(clock.WallMicros(), 100'400'000u);
  clock.SleepMicros(100'000);
  EXPECT_EQ(clock.NowMicros(), 2'000'000u);
  EXPECT_EQ(clock.WallMicros(), 100'500'000u);
  clock.JumpWall(-500'000);
  EXPECT_EQ(clock.NowMicros(), 2'000'000u);
  EXPECT_EQ(clock.WallMicros(), 100'000'000u);
}

}  // namespace
}  // namespace cambium::env
