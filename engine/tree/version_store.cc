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
namespace {

absl::Status ClosedError() { return absl::FailedPreconditionError("the manifest is closed"); }

}  // namespace

absl::Status VersionStore::Start(manifest::ManifestState state) {
  MutexLock lock(&manifest_mu_);
  state_ = std::move(state);
  return WriteFresh(&state_);
}

void VersionStore::StartReadOnly(manifest::ManifestState state) {
  MutexLock lock(&manifest_mu_);
  state_ = std::move(state);
}

absl::Status VersionStore::Commit(manifest::VersionEdit edit, size_t flushed,
                                  const PublishBracket& bracket) {
  [[maybe_unused]] const bool one_tree = edit.families.size() == 1;
  assert(one_tree || (!edit.families.empty() && flushed == 0 && !bracket));
  MutexLock lock(&manifest_mu_);
  std::erase_if(edit.families, [this](const auto& family) {
    manifest_mu_.AssertHeld();
    return !state_.families.contains(family.first);
  });
  if (edit.families.empty()) return absl::CancelledError("the column family was dropped");
  SequenceNumber last_sequence = state_.last_sequence;
  for (const auto& [id, family] : edit.families) {
    last_sequence = std::max(last_sequence, family.flushed_sequence.value_or(0));
  }
  assert(last_sequence <= kMaxSequenceNumber);
  edit.last_sequence = last_sequence;
  edit.next_file_number = storage_->next_file_number.load(std::memory_order_relaxed);
  AddWallTime(&edit);
  const WriteEpoch epoch = errors_->epoch();
  manifest::StateChange change;
  auto versions = CatchBadAlloc([&] {
    manifest_mu_.AssertHeld();
    return Prepare(edit, &change);
  });
  if (!versions.ok()) {
    // The edit contradicts the state: repeating its job would not help.
    Abandon(edit);
    errors_->NoteWriteError(versions.status(), epoch);
    return versions.status();
  }
  RETURN_IF_ERROR(WriteEdit(edit, std::move(change)));
  for (auto& [tree, version] : *versions) tree->Install(std::move(version), flushed, bracket);
  return absl::OkStatus();
}

absl::StatusOr<std::vector<std::pair<TreeRef, Tree::NextVersion>>> VersionStore::Prepare(
    const manifest::VersionEdit& edit, manifest::StateChange* change) const {
  ASSIGN_OR_RETURN(*change, manifest::ChangeOf(state_, edit, orders_));
  std::vector<std::pair<TreeRef, Tree::NextVersion>> versions;
  for (const auto& [id, family] : change->changed) {
    TreeRef tree = trees_->Find(id);
    assert(tree != nullptr);
    Tree::NextVersion next = tree->Prepare(family.version);
    versions.emplace_back(std::move(tree), std::move(next));
  }
  return versions;
}

absl::Status VersionStore::CommitFamily(const manifest::VersionEdit& edit,
                                        const Comparator* comparator) {
  MutexLock lock(&manifest_mu_);
  if (comparator != nullptr) orders_.Add(comparator);
  absl::StatusOr<manifest::StateChange> change = manifest::ChangeOf(state_, edit, orders_);
  RETURN_IF_ERROR(change.status());
  return WriteEdit(edit, *std::move(change));
}

absl::Status VersionStore::WriteEdit(const manifest::VersionEdit& edit,
                                     manifest::StateChange change) {
  if (closed_) return ClosedError();
  const WriteEpoch epoch = errors_->epoch();
  const bool fresh = log_ == nullptr || log_->ShouldRollOver();
  const absl::Status written = CatchBadAlloc([&] {
    manifest_mu_.AssertHeld();
    if (!fresh) return log_->Append(edit);
    manifest::ManifestState next = state_;
    std::move(change).ApplyTo(&next);
    RETURN_IF_ERROR(WriteFresh(&next));
    state_ = std::move(next);
    return absl::OkStatus();
  });
  if (!written.ok()) {
    Abandon(edit);
    errors_->NoteWriteError(written, epoch);
    return written;
  }
  if (!fresh) std::move(change).ApplyTo(&state_);
  return absl::OkStatus();
}

absl::Status VersionStore::Verify() const {
  MutexLock lock(&manifest_mu_);
  ASSIGN_OR_RETURN(const manifest::RecoveredManifest found,
                   manifest::RecoverManifest(storage_->fs(), storage_->path, orders_));
  if (log_ == nullptr || (found.manifest_number == log_->number() && found.size == log_->size())) {
    return absl::OkStatus();
  }
  return absl::DataLossError(absl::StrCat(
      "verify ", ManifestPath(storage_->path, log_->number()), ": found ", found.size, " bytes in ",
      ManifestPath(storage_->path, found.manifest_number), ", expected ", log_->size()));
}

