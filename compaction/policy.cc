#include "compaction/policy.h"

#include <algorithm>
#include <cassert>
#include <set>
#include <utility>

#include "compaction/plan_maker.h"

namespace cambium::compaction {
namespace {

using manifest::FileMetadata;
using manifest::FileRef;
using manifest::KeyBounds;
using manifest::Run;
using manifest::Version;

constexpr int kLastLevel = kLevelCount - 1;

// The score of a level that should be empty but is not.
constexpr double kDrainScore = 100;

bool IsSound(const Run& run) {
  return std::none_of(run.files.begin(), run.files.end(),
                      [](const FileRef& file) { return file->quarantined(); });
}

// Returns true if the file is in that level of the version.
[[maybe_unused]] bool Holds(const Version& version, int level, const FileMetadata& file,
                            const KeyOrder& order) {
  const KeyBounds range{file.smallest_key, file.largest_key};
  for (const Run& run : version.runs(level)) {
    for (const FileRef& other : manifest::FilesOverlapping(run, range, order)) {
      if (other->number == file.number) return true;
    }
  }
  return false;
}

// A file whose values expire within this time is not compacted before the last one has expired: it
// can probably be dropped then.
constexpr uint64_t kPatienceMicros = uint64_t{24} * 3600 * 1'000'000;

constexpr uint64_t kNever = UINT64_MAX;

// Returns when no entry of the file will be visible any more. A file with range tombstones is read
// to see what they hide.
uint64_t EmptyAt(const FileMetadata& file) {
  const bool ends = file.entries > 0 && file.range_deletes.count == 0 &&
                    file.tombstones + file.expiring.count == file.entries;
  return ends ? file.expiring.newest_micros : kNever;
}

// Returns when at least options.tombstone_percent of the entries will have expired.
uint64_t MostlyExpiredAt(const FileMetadata& file, const PolicyOptions& options) {
  const double needed =
      static_cast<double>(file.entries) * static_cast<double>(options.tombstone_percent) / 100;
  const auto expiring = static_cast<double>(file.expiring.count);
  if (file.expiring.count == 0 || expiring < needed) return kNever;
  const uint64_t span = file.expiring.newest_micros - file.expiring.oldest_micros;
  if (span <= kPatienceMicros) return file.expiring.newest_micros;
  return file.expiring.oldest_micros +
         static_cast<uint64_t>(static_cast<double>(span) * needed / expiring);
}

using LevelSizes = std::array<uint64_t, kLevelCount>;

// Returns 0 if `taken` is larger: the two overlap, and are sums over different files.
uint64_t Without(uint64_t bytes, uint64_t taken) { return bytes - std::min(taken, bytes); }

// Returns, per level below level 0, the bytes that cannot move down, because their files overlap a
// quarantined file of the next level in use, or are quarantined.
LevelSizes BlockedBytes(const Version& version, const KeyOrder& order) {
  LevelSizes blocked{};
  const Run* above = nullptr;
  size_t level_above = 0;
  for (int level = 1; level < kLevelCount; ++level) {
    if (version.runs(level).empty()) continue;
    const Run& run = version.runs(level).back();
    const FileRef* last = nullptr;  // counted for the previous damaged file
    for (const FileRef& damaged : run.files) {
      if (!damaged->quarantined()) continue;
      blocked[static_cast<size_t>(level)] += damaged->file_size;
      if (above == nullptr) continue;
      for (const FileRef& file : manifest::FilesOverlapping(
               *above, {damaged->smallest_key, damaged->largest_key}, order)) {
        if (&file == last || file->quarantined()) continue;
        blocked[level_above] += file->file_size;
        last = &file;
      }
    }
    above = &run;
    level_above = static_cast<size_t>(level);
  }
  return blocked;
}

// The minimum number of output files per level, if the options allow it.
constexpr uint64_t kFilesPerLevel = 32;

// Returns the size at which an output file of `level` ends.
uint64_t FileSizeIn(int level, const LevelTargets& targets, const PolicyOptions& options) {
  assert(level >= 0 && level < kLevelCount);
  const uint64_t part = targets.bytes[static_cast<size_t>(level)] / kFilesPerLevel;
  return std::clamp(part, std::min(options.min_file_size, options.target_file_size),
                    options.target_file_size);
}

PlanLimits LimitsFor(const LevelTargets& targets, const PolicyOptions& options) {
  PlanLimits limits;
  limits.order = options.order;
  limits.oldest_snapshot = options.oldest_snapshot;
  limits.max_grandparent_files = options.max_grandparent_files;
  for (int level = 0; level < kLevelCount; ++level) {
    limits.file_bytes[static_cast<size_t>(level)] = FileSizeIn(level, targets, options);
  }
  return limits;
}

// Returns the next level for data of `level`: the first level below it that is in use, contains
// files, or is the output of a running plan. Requires level < kLastLevel.
int NextLevel(const Version& version, int level, int base_level, std::span<const Plan> running) {
  const auto in_use = [&](int candidate) {
    return candidate >= base_level || !version.runs(candidate).empty() ||
           std::any_of(running.begin(), running.end(),
                       [&](const Plan& plan) { return plan.output_level == candidate; });
  };
  assert(level >= 0 && level < kLastLevel);
  int next = level + 1;
  while (next < kLastLevel && !in_use(next)) ++next;
  return next;
}

// The state of one call of Pick(). Confined to it.
class Picker {
 public:
  Picker(const Version& version, const PolicyOptions& options, std::span<const Plan> running)
      : version_(version),
        options_(options),
        running_(running),
        targets_(ComputeTargets(version, options)),
        maker_(version, LimitsFor(targets_, options)),
        blocked_(BlockedBytes(version, options.order)) {
    for (const Plan& plan : running_) {
      for (const PlanInput& input : plan.inputs) {
        for (const FileRef& file : input.files) {
          assert(Holds(version_, input.level, *file, options_.order));
          // A waiting plan may share a file with a running one.
          const bool counted = !busy_.insert(file->number).second;
          if (counted || input.level == plan.output_level) continue;
          leaving_[static_cast<size_t>(input.level)] += file->file_size;
        }
        if (input.level == 0) level0_busy_ = true;
      }
    }
  }

