// PlanMaker: makes a safe plan from chosen files. A policy chooses files to compact and the output
// level. The other files that must be included, and the facts about the data around them, are the
// same for every policy and are determined here.
//
// Safe means: no newer version of a key moves below an older one. Therefore all files that overlap
// the chosen files in older runs are included, down to the output level.
#ifndef CAMBIUM_COMPACTION_PLAN_MAKER_H_
#define CAMBIUM_COMPACTION_PLAN_MAKER_H_

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/keys.h"
#include "base/limits.h"
#include "compaction/plan.h"
#include "manifest/version.h"

namespace cambium::compaction {

// The id of the one run of each level below level 0: lower than the id of any other run.
inline constexpr uint64_t kLeveledRun = 0;

// Limits for every plan. Plain data.
struct PlanLimits {
  KeyOrder order{BytewiseComparator()};
  // The oldest sequence number that a reader may still use: newer tombstones cannot be dropped.
  SequenceNumber oldest_snapshot = kMaxSequenceNumber;
  // Target size of output files, per level.
  std::array<uint64_t, kLevelCount> file_bytes{};
  // The overlap of an output file with the level below, as a multiple of its size.
  uint64_t max_grandparent_files = 10;
};

// Thread-compatible; the version must outlive it.
class PlanMaker {
 public:
  PlanMaker(const manifest::Version& version, const PlanLimits& limits)
      : version_(version), limits_(limits) {}

  // Returns the plan that moves `chosen`, newest first, to `output_level`. `next_run` is the index,
  // in the level of the last of them, of the first run that is older than all of them. Returns
  // nullopt if a quarantined file is in the way.
  std::optional<Plan> Make(PlanReason reason, std::vector<PlanInput> chosen, size_t next_run,
                           int output_level) const;
  // Does the same for adjacent files of the oldest run of `level`.
  std::optional<Plan> MakeOfOldest(PlanReason reason, int level,
                                   std::span<const manifest::FileRef> files,
                                   int output_level) const;

 private:
  // Adds the files of `run` that overlap the plan's range to its inputs.
  void TakeOverlapping(int level, const manifest::Run& run, Plan* plan) const;
  void GrowRange(std::span<const manifest::FileRef> files, Plan* plan) const;
  void DescribeSurroundings(Plan* plan) const;
  bool CanMove(const Plan& plan) const;

  const manifest::Version& version_;
  const PlanLimits limits_;
};

}  // namespace cambium::compaction

#endif  // CAMBIUM_COMPACTION_PLAN_MAKER_H_
