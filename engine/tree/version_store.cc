#include "engine/tree/version_store.h"

#include <algorithm>
#include <utility>

#include "base/file_names.h"
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
  edit.last_sequence = last_sequence;
  edit.next_file_number = context_->next_file_number.load(std::memory_order_relaxed);
  ASSIGN_OR_RETURN(manifest::ManifestState next,
                   manifest::ApplyEdit(state_, edit, context_->order));
  const bool fresh = log_ == nullptr || log_->ShouldRollOver();
  const absl::Status written = fresh ? WriteFresh(&next) : log_->Append(edit);
  if (!written.ok()) {
    log_.reset();
    context_->reaper.Suspend();
    context_->errors.NoteWriteError(written);
    return written;
  }
  state_ = std::move(next);
  tree_->Install(state_.families.at(kDefaultFamily).version, flushed, bracket);
  return absl::OkStatus();
}

absl::Status VersionStore::Recover() {
  MutexLock lock(&manifest_mu_);
  if (log_ != nullptr) return absl::OkStatus();
  RETURN_IF_ERROR(WriteFresh(&state_));
  context_->reaper.Allow();
  return absl::OkStatus();
}

manifest::ManifestState VersionStore::state() const {
  MutexLock lock(&manifest_mu_);
  return state_;
}

absl::Status VersionStore::WriteFresh(manifest::ManifestState* next) {
  const FileNumber number = context_->NewFileNumber();
  next->next_file_number = context_->next_file_number.load(std::memory_order_relaxed);
  const std::unique_ptr<manifest::ManifestLog> old = std::move(log_);
  ASSIGN_OR_RETURN(log_, manifest::ManifestLog::Create(context_->fs(), context_->path, number,
                                                       manifest::SnapshotEdit(*next)));
  if (old != nullptr) context_->reaper.Enqueue(ManifestPath(context_->path, old->number()));
  return absl::OkStatus();
}

}  // namespace cambium::engine