  std::optional<Plan> Pick() const {
    // Costs nothing, and may make the others cheaper.
    if (std::optional<Plan> plan = PickDrop()) return plan;
    for (const auto& [score, level] : LevelsByScore()) {
      std::optional<Plan> plan = level == 0 ? PickLevel0() : PickFromLevel(level);
      if (plan) return plan;
    }
    std::optional<Plan> plan = PickCovering();
    if (!plan) plan = PickExpired();
    return plan ? std::move(plan) : PickTombstones();
  }

 private:
  // Returns the levels with a score >= 1, the highest first.
  std::vector<std::pair<double, int>> LevelsByScore() const {
    std::vector<std::pair<double, int>> scores;
    for (int level = 0; level < kLastLevel; ++level) {
      const double score = Score(level);
      if (score >= 1) scores.emplace_back(score, level);
    }
    std::stable_sort(scores.begin(), scores.end(),
                     [](const auto& a, const auto& b) { return a.first > b.first; });
    return scores;
  }

  double Score(int level) const {
    if (level == 0) {
      if (level0_busy_) return 0;
      return static_cast<double>(version_.runs(0).size()) /
             static_cast<double>(options_.level0_trigger);
    }
    const auto index = static_cast<size_t>(level);
    const uint64_t waiting = Without(version_.LevelBytes(level), leaving_[index] + blocked_[index]);
    if (waiting == 0) return 0;
    const uint64_t target = targets_.bytes[index];
    if (target == 0) return kDrainScore;
    // At its target a level is full, not over it.
    return waiting > target ? static_cast<double>(waiting) / static_cast<double>(target) : 0;
  }

  bool Free(const FileRef& file) const {
    return !file->quarantined() && !busy_.contains(file->number);
  }

  std::optional<Plan> IfFree(std::optional<Plan> plan) const {
    if (plan && ConflictsWithAny(*plan, running_, options_.order)) return std::nullopt;
    return plan;
  }

