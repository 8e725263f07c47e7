#include "manifest/version.h"

#include <algorithm>
#include <functional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "util/status_macros.h"

namespace cambium::manifest {
namespace {

absl::Status Inconsistent(int level, const Run& run, const FileMetadata& file, const char* what) {
  return absl::DataLossError(
      absl::StrCat("tree: level ", level, " run ", run.id, " ", DebugString(file), ": ", what));
}

absl::Status CheckFile(int level, const Run& run, const FileMetadata& file, const KeyOrder& order) {
  if (order.Less(file.largest_key, file.smallest_key)) {
    return Inconsistent(level, run, file, "smallest key is above largest key");
  }
  if (file.smallest_sequence > file.largest_sequence) {
    return Inconsistent(level, run, file, "smallest sequence number is above the largest");
  }
  if (file.tombstones > file.entries) {
    return Inconsistent(level, run, file, "more tombstones than entries");
  }
  return absl::OkStatus();
}

absl::Status CheckRun(int level, const Run& run, const KeyOrder& order) {
  for (size_t i = 0; i < run.files.size(); ++i) {
    const FileMetadata& file = *run.files[i];
    RETURN_IF_ERROR(CheckFile(level, run, file, order));
    if (i > 0 && !order.Less(run.files[i - 1]->largest_key, file.smallest_key)) {
      return Inconsistent(level, run, file, "begins before the end of the file before it");
    }
  }
  return absl::OkStatus();
}

// Of a run of level 0: the sequence numbers that its files span.
std::pair<SequenceNumber, SequenceNumber> SequenceSpan(const Run& run) {
  SequenceNumber smallest = kMaxSequenceNumber, largest = 0;
  for (const FileRef& file : run.files) {
    smallest = std::min(smallest, file->smallest_sequence);
    largest = std::max(largest, file->largest_sequence);
  }
  return {smallest, largest};
}

absl::Status CheckRunOrder(int level, const Run& newer, const Run& older) {
  const FileMetadata& file = *newer.files.front();
  if (newer.id <= older.id) return Inconsistent(level, newer, file, "runs are not newest first");
  if (level == 0 && SequenceSpan(newer).first <= SequenceSpan(older).second) {
    return Inconsistent(level, newer, file, "holds entries as old as those of the run below it");
  }
  return absl::OkStatus();
}

absl::Status Contradiction(const char* what, int level, FileNumber number, const char* why) {
  return absl::DataLossError(
      absl::StrCat("version edit: ", what, " L", level, " ", ToInteger(number), ": ", why));
}

}  // namespace

void Run::Index(const KeyOrder& order) {
  largest_heads.clear();
  largest_heads.reserve(files.size());
  for (const FileRef& file : files) largest_heads.push_back(order.Head(file->largest_key));
  bytes = manifest::TotalBytes(files);
}

size_t FindFileIndex(const Run& run, std::string_view key, uint64_t head, const KeyOrder& order) {
  size_t low = 0;
  size_t high = run.files.size();
  while (low < high) {
    const size_t middle = low + (high - low) / 2;
    const uint64_t largest = run.largest_heads[middle];
    const bool before =
        largest != head ? largest < head : order.Less(run.files[middle]->largest_key, key);
    if (before) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

std::span<const FileRef> FilesOverlapping(const Run& run, const KeyBounds& bounds,
                                          const KeyOrder& order) {
  const std::span<const FileRef> files = run.files;
  const size_t begin =
      bounds.smallest ? FindFileIndex(run, *bounds.smallest, order.Head(*bounds.smallest), order)
                      : 0;
  if (!bounds.largest) return files.subspan(begin);
  const auto end = std::partition_point(
      files.begin() + static_cast<std::ptrdiff_t>(begin), files.end(),
      [&](const FileRef& file) { return !order.Less(*bounds.largest, file->smallest_key); });
  return files.subspan(begin, static_cast<size_t>(end - files.begin()) - begin);
}

Version::Version(Levels levels) : levels_(std::move(levels)) {
  for (size_t level = 0; level < levels_.size(); ++level) {
    for (const Run& run : levels_[level]) level_bytes_[level] += run.bytes;
  }
}

uint64_t Version::TotalBytes() const {
  uint64_t bytes = 0;
  for (const uint64_t level : level_bytes_) bytes += level;
  return bytes;
}

absl::Status Version::CheckConsistency(const KeyOrder& order) const {
  std::vector<FileNumber> numbers;
  for (int level = 0; level < kLevelCount; ++level) {
    const std::span<const Run> level_runs = runs(level);
    for (size_t i = 0; i < level_runs.size(); ++i) {
      RETURN_IF_ERROR(CheckRun(level, level_runs[i], order));
      if (i > 0) RETURN_IF_ERROR(CheckRunOrder(level, level_runs[i - 1], level_runs[i]));
      for (const FileRef& file : level_runs[i].files) numbers.push_back(file->number);
    }
  }
  std::sort(numbers.begin(), numbers.end());
  const auto twice = std::adjacent_find(numbers.begin(), numbers.end());
  if (twice != numbers.end()) {
    return absl::DataLossError(
        absl::StrCat("tree: file ", ToInteger(*twice), " stands in it twice"));
  }
  return absl::OkStatus();
}

VersionBuilder::VersionBuilder(std::shared_ptr<const Version> base, const KeyOrder& order)
    : base_(base != nullptr ? std::move(base) : std::make_shared<const Version>()), order_(order) {}

VersionBuilder::LevelFiles& VersionBuilder::Touch(int level) {
  const auto [position, fresh] = touched_.try_emplace(level);
  LevelFiles& files = position->second;
  if (fresh) {
    for (const Run& run : base_->runs(level)) {
      for (const FileRef& file : run.files) files[file->number] = {run.id, file};
    }
  }
  return files;
}

absl::Status VersionBuilder::Apply(const FamilyEdit& edit) {
  for (const auto& [level, number] : edit.deleted) {
    if (Touch(level).erase(number) == 0) {
      return Contradiction("delete", level, number, "no such file in that level");
    }
  }
  for (const auto& [level, run, file] : edit.added) {
    PlacedFile placed{run, std::make_shared<const FileMetadata>(file)};
    if (!Touch(level).try_emplace(file.number, std::move(placed)).second) {
      return Contradiction("add", level, file.number, "it is there already");
    }
  }
  for (const auto& [level, number, reason] : edit.quarantined) {
    const auto position = Touch(level).find(number);
    if (position == Touch(level).end()) {
      return Contradiction("quarantine", level, number, "no such file in that level");
    }
    auto damaged = std::make_shared<FileMetadata>(*position->second.file);
    damaged->damage = reason.empty() ? "damaged" : reason;
    position->second.file = std::move(damaged);
  }
  return absl::OkStatus();
}

std::vector<Run> VersionBuilder::BuildLevel(const LevelFiles& files) const {
  std::map<uint64_t, Run, std::greater<>> by_id;  // newest first
  for (const auto& [number, placed] : files) by_id[placed.run].files.push_back(placed.file);
  std::vector<Run> runs;
  runs.reserve(by_id.size());
  for (auto& [id, run] : by_id) {
    run.id = id;
    std::sort(run.files.begin(), run.files.end(), [this](const FileRef& a, const FileRef& b) {
      return order_.Less(a->smallest_key, b->smallest_key);
    });
    run.Index(order_);
    runs.push_back(std::move(run));
  }
  return runs;
}

absl::StatusOr<std::shared_ptr<const Version>> VersionBuilder::Build() {
  if (touched_.empty()) return base_;
  Levels levels;
  for (int level = 0; level < kLevelCount; ++level) {
    std::vector<Run>& runs = levels[static_cast<size_t>(level)];
    if (const auto touched = touched_.find(level); touched != touched_.end()) {
      runs = BuildLevel(touched->second);
    } else {
      runs.assign(base_->runs(level).begin(), base_->runs(level).end());
    }
  }
  auto version = std::make_shared<const Version>(std::move(levels));
  RETURN_IF_ERROR(version->CheckConsistency(order_));
  return version;
}

}  // namespace cambium::manifest
