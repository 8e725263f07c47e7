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
using ::testing::HasSubstr;

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

std::string ManualText(const Version& version, const ManualRequest& request,
                       const PolicyOptions& options = SmallOptions()) {
  const auto plan = PickManual(version, options, request);
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

TEST(Policy, FindsNothingToDoInASmallTree) {
  EXPECT_EQ(PickText(Version()), "nothing");
  EXPECT_EQ(PickText(*MakeVersion("add L0 run 3 file 3 size 50 keys \"a\"..\"b\" seqs 1..1")),
            "nothing");
  EXPECT_EQ(PickText(*MakeVersion(Files(6, 1, 20, 100))), "nothing");
}

TEST(Policy, MergesLevel0IntoTheBaseLevelAtTheTrigger) {
  EXPECT_EQ(PickText(*MakeVersion(kFourRuns)), "run count: merge L0 34 L0 33 L0 32 L0 31 -> L6");
  EXPECT_EQ(PickText(*MakeVersion(std::string(kFourRuns) + Files(6, 1, 4, 100) +
                                  "add L6 file 8 size 9 keys \"b\"..\"c\"")),
            "run count: merge L0 34 L0 33 L0 32 L0 31 L6 1 2 3 4 8 -> L6");
}

TEST(Policy, TakesTheBaseLevelForWhatIsInUse) {
  // The last level wants a level 5 above it; level 3 is in use: nothing may jump over it.
  const auto version = MakeVersion(std::string(kFourRuns) + Files(6, 1, 4, 500) +
                                   "add L3 file 9 size 1 keys \"x\"..\"y\"");
  EXPECT_EQ(PickText(*version), "level size: move L3 9 -> L5");
  PolicyOptions eager = SmallOptions();
  eager.level0_trigger = 1;
  const Plan drain = *Pick(*version, eager, {});
  EXPECT_EQ(PickText(*version, eager, {drain}),
            "run count: merge L0 34 L0 33 L0 32 L0 31 -> L3, older 1 2 3 4");
}

TEST(Policy, MovesLevel0WhereItsRunsAreDisjoint) {
  const auto version = MakeVersion(
      "add L0 run 1 file 1 size 50 keys \"a\"..\"b\" seqs 1..1\n"
      "add L0 run 2 file 2 size 50 keys \"c\"..\"d\" seqs 2..2\n"
      "add L0 run 3 file 3 size 50 keys \"e\"..\"f\" seqs 3..3\n"
      "add L0 run 4 file 4 size 50 keys \"g\"..\"h\" seqs 4..4\n"
      "add L6 file 9 size 50 keys \"A\"..\"Z\"\n");
  EXPECT_EQ(PickText(*version), "run count: move L0 4 L0 3 L0 2 L0 1 -> L6");
}

TEST(Policy, RunsNoSecondCompactionOfLevel0) {
  const auto version = MakeVersion(kFourRuns);
  const Plan first = *Pick(*version, SmallOptions(), {});
  const auto later = MakeVersion(
      "add L0 run 41 file 41 size 50 keys \"y\"..\"z\" seqs 41..41\n"
      "add L0 run 42 file 42 size 50 keys \"y\"..\"z\" seqs 42..42\n"
      "add L0 run 43 file 43 size 50 keys \"y\"..\"z\" seqs 43..43\n"
      "add L0 run 44 file 44 size 50 keys \"y\"..\"z\" seqs 44..44\n",
      version);
  EXPECT_EQ(PickText(*later, SmallOptions(), {first}), "nothing");
}

TEST(Policy, TakesTheFileThatOverlapsLeastBelow) {
  // Level 5 may hold 500 of 5,000 below; it holds 600 in three files over 2, 1 and 1 files.
  const std::string below = Files(6, 10, 50, 100);
  const auto version = MakeVersion(below +
                                   "add L5 file 1 size 200 keys \"a00\"..\"a03x\"\n"
                                   "add L5 file 2 size 200 keys \"a20\"..\"a20x\"\n"
                                   "add L5 file 3 size 200 keys \"a30\"..\"a33x\"\n");
  EXPECT_EQ(PickText(*version), "level size: merge L5 2 L6 20 -> L6");
  // While that runs, level 5 is inside its target.
  EXPECT_EQ(PickText(*version, SmallOptions(), {*Pick(*version, SmallOptions(), {})}), "nothing");
}

TEST(Policy, RunsCompactionsSideBySide) {
  const std::string below = Files(6, 10, 50, 100);
  const auto version = MakeVersion(below +
                                   "add L5 file 1 size 600 keys \"a00\"..\"a03x\"\n"
                                   "add L5 file 2 size 600 keys \"a20\"..\"a20x\"\n"
                                   "add L5 file 3 size 600 keys \"a30\"..\"a33x\"\n");
  std::vector<Plan> running;
  std::vector<std::string> picked;
  while (const auto plan = Pick(*version, SmallOptions(), running)) {
    picked.push_back(DebugString(*plan));
    running.push_back(*plan);
  }
  EXPECT_THAT(picked, ::testing::ElementsAre("level size: merge L5 2 L6 20 -> L6",
                                             "level size: merge L5 1 L6 10 11 -> L6",
                                             "level size: merge L5 3 L6 25 26 -> L6"));
}

TEST(Policy, TakesNeighboursAlongThatLieOverTheSameFiles) {
  const auto version = MakeVersion(
      "add L6 file 9 size 5000 keys \"a\"..\"m\"\n"
      "add L5 file 1 size 300 keys \"b\"..\"c\"\n"
      "add L5 file 2 size 300 keys \"d\"..\"e\"\n"
      "add L5 file 3 size 300 keys \"x\"..\"y\"\n");
  PolicyOptions options = SmallOptions();
  options.max_plan_bytes = 10'000;
  const auto busy = Pick(*version, options, {});
  ASSERT_TRUE(busy);
  EXPECT_EQ(DebugString(*busy), "level size: move L5 3 -> L6");
  EXPECT_EQ(PickText(*MakeVersion("delete L5 3", version), options),
            "level size: merge L5 1 2 L6 9 -> L6");
}

TEST(Policy, MovesAFileThatOverlapsNothing) {
  const auto version = MakeVersion(Files(6, 10, 50, 100) +
                                   "add L5 file 1 size 300 keys \"b\"..\"c\" tombstones 0\n"
                                   "add L5 file 2 size 300 keys \"a20\"..\"a21\"\n");
  EXPECT_EQ(PickText(*version), "level size: move L5 1 -> L6");
}

TEST(Policy, MergesWhereAMoveWouldOverlapTooMuchBelow) {
  const auto version = MakeVersion(Files(6, 10, 50, 1000) +  // base level 4
                                   "add L4 file 1 size 501 keys \"a10\"..\"a40\"\n");
  EXPECT_THAT(PickText(*version), HasSubstr("level size: merge L4 1 -> L5, grandparents"));
}

TEST(Policy, MergesWhereAMoveWouldKeepTombstonesThatCanGo) {
  const auto version = MakeVersion(
      "add L5 file 1 size 5 keys \"b\"..\"c\" seqs 1..9 entries 9 tombstones 9\n"
      "add L6 file 9 size 5000 keys \"x\"..\"y\"\n");
  EXPECT_EQ(PickText(*version), "tombstones: merge L5 1 -> L6");
  PolicyOptions options = SmallOptions();
  options.oldest_snapshot = 5;  // the file's newest tombstone must stay
  EXPECT_EQ(PickText(*version, options), "nothing");
}

TEST(Policy, RewritesTombstonesInTheLastLevel) {
  const auto version = MakeVersion(
      "add L6 file 1 size 5 keys \"b\"..\"c\" seqs 1..9 entries 9 tombstones 4\n"
      "add L6 file 2 size 5 keys \"d\"..\"e\" seqs 1..9 entries 9 tombstones 5\n");
  EXPECT_EQ(PickText(*version), "tombstones: merge L6 2 -> L6");
}

TEST(Policy, NamesTheOlderDataBelowTheOutput) {
  // 60,000 in the last level: base level 4.
  const auto version = MakeVersion(std::string(kFourRuns) +
                                   "add L6 file 9 size 60000 keys \"a\"..\"m\"\n"
                                   "add L5 file 8 size 1 keys \"aa\"..\"ab\"\n"
                                   "add L5 file 7 size 1 keys \"c\"..\"d\"\n");
  EXPECT_EQ(PickText(*version),
            "run count: merge L0 34 L0 33 L0 32 L0 31 -> L4, grandparents 8, older 8 9");
}

TEST(Policy, LeavesQuarantinedFilesAlone) {
  const auto version = MakeVersion(
      "add L6 file 9 size 5000 keys \"a\"..\"m\"\n"
      "add L5 file 1 size 300 keys \"b\"..\"c\"\n"
      "add L5 file 2 size 600 keys \"x\"..\"y\"\n"
      "quarantine L6 9 \"bad\"\n");
  EXPECT_EQ(PickText(*version), "level size: move L5 2 -> L6");
  EXPECT_EQ(PickText(*MakeVersion("delete L5 2", version)), "nothing");
}

// What lies over a damaged file and cannot go down is no reason to delay writers, and what lies
// beside it goes down.
TEST(Policy, CountsOnlyWhatADamagedFileLetsPass) {
  const auto version = MakeVersion(
      "add L6 file 9 size 5000 keys \"f\"..\"m\"\n"
      "add L5 file 1 size 3000 keys \"a\"..\"c\"\n"
      "add L5 file 2 size 3000 keys \"g\"..\"h\"\n"
      "quarantine L6 9 \"bad\"\n");
  EXPECT_EQ(PickText(*version), "level size: move L5 1 -> L6");
  EXPECT_GT(DebtBytes(*version, SmallOptions()), 0u);
  const auto stuck = MakeVersion("delete L5 1", version);
  EXPECT_EQ(PickText(*stuck), "nothing");
  EXPECT_EQ(DebtBytes(*stuck, SmallOptions()), 0u);
}

// A small level has small files, so that one of them is a small part of it.
TEST(Policy, FilesAreAsLargeAsTheirLevelAsksFor) {
  PolicyOptions options = SmallOptions();
  options.min_file_size = 100;
  options.target_file_size = 10'000;
  const auto size_of = [&](uint64_t last_level_bytes) {
    const auto version = MakeVersion(Files(6, 100, 50, last_level_bytes / 50) + kFourRuns);
    const auto plan = Pick(*version, options, {});
    return plan ? plan->target_file_size : 0;
  };
  EXPECT_EQ(size_of(500), 100u);        // into level 6, which holds no more
  EXPECT_EQ(size_of(100'000), 100u);    // into level 4 of 1,000
  EXPECT_EQ(size_of(6'400'000), 100u);  // into level 2 of 640
  const auto full = MakeVersion(Files(6, 100, 50, 2000) + Files(5, 1, 10, 2000));
  const auto plan = Pick(*full, options, {});
  ASSERT_TRUE(plan);
  EXPECT_EQ(plan->output_level, 6);
  EXPECT_EQ(plan->target_file_size, 100'000u / 32);
}

TEST(Policy, MergesInsideLevel0WhereNothingMayLeaveIt) {
  const auto version = MakeVersion(std::string(kFourRuns) +
                                   "add L6 file 9 size 500 keys \"a\"..\"m\"\n"
                                   "quarantine L6 9 \"bad\"\n");
  EXPECT_EQ(PickText(*version),
            "run count: merge L0 34 L0 33 L0 32 L0 31 -> L5, grandparents 9, older 9");
  // Level 1 is the last above level 0: what its damaged file blocks stays there.
  const auto first = MakeVersion(std::string(kFourRuns) +
                                 "add L1 file 9 size 500 keys \"a\"..\"m\"\n"
                                 "quarantine L1 9 \"bad\"\n");
  const auto plan = Pick(*first, SmallOptions(), {});
  ASSERT_TRUE(plan);
  EXPECT_EQ(DebugString(*plan),
            "run count: merge L0 34 L0 33 L0 32 L0 31 -> L0, grandparents 9, older 9");
  EXPECT_EQ(plan->output_run, 34u);
  // An old damaged run keeps those above it from leaving.
  const auto damaged = MakeVersion(
      "add L0 run 5 file 5 size 50 keys \"a\"..\"z\" seqs 5..5\nquarantine L0 5 \"bad\"\n",
      MakeVersion(kFourRuns));
  EXPECT_EQ(PickText(*damaged), "run count: merge L0 34 L0 33 L0 32 L0 31 -> L0, older 5");
  // A damaged run above lets the ones below it go.
  const auto above = MakeVersion("quarantine L0 34 \"bad\"", MakeVersion(kFourRuns));
  EXPECT_EQ(PickText(*above), "run count: merge L0 33 L0 32 L0 31 -> L6");
}

// Neither does what lies between two damaged runs leave, nor is it above all of them.
TEST(Policy, MergesInsideLevel0BetweenDamagedRuns) {
  const auto version = MakeVersion(
      "add L0 run 5 file 5 size 50 keys \"a\"..\"z\" seqs 5..5\nquarantine L0 5 \"bad\"\n"
      "add L0 run 40 file 40 size 50 keys \"a\"..\"z\" seqs 90..90\nquarantine L0 40 \"bad\"\n"
      "add L0 run 41 file 41 size 50 keys \"a\"..\"z\" seqs 91..91\n",
      MakeVersion(kFourRuns));
  EXPECT_EQ(PickText(*version), "run count: merge L0 34 L0 33 L0 32 L0 31 -> L0, older 5");
}

// Where Pick() finds nothing, nothing is owed: a writer that waited for it would wait for ever.
TEST(Policy, CountsNoRunsThatDamageKeepsApart) {
  std::string text;
  for (int i = 1; i <= 60; ++i) {
    absl::StrAppend(&text, "add L0 run ", i, " file ", i, " size 300 keys \"a\"..\"b\" seqs ", i,
                    "..", i, "\n",
                    i % 4 == 1 ? absl::StrCat("quarantine L0 ", i, " \"bad\"\n") : "");
  }
  const auto version = MakeVersion(text);
  EXPECT_EQ(PickText(*version), "nothing");
  EXPECT_EQ(MergeableRuns(*version), 3u);
  EXPECT_EQ(DebtBytes(*version, SmallOptions()), 0u);
  EXPECT_EQ(MergeableRuns(*MakeVersion(kFourRuns)), 4u);
}

TEST(Policy, BoundsWhatIsTakenFromLevel0) {
  std::string text;
  for (int i = 1; i <= 20; ++i) {
    absl::StrAppend(&text, "add L0 run ", i, " file ", i, " size 300 keys \"a\"..\"b\" seqs ", i,
                    "..", i, "\n");
  }
  EXPECT_EQ(PickText(*MakeVersion(text)), "run count: merge L0 6 L0 5 L0 4 L0 3 L0 2 L0 1 -> L6");
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

TEST(ManualPolicy, TakesLevel0First) {
  const auto version =
      MakeVersion(std::string(kFourRuns) + "add L6 file 9 size 50 keys \"b\"..\"m\"\n");
  EXPECT_EQ(ManualText(*version, {}), "manual: merge L0 34 L0 33 L0 32 L0 31 L6 9 -> L6");
}

TEST(ManualPolicy, TakesOlderRunsOfLevel0ThatOverlapWhatItTakes) {
  const auto version = MakeVersion(
      "add L0 run 1 file 1 size 50 keys \"x\"..\"z\" seqs 1..1\n"
      "add L0 run 2 file 2 size 50 keys \"m\"..\"y\" seqs 2..2\n"
      "add L0 run 3 file 3 size 50 keys \"a\"..\"n\" seqs 3..3\n"
      "add L0 run 4 file 4 size 50 keys \"x\"..\"z\" seqs 4..4\n");
  ManualRequest request;
  request.range = {"b", "c"};
  EXPECT_EQ(ManualText(*version, request), "manual: merge L0 3 L0 2 L0 1 -> L6");
  request.newest_sequence = 2;  // the request is older than run 3
  EXPECT_EQ(ManualText(*version, request), "nothing");
}

TEST(ManualPolicy, TakesEachLevelDownInPieces) {
  const auto version = MakeVersion(
      "add L4 file 1 size 900 keys \"a\"..\"c\" seqs 5..6\n"
      "add L4 file 2 size 900 keys \"d\"..\"f\" seqs 5..6\n"
      "add L4 file 3 size 900 keys \"m\"..\"n\" seqs 5..6\n"
      "add L5 file 4 size 10 keys \"b\"..\"e\" seqs 3..4\n"
      "add L6 file 5 size 10 keys \"e\"..\"l\" seqs 1..2\n"
      "add L6 file 6 size 10 keys \"x\"..\"y\" seqs 1..2\n");
  ManualRequest request;
  EXPECT_EQ(ManualText(*version, request), "manual: merge L4 1 2 L5 4 L6 5 -> L6");
  request.range = {"m", "n"};
  EXPECT_EQ(ManualText(*version, request), "manual: merge L4 3 -> L6");
  request.range = {"x", std::nullopt};
  EXPECT_EQ(ManualText(*version, request), "manual: merge L6 6 -> L6");
  request.first_new_file = FileNumber{6};  // made since the request began
  EXPECT_EQ(ManualText(*version, request), "nothing");
}

TEST(ManualPolicy, LeavesFilesOfTheLastLevelWithNothingToGiveUp) {
  const auto version = MakeVersion(
      "add L6 file 5 size 10 keys \"a\"..\"b\" seqs 0..0 entries 4\n"
      "add L6 file 6 size 10 keys \"c\"..\"d\" seqs 0..7 entries 4\n"
      "add L6 file 7 size 10 keys \"e\"..\"f\" seqs 0..0 entries 4 tombstones 1\n"
      "add L6 file 8 size 10 keys \"g\"..\"h\" seqs 0..0 entries 4\n");
  EXPECT_EQ(ManualText(*version, {}), "manual: merge L6 6 7 -> L6");
}

// Behind the place that it has come to, nothing concerns it: that came down later.
TEST(ManualPolicy, NeverGoesBack) {
  const auto version = MakeVersion(
      "add L5 file 1 size 10 keys \"a\"..\"c\" seqs 0..0\n"
      "add L5 file 2 size 10 keys \"d\"..\"f\" seqs 0..0\n"
      "add L6 file 5 size 10 keys \"b\"..\"c\" seqs 0..0\n");
  PolicyOptions options = SmallOptions();
  options.max_plan_bytes = 1;
  ManualRequest request;
  const auto step = PickManual(*version, options, request);
  ASSERT_TRUE(step);
  EXPECT_EQ(DebugString(*step), "manual: merge L5 1 L6 5 -> L6");
  request.Advance(*step);
  EXPECT_EQ(ManualText(*version, request, options), "manual: merge L5 2 -> L6");
  request.Advance(*PickManual(*version, options, request));
  EXPECT_EQ(ManualText(*version, request, options), "nothing");
}

TEST(ManualPolicy, GoesAroundQuarantinedFiles) {
  const auto version = MakeVersion(
      "add L5 file 1 size 10 keys \"a\"..\"c\" seqs 5..6\n"
      "add L5 file 2 size 10 keys \"d\"..\"f\" seqs 5..6\n"
      "add L6 file 5 size 10 keys \"b\"..\"c\" seqs 1..2\n"
      "quarantine L6 5 \"bad\"\n");
  EXPECT_EQ(ManualText(*version, {}), "manual: merge L5 2 -> L6");
}

}  // namespace
}  // namespace cambium::compaction
