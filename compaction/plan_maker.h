// PlanMaker: from chosen files to a plan that is safe to carry out. A policy says which files are
// worth a compaction, and where to; what must come along, and what must be known of the data around
// them, is the same whatever the policy, and is decided here.
//
// Safe means: no key's newer version ends up below an older one. So whatever overlaps the chosen
// files in runs older than theirs comes along, down to the output level.
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

// The id of the one run of each level below level 0: older than any other could be.
inline constexpr uint64_t kLeveledRun = 0;

// What holds for every plan. Plain data.
struct PlanLimits {
  KeyOrder order{BytewiseComparator()};
  // The oldest sequence number that a reader may still ask for: tombstones newer than it cannot go.
  SequenceNumber oldest_snapshot = kMaxSequenceNumber;
  // Bytes at which an output file of each level ends.
  std::array<uint64_t, kLevelCount> file_bytes{};
  // An output file may overlap this many times its own size of the level below.
  uint64_t max_grandparent_files = 10;
};

// Thread-compatible; the version must outlive it.
class PlanMaker {
 public:
  PlanMaker(const manifest::Version& version, const PlanLimits& limits)
      : version_(version), limits_(limits) {}

  // The plan that takes `chosen`, newest first, to `output_level`. `next_run` is the index, in the
  // level of the last of them, of the first run that is older than all of them. Returns nullopt if
  // a quarantined file is in the way.
  std::optional<Plan> Make(PlanReason reason, std::vector<PlanInput> chosen, size_t next_run,
                           int output_level) const;
  // The same of neighbouring files of the oldest run of `level`.
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
