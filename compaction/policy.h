// Policy: selects the next compaction. Pure functions of the tree and the running plans, without
// locks, files, or a clock, so a simulator runs weeks of it in a second (policy_sim_test.cc).
//
// Version 1 is leveled compaction, with one run in every level except level 0, and a base level
// that depends on the size of the data: the last level contains most of it, each level a tenth of
// the level below, and levels that would be smaller than a tenth of max_base_bytes stay empty.
// Level 0 is merged into the topmost level in use, the base level.
//
// A file without visible entries, because each is a tombstone or has expired, is dropped unread if
// no older file overlaps it: one that hides older data must not go before that data does. If the
// data of whole levels has expired, the files go from the lowest level up. A file that consists
// mostly of expired values is compacted like one that consists mostly of tombstones. What has
// expired is only known for the whole file, once its last value has; if that takes more than a day
// longer than its first, the values in between are taken as evenly spread.
//
//   last level size    200 MiB      3 GiB              30 GiB            (max_base_bytes 512 MiB)
//   L0                 flushed      flushed            flushed
//   L4                                                 base ≤ 307 MiB
//   L5                              base ≤ 307 MiB     ≤ 3 GiB
//   L6                 base         3 GiB              30 GiB
//
// A level's score is its bytes, without those that a running plan removes, divided by its target; a
// level above the base level (after the data has shrunk) has target 0 and is emptied. Pick() takes
// the highest score >= 1 for which there is a plan without conflicts with running plans. Of a
// level's files it takes the one with the smallest ratio of overlapped bytes below to its own
// bytes; a file without overlap is moved. Level 0 is taken as a whole, except runs that a
// quarantined file blocks.
//
// A quarantined file stays in place, and so do the files above it that overlap it. If those would
// be in level 0, its runs go to the level above the damaged file instead. There the output is cut
// at both ends of that file, so that afterwards only files that overlap it stay:
//
//   L0   [a…………………z]          L0                               L0
//   L5                   ──▶  L5   [a…e] [f…k] [l…z]     ──▶   L5         [f…k]
//   L6   [a…d] [f##k] [m…z]   L6   [a…d] [f##k] [m…z]          L6   [a…e] [f##k] [l…z]
//
// For such a level, only bytes that can leave it count. If nothing may leave level 0 (because a
// file of level 0 or level 1 is damaged), adjacent runs of level 0 are merged into one.
//
// Rejected for now: several runs in upper levels (fluid lazy leveling) write fewer bytes; the
// format and the plan allow it.
#ifndef CAMBIUM_COMPACTION_POLICY_H_
#define CAMBIUM_COMPACTION_POLICY_H_

#include <array>
#include <cstdint>
#include <optional>
#include <set>
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
  // Number of level-0 runs at which they are merged into the base level.
  int level0_trigger = 4;
  // The base level's target is between a tenth of this value and this value. It depends on the size
  // of a flushed run: with a fixed base level, merges into it would write more if runs are smaller.
  // In the simulator eight runs write the least.
  uint64_t max_base_bytes = uint64_t{512} << 20;
  // Ratio of a level's target to the target of the level above it.
  uint64_t level_multiplier = 10;
  // Output files are between these two sizes: small in small levels, so that each is a small part
  // of its level, and large in large levels.
  uint64_t min_file_size = uint64_t{64} << 20;
  uint64_t target_file_size = uint64_t{64} << 20;
  // If a plan has more input bytes, it includes no optional files.
  uint64_t max_plan_bytes = uint64_t{1600} << 20;
  // The overlap of an output file with the level below, as a multiple of its size.
  uint64_t max_grandparent_files = 10;
  // Percentage of tombstones from which on a file is compacted because of them alone.
  int tombstone_percent = 50;
  // The oldest sequence number that a reader may still use: newer tombstones cannot be dropped.
  SequenceNumber oldest_snapshot = kMaxSequenceNumber;
  // The time (WallTime::Now): values with an expiry up to it have expired. 0: nothing has.
  uint64_t now_micros = 0;
  // Null, or files that are not compacted because of their tombstones or expired values alone,
  // because they cannot be removed: they are under operands that cannot be merged.
  const std::set<FileNumber>* futile = nullptr;
};

// The target size of each level. Plain data.
struct LevelTargets {
  int base_level = kLevelCount - 1;
  std::array<uint64_t, kLevelCount> bytes{};  // 0 for level 0 and for levels above the base level
};
LevelTargets ComputeTargets(const manifest::Version& version, const PolicyOptions& options);

// Returns the compaction to run next in parallel with `running`, or nullopt. `version` must contain
// every input of every running plan.
std::optional<Plan> Pick(const manifest::Version& version, const PolicyOptions& options,
                         std::span<const Plan> running);

// Returns the first time after options.now_micros at which Pick() may return another plan for the
// same version, because values have expired; UINT64_MAX if there is none.
uint64_t NextExpiry(const manifest::Version& version, const PolicyOptions& options);

// A request of CompactRange. Plain data.
struct ManualRequest {
  KeyRange range;
  // State when the request began, so that the request ends while others write: entries with greater
  // sequence numbers need not move, and a file of the last level with a number >= first_new_file
  // was merged since then.
  SequenceNumber newest_sequence = kMaxSequenceNumber;
  FileNumber first_new_file{UINT64_MAX};
  // The progress: levels 1 … level - 1 are done, and `level` up to `done_key`. Data that arrives
  // there later is newer than the request, because levels are processed from the top.
  int level = 1;
  std::optional<std::string> done_key;

  // Records that a step returned by PickManual() is done.
  void Advance(const Plan& step);
};

// Returns the next step of merging everything inside the request's range into the last level;
// nullopt if there is none left. First level 0 is merged into the base level; then the lower levels
// are merged into the last one, in pieces of about max_plan_bytes; then files of the last level
// that may contain droppable entries are rewritten. The step does not consider running plans: the
// caller must wait until it conflicts with none, and then call again, because the tree has changed.
// The request ends even if data is written and compacted in the meantime. It skips files that a
// quarantined file blocks.
std::optional<Plan> PickManual(const manifest::Version& version, const PolicyOptions& options,
                               const ManualRequest& request);

// Returns the largest number of level-0 runs that one merge could take: adjacent runs without
// damage, all runs if nothing is damaged. Runs that quarantined files separate do not count,
// because no compaction reduces their number.
size_t MergeableRuns(const manifest::Version& version);

// Returns approximately how many bytes compactions must write until Pick() returns nothing.
uint64_t DebtBytes(const manifest::Version& version, const PolicyOptions& options);

}  // namespace cambium::compaction

#endif  // CAMBIUM_COMPACTION_POLICY_H_
