#include "engine/tree/version_store.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/file_names.h"
#include "util/coding.h"
#include "util/out_of_memory.h"
#include "util/status_macros.h"

namespace cambium::engine {

absl::Status VersionStore::Start(manifest::ManifestState state) {
  MutexLock lock(&manifest_mu_);
  state_ = std::move(state);
  return context_->options.read_only ? absl::OkStatus() : WriteFresh(&state_);
}

absl::Status VersionStore::Commit(manifest::VersionEdit edit, size_t flushed,
                                  const PublishBracket& bracket) {
  MutexLock lock(&manifest_mu_);
  SequenceNumber last_sequence = state_.last_sequence;
  for (const auto& [id, family] : edit.families) {
    last_sequence = std::max(last_sequence, family.flushed_sequence.value_or(0));
  }
  assert(last_sequence <= kMaxSequenceNumber && !edit.families.empty());
  edit.last_sequence = last_sequence;
  edit.next_file_number = context_->next_file_number.load(std::memory_order_relaxed);
  const WriteEpoch epoch = context_->errors.epoch();
  manifest::ManifestState next;
  absl::StatusOr<Tree::NextVersion> version =
      CatchBadAlloc([&]() -> absl::StatusOr<Tree::NextVersion> {
        manifest_mu_.AssertHeld();
        ASSIGN_OR_RETURN(next, manifest::ApplyEdit(state_, edit, context_->order));
        return tree_->Prepare(next.families.at(kDefaultFamily).version);
      });
  if (!version.ok()) {
    // An edit that contradicts the state: no repetition of its job would change that.
    Abandon(edit);
    context_->errors.NoteWriteError(version.status(), epoch);
    return version.status();
  }
  RETURN_IF_ERROR(WriteEdit(edit, std::move(next)));
  tree_->Install(*std::move(version), flushed, bracket);
  return absl::OkStatus();
}

absl::Status VersionStore::WriteEdit(const manifest::VersionEdit& edit,
                                     manifest::ManifestState next) {
  const WriteEpoch epoch = context_->errors.epoch();
  const bool fresh = log_ == nullptr || log_->ShouldRollOver();
  const absl::Status written = CatchBadAlloc([&] {
    manifest_mu_.AssertHeld();
    return fresh ? WriteFresh(&next) : log_->Append(edit);
  });
  if (!written.ok()) {
    Abandon(edit);
    context_->errors.NoteWriteError(written, epoch);
    return written;
  }
  state_ = std::move(next);
  return absl::OkStatus();
}

absl::Status VersionStore::Verify() const {
  MutexLock lock(&manifest_mu_);
  ASSIGN_OR_RETURN(const manifest::RecoveredManifest found,
                   manifest::RecoverManifest(context_->fs(), context_->path, context_->order));
  if (log_ == nullptr || (found.manifest_number == log_->number() && found.size == log_->size())) {
    return absl::OkStatus();
  }
  return absl::DataLossError(absl::StrCat(
      "verify ", ManifestPath(context_->path, log_->number()), ": found ", found.size, " bytes in ",
      ManifestPath(context_->path, found.manifest_number), ", expected ", log_->size()));
}

absl::Status VersionStore::RecordReach(wal::LogPosition reach) {
  MutexLock lock(&manifest_mu_);
  if (state_.families.empty()) return absl::OkStatus();
  manifest::VersionEdit edit;
  edit.log_reach = reach;
  manifest::ManifestState next = state_;
  next.log_reach = reach;
  return WriteEdit(edit, std::move(next));
}

std::string VersionStore::EndPayload() {
  MutexLock lock(&manifest_mu_);
  std::string payload;
  if (log_ == nullptr) return payload;
  AppendFixed64(&payload, ToInteger(log_->number()));
  AppendFixed64(&payload, log_->size());
  return payload;
}

absl::Status VersionStore::Recover() {
  MutexLock lock(&manifest_mu_);
  return log_ != nullptr ? absl::OkStatus() : WriteFresh(&state_);
}

void VersionStore::Close() {
  MutexLock lock(&manifest_mu_);
  log_.reset();
}

manifest::ManifestState VersionStore::state() const {
  MutexLock lock(&manifest_mu_);
  return state_;
}

absl::Status VersionStore::WriteFresh(manifest::ManifestState* next) {
  if (log_ != nullptr) uncertain_.push_back(ManifestPath(context_->path, log_->number()));
  log_ = nullptr;
  FileNumber number{0};
  absl::StatusOr<std::unique_ptr<manifest::ManifestLog>> made;
  do {
    // A file that has the name already is not ours: it stays, and the next number is drawn.
    number = context_->NewFileNumber();
    next->next_file_number = context_->next_file_number.load(std::memory_order_relaxed);
    made = CatchBadAlloc([&] {
      return manifest::ManifestLog::Create(context_->fs(), context_->path, number,
                                           manifest::SnapshotEdit(*next));
    });
  } while (absl::IsAlreadyExists(made.status()));
  if (!made.ok()) {
    const absl::Status discarded = CatchBadAlloc(
        [&] { return manifest::DiscardManifest(context_->fs(), context_->path, number); });
    if (!discarded.ok()) {
      IfMemoryAllows([&] {
        manifest_mu_.AssertHeld();
        uncertain_.push_back(ManifestPath(context_->path, number));
      });
    }
    return made.status();
  }
  log_ = *std::move(made);
  assert(log_ != nullptr && log_->number() == number);
  // What the disk says is known again (D12).
  context_->reaper.Allow();
  for (std::string& path : uncertain_) context_->reaper.Enqueue(std::move(path));
  uncertain_.clear();
  return absl::OkStatus();
}

void VersionStore::Abandon(const manifest::VersionEdit& edit) {
  assert(!context_->options.read_only);
  context_->reaper.Suspend();
  const std::unique_ptr<manifest::ManifestLog> log = std::move(log_);
  // What is not noted here is an orphan, which the next Open removes.
  IfMemoryAllows([&] {
    manifest_mu_.AssertHeld();
    if (log != nullptr) uncertain_.push_back(ManifestPath(context_->path, log->number()));
    for (const auto& [id, family] : edit.families) {
      for (const manifest::AddedFile& added : family.added) {
        // One that only moves to another level stays where it was.
        const bool moves = std::any_of(
            family.deleted.begin(), family.deleted.end(),
            [&](const manifest::DeletedFile& file) { return file.number == added.file.number; });
        if (!moves) uncertain_.push_back(TablePath(context_->path, added.file.number));
      }
    }
  });
}

}  // namespace cambium::engine
