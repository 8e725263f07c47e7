// Plan: what one compaction merges, and into what.
//
//   L4  run 0        [d…f]                         inputs, newest first: L4 [d…f], L5 [c…d] [e…g]
//   L5  run 0   [a…b] [c…d][e…g] [m…p]             output: L5 run 0, in place of the inputs
//   L6  run 0   [a………d] [e……h]   [k…z]             grandparents: [a…d] [e…h]
//                                                  older data: what of L6 overlaps c…g
//
// A plan is a value: it holds the files it is about, and says nothing about where they are open. It
// may be kept while the tree changes, as long as no plan that conflicts with it runs.
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
  kTrivialMove,  // the inputs overlap nothing: they change their level, and no byte is read
};

enum class PlanReason : uint8_t {
  kRunCount,    // level 0 holds too many runs
  kLevelSize,   // a level is over its target
  kTombstones,  // a file is mostly tombstones
  kManual,      // CompactRange
};

// Neighbouring files of one run. Plain data.
struct PlanInput {
  int level = 0;
  uint64_t run = 0;
  std::vector<manifest::FileRef> files;  // ascending
};

// Plain data.
struct Plan {
  PlanKind kind = PlanKind::kMerge;
  PlanReason reason = PlanReason::kRunCount;
  std::vector<PlanInput> inputs;  // newest first; never empty, nor is one of them
  int output_level = 0;
  uint64_t output_run = 0;

  // The smallest range that holds every input's keys, both ends inclusive.
  std::string smallest_key, largest_key;

  // Bytes at which the next output file begins.
  uint64_t target_file_size = 0;
  // Files of the level below the output level that overlap the range, ascending; an output file
  // that overlaps more bytes of them than max_grandparent_bytes is ended early, since each file has
  // to be merged with all that it overlaps one day.
  std::vector<manifest::FileRef> grandparents;
  uint64_t max_grandparent_bytes = 0;

  // Files that overlap the range and hold data older than the inputs'. A key that lies in none of
  // them has no older version: its tombstones may go, and its sequence numbers.
  std::vector<manifest::FileRef> older_files;

  uint64_t InputBytes() const;
  // Whether no key of the range has older data outside of the inputs.
  bool Bottommost() const { return older_files.empty(); }
};

// Whether the two must not run at once: they share a file, or their ranges overlap and they would
// write into one level, or one would put newer data below what the other is about to write.
// Symmetric.
bool Conflicts(const Plan& a, const Plan& b, const KeyOrder& order);
bool ConflictsWithAny(const Plan& plan, std::span<const Plan> running, const KeyOrder& order);

// Adds to `edit` what the tree becomes when the plan is done: the inputs go, and `outputs`, or the
// inputs themselves for a trivial move, stand in the output level.
void AppendToEdit(const Plan& plan, std::span<const manifest::FileRef> outputs,
                  manifest::FamilyEdit* edit);

// At most `count` ranges, ascending, that together hold every key, each with about the same bytes
// of input: parts of the plan that can be merged at once. Never splits the versions of one key.
std::vector<KeyRange> SplitPlan(const Plan& plan, size_t count, const KeyOrder& order);

// Answers for ascending keys whether a key may have versions older than a plan's inputs.
// Thread-compatible; one a stream.
class OlderData {
 public:
  // Copies references to the files.
  OlderData(std::span<const manifest::FileRef> older_files, const KeyOrder& order);

  // Whether no older file's range holds `key`. Requires: keys never descend from call to call.
  bool Absent(std::string_view key);

 private:
  const KeyOrder order_;
  std::vector<manifest::FileRef> files_;  // by smallest key
  size_t next_ = 0;                       // the first that begins behind the last key asked for
  const std::string* reach_ = nullptr;    // the largest key of those before it
};

}  // namespace cambium::compaction

#endif  // CAMBIUM_COMPACTION_PLAN_H_
