#include "compaction/plan_maker.h"

#include <algorithm>
#include <utility>

namespace cambium::compaction {
namespace {

using manifest::FileRef;
using manifest::Run;

bool HasQuarantined(const Plan& plan) {
  for (const PlanInput& input : plan.inputs) {
    for (const FileRef& file : input.files) {
      if (file->quarantined()) return true;
    }
  }
  return false;
}

uint64_t BytesOf(std::span<const FileRef> files) {
  uint64_t bytes = 0;
  for (const FileRef& file : files) bytes += file->file_size;
  return bytes;
}

manifest::KeyBounds RangeOf(const Plan& plan) { return {plan.smallest_key, plan.largest_key}; }

// Whether no two of the inputs overlap.
bool InputsAreDisjoint(const Plan& plan, const KeyOrder& order) {
  std::vector<FileRef> files;
  for (const PlanInput& input : plan.inputs) {
    files.insert(files.end(), input.files.begin(), input.files.end());
  }
  std::sort(files.begin(), files.end(), [&order](const FileRef& a, const FileRef& b) {
    return order.Less(a->smallest_key, b->smallest_key);
  });
  const auto meet = [&order](const FileRef& a, const FileRef& b) {
    return !order.Less(a->largest_key, b->smallest_key);
  };
  return std::adjacent_find(files.begin(), files.end(), meet) == files.end();
}

}  // namespace

int PlanMaker::NextLevel(int level, int base_level, std::span<const Plan> running) const {
  const auto in_use = [&](int candidate) {
    return candidate >= base_level || !version_.runs(candidate).empty() ||
           std::any_of(running.begin(), running.end(),
                       [&](const Plan& plan) { return plan.output_level == candidate; });
  };
  int next = level + 1;
  while (next < kLevelCount - 1 && !in_use(next)) ++next;
  return next;
}

std::optional<Plan> PlanMaker::Make(PlanReason reason, std::vector<PlanInput> chosen,
                                    size_t next_run, int output_level) const {
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
  if (HasQuarantined(plan)) return std::nullopt;
  DescribeSurroundings(&plan);
  plan.kind = CanMove(plan) ? PlanKind::kTrivialMove : PlanKind::kMerge;
  return plan;
}

void PlanMaker::TakeOverlapping(int level, const Run& run, Plan* plan) const {
  const auto files = manifest::FilesOverlapping(run, RangeOf(*plan), options_.order);
  if (files.empty()) return;
  plan->inputs.push_back({level, run.id, {files.begin(), files.end()}});
  GrowRange(files, plan);
}

void PlanMaker::GrowRange(std::span<const FileRef> files, Plan* plan) const {
  const bool first = plan->inputs.front().files.front() == files.front();
  if (first || options_.order.Less(files.front()->smallest_key, plan->smallest_key)) {
    plan->smallest_key = files.front()->smallest_key;
  }
  if (first || options_.order.Less(plan->largest_key, files.back()->largest_key)) {
    plan->largest_key = files.back()->largest_key;
  }
}

void PlanMaker::DescribeSurroundings(Plan* plan) const {
  plan->target_file_size = options_.target_file_size;
  plan->max_grandparent_bytes = options_.max_grandparent_files * options_.target_file_size;
  const manifest::KeyBounds range = RangeOf(*plan);
  const int below = plan->output_level + 1;
  if (below < kLevelCount && !version_.runs(below).empty()) {
    const auto files =
        manifest::FilesOverlapping(version_.runs(below).front(), range, options_.order);
    plan->grandparents.assign(files.begin(), files.end());
  }
  for (const Run& run : version_.runs(plan->output_level)) {
    if (run.id >= plan->output_run) continue;
    const bool taken = std::any_of(plan->inputs.begin(), plan->inputs.end(), [&](const auto& in) {
      return in.level == plan->output_level && in.run == run.id;
    });
    if (taken) continue;
    const auto files = manifest::FilesOverlapping(run, range, options_.order);
    plan->older_files.insert(plan->older_files.end(), files.begin(), files.end());
  }
  for (int level = below; level < kLevelCount; ++level) {
    const auto files = version_.FilesOverlapping(level, range, options_.order);
    plan->older_files.insert(plan->older_files.end(), files.begin(), files.end());
  }
}

bool PlanMaker::CanMove(const Plan& plan) const {
  if (plan.inputs.back().level == plan.output_level) return false;
  if (plan.reason == PlanReason::kManual && plan.output_level == kLevelCount - 1) return false;
  return BytesOf(plan.grandparents) <= plan.max_grandparent_bytes && !MayDropTombstones(plan) &&
         InputsAreDisjoint(plan, options_.order);
}

bool PlanMaker::MayDropTombstones(const Plan& plan) const {
  if (!plan.Bottommost()) return false;
  for (const PlanInput& input : plan.inputs) {
    for (const FileRef& file : input.files) {
      if (file->tombstones > 0 && file->smallest_sequence <= options_.oldest_snapshot) return true;
    }
  }
  return false;
}

}  // namespace cambium::compaction