  // Compacts runs [first, last] of level 0, as they are numbered there.
  std::optional<Plan> FromLevel0(size_t first, size_t last, int output_level) const {
    assert(first <= last && last < version_.runs(0).size());
    std::vector<PlanInput> chosen;
    for (size_t i = first; i <= last; ++i) {
      const Run& run = version_.runs(0)[i];
      chosen.push_back({0, run.id, {run.files.begin(), run.files.end()}});
    }
    return maker_.Make(PlanReason::kRunCount, std::move(chosen), last + 1, output_level);
  }

  std::optional<Plan> PickLevel0() const {
    const std::span<const Run> runs = version_.runs(0);
    // The oldest runs, up to a blocked one.
    size_t first = runs.size();
    uint64_t bytes = 0;
    const auto trigger = static_cast<size_t>(options_.level0_trigger);
    while (first > 0 && IsSound(runs[first - 1])) {
      bytes += runs[first - 1].bytes;
      if (bytes > options_.max_plan_bytes && runs.size() - first >= trigger) break;
      --first;
    }
    if (first < runs.size()) {
      // Levels between 0 and the next one are empty: a damaged file in the next level does not
      // block them.
      for (int next = NextLevel(version_, 0, targets_.base_level, running_); next > 0; --next) {
        std::optional<Plan> plan = FromLevel0(first, runs.size() - 1, next);
        if (plan) return IfFree(std::move(plan));
      }
    }
    return MergeInsideLevel0();
  }

  // Merges adjacent runs into one if nothing may leave the level: keeps reads and writes working.
  // Newest first.
  std::optional<Plan> MergeInsideLevel0() const {
    const std::span<const Run> runs = version_.runs(0);
    const auto enough = static_cast<size_t>(std::max(options_.level0_trigger, 2));
    size_t count = 0;
    for (size_t i = 0; i < runs.size(); ++i) {
      count = IsSound(runs[i]) ? count + 1 : 0;
      if (count == enough) return IfFree(FromLevel0(i + 1 - enough, i, 0));
    }
    return std::nullopt;
  }

  std::optional<Plan> PickFromLevel(int level) const {
    const int output_level = NextLevel(version_, level, targets_.base_level, running_);
    for (const FileRef& file : FilesByCost(level, output_level)) {
      std::optional<Plan> plan =
          IfFree(maker_.MakeOfOldest(PlanReason::kLevelSize, level, {&file, 1}, output_level));
      if (plan) return Widen(*std::move(plan), level);
    }
    return std::nullopt;
  }

  // Returns the free files of the oldest run of `level`, sorted by overlap with the level below
  // relative to their size, smallest first.
  std::vector<FileRef> FilesByCost(int level, int output_level) const {
    std::span<const FileRef> below;
    if (!version_.runs(output_level).empty()) below = version_.runs(output_level).front().files;
    std::vector<std::pair<double, FileRef>> costs;
    assert(!version_.runs(level).empty());  // otherwise its score is 0
    size_t next = 0;                        // the first below that does not end before the file
    for (const FileRef& file : version_.runs(level).back().files) {
      if (!Free(file)) continue;
      const auto ends_before = [&](size_t i) {
        return options_.order.Less(below[i]->largest_key, file->smallest_key);
      };
      while (next < below.size() && ends_before(next)) ++next;
      uint64_t bytes = 0;
      for (size_t i = next; i < below.size(); ++i) {
        if (options_.order.Less(file->largest_key, below[i]->smallest_key)) break;
        bytes += below[i]->file_size;
      }
      costs.emplace_back(static_cast<double>(bytes) / static_cast<double>(file->file_size + 1),
                         file);
    }
    std::stable_sort(costs.begin(), costs.end(),
                     [](const auto& a, const auto& b) { return a.first < b.first; });
    std::vector<FileRef> files;
    files.reserve(costs.size());
    for (auto& [cost, file] : costs) files.push_back(std::move(file));
    return files;
  }

