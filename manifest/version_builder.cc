#include "manifest/version_builder.h"

#include <algorithm>
#include <functional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "util/status_macros.h"

namespace cambium::manifest {
namespace {

absl::Status Contradiction(const char* what, int level, FileNumber number, const char* why) {
  return absl::DataLossError(
      absl::StrCat("version edit: ", what, " L", level, " ", ToInteger(number), ": ", why));
}

bool IsLevel(int level) { return level >= 0 && level < kLevelCount; }

}  // namespace

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
  for (const DeletedFile& deleted : edit.deleted) RETURN_IF_ERROR(Delete(deleted));
  for (const AddedFile& added : edit.added) RETURN_IF_ERROR(Add(added));
  for (const QuarantinedFile& file : edit.quarantined) RETURN_IF_ERROR(Quarantine(file));
  return absl::OkStatus();
}

absl::Status VersionBuilder::Delete(const DeletedFile& deleted) {
  if (!IsLevel(deleted.level) || Touch(deleted.level).erase(deleted.number) == 0) {
    return Contradiction("delete", deleted.level, deleted.number, "no such file in that level");
  }
  return absl::OkStatus();
}

absl::Status VersionBuilder::Add(const AddedFile& added) {
  const FileNumber number = added.file.number;
  if (!IsLevel(added.level)) return Contradiction("add", added.level, number, "no such level");
  PlacedFile placed{added.run, std::make_shared<const FileMetadata>(added.file)};
  if (!Touch(added.level).try_emplace(number, std::move(placed)).second) {
    return Contradiction("add", added.level, number, "it is there already");
  }
  return absl::OkStatus();
}

absl::Status VersionBuilder::Quarantine(const QuarantinedFile& quarantined) {
  const auto& [level, number, reason] = quarantined;
  if (!IsLevel(level) || !Touch(level).contains(number)) {
    return Contradiction("quarantine", level, number, "no such file in that level");
  }
  FileRef& file = Touch(level).at(number).file;
  auto damaged = std::make_shared<FileMetadata>(*file);
  damaged->damage = reason.empty() ? "damaged" : reason;
  file = std::move(damaged);
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
