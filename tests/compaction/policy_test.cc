// What of the policy is clearer as code; the rest is in policy_data_test.cc.
#include "compaction/policy.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/compaction/plan_text.h"
#include "tests/manifest/manifest_test_util.h"

namespace cambium::compaction {
namespace {

using manifest::MakeVersion;
using manifest::Version;

// Small enough that a tree fits a line or two: levels of 1,000 at most at the base, files of 100.
PolicyOptions SmallOptions() {
  PolicyOptions options;
  options.max_base_bytes = 1000;
  options.target_file_size = 100;
  options.max_plan_bytes = 2000;
  options.max_grandparent_files = 3;
  return options;
}

std::string PickText(const Version& version, const PolicyOptions& options = SmallOptions(),
                     const std::vector<Plan>& running = {}) {
  const auto plan = Pick(version, options, running);
  return plan ? DebugString(*plan) : "nothing";
}

// `count` files of `size` in `level`, numbered from `first`, side by side over "a00".."a99…".
std::string Files(int level, uint64_t first, int count, uint64_t size) {
  std::string text;
  for (int i = 0; i < count; ++i) {
    absl::StrAppend(&text, "add L", level, " file ", first + static_cast<uint64_t>(i), " size ",
                    size, " keys \"a", absl::Dec(i * 100 / count, absl::kZeroPad2), "\"..\"a",
                    absl::Dec((i + 1) * 100 / count - 1, absl::kZeroPad2), "x\" seqs 0..0\n");
  }
  return text;
}

constexpr char kFourRuns[] =
    "add L0 run 31 file 31 size 50 keys \"a\"..\"b\" seqs 31..31\n"
    "add L0 run 32 file 32 size 50 keys \"a\"..\"b\" seqs 32..32\n"
    "add L0 run 33 file 33 size 50 keys \"a\"..\"b\" seqs 33..33\n"
    "add L0 run 34 file 34 size 50 keys \"a\"..\"b\" seqs 34..34\n";

TEST(PickDeathTest, RunningPlanWhoseInputsAreGoneIsABug) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const auto before = MakeVersion("add L5 file 1 size 500 keys \"a\"..\"b\" seqs 5..9");
  const auto after = MakeVersion("add L6 file 1 size 500 keys \"a\"..\"b\" seqs 5..9");
  const std::optional<Plan> plan = Pick(*before, SmallOptions(), {});
  ASSERT_TRUE(plan.has_value());
  // Without asserts nothing is picked: the level counts as empty, not as larger than any other.
  EXPECT_DEBUG_DEATH(EXPECT_EQ(PickText(*after, SmallOptions(), {*plan}), "nothing"), "Holds");
}

TEST(ComputeTargets, FollowsTheSizeOfTheData) {
  const PolicyOptions options = SmallOptions();
  const auto base = [&](const std::string& text) {
    return ComputeTargets(*MakeVersion(text), options).base_level;
  };
  EXPECT_EQ(base(""), 6);
  EXPECT_EQ(base(Files(6, 1, 1, 1000)), 6);
  EXPECT_EQ(base(Files(6, 1, 1, 1001)), 5);
  EXPECT_EQ(base(Files(6, 1, 1, 10'009)), 5);
  EXPECT_EQ(base(Files(6, 1, 1, 10'010)), 4);
  EXPECT_EQ(base(Files(6, 1, 1, uint64_t{1} << 60)), 1);
  const LevelTargets targets = ComputeTargets(*MakeVersion(Files(6, 1, 1, 50'000)), options);
  EXPECT_THAT(targets.bytes, ::testing::ElementsAre(0, 0, 0, 0, 500, 5000, 50'000));
}

TEST(DebtBytes, IsNothingWhereNothingIsDue) {
  EXPECT_EQ(DebtBytes(Version(), SmallOptions()), 0u);
  EXPECT_EQ(DebtBytes(*MakeVersion(Files(6, 1, 50, 100)), SmallOptions()), 0u);
}

TEST(DebtBytes, GrowsWithWhatIsDue) {
  const std::string last = Files(6, 100, 50, 100);
  const uint64_t runs = DebtBytes(*MakeVersion(last + kFourRuns), SmallOptions());
  EXPECT_EQ(runs, 200u);
  const uint64_t level =
      DebtBytes(*MakeVersion(last + "add L5 file 1 size 600 keys \"a\"..\"b\""), SmallOptions());
  EXPECT_GE(level, 100u);   // what is over the target
  EXPECT_LE(level, 1100u);  // … and a merge with ten times as much
}

}  // namespace
}  // namespace cambium::compaction
