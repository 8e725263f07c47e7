// Prints plans as text.
#ifndef CAMBIUM_TESTS_COMPACTION_PLAN_TEXT_H_
#define CAMBIUM_TESTS_COMPACTION_PLAN_TEXT_H_

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "compaction/plan.h"

namespace cambium::compaction {

inline std::string ToString(PlanKind kind) {
  if (kind == PlanKind::kDrop) return "drop";
  return kind == PlanKind::kMerge ? "merge" : "move";
}

inline std::string ToString(PlanReason reason) {
  switch (reason) {
    case PlanReason::kRunCount:
      return "run count";
    case PlanReason::kLevelSize:
      return "level size";
    case PlanReason::kTombstones:
      return "tombstones";
    case PlanReason::kExpired:
      return "expired";
    case PlanReason::kManual:
      return "manual";
  }
  return "unknown";
}

inline std::string FileList(const std::vector<manifest::FileRef>& files) {
  std::string text;
  for (const manifest::FileRef& file : files) absl::StrAppend(&text, " ", ToInteger(file->number));
  return text;
}

// Returns "level size: merge L4 7 L5 3 4 -> L5, grandparents 8 9, older 8 9".
inline std::string DebugString(const Plan& plan) {
  std::string text = absl::StrCat(ToString(plan.reason), ": ", ToString(plan.kind));
  for (const PlanInput& input : plan.inputs) {
    absl::StrAppend(&text, " L", input.level, FileList(input.files));
  }
  absl::StrAppend(&text, " -> L", plan.output_level);
  if (!plan.grandparents.empty())
    absl::StrAppend(&text, ", grandparents", FileList(plan.grandparents));
  if (!plan.older_files.empty()) absl::StrAppend(&text, ", older", FileList(plan.older_files));
  return text;
}

}  // namespace cambium::compaction

#endif  // CAMBIUM_TESTS_COMPACTION_PLAN_TEXT_H_
