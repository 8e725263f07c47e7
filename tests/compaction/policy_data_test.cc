// The policy, case by case: testdata/ says which trees, and what is picked.
//
//   tree           its input is the tree: lines of a version edit, and "files L6 from 10 count 50
//                  size 100", that many side by side over "a00".."a99x"
//   change         the input is applied to the tree
//   pick           prints the plan that Pick() finds beside those that run
//   run            the same, and it runs from now on; `all` until there is none
//   stop           nothing runs any more
//   manual         prints what PickManual() finds; `advance` says that it has been carried out
//   expires        prints NextExpiry()
//   targets, debt  print ComputeTargets(), DebtBytes() and MergeableRuns()
//
// Arguments override the small options below by their names.
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "compaction/policy.h"
#include "tests/compaction/plan_text.h"
#include "tests/manifest/manifest_test_util.h"
#include "tests/support/data_driven.h"

namespace cambium::compaction {
namespace {

using test::DataCommand;

// Levels of 1,000 at most at the base, files of 100: so that a tree fits a line or two.
PolicyOptions OptionsOf(const DataCommand& command) {
  PolicyOptions options;
  options.level0_trigger = static_cast<int>(command.Number("level0_trigger", 4));
  options.max_base_bytes = command.Number("max_base_bytes", 1000);
  options.min_file_size = command.Number("min_file_size", 100);
  options.target_file_size = command.Number("target_file_size", 100);
  options.max_plan_bytes = command.Number("max_plan_bytes", 2000);
  options.max_grandparent_files = command.Number("max_grandparent_files", 3);
  options.oldest_snapshot = command.Number("oldest_snapshot", kMaxSequenceNumber);
  options.now_micros = command.Number("now_micros", 0);
  return options;
}

// Puts single files in the place of the "files" lines.
std::string Expand(const DataCommand& command) {
  std::string text;
  const std::vector<std::string> lines = absl::StrSplit(command.input, '\n', absl::SkipEmpty());
  for (const std::string& line : lines) {
    int level = 0, first = 0, count = 0, size = 0;
    if (std::sscanf(line.c_str(), "files L%d from %d count %d size %d", &level, &first, &count,
                    &size) != 4) {
      absl::StrAppend(&text, line, "\n");
      continue;
    }
    for (int i = 0; i < count; ++i) {
      absl::StrAppendFormat(&text, "add L%d file %d size %d keys \"a%02d\"..\"a%02dx\" seqs 0..0\n",
                            level, first + i, size, i * 100 / count, (i + 1) * 100 / count - 1);
    }
  }
  return text;
}

// What a data file works on. Confined to one test.
class PolicyWorld {
 public:
  std::string Run(const DataCommand& command) {
    if (command.name == "tree") return Change(command, nullptr);
    if (command.name == "change") return Change(command, version_);
    if (command.name == "pick") return Describe(Pick(*version_, OptionsOf(command), running_));
    if (command.name == "run") return RunPlans(command);
    if (command.name == "stop") return running_.clear(), "";
    if (command.name == "manual") return Manual(command);
    if (command.name == "targets") return Targets(command);
    if (command.name == "expires") {
      const uint64_t next = NextExpiry(*version_, OptionsOf(command));
      return next == UINT64_MAX ? "never" : absl::StrCat(next);
    }
    if (command.name == "debt") {
      return absl::StrCat("bytes ", DebtBytes(*version_, OptionsOf(command)), " runs ",
                          MergeableRuns(*version_));
    }
    ADD_FAILURE() << command.where << ": no command " << command.name;
    return "";
  }

 private:
  std::string Change(const DataCommand& command, std::shared_ptr<const manifest::Version> base) {
    const auto version = manifest::TryVersion(Expand(command), std::move(base));
    if (!version.ok()) return std::string(version.status().message());
    version_ = *version;
    manual_ = ManualRequest();
    return absl::StrCat("files ", manifest::CountFiles(*version_));
  }
  std::string RunPlans(const DataCommand& command) {
    std::string text;
    for (;;) {
      std::optional<Plan> plan = Pick(*version_, OptionsOf(command), running_);
      absl::StrAppend(&text, Describe(plan), "\n");
      if (!plan.has_value()) return text;
      running_.push_back(*std::move(plan));
      if (command.arguments.count("all") == 0) return text;
    }
  }
  std::string Manual(const DataCommand& command) {
    manual_.range.begin = manual_.range.end = std::nullopt;
    if (command.arguments.count("begin") != 0) manual_.range.begin = command.Text("begin", "");
    if (command.arguments.count("end") != 0) manual_.range.end = command.Text("end", "");
    manual_.newest_sequence = command.Number("newest_sequence", kMaxSequenceNumber);
    manual_.first_new_file = FileNumber{command.Number("first_new_file", UINT64_MAX)};
    const std::optional<Plan> plan = PickManual(*version_, OptionsOf(command), manual_);
    if (plan.has_value() && command.arguments.count("advance") != 0) manual_.Advance(*plan);
    return Describe(plan);
  }
  std::string Targets(const DataCommand& command) const {
    const LevelTargets targets = ComputeTargets(*version_, OptionsOf(command));
    std::string text = absl::StrCat("base L", targets.base_level);
    for (const uint64_t bytes : targets.bytes) absl::StrAppend(&text, " ", bytes);
    return text;
  }
  static std::string Describe(const std::optional<Plan>& plan) {
    if (!plan.has_value()) return "nothing";
    return absl::StrCat(DebugString(*plan), ", files of ", plan->target_file_size,
                        plan->output_level == 0 ? absl::StrCat(", run ", plan->output_run) : "");
  }

  std::shared_ptr<const manifest::Version> version_ = std::make_shared<const manifest::Version>();
  std::vector<Plan> running_;
  ManualRequest manual_;
};

TEST(PolicyData, PicksWhatTheFilesSay) {
  for (const std::string& path : test::DataFiles(CAMBIUM_TESTDATA)) {
    PolicyWorld world;
    test::RunDataFile(path, [&world](const DataCommand& command) { return world.Run(command); });
  }
}

}  // namespace
}  // namespace cambium::compaction