  // Adds adjacent files that overlap the same files below: they add little cost.
  Plan Widen(Plan plan, int level) const {
    if (plan.kind == PlanKind::kTrivialMove || plan.inputs.size() != 2) return plan;
    const auto files = manifest::FilesOverlapping(
        version_.runs(level).back(), {plan.smallest_key, plan.largest_key}, options_.order);
    if (files.size() <= plan.inputs.front().files.size()) return plan;
    if (!std::all_of(files.begin(), files.end(), [this](const auto& file) { return Free(file); })) {
      return plan;
    }
    std::optional<Plan> wider =
        IfFree(maker_.MakeOfOldest(plan.reason, level, files, plan.output_level));
    if (!wider || wider->inputs.back().files.size() != plan.inputs.back().files.size() ||
        wider->InputBytes() > options_.max_plan_bytes) {
      return plan;
    }
    return *std::move(wider);
  }

  // Returns true only if every tombstone of the file may be dropped or move closer to the last
  // level, so that this terminates.
  bool WorthRewriting(const FileMetadata& file) const {
    if (!file.has_tombstones() || file.largest_sequence > options_.oldest_snapshot) return false;
    return FreesMore(file) || (file.tombstones + file.range_deletes.count) * 100 >=
                                  file.entries * static_cast<uint64_t>(options_.tombstone_percent);
  }

  // Returns true if the file's range tombstones cover older files, and these are larger.
  static bool FreesMore(const FileMetadata& file) {
    return file.range_deletes.covered_bytes > 0 &&
           file.range_deletes.covered_bytes >= file.file_size;
  }

  // Compacts level 0 if one of its files can free more space than it takes.
  std::optional<Plan> PickCovering() const {
    if (level0_busy_) return std::nullopt;
    for (const Run& run : version_.runs(0)) {
      for (const uint32_t index : run.with_range_deletes) {
        const FileMetadata& file = *run.files[index];
        if (FreesMore(file) && WorthRewriting(file)) return PickLevel0();
      }
    }
    return std::nullopt;
  }

  // Drops files without visible entries: adjacent ones together, up to kMostDropped.
  std::optional<Plan> PickDrop() const {
    for (int level = kLastLevel; level >= 0; --level) {
      const std::span<const Run> runs = version_.runs(level);
      for (size_t run = runs.size(); run-- > 0;) {
        const std::span<const FileRef> files = runs[run].files;
        for (size_t i = 0; i < files.size(); ++i) {
          std::optional<Plan> plan = Drop(level, run, files.subspan(i, 1));
          if (!plan) continue;
          constexpr size_t kMostDropped = 64;
          for (size_t count = 2; count <= std::min(kMostDropped, files.size() - i); ++count) {
            std::optional<Plan> longer = Drop(level, run, files.subspan(i, count));
            if (!longer) break;
            plan = std::move(longer);
          }
          return plan;
        }
      }
    }
    return std::nullopt;
  }

  // Returns the plan that drops adjacent files of one run, if that is safe. The caller has checked
  // all but the last of them.
  std::optional<Plan> Drop(int level, size_t run, std::span<const FileRef> files) const {
    if (EmptyAt(*files.back()) > options_.now_micros || !Free(files.back())) return std::nullopt;
    // A transaction finds its conflicts by the entries that are newer than its snapshot.
    if (files.back()->largest_sequence > options_.oldest_snapshot) return std::nullopt;
    std::optional<Plan> plan = IfFree(maker_.Make(
        PlanReason::kExpired, {{level, version_.runs(level)[run].id, {files.begin(), files.end()}}},
        run + 1, level));
    if (!plan || !plan->Bottommost()) return std::nullopt;
    plan->kind = PlanKind::kDrop;
    return plan;
  }

  bool Futile(const FileRef& file) const {
    return options_.futile != nullptr && options_.futile->contains(file->number);
  }

  bool MostlyExpired(const FileRef& file) const {
    return Free(file) && !Futile(file) && MostlyExpiredAt(*file, options_) <= options_.now_micros;
  }

  // This terminates: the plan drops the expired values, or turns them into tombstones.
  std::optional<Plan> PickExpired() const {
    for (const Run& run : version_.runs(0)) {
      if (level0_busy_) break;
      if (std::any_of(run.files.begin(), run.files.end(),
                      [this](const FileRef& file) { return MostlyExpired(file); })) {
        std::optional<Plan> plan = PickLevel0();
        if (plan) return plan;
        break;
      }
    }
    for (int level = 1; level < kLevelCount; ++level) {
      if (version_.runs(level).empty()) continue;
      for (const FileRef& file : version_.runs(level).back().files) {
        if (!MostlyExpired(file)) continue;
        std::optional<Plan> plan = FromLevelAlone(PlanReason::kExpired, level, file);
        if (plan) return plan;
      }
    }
    return std::nullopt;
  }

