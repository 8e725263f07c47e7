#include "compaction/plan.h"

#include <algorithm>
#include <cassert>

namespace cambium::compaction {
namespace {

using manifest::FileRef;

bool RangesOverlap(const Plan& a, const Plan& b, const KeyOrder& order) {
  assert(!order.Less(a.largest_key, a.smallest_key) && !order.Less(b.largest_key, b.smallest_key));
  return !order.Less(a.largest_key, b.smallest_key) && !order.Less(b.largest_key, a.smallest_key);
}

bool ShareAFile(const Plan& a, const Plan& b) {
  for (const PlanInput& in_a : a.inputs) {
    for (const PlanInput& in_b : b.inputs) {
      if (in_a.level != in_b.level || in_a.run != in_b.run) continue;
      for (const FileRef& file : in_a.files) {
        const auto same = [&file](const FileRef& other) { return other->number == file->number; };
        if (std::any_of(in_b.files.begin(), in_b.files.end(), same)) return true;
      }
    }
  }
  return false;
}

// Returns true if `jumper` moves data below the level that `other`, whose data is not newer, is
// about to leave.
bool JumpsOver(const Plan& jumper, const Plan& other) {
  assert(!jumper.inputs.empty() && !other.inputs.empty());
  const int from = jumper.inputs.front().level;
  return other.output_level > from && other.output_level < jumper.output_level &&
         other.inputs.front().level >= from;
}

// The keys at which a plan can be split, and the input bytes between adjacent keys.
struct SplitPoints {
  std::vector<std::string> keys;  // ascending
  std::vector<double> bytes;
};

void CollectKeys(const Plan& plan, const KeyOrder& order, std::vector<std::string>* keys) {
  for (const PlanInput& input : plan.inputs) {
    for (const FileRef& file : input.files) keys->push_back(file->smallest_key);
  }
  for (const FileRef& file : plan.grandparents) {
    if (order.Less(plan.smallest_key, file->smallest_key)) keys->push_back(file->smallest_key);
  }
  std::sort(keys->begin(), keys->end(),
            [&order](const std::string& a, const std::string& b) { return order.Less(a, b); });
  const auto equal = [&order](const std::string& a, const std::string& b) {
    return order.Compare(a, b) == 0;
  };
  keys->erase(std::unique(keys->begin(), keys->end(), equal), keys->end());
}

// Assumes that a file's bytes are evenly distributed over the points inside its range.
SplitPoints FindSplitPoints(const Plan& plan, const KeyOrder& order) {
  SplitPoints points;
  CollectKeys(plan, order, &points.keys);
  const auto first_after = [&](std::string_view key) {
    return static_cast<size_t>(
        std::partition_point(points.keys.begin(), points.keys.end(),
                             [&](const std::string& point) { return !order.Less(key, point); }) -
        points.keys.begin());
  };
  std::vector<double> steps(points.keys.size() + 1, 0);  // differences between adjacent points
  for (const PlanInput& input : plan.inputs) {
    for (const FileRef& file : input.files) {
      const size_t begin = first_after(file->smallest_key) - 1;
      const size_t end = first_after(file->largest_key);
      assert(begin < end && end <= points.keys.size());
      const double share = static_cast<double>(file->file_size) / static_cast<double>(end - begin);
      steps[begin] += share;
      steps[end] -= share;
    }
  }
  double level = 0;
  for (size_t i = 0; i < points.keys.size(); ++i) points.bytes.push_back(level += steps[i]);
  return points;
}

}  // namespace

uint64_t Plan::InputBytes() const {
  uint64_t bytes = 0;
  for (const PlanInput& input : inputs) bytes += manifest::TotalBytes(input.files);
  return bytes;
}

bool Conflicts(const Plan& a, const Plan& b, const KeyOrder& order) {
  if (ShareAFile(a, b)) return true;
  if (!RangesOverlap(a, b, order)) return false;
  return a.output_level == b.output_level || JumpsOver(a, b) || JumpsOver(b, a);
}

bool WasFutile(const Plan& plan, std::span<const FileRef> outputs) {
  if (plan.reason != PlanReason::kTombstones && plan.reason != PlanReason::kExpired) return false;
  if (plan.inputs.front().level != plan.output_level) return false;
  uint64_t tombstones = 0, expiring = 0;  // of the inputs without those of the outputs
  const auto add = [&](const FileRef& file) {
    tombstones += file->tombstones;
    expiring += file->expiring.count;
  };
  const auto subtract = [&](const FileRef& file) {
    tombstones -= file->tombstones;
    expiring -= file->expiring.count;
  };
  for (const PlanInput& input : plan.inputs) {
    std::for_each(input.files.begin(), input.files.end(), add);
  }
  std::for_each(outputs.begin(), outputs.end(), subtract);
  return tombstones == 0 && expiring == 0;
}

bool ConflictsWithAny(const Plan& plan, std::span<const Plan> running, const KeyOrder& order) {
  return std::any_of(running.begin(), running.end(),
                     [&](const Plan& other) { return Conflicts(plan, other, order); });
}

void AppendToEdit(const Plan& plan, std::span<const FileRef> outputs, manifest::FamilyEdit* edit) {
  assert(!plan.inputs.empty() && plan.output_level >= plan.inputs.back().level);
  assert(plan.kind == PlanKind::kMerge || outputs.empty());
  const auto add = [&](const FileRef& file) {
    edit->added.push_back({plan.output_level, plan.output_run, *file});
  };
  for (const PlanInput& input : plan.inputs) {
    for (const FileRef& file : input.files) {
      edit->deleted.push_back({input.level, file->number});
      if (plan.kind == PlanKind::kTrivialMove) add(file);
    }
  }
  for (const FileRef& file : outputs) add(file);
}

std::vector<KeyRange> SplitPlan(const Plan& plan, size_t count, const KeyOrder& order) {
  std::vector<KeyRange> ranges(1);
  if (count < 2) return ranges;
  const SplitPoints points = FindSplitPoints(plan, order);
  const double share = static_cast<double>(plan.InputBytes()) / static_cast<double>(count);
  double before = 0;  // bytes before point i
  for (size_t i = 0; i < points.keys.size() && ranges.size() < count; ++i) {
    if (i > 0 && before >= share * static_cast<double>(ranges.size())) {
      ranges.back().end = points.keys[i];
      ranges.push_back({points.keys[i], std::nullopt});
    }
    before += points.bytes[i];
  }
  assert(ranges.size() <= count && !ranges.front().begin && !ranges.back().end);
  return ranges;
}

OlderData::OlderData(std::span<const FileRef> older_files, const KeyOrder& order)
    : order_(order), files_(older_files.begin(), older_files.end()) {
  std::sort(files_.begin(), files_.end(), [this](const FileRef& a, const FileRef& b) {
    return order_.Less(a->smallest_key, b->smallest_key);
  });
}

bool OlderData::Absent(const KeyCut& begin, const KeyCut& end) {
  for (; next_ < files_.size() && CompareCuts(order_, files_[next_]->begin(), end) < 0; ++next_) {
    const std::string& largest = files_[next_]->largest_key;
    if (reach_ == nullptr || order_.Less(*reach_, largest)) reach_ = &largest;
  }
  return reach_ == nullptr || CompareCuts(order_, KeyCut::After(*reach_), begin) <= 0;
}

bool OlderData::Absent(std::string_view key) {
  for (; next_ < files_.size() && !order_.Less(key, files_[next_]->smallest_key); ++next_) {
    const std::string& largest = files_[next_]->largest_key;
    if (reach_ == nullptr || order_.Less(*reach_, largest)) reach_ = &largest;
  }
  return reach_ == nullptr || order_.Less(*reach_, key);
}

}  // namespace cambium::compaction
