// PickManual: the steps of CompactRange.
#include <algorithm>
#include <utility>

#include "compaction/plan_maker.h"
#include "compaction/policy.h"

namespace cambium::compaction {
namespace {

using manifest::FileMetadata;
using manifest::FileRef;
using manifest::KeyBounds;
using manifest::Run;
using manifest::Version;

constexpr int kLastLevel = kLevelCount - 1;

// One call of PickManual(). Confined to it.
class ManualPicker {
 public:
  ManualPicker(const Version& version, const PolicyOptions& options, const ManualRequest& request)
      : version_(version), options_(options), request_(request), maker_(version, options) {
    if (request.range.begin) bounds_.smallest = *request.range.begin;
    // The end is not part of the range: a file that begins there comes along for nothing worse than
    // some work.
    if (request.range.end) bounds_.largest = *request.range.end;
  }

  std::optional<Plan> Pick() const {
    std::optional<Plan> plan = PickLevel0();
    for (int level = 1; !plan && level < kLastLevel; ++level) plan = PickDown(level);
    if (!plan) plan = PickLastLevel();
    return plan;
  }

 private:
  // Whether the request asks for the file to leave a level above the last one.
  bool Concerned(const FileMetadata& file) const {
    return file.smallest_sequence <= request_.newest_sequence && !file.quarantined();
  }

  // Whether a file of the last level may hold versions or tombstones that could go.
  bool MayShrink(const FileMetadata& file) const {
    return file.number < request_.first_new_file && !file.quarantined() &&
           (file.tombstones > 0 || file.largest_sequence > 0);
  }

  // From the newest run on that is concerned: what overlaps the range, and in older runs what
  // overlaps that.
  std::optional<Plan> PickLevel0() const {
    const std::span<const Run> runs = version_.runs(0);
    std::vector<PlanInput> chosen;
    KeyBounds bounds = bounds_;
    for (const Run& run : runs) {
      const auto files = manifest::FilesOverlapping(run, bounds, options_.order);
      const bool concerned = std::any_of(files.begin(), files.end(),
                                         [this](const auto& file) { return Concerned(*file); });
      if (files.empty() || (chosen.empty() && !concerned)) continue;
      chosen.push_back({0, run.id, {files.begin(), files.end()}});
      Grow(*files.front(), &bounds);
      Grow(*files.back(), &bounds);
    }
    if (chosen.empty()) return std::nullopt;
    const int base_level = ComputeTargets(version_, options_).base_level;
    return maker_.Make(PlanReason::kManual, std::move(chosen), runs.size(),
                       maker_.NextLevel(0, base_level, {}));
  }

  void Grow(const FileMetadata& file, KeyBounds* bounds) const {
    if (bounds->smallest && options_.order.Less(file.smallest_key, *bounds->smallest)) {
      bounds->smallest = file.smallest_key;
    }
    if (bounds->largest && options_.order.Less(*bounds->largest, file.largest_key)) {
      bounds->largest = file.largest_key;
    }
  }

  // A piece of the oldest run of `level`, with all below it, to the last level.
  std::optional<Plan> PickDown(int level) const {
    if (version_.runs(level).empty()) return std::nullopt;
    const auto files =
        manifest::FilesOverlapping(version_.runs(level).back(), bounds_, options_.order);
    for (size_t first = 0; first < files.size(); ++first) {
      if (!Concerned(*files[first])) continue;
      std::optional<Plan> plan = ToLastLevel(level, files.subspan(first, 1));
      for (size_t count = 2; plan && first + count <= files.size(); ++count) {
        if (!Concerned(*files[first + count - 1])) break;
        std::optional<Plan> longer = ToLastLevel(level, files.subspan(first, count));
        if (!longer || longer->InputBytes() > options_.max_plan_bytes) break;
        plan = std::move(longer);
      }
      if (plan) return plan;
    }
    return std::nullopt;
  }

  // Neighbours of the last level, rewritten where they stand.
  std::optional<Plan> PickLastLevel() const {
    if (version_.runs(kLastLevel).empty()) return std::nullopt;
    const auto files =
        manifest::FilesOverlapping(version_.runs(kLastLevel).back(), bounds_, options_.order);
    const auto may_shrink = [this](const FileRef& file) { return MayShrink(*file); };
    const auto first = std::find_if(files.begin(), files.end(), may_shrink);
    if (first == files.end()) return std::nullopt;
    uint64_t bytes = 0;
    auto end = first;
    while (end != files.end() && may_shrink(*end) &&
           (end == first || bytes + (*end)->file_size <= options_.max_plan_bytes)) {
      bytes += (*end)->file_size;
      ++end;
    }
    return ToLastLevel(kLastLevel, {first, end});
  }

  std::optional<Plan> ToLastLevel(int level, std::span<const FileRef> files) const {
    return maker_.MakeOfOldest(PlanReason::kManual, level, files, kLastLevel);
  }

  const Version& version_;
  const PolicyOptions& options_;
  const ManualRequest& request_;
  const PlanMaker maker_;
  KeyBounds bounds_;
};

}  // namespace

std::optional<Plan> PickManual(const Version& version, const PolicyOptions& options,
                               const ManualRequest& request) {
  return ManualPicker(version, options, request).Pick();
}

}  // namespace cambium::compaction