  // Compacts one file of the oldest run of `level` into the next level, or in place in the last.
  std::optional<Plan> FromLevelAlone(PlanReason reason, int level, const FileRef& file) const {
    const int output_level =
        level == kLastLevel ? level : NextLevel(version_, level, targets_.base_level, running_);
    return IfFree(maker_.MakeOfOldest(reason, level, {&file, 1}, output_level));
  }

  std::optional<Plan> PickTombstones() const {
    for (int level = 1; level < kLevelCount; ++level) {
      if (version_.runs(level).empty()) continue;
      for (const FileRef& file : version_.runs(level).back().files) {
        if (!WorthRewriting(*file) || !Free(file) || Futile(file)) continue;
        std::optional<Plan> plan = FromLevelAlone(PlanReason::kTombstones, level, file);
        if (plan) return plan;
      }
    }
    return std::nullopt;
  }

  const Version& version_;
  const PolicyOptions& options_;
  const std::span<const Plan> running_;
  const LevelTargets targets_;
  const PlanMaker maker_;
  const LevelSizes blocked_;
  LevelSizes leaving_{};  // bytes that running plans move to another level
  std::set<FileNumber> busy_;
  bool level0_busy_ = false;
};

// The state of one call of PickManual(). Confined to it.
class ManualPicker {
 public:
  ManualPicker(const Version& version, const PolicyOptions& options, const ManualRequest& request)
      : version_(version),
        options_(options),
        request_(request),
        targets_(ComputeTargets(version, options)),
        maker_(version, LimitsFor(targets_, options)) {
    if (request.range.begin) bounds_.smallest = *request.range.begin;
    // The end is not part of the range: including a file that begins there only costs some work.
    if (request.range.end) bounds_.largest = *request.range.end;
  }

  std::optional<Plan> Pick() const {
    std::optional<Plan> plan = PickLevel0();
    for (int level = request_.level; !plan && level < kLastLevel; ++level) plan = PickDown(level);
    if (!plan) plan = PickLastLevel();
    return plan;
  }

 private:
  // Returns true if the file must leave a level above the last one for the request.
  bool Concerned(const FileMetadata& file) const {
    return file.smallest_sequence <= request_.newest_sequence && !file.quarantined();
  }

  // Returns true if the request has passed the file's place in that level.
  bool Done(int level, const FileMetadata& file) const {
    return level == request_.level && request_.done_key.has_value() &&
           !options_.order.Less(*request_.done_key, file.largest_key);
  }

  // Returns true if a file of the last level may contain droppable versions or tombstones.
  bool MayShrink(const FileMetadata& file) const {
    return file.number < request_.first_new_file && !file.quarantined() &&
           (file.has_tombstones() || file.largest_sequence > 0 ||
            (file.expiring.count > 0 && file.expiring.oldest_micros <= options_.now_micros));
  }

  // Starts at the newest run that the request concerns: takes files that overlap the range, and in
  // older runs files that overlap those.
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
    return maker_.Make(PlanReason::kManual, std::move(chosen), runs.size(),
                       NextLevel(version_, 0, targets_.base_level, {}));
  }

  void Grow(const FileMetadata& file, KeyBounds* bounds) const {
    if (bounds->smallest && options_.order.Less(file.smallest_key, *bounds->smallest)) {
      bounds->smallest = file.smallest_key;
    }
    if (bounds->largest && options_.order.Less(*bounds->largest, file.largest_key)) {
      bounds->largest = file.largest_key;
    }
  }

