#include "compaction/plan_maker.h"

#include <algorithm>
#include <cassert>
#include <utility>

namespace cambium::compaction {
namespace {

using manifest::FileRef;
using manifest::KeyBounds;
using manifest::Run;

bool IsQuarantined(const FileRef& file) { return file->quarantined(); }

template <typename Predicate>
bool AnyInput(const Plan& plan, Predicate predicate) {
  return std::any_of(plan.inputs.begin(), plan.inputs.end(), [&](const PlanInput& input) {
    return std::any_of(input.files.begin(), input.files.end(), predicate);
  });
}

KeyBounds RangeOf(const Plan& plan) { return {plan.smallest_key, plan.largest_key}; }

// Returns true if no two of the inputs overlap.
bool InputsAreDisjoint(const Plan& plan, const KeyOrder& order) {
  std::vector<FileRef> files;
  for (const PlanInput& input : plan.inputs) {
    files.insert(files.end(), input.files.begin(), input.files.end());
  }
  std::sort(files.begin(), files.end(), [&order](const FileRef& a, const FileRef& b) {
    return order.Less(a->smallest_key, b->smallest_key);
  });
  const auto meet = [&order](const FileRef& a, const FileRef& b) {
    return !a->EndsBefore(b->smallest_key, order);
  };
  return std::adjacent_find(files.begin(), files.end(), meet) == files.end();
}

}  // namespace

std::optional<Plan> PlanMaker::Make(PlanReason reason, std::vector<PlanInput> chosen,
                                    size_t next_run, int output_level) const {
  assert(!chosen.empty() && output_level >= chosen.back().level && output_level < kLevelCount);
  Plan plan;
  plan.reason = reason;
  plan.output_level = output_level;
  plan.inputs = std::move(chosen);
  for (const PlanInput& input : plan.inputs) GrowRange(input.files, &plan);
  const int level = plan.inputs.back().level;
  plan.output_run = plan.inputs.front().run;
  if (output_level != level) {
    for (size_t i = next_run; i < version_.runs(level).size(); ++i) {
      TakeOverlapping(level, version_.runs(level)[i], &plan);
    }
    for (int between = level + 1; between < output_level; ++between) {
      for (const Run& run : version_.runs(between)) TakeOverlapping(between, run, &plan);
    }
    const std::span<const Run> output_runs = version_.runs(output_level);
    if (!output_runs.empty()) TakeOverlapping(output_level, output_runs.front(), &plan);
    plan.output_run = output_runs.empty() ? kLeveledRun : output_runs.front().id;
  }
  assert(!limits_.order.Less(plan.largest_key, plan.smallest_key));
  if (AnyInput(plan, IsQuarantined)) return std::nullopt;
  DescribeSurroundings(&plan);
  plan.kind = CanMove(plan) ? PlanKind::kTrivialMove : PlanKind::kMerge;
  return plan;
}

std::optional<Plan> PlanMaker::MakeOfOldest(PlanReason reason, int level,
                                            std::span<const FileRef> files,
                                            int output_level) const {
  const std::span<const Run> runs = version_.runs(level);
  assert(!runs.empty() && !files.empty());
  return Make(reason, {{level, runs.back().id, {files.begin(), files.end()}}}, runs.size(),
              output_level);
}

void PlanMaker::TakeOverlapping(int level, const Run& run, Plan* plan) const {
  const auto files = manifest::FilesOverlapping(run, RangeOf(*plan), limits_.order);
  if (files.empty()) return;
  plan->inputs.push_back({level, run.id, {files.begin(), files.end()}});
  GrowRange(files, plan);
}

void PlanMaker::GrowRange(std::span<const FileRef> files, Plan* plan) const {
  assert(!files.empty());
  const bool first = plan->inputs.front().files.front() == files.front();
  if (first || limits_.order.Less(files.front()->smallest_key, plan->smallest_key)) {
    plan->smallest_key = files.front()->smallest_key;
  }
  if (first || limits_.order.Less(plan->largest_key, files.back()->largest_key)) {
    plan->largest_key = files.back()->largest_key;
  }
}

void PlanMaker::DescribeSurroundings(Plan* plan) const {
  plan->target_file_size = limits_.file_bytes[static_cast<size_t>(plan->output_level)];
  plan->max_grandparent_bytes = limits_.max_grandparent_files * plan->target_file_size;
  const KeyBounds range = RangeOf(*plan);
  const int below = plan->output_level + 1;
  if (below < kLevelCount && !version_.runs(below).empty()) {
    const auto files =
        manifest::FilesOverlapping(version_.runs(below).front(), range, limits_.order);
    plan->grandparents.assign(files.begin(), files.end());
  }
  const auto add_older = [&](const Run& run) {
    const auto files = manifest::FilesOverlapping(run, range, limits_.order);
    plan->older_files.insert(plan->older_files.end(), files.begin(), files.end());
  };
  for (const Run& run : version_.runs(plan->output_level)) {
    if (run.id >= plan->output_run) continue;
    const bool taken = std::any_of(plan->inputs.begin(), plan->inputs.end(), [&](const auto& in) {
      return in.level == plan->output_level && in.run == run.id;
    });
    if (!taken) add_older(run);
  }
  for (int level = below; level < kLevelCount; ++level) {
    for (const Run& run : version_.runs(level)) add_older(run);
  }
}

bool PlanMaker::CanMove(const Plan& plan) const {
  if (plan.inputs.back().level == plan.output_level) return false;
  if (plan.reason == PlanReason::kManual && plan.output_level == kLevelCount - 1) return false;
  if (plan.reason == PlanReason::kExpired && plan.Bottommost()) return false;
  const auto may_shrink = [this](const FileRef& file) {
    return file->has_tombstones() && file->smallest_sequence <= limits_.oldest_snapshot;
  };
  if (plan.Bottommost() && AnyInput(plan, may_shrink)) return false;
  // The output over a damaged file must be cut at that file's ends.
  if (std::any_of(plan.grandparents.begin(), plan.grandparents.end(), IsQuarantined)) return false;
  return manifest::TotalBytes(plan.grandparents) <= plan.max_grandparent_bytes &&
         InputsAreDisjoint(plan, limits_.order);
}

}  // namespace cambium::compaction
