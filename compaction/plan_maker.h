// PlanMaker: from chosen files to a plan that is right.
//
// The policy chooses what to compact; here stands what must come along, so that no key's newer
// version ends up below an older one: whatever overlaps the chosen files, in runs older than
// theirs, down to the output level; and what a plan must know of the data around it.
#ifndef CAMBIUM_COMPACTION_PLAN_MAKER_H_
#define CAMBIUM_COMPACTION_PLAN_MAKER_H_

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include "compaction/plan.h"
#include "compaction/policy.h"
#include "manifest/version.h"

namespace cambium::compaction {

// Thread-compatible; the version and the options must outlive it.
class PlanMaker {
 public:
  PlanMaker(const manifest::Version& version, const PolicyOptions& options)
      : version_(version), options_(options) {}

  // Where data of `level` goes next: the first level below it that is in use, holds files, or is
  // about to get some from a running plan. Requires level < kLevelCount - 1.
  int NextLevel(int level, int base_level, std::span<const Plan> running) const;

  // The plan that takes `chosen`, newest first, to `output_level`. `next_run` is the index, in the
  // level of the last of them, of the first run that is older than all of them. nullopt where a
  // quarantined file stands in the way.
  std::optional<Plan> Make(PlanReason reason, std::vector<PlanInput> chosen, size_t next_run,
                           int output_level) const;
  // The same of neighbouring files of the oldest run of `level`.
  std::optional<Plan> MakeOfOldest(PlanReason reason, int level,
                                   std::span<const manifest::FileRef> files,
                                   int output_level) const;

 private:
  void TakeOverlapping(int level, const manifest::Run& run, Plan* plan) const;
  void GrowRange(std::span<const manifest::FileRef> files, Plan* plan) const;
  void DescribeSurroundings(Plan* plan) const;
  bool CanMove(const Plan& plan) const;

  const manifest::Version& version_;
  const PolicyOptions& options_;
};

}  // namespace cambium::compaction

#endif  // CAMBIUM_COMPACTION_PLAN_MAKER_H_