  // Merges a piece of the oldest run of `level`, with everything below it, into the last level.
  std::optional<Plan> PickDown(int level) const {
    if (version_.runs(level).empty()) return std::nullopt;
    const auto files =
        manifest::FilesOverlapping(version_.runs(level).back(), bounds_, options_.order);
    for (size_t first = 0; first < files.size(); ++first) {
      if (!Concerned(*files[first]) || Done(level, *files[first])) continue;
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

  // Rewrites adjacent files of the last level in place.
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
  const LevelTargets targets_;
  const PlanMaker maker_;
  KeyBounds bounds_;
};

}  // namespace

LevelTargets ComputeTargets(const Version& version, const PolicyOptions& options) {
  const uint64_t multiplier = std::max<uint64_t>(options.level_multiplier, 2);
  LevelTargets targets;
  uint64_t bytes = 0;
  for (int level = 1; level < kLevelCount; ++level) {
    bytes = std::max(bytes, version.LevelBytes(level));
  }
  int level = kLastLevel;
  targets.bytes[static_cast<size_t>(level)] = std::max(bytes, options.max_base_bytes);
  while (bytes > options.max_base_bytes && level > 1) {
    --level;
    bytes /= multiplier;
    targets.bytes[static_cast<size_t>(level)] = std::max<uint64_t>(bytes, 1);
  }
  targets.base_level = level;
  assert(targets.base_level >= 1 && targets.bytes[static_cast<size_t>(level)] > 0);
  return targets;
}

std::optional<Plan> Pick(const Version& version, const PolicyOptions& options,
                         std::span<const Plan> running) {
  return Picker(version, options, running).Pick();
}

uint64_t NextExpiry(const Version& version, const PolicyOptions& options) {
  uint64_t next = kNever;
  for (int level = 0; level < kLevelCount; ++level) {
    for (const Run& run : version.runs(level)) {
      for (const FileRef& file : run.files) {
        if (file->quarantined()) continue;
        for (const uint64_t due : {EmptyAt(*file), MostlyExpiredAt(*file, options)}) {
          if (due > options.now_micros) next = std::min(next, due);
        }
      }
    }
  }
  return next;
}

void ManualRequest::Advance(const Plan& step) {
  assert(!step.inputs.empty() && !step.inputs.front().files.empty());
  const PlanInput& from = step.inputs.front();
  if (from.level == 0 || from.level == kLastLevel) return;
  assert(from.level >= level);
  level = from.level;
  done_key = from.files.back()->largest_key;
}

std::optional<Plan> PickManual(const Version& version, const PolicyOptions& options,
                               const ManualRequest& request) {
  return ManualPicker(version, options, request).Pick();
}

size_t MergeableRuns(const Version& version) {
  size_t most = 0;
  size_t count = 0;
  for (const Run& run : version.runs(0)) {
    count = IsSound(run) ? count + 1 : 0;
    most = std::max(most, count);
  }
  return most;
}

uint64_t DebtBytes(const Version& version, const PolicyOptions& options) {
  const LevelTargets targets = ComputeTargets(version, options);
  const LevelSizes blocked = BlockedBytes(version, options.order);
  double debt = 0;
  double incoming = 0;  // what the level above will have passed down
  if (version.runs(0).size() >= static_cast<size_t>(options.level0_trigger)) {
    // The oldest runs, up to a damaged one.
    const std::span<const Run> runs = version.runs(0);
    for (auto run = runs.rbegin(); run != runs.rend() && IsSound(*run); ++run) {
      incoming += static_cast<double>(run->bytes);
    }
    debt =
        incoming > 0 ? incoming + static_cast<double>(version.LevelBytes(targets.base_level)) : 0;
  }
  for (int level = 1; level < kLastLevel; ++level) {
    const uint64_t movable =
        Without(version.LevelBytes(level), blocked[static_cast<size_t>(level)]);
    const double bytes = static_cast<double>(movable) + incoming;
    const double target = static_cast<double>(targets.bytes[static_cast<size_t>(level)]);
    if (level < targets.base_level && version.LevelBytes(level) == 0) continue;
    incoming = std::max(bytes - target, 0.0);
    // Each byte that moves down is merged with its share of the level below.
    const double below = static_cast<double>(version.LevelBytes(level + 1));
    const double share =
        std::min(below / std::max(bytes, 1.0), static_cast<double>(options.level_multiplier));
    debt += incoming * (1 + share);
    assert(share >= 0 && debt >= 0);
  }
  return static_cast<uint64_t>(debt);
}

}  // namespace cambium::compaction