absl::Status VersionStore::RecordReach(wal::LogPosition reach) {
  MutexLock lock(&manifest_mu_);
  if (state_.families.empty()) return absl::OkStatus();
  manifest::VersionEdit edit;
  edit.log_reach = reach;
  return WriteNumbers(std::move(edit));
}

absl::Status VersionStore::RecordWallTime(uint64_t lag_micros) {
  MutexLock lock(&manifest_mu_);
  if (state_.families.empty() || log_ == nullptr) return absl::OkStatus();
  const uint64_t reached = storage_->wall.reached();
  if (reached <= state_.wall_micros || reached - state_.wall_micros <= lag_micros) {
    return absl::OkStatus();
  }
  return WriteNumbers({});
}

absl::Status VersionStore::WriteNumbers(manifest::VersionEdit edit) {
  AddWallTime(&edit);
  manifest::StateChange change{state_, {}, {}};
  if (edit.log_reach.has_value()) change.numbers.log_reach = *edit.log_reach;
  if (edit.wall_micros.has_value()) change.numbers.wall_micros = *edit.wall_micros;
  return WriteEdit(edit, std::move(change));
}

void VersionStore::AddWallTime(manifest::VersionEdit* edit) const {
  const uint64_t reached = storage_->wall.reached();
  if (reached > state_.wall_micros) edit->wall_micros = reached;
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
  if (closed_) return ClosedError();
  return log_ != nullptr ? absl::OkStatus() : WriteFresh(&state_);
}

void VersionStore::Close() {
  MutexLock lock(&manifest_mu_);
  closed_ = true;
  log_.reset();
}

uint64_t VersionStore::NextFamily() const {
  MutexLock lock(&manifest_mu_);
  return state_.next_family;
}

SequenceNumber VersionStore::FlushedSequence(ColumnFamilyId id) const {
  MutexLock lock(&manifest_mu_);
  const auto place = state_.families.find(id);
  return place == state_.families.end() ? 0 : place->second.flushed_sequence;
}

manifest::ManifestState VersionStore::state() const {
  MutexLock lock(&manifest_mu_);
  return state_;
}

absl::Status VersionStore::WriteFresh(manifest::ManifestState* next) {
  if (log_ != nullptr) uncertain_.push_back(ManifestPath(storage_->path, log_->number()));
  log_ = nullptr;
  FileNumber number{0};
  absl::StatusOr<std::unique_ptr<manifest::ManifestLog>> made;
  do {
    // An existing file with this name is not ours: it stays, and the next number is allocated.
    number = storage_->NewFileNumber();
    next->next_file_number = storage_->next_file_number.load(std::memory_order_relaxed);
    made = CatchBadAlloc([&] {
      return manifest::ManifestLog::Create(storage_->fs(), storage_->path, number,
                                           manifest::SnapshotEdit(*next));
    });
  } while (absl::IsAlreadyExists(made.status()));
  if (!made.ok()) {
    const absl::Status discarded = CatchBadAlloc(
        [&] { return manifest::DiscardManifest(storage_->fs(), storage_->path, number); });
    if (!discarded.ok()) {
      IfMemoryAllows([&] {
        manifest_mu_.AssertHeld();
        uncertain_.push_back(ManifestPath(storage_->path, number));
      });
    }
    return made.status();
  }
  log_ = *std::move(made);
  assert(log_ != nullptr && log_->number() == number);
  // The contents of the manifest on disk are known again (D12).
  storage_->reaper.Allow();
  for (std::string& path : uncertain_) storage_->reaper.Enqueue(std::move(path));
  uncertain_.clear();
  return absl::OkStatus();
}

void VersionStore::Abandon(const manifest::VersionEdit& edit) {
  storage_->reaper.Suspend();
  const std::unique_ptr<manifest::ManifestLog> log = std::move(log_);
  // A file that is not recorded here is an orphan, which the next Open removes.
  IfMemoryAllows([&] {
    manifest_mu_.AssertHeld();
    if (log != nullptr) uncertain_.push_back(ManifestPath(storage_->path, log->number()));
    for (const auto& [id, family] : edit.families) {
      for (const manifest::AddedFile& added : family.added) {
        // A file that only moves to another level stays on disk.
        const bool moves = std::any_of(
            family.deleted.begin(), family.deleted.end(),
            [&](const manifest::DeletedFile& file) { return file.number == added.file.number; });
        if (!moves) uncertain_.push_back(TablePath(storage_->path, added.file.number));
      }
    }
  });
}

}  // namespace cambium::engine
