#include "compaction/plan.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "compaction/policy.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/compaction/plan_text.h"
#include "tests/manifest/manifest_test_util.h"

namespace cambium::compaction {
namespace {

using manifest::Bytewise;
using manifest::FileMetadata;
using manifest::FileRef;
using ::testing::ElementsAre;

FileRef File(uint64_t number, std::string smallest, std::string largest, uint64_t size = 100) {
  auto file = std::make_shared<FileMetadata>();
  file->number = file->physical_number = FileNumber{number};
  file->smallest_key = std::move(smallest);
  file->largest_key = std::move(largest);
  file->file_size = size;
  file->entries = size;
  return file;
}

// A plan over `inputs` with the range of their keys.
Plan PlanOf(std::vector<PlanInput> inputs, int output_level) {
  Plan plan;
  plan.output_level = output_level;
  plan.smallest_key = "~";
  for (const PlanInput& input : inputs) {
    for (const FileRef& file : input.files) {
      plan.smallest_key = std::min(plan.smallest_key, file->smallest_key);
      plan.largest_key = std::max(plan.largest_key, file->largest_key);
    }
  }
  plan.inputs = std::move(inputs);
  return plan;
}

std::string Text(const std::vector<KeyRange>& ranges) {
  std::string text;
  for (const KeyRange& range : ranges) {
    absl::StrAppend(&text, "[", range.begin.value_or(""), ",", range.end.value_or(""), ")");
  }
  return text;
}

TEST(Plan, CountsItsInputs) {
  const Plan plan = PlanOf(
      {{4, 0, {File(7, "d", "f", 10)}}, {5, 0, {File(3, "c", "d", 20), File(4, "e", "g", 30)}}}, 5);
  EXPECT_EQ(plan.InputBytes(), 60u);
  EXPECT_EQ(DebugString(plan), "run count: merge L4 7 L5 3 4 -> L5");
}

TEST(Plan, ConflictsWhereAFileIsShared) {
  const Plan a = PlanOf({{4, 0, {File(7, "d", "f")}}}, 5);
  const Plan b = PlanOf({{4, 0, {File(7, "d", "f")}}}, 6);
  EXPECT_TRUE(Conflicts(a, b, Bytewise()));
  EXPECT_TRUE(Conflicts(b, a, Bytewise()));
}

TEST(Plan, ConflictsWhereBothWriteOneRangeOfALevel) {
  const Plan a = PlanOf({{4, 0, {File(7, "d", "f")}}}, 5);
  const Plan overlapping = PlanOf({{0, 9, {File(8, "f", "k")}}}, 5);
  const Plan beside = PlanOf({{0, 9, {File(8, "g", "k")}}}, 5);
  const Plan below = PlanOf({{5, 0, {File(8, "f", "k")}}}, 6);
  EXPECT_TRUE(Conflicts(a, overlapping, Bytewise()));
  EXPECT_TRUE(Conflicts(overlapping, a, Bytewise()));
  EXPECT_FALSE(Conflicts(a, beside, Bytewise()));
  EXPECT_FALSE(Conflicts(a, below, Bytewise()));
  EXPECT_FALSE(ConflictsWithAny(beside, {&a, 1}, Bytewise()));
  EXPECT_TRUE(ConflictsWithAny(overlapping, {&a, 1}, Bytewise()));
}

TEST(Plan, ConflictsWhereNewerDataWouldLandBelowOlder) {
  const Plan older = PlanOf({{4, 0, {File(7, "d", "f")}}}, 5);
  const Plan jumper = PlanOf({{3, 0, {File(8, "e", "k")}}}, 6);
  EXPECT_TRUE(Conflicts(older, jumper, Bytewise()));
  EXPECT_TRUE(Conflicts(jumper, older, Bytewise()));
  // What is newer than the jumper may be written above where it lands.
  const Plan newer = PlanOf({{0, 9, {File(9, "e", "k")}}}, 4);
  EXPECT_FALSE(Conflicts(newer, jumper, Bytewise()));
}

TEST(Plan, BecomesAnEdit) {
  Plan plan = PlanOf({{0, 9, {File(9, "a", "c")}}, {5, 0, {File(4, "b", "d")}}}, 5);
  const FileRef output = File(12, "a", "d");
  manifest::VersionEdit merge;
  AppendToEdit(plan, {&output, 1}, &merge.Family(0));
  EXPECT_EQ(DebugString(merge),
            "family 0\n"
            "  delete L0 9\n"
            "  delete L5 4\n"
            "  add L5 run 0 file 12 size 100 keys \"a\"..\"d\" seqs 0..0 entries 100\n");
  plan.kind = PlanKind::kTrivialMove;
  plan.inputs.pop_back();
  manifest::VersionEdit move;
  AppendToEdit(plan, {}, &move.Family(0));
  EXPECT_EQ(DebugString(move),
            "family 0\n"
            "  delete L0 9\n"
            "  add L5 run 0 file 9 size 100 keys \"a\"..\"c\" seqs 0..0 entries 100\n");
}

TEST(SplitPlan, CutsIntoPartsOfAboutTheSameBytes) {
  std::vector<FileRef> below;
  for (char c = 'a'; c < 'q'; ++c) below.push_back(File(c, std::string(1, c), std::string(2, c)));
  const Plan plan = PlanOf({{0, 9, {File(1, "a", "q", 1600)}}, {5, 0, below}}, 5);
  EXPECT_EQ(Text(SplitPlan(plan, 4, Bytewise())), "[,e)[e,i)[i,m)[m,)");
  EXPECT_EQ(Text(SplitPlan(plan, 2, Bytewise())), "[,i)[i,)");
  EXPECT_EQ(Text(SplitPlan(plan, 1, Bytewise())), "[,)");
  EXPECT_EQ(Text(SplitPlan(plan, 0, Bytewise())), "[,)");
}

TEST(SplitPlan, LeavesOnePartWhereThereIsNowhereToCut) {
  const Plan plan = PlanOf({{0, 9, {File(1, "a", "z")}}, {0, 8, {File(2, "a", "z")}}}, 5);
  EXPECT_EQ(Text(SplitPlan(plan, 4, Bytewise())), "[,)");
}

TEST(SplitPlan, CutsAtGrandparentsToo) {
  Plan plan = PlanOf({{0, 9, {File(1, "b", "z")}}}, 5);
  plan.grandparents = {File(2, "a", "c"), File(3, "m", "n"), File(4, "p", "z")};
  EXPECT_EQ(Text(SplitPlan(plan, 2, Bytewise())), "[,p)[p,)");
}

TEST(OlderData, AnswersForAscendingKeys) {
  const std::vector<FileRef> files = {File(1, "m", "p"), File(2, "c", "e"), File(3, "d", "g"),
                                      File(4, "d", "d")};
  OlderData older(files, Bytewise());
  const std::vector<std::pair<const char*, bool>> kExpected = {
      {"", true},   {"bz", true}, {"c", false}, {"c", false}, {"f", false}, {"g", false},
      {"ga", true}, {"lz", true}, {"m", false}, {"p", false}, {"pa", true}, {"z", true}};
  for (const auto& [key, absent] : kExpected) EXPECT_EQ(older.Absent(key), absent) << key;
}

TEST(OlderData, KeepsRangesThatDoNotMeet) {
  const std::vector<FileRef> files = {File(1, "a", "b"), File(2, "d", "e"), File(3, "g", "h")};
  OlderData older(files, Bytewise());
  for (const char* key : {"a", "b", "d", "e", "g", "h"}) EXPECT_FALSE(older.Absent(key)) << key;
}

TEST(OlderData, IsAbsentEverywhereWithoutFiles) {
  OlderData older({}, Bytewise());
  EXPECT_TRUE(older.Absent(""));
  EXPECT_TRUE(older.Absent("z"));
}

}  // namespace
}  // namespace cambium::compaction
