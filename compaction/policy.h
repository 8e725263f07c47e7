// Policy: which compaction is due. Pure functions of what the tree is and what runs already: no
// lock, no file, no clock, so that a simulator runs weeks of it in a second (policy_sim_test.cc).
//
// Version 1 is leveled, with one run in every level but level 0, and a base level that follows the
// size of the data: the last level holds most of it, each level above a tenth of the one below, and
// those that would be smaller than a tenth of max_base_bytes stay empty. Level 0 is merged into the
// topmost level in use, the base level.
//
//   last level holds   200 MiB      3 GiB              30 GiB            (max_base_bytes 512 MiB)
//   L0                 flushed      flushed            flushed
//   L4                                                 base ≤ 307 MiB
//   L5                              base ≤ 307 MiB     ≤ 3 GiB
//   L6                 base         3 GiB              30 GiB
//
// A level's score is its bytes, without those that a running plan takes away, over its target; a
// level above the base level (the data shrank) has target 0 and is emptied. Pick() takes the
// highest score >= 1 for which there is a plan that conflicts with none that runs. Of a level's
// files it takes the one that overlaps the fewest bytes below for each of its own; a file that
// overlaps none is moved. Level 0 is taken whole, but for what a quarantined file blocks.
//
// A quarantined file stays where it is, and so does what lies above it and overlaps it. Where that
// would be level 0, its runs go to the level above the damaged file instead. There the output is
// cut at both ends of that file, so that from then on only what really overlaps it stays:
//
//   L0   [a…………………z]          L0                               L0
//   L5                   ──▶  L5   [a…e] [f…k] [l…z]     ──▶   L5         [f…k]
//   L6   [a…d] [f##k] [m…z]   L6   [a…d] [f##k] [m…z]          L6   [a…e] [f##k] [l…z]
//
// Such a level counts only what can leave it. Where nothing may leave level 0 (a file of level 0 is
// damaged, or one of level 1), runs of it that lie side by side are merged into one.
//
// The alternative that lost for now: several runs in upper levels (fluid lazy leveling) writes
// fewer bytes; the format and the plan allow it, the policy comes later.
#ifndef CAMBIUM_COMPACTION_POLICY_H_
#define CAMBIUM_COMPACTION_POLICY_H_

#include <array>
#include <cstdint>
#include <optional>
#include <span>

#include "base/keys.h"
#include "base/limits.h"
#include "compaction/plan.h"
#include "compaction/plan_maker.h"
#include "manifest/version.h"

namespace cambium::compaction {

// Plain data.
struct PolicyOptions {
  KeyOrder order{BytewiseComparator()};
  // Runs of level 0 at which they are merged into the base level.
  int level0_trigger = 4;
  // The base level's target is between a tenth of this and this. It follows from the size of a
  // flushed run: the merges into a base level of a fixed size would write the more, the smaller the
  // runs are. In the simulator eight runs write least.
  uint64_t max_base_bytes = uint64_t{512} << 20;
  // Target of a level over the target of the level above it.
  uint64_t level_multiplier = 10;
  // Output files are between these two: small in small levels, so that one of them is a small part
  // of its level, and large in large ones.
  uint64_t min_file_size = uint64_t{64} << 20;
  uint64_t target_file_size = uint64_t{64} << 20;
  // Bytes of inputs from which on a plan takes no file along that it can do without.
  uint64_t max_plan_bytes = uint64_t{1600} << 20;
  // An output file may overlap this many times its own size of the level below.
  uint64_t max_grandparent_files = 10;
  // Tombstones in a hundred entries from which on a file is worth a compaction for them alone.
  int tombstone_percent = 50;
  // The oldest sequence number that a reader may still ask for: tombstones newer than it cannot go.
  SequenceNumber oldest_snapshot = kMaxSequenceNumber;
};

// What each level may hold. Plain data.
struct LevelTargets {
  int base_level = kLevelCount - 1;
  std::array<uint64_t, kLevelCount> bytes{};  // of level 0 and of levels above the base level: 0
};
LevelTargets ComputeTargets(const manifest::Version& version, const PolicyOptions& options);

// The compaction to run next beside `running`, or nullopt. Requires: `version` holds every input of
// every running plan.
std::optional<Plan> Pick(const manifest::Version& version, const PolicyOptions& options,
                         std::span<const Plan> running);

// What CompactRange asks for. Plain data.
struct ManualRequest {
  KeyRange range;
  // As they were when the request began, so that it ends while others write: entries with greater
  // sequence numbers need not move, and a file of the last level with a number from first_new_file
  // on was merged since.
  SequenceNumber newest_sequence = kMaxSequenceNumber;
  FileNumber first_new_file{UINT64_MAX};
  // How far it has come: levels 1 … level - 1 are done, and of `level` all up to `done_key`. What
  // arrives there later is newer than the request, as levels are done from the top.
  int level = 1;
  std::optional<std::string> done_key;

  // A step that PickManual() returned has been carried out.
  void Advance(const Plan& step);
};

// The next step of merging everything inside the request's range into the last level; nullopt when
// there is none left. First level 0 goes to the base level; then the levels below it go to the last
// one, in pieces of about max_plan_bytes; then files of the last level that may have something to
// give up are rewritten. The plan does not look at what runs: the caller waits until it conflicts
// with no running plan, and asks again then, since the tree has changed. It ends however much is
// written and compacted meanwhile. What a quarantined file blocks is left out.
std::optional<Plan> PickManual(const manifest::Version& version, const PolicyOptions& options,
                               const ManualRequest& request);

// The most runs of level 0 that one merge could take: neighbours of which none is damaged. Without
// damage, all. What quarantined files keep apart does not count: no compaction makes it fewer.
size_t MergeableRuns(const manifest::Version& version);

// Bytes that compactions would have to write until Pick() finds nothing, about.
uint64_t DebtBytes(const manifest::Version& version, const PolicyOptions& options);

}  // namespace cambium::compaction

#endif  // CAMBIUM_COMPACTION_POLICY_H_
