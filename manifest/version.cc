#include "manifest/version.h"

#include <algorithm>
#include <bitset>
#include <cassert>
#include <functional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "util/status_macros.h"

namespace cambium::manifest {
namespace {

constexpr size_t kNumberFilterBits = 4096;

absl::Status Inconsistent(int level, const Run& run, const FileMetadata& file, const char* what) {
  return absl::DataLossError(
      absl::StrCat("tree: level ", level, " run ", run.id, " ", DebugString(file), ": ", what));
}

absl::Status CheckFile(int level, const Run& run, const FileMetadata& file, const KeyOrder& order) {
  if (order.Less(file.largest_key, file.smallest_key)) {
    return Inconsistent(level, run, file, "smallest key is above largest key");
  }
  if (file.largest_exclusive && file.EndsBefore(file.smallest_key, order)) {
    return Inconsistent(level, run, file, "smallest key is its exclusive largest key");
  }
  if (file.smallest_sequence > file.largest_sequence) {
    return Inconsistent(level, run, file, "smallest sequence number is above the largest");
  }
  if (file.tombstones > file.entries) {
    return Inconsistent(level, run, file, "more tombstones than entries");
  }
  return absl::OkStatus();
}

// Checks one file of a run, and that it does not overlap its neighbors.
absl::Status CheckPlace(int level, const Run& run, size_t index, const KeyOrder& order) {
  RETURN_IF_ERROR(CheckFile(level, run, *run.files[index], order));
  const size_t last = std::min(index + 2, run.files.size());
  for (size_t i = std::max<size_t>(index, 1); i < last; ++i) {
    if (!run.files[i - 1]->EndsBefore(run.files[i]->smallest_key, order)) {
      return Inconsistent(level, run, *run.files[i], "begins before the end of the file before it");
    }
  }
  return absl::OkStatus();
}

absl::Status CheckRun(int level, const Run& run, const KeyOrder& order) {
  for (size_t i = 0; i < run.files.size(); ++i) {
    RETURN_IF_ERROR(CheckPlace(level, run, i, order));
  }
  return absl::OkStatus();
}

absl::Status StandsTwice(FileNumber number) {
  return absl::DataLossError(absl::StrCat("tree: file ", ToInteger(number), " stands in it twice"));
}

// Returns the range of sequence numbers of a run of level 0.
std::pair<SequenceNumber, SequenceNumber> SequenceSpan(const Run& run) {
  assert(!run.files.empty());
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

size_t FindFileIndex(const Run& run, std::string_view key, uint64_t abbreviated,
                     const KeyOrder& order) {
  assert(run.largest_abbreviated.size() == run.files.size());
  size_t low = 0;
  size_t high = run.files.size();
  while (low < high) {
    const size_t middle = low + (high - low) / 2;
    const uint64_t largest = run.largest_abbreviated[middle];
    const bool before =
        largest != abbreviated ? largest < abbreviated : run.files[middle]->EndsBefore(key, order);
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
  const size_t begin = bounds.smallest ? FindFileIndex(run, *bounds.smallest,
                                                       order.Abbreviate(*bounds.smallest), order)
                                       : 0;
  if (!bounds.largest) return files.subspan(begin);
  const auto end = std::partition_point(
      files.begin() + static_cast<std::ptrdiff_t>(begin), files.end(),
      [&](const FileRef& file) { return !order.Less(*bounds.largest, file->smallest_key); });
  return files.subspan(begin, static_cast<size_t>(end - files.begin()) - begin);
}

Version::Version(Levels levels) : levels_(std::move(levels)) {
  for (size_t level = 0; level < levels_.size(); ++level) {
    for (const Run& run : levels_[level]) {
      assert(run.largest_abbreviated.size() == run.files.size());
      assert(run.numbers.size() == run.files.size());
      level_bytes_[level] += run.bytes;
    }
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
  return twice == numbers.end() ? absl::OkStatus() : StandsTwice(*twice);
}

VersionBuilder::VersionBuilder(std::shared_ptr<const Version> base,
                               const std::optional<KeyOrder>& order)
    : base_(base != nullptr ? std::move(base) : std::make_shared<const Version>()), order_(order) {}

const FileRef* VersionBuilder::Find(int level, FileNumber number) const {
  if (const auto change = changes_.find(level); change != changes_.end()) {
    const auto placed = change->second.placed.find(number);
    if (placed != change->second.placed.end()) return &placed->second.file;
    if (change->second.removed.contains(number)) return nullptr;
  }
  const auto known = known_.find(number);
  if (known == known_.end() || known->second.level != level) return nullptr;
  return &FileAt(known->second);
}

void VersionBuilder::Locate(const FamilyEdit& edit) {
  std::vector<FileNumber> wanted;
  for (const DeletedFile& file : edit.deleted) wanted.push_back(file.number);
  for (const AddedFile& file : edit.added) wanted.push_back(file.file.number);
  for (const QuarantinedFile& file : edit.quarantined) wanted.push_back(file.number);
  std::sort(wanted.begin(), wanted.end());
  // The low bits are enough to reject most numbers of the base.
  std::bitset<kNumberFilterBits> filter;
  for (const FileNumber number : wanted) filter.set(ToInteger(number) % kNumberFilterBits);
  for (int level = 0; level < kLevelCount; ++level) {
    for (size_t run = 0; run < base_->runs(level).size(); ++run) {
      const SharedArray<FileNumber>& numbers = base_->runs(level)[run].numbers;
      for (size_t i = 0; i < numbers.size(); ++i) {
        if (!filter.test(ToInteger(numbers[i]) % kNumberFilterBits)) continue;
        if (!std::binary_search(wanted.begin(), wanted.end(), numbers[i])) continue;
        known_.try_emplace(numbers[i], BasePlace{level, run, i});
      }
    }
  }
}

void VersionBuilder::Remove(int level, FileNumber number) {
  LevelChange& change = changes_[level];
  change.placed.erase(number);
  const auto known = known_.find(number);
  if (known != known_.end() && known->second.level == level) change.removed.insert(number);
}

absl::Status VersionBuilder::Apply(const FamilyEdit& edit) {
  Locate(edit);
  for (const auto& [level, number] : edit.deleted) {
    if (Find(level, number) == nullptr) {
      return Contradiction("delete", level, number, "no such file in that level");
    }
    Remove(level, number);
  }
  for (const auto& [level, run, file] : edit.added) {
    if (Find(level, file.number) != nullptr) {
      return Contradiction("add", level, file.number, "it is there already");
    }
    changes_[level].placed[file.number] = {run, std::make_shared<const FileMetadata>(file)};
  }
  for (const auto& [level, number, reason] : edit.quarantined) {
    const FileRef* const file = Find(level, number);
    if (file == nullptr) {
      return Contradiction("quarantine", level, number, "no such file in that level");
    }
    auto damaged = std::make_shared<FileMetadata>(**file);
    damaged->damage = reason.empty() ? "damaged" : reason;
    std::map<FileNumber, PlacedFile>& placed = changes_[level].placed;
    const auto changed = placed.find(number);
    const uint64_t run = changed != placed.end() ? changed->second.run
                                                 : base_->runs(level)[known_.at(number).run].id;
    Remove(level, number);
    placed[number] = {run, std::move(damaged)};
  }
  return absl::OkStatus();
}

// Builds the arrays of a run from parts of the base's and new files.
struct VersionBuilder::RunParts {
  std::vector<FileRef> files;
  std::vector<uint64_t> largest_abbreviated;
  std::vector<FileNumber> numbers;

  void Reserve(size_t size) {
    files.reserve(size);
    largest_abbreviated.reserve(size);
    numbers.reserve(size);
  }
  void Take(const Run& base, size_t begin, size_t end) {
    const auto copy = [begin, end](const auto& from, auto* to) {
      to->insert(to->end(), from.begin() + begin, from.begin() + end);
    };
    copy(base.files, &files);
    copy(base.largest_abbreviated, &largest_abbreviated);
    copy(base.numbers, &numbers);
  }
  void Add(FileRef file, const std::optional<KeyOrder>& order) {
    largest_abbreviated.push_back(order ? order->Abbreviate(file->largest_key) : 0);
    numbers.push_back(file->number);
    files.push_back(std::move(file));
  }
};

absl::StatusOr<Run> VersionBuilder::BuildRun(int level, const Run& base,
                                             std::vector<size_t> removed,
                                             std::vector<FileRef> added) const {
  std::sort(removed.begin(), removed.end());
  // Without an order, the base comes first.
  const auto before = [this](const FileRef& a, const FileRef& b) {
    return !order_ || order_->Less(a->smallest_key, b->smallest_key);
  };
  if (order_) std::sort(added.begin(), added.end(), before);
  Run run;
  run.id = base.id;
  run.bytes = base.bytes + manifest::TotalBytes(added);
  assert(std::adjacent_find(removed.begin(), removed.end()) == removed.end());
  for (const size_t index : removed) {
    assert(run.bytes >= base.files[index]->file_size);
    run.bytes -= base.files[index]->file_size;
  }
  RunParts parts;
  parts.Reserve(base.files.size() - removed.size() + added.size());
  size_t next = 0;  // of the base
  auto gap = removed.begin();
  const auto take_up_to = [&](size_t end) {
    for (; gap != removed.end() && *gap < end; ++gap) {
      parts.Take(base, next, *gap);
      next = *gap + 1;
    }
    parts.Take(base, next, std::max(next, end));
    next = std::max(next, end);
  };
  std::vector<size_t> fresh;  // indexes of added files
  for (FileRef& file : added) {
    const auto place =
        std::partition_point(base.files.begin() + next, base.files.end(),
                             [&](const FileRef& other) { return before(other, file); });
    take_up_to(static_cast<size_t>(place - base.files.begin()));
    fresh.push_back(parts.files.size());
    parts.Add(std::move(file), order_);
  }
  take_up_to(base.files.size());
  assert(gap == removed.end());
  assert(parts.files.size() + removed.size() == base.files.size() + fresh.size());
  run.files = SharedArray(std::move(parts.files));
  run.largest_abbreviated = SharedArray(std::move(parts.largest_abbreviated));
  run.numbers = SharedArray(std::move(parts.numbers));
  std::vector<uint32_t> with_range_deletes;
  for (size_t i = 0; i < run.files.size(); ++i) {
    if (run.files[i]->range_deletes.count > 0)
      with_range_deletes.push_back(static_cast<uint32_t>(i));
  }
  run.with_range_deletes = SharedArray(std::move(with_range_deletes));
  // The files of the base are already in order.
  if (!order_) return run;
  for (const size_t index : fresh) RETURN_IF_ERROR(CheckPlace(level, run, index, *order_));
  return run;
}

absl::StatusOr<std::vector<Run>> VersionBuilder::BuildLevel(int level,
                                                            const LevelChange& change) const {
  struct RunChange {
    Run base;
    bool changed = false;
    std::vector<size_t> removed;
    std::vector<FileRef> added;
  };
  std::map<uint64_t, RunChange, std::greater<>> by_id;  // newest first
  const std::span<const Run> base_runs = base_->runs(level);
  for (const Run& run : base_runs) by_id[run.id].base = run;
  for (const FileNumber number : change.removed) {
    const BasePlace& place = known_.at(number);
    assert(place.level == level && place.run < base_runs.size());
    RunChange& run = by_id[base_runs[place.run].id];
    run.changed = true;
    run.removed.push_back(place.file);
  }
  for (const auto& [number, placed] : change.placed) {
    RunChange& run = by_id[placed.run];
    run.base.id = placed.run;
    run.changed = true;
    run.added.push_back(placed.file);
  }
  std::vector<Run> runs;
  for (auto& [id, run] : by_id) {
    if (run.changed) {
      ASSIGN_OR_RETURN(run.base,
                       BuildRun(level, run.base, std::move(run.removed), std::move(run.added)));
      if (run.base.files.empty()) continue;
    }
    if (!runs.empty()) RETURN_IF_ERROR(CheckRunOrder(level, runs.back(), run.base));
    runs.push_back(std::move(run.base));
  }
  return runs;
}

// A number that was added must not be in the version elsewhere: neither added twice, nor left in
// the base.
absl::Status VersionBuilder::CheckNumbers() const {
  std::set<FileNumber> placed;
  for (const auto& [level, change] : changes_) {
    for (const auto& [number, file] : change.placed) {
      bool twice = !placed.insert(number).second;
      if (const auto known = known_.find(number); known != known_.end()) {
        const auto left = changes_.find(known->second.level);
        twice = twice || left == changes_.end() || !left->second.removed.contains(number);
      }
      if (twice) return StandsTwice(number);
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<const Version>> VersionBuilder::Build() {
  if (changes_.empty()) return base_;
  RETURN_IF_ERROR(CheckNumbers());
  Levels levels;
  for (int level = 0; level < kLevelCount; ++level) {
    std::vector<Run>& runs = levels[static_cast<size_t>(level)];
    if (const auto change = changes_.find(level); change != changes_.end()) {
      ASSIGN_OR_RETURN(runs, BuildLevel(level, change->second));
    } else {
      runs.assign(base_->runs(level).begin(), base_->runs(level).end());
    }
  }
  return std::make_shared<const Version>(std::move(levels));
}

}  // namespace cambium::manifest
