// Plan: the inputs and the output of one compaction.
//
//   L4  run 0        [d…f]                         inputs, newest first: L4 [d…f], L5 [c…d] [e…g]
//   L5  run 0   [a…b] [c…d][e…g] [m…p]             output: L5 run 0, in place of the inputs
//   L6  run 0   [a………d] [e……h]   [k…z]             grandparents: [a…d] [e…h]
//                                                  older data: files of L6 that overlap c…g
//
// A plan is a value: it contains its files' metadata, not their readers. It may be kept while the
// tree changes, as long as no plan that conflicts with it runs.
#ifndef CAMBIUM_COMPACTION_PLAN_H_
#define CAMBIUM_COMPACTION_PLAN_H_

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/keys.h"
#include "manifest/version.h"
#include "manifest/version_edit.h"

namespace cambium::compaction {

// User keys from `begin` (inclusive) to `end` (exclusive); an absent end is unbounded. Plain data.
struct KeyRange {
  std::optional<std::string> begin, end;

  friend bool operator==(const KeyRange&, const KeyRange&) = default;
};

enum class PlanKind : uint8_t {
  kMerge,        // read the inputs, write new files
  kTrivialMove,  // the inputs overlap nothing: they move to another level, without reading them
  kDrop,         // the inputs hold nothing visible and hide nothing: they are removed unread
};

enum class PlanReason : uint8_t {
  kRunCount,    // level 0 has too many runs
  kLevelSize,   // a level is over its target
  kTombstones,  // a file consists mostly of tombstones, or covers larger files with them
  kExpired,     // a file consists mostly of values that have expired, or holds nothing else
  kManual,      // CompactRange
};

// Adjacent files of one run. Plain data.
struct PlanInput {
  int level = 0;
  uint64_t run = 0;
  std::vector<manifest::FileRef> files;  // ascending
};

// Plain data.
struct Plan {
  PlanKind kind = PlanKind::kMerge;
  PlanReason reason = PlanReason::kRunCount;
  std::vector<PlanInput> inputs;  // newest first; not empty, and no input is empty
  int output_level = 0;
  uint64_t output_run = 0;

  // The smallest range that contains every input's keys, both ends inclusive; its last key may be
  // the exclusive end of a file.
  std::string smallest_key, largest_key;

  // Size at which the next output file begins.
  uint64_t target_file_size = 0;
  // Files of the level below the output level that overlap the range, ascending. An output file
  // that overlaps more than max_grandparent_bytes of them is ended early, because a later
  // compaction must merge each file with all files that it overlaps.
  std::vector<manifest::FileRef> grandparents;
  uint64_t max_grandparent_bytes = 0;

  // Files that overlap the range and contain older data than the inputs. A key that is in none of
  // them has no older version: its tombstones may be dropped, and its sequence numbers set to 0.
  std::vector<manifest::FileRef> older_files;

  uint64_t InputBytes() const;
  // Returns true if no key of the range has older data outside of the inputs.
  bool Bottommost() const { return older_files.empty(); }
};

// Returns true if the two plans must not run in parallel: they share a file, or their ranges
// overlap and they would write into one level, or one would put newer data below the other's
// output. Symmetric.
bool Conflicts(const Plan& a, const Plan& b, const KeyOrder& order);
bool ConflictsWithAny(const Plan& plan, std::span<const Plan> running, const KeyOrder& order);

// Returns true if a plan with these outputs, because of tombstones or expired values, has removed
// none of them and moved nothing: it would do no more the next time.
bool WasFutile(const Plan& plan, std::span<const manifest::FileRef> outputs);

// Adds the result of the plan to `edit`: removes the inputs, and adds `outputs`, or the inputs
// themselves for a trivial move, to the output level.
void AppendToEdit(const Plan& plan, std::span<const manifest::FileRef> outputs,
                  manifest::FamilyEdit* edit);

// Returns at most `count` ranges, ascending, that together contain every key, each with about the
// same amount of input: parts of the plan that can be merged in parallel. Never splits the versions
// of one key.
std::vector<KeyRange> SplitPlan(const Plan& plan, size_t count, const KeyOrder& order);

// Checks for ascending keys whether a key may have versions older than a plan's inputs.
// Thread-compatible; use one per stream.
class OlderData {
 public:
  // Copies references to the files.
  OlderData(std::span<const manifest::FileRef> older_files, const KeyOrder& order);

  // Returns true if no older file's range contains `key`. Keys must not descend from call to call.
  bool Absent(std::string_view key);
  // Returns true if no older file's range overlaps the one between the cuts. `end` must not descend
  // from call to call. Use another object for keys.
  bool Absent(const KeyCut& begin, const KeyCut& end);

 private:
  const KeyOrder order_;
  std::vector<manifest::FileRef> files_;  // sorted by smallest key
  size_t next_ = 0;                       // the first that begins after the last key
  const std::string* reach_ = nullptr;    // the largest key of the files before it
};

}  // namespace cambium::compaction

#endif  // CAMBIUM_COMPACTION_PLAN_H_
