#include "manifest/manifest_state.h"

#include <algorithm>
#include <cassert>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "util/status_macros.h"

namespace cambium::manifest {
namespace {

// Applies a number of an edit; it must not decrease.
template <typename Number>
absl::Status Advance(const char* what, const std::optional<Number>& found, Number* number) {
  if (!found) return absl::OkStatus();
  if (*found < *number) {
    return absl::DataLossError(
        absl::StrCat("version edit: ", what, ": found ", static_cast<uint64_t>(*found),
                     ", expected no less than ", static_cast<uint64_t>(*number)));
  }
  *number = *found;
  return absl::OkStatus();
}

absl::Status FamilyError(ColumnFamilyId family, const char* what) {
  return absl::DataLossError(absl::StrCat("version edit: column family ", family, ": ", what));
}

absl::Status CheckAdded(const FileMetadata& file, const ManifestState& state) {
  const auto refuse = [&file](const char* expected, uint64_t bound) {
    return absl::DataLossError(
        absl::StrCat("version edit: ", DebugString(file), ": expected ", expected, " ", bound));
  };
  if (ToInteger(std::max(file.number, file.physical_number)) >= state.next_file_number) {
    return refuse("a number below the next file number", state.next_file_number);
  }
  if (file.largest_sequence > state.last_sequence) {
    return refuse("no entry after the last sequence number", state.last_sequence);
  }
  return absl::OkStatus();
}

}  // namespace

void StateChange::ApplyTo(ManifestState* state) && {
  static_cast<ManifestNumbers&>(*state) = std::move(numbers);
  for (const ColumnFamilyId id : dropped) state->families.erase(id);
  while (!changed.empty()) {
    auto added = state->families.insert(changed.extract(changed.begin()));
    if (!added.inserted) std::swap(added.position->second, added.node.mapped());
  }
}

StateBuilder::StateBuilder(ManifestState base, const KeyOrders& orders)
    : state_(std::move(base)), orders_(orders) {
  for (const auto& [id, family] : state_.families) {
    builders_.try_emplace(id, family.version, orders_.Find(family.comparator_name));
  }
}

absl::Status StateBuilder::Apply(const VersionEdit& edit) {
  if (edit.comparator_name) state_.comparator_name = *edit.comparator_name;
  if (edit.database_id) state_.database_id = *edit.database_id;
  RETURN_IF_ERROR(Advance("next file number", edit.next_file_number, &state_.next_file_number));
  RETURN_IF_ERROR(Advance("last sequence number", edit.last_sequence, &state_.last_sequence));
  RETURN_IF_ERROR(Advance("log number", edit.log_number, &state_.log_number));
  if (edit.log_reach) state_.log_reach = *edit.log_reach;
  if (edit.session_start) state_.session_start = *edit.session_start;
  RETURN_IF_ERROR(Advance("next family", edit.next_family, &state_.next_family));
  RETURN_IF_ERROR(Advance("wall time", edit.wall_micros, &state_.wall_micros));
  for (const auto& [id, family] : edit.families) RETURN_IF_ERROR(ApplyFamily(id, family));
  return absl::OkStatus();
}

absl::Status StateBuilder::ApplyFamily(ColumnFamilyId id, const FamilyEdit& edit) {
  if (edit.change == FamilyChange::kAdd) {
    FamilyState added{edit.name, edit.comparator_name.value_or(state_.comparator_name)};
    builders_.try_emplace(id, nullptr, orders_.Find(added.comparator_name));
    const bool fresh = state_.families.try_emplace(id, std::move(added)).second;
    if (!fresh) return FamilyError(id, "it exists already");
    state_.next_family = std::max(state_.next_family, uint64_t{id} + 1);
  }
  const auto position = state_.families.find(id);
  if (position == state_.families.end()) return FamilyError(id, "it does not exist");
  FamilyState& family = position->second;
  if (edit.new_name) family.name = *edit.new_name;
  if (edit.settings) family.settings = edit.settings;
  if (edit.merge_operator_name) family.merge_operator_name = *edit.merge_operator_name;
  RETURN_IF_ERROR(
      Advance("flushed sequence number", edit.flushed_sequence, &family.flushed_sequence));
  for (const AddedFile& added : edit.added) RETURN_IF_ERROR(CheckAdded(added.file, state_));
  RETURN_IF_ERROR(builders_.at(id).Apply(edit));
  if (edit.change == FamilyChange::kDrop) {
    state_.families.erase(id);
    builders_.erase(id);
  }
  return absl::OkStatus();
}

absl::StatusOr<ManifestState> StateBuilder::Build() {
  assert(builders_.size() == state_.families.size());
  for (auto& [id, family] : state_.families) {
    ASSIGN_OR_RETURN(family.version, builders_.at(id).Build());
    assert(family.version != nullptr);
  }
  return state_;
}

absl::StatusOr<StateChange> ChangeOf(const ManifestState& state, const VersionEdit& edit,
                                     const KeyOrders& orders) {
  ManifestState touched;
  static_cast<ManifestNumbers&>(touched) = state;
  for (const auto& [id, family] : edit.families) {
    const auto place = state.families.find(id);
    if (place != state.families.end()) touched.families.insert(*place);
  }
  StateBuilder builder(std::move(touched), orders);
  RETURN_IF_ERROR(builder.Apply(edit));
  ASSIGN_OR_RETURN(ManifestState next, builder.Build());
  StateChange change;
  for (const auto& [id, family] : edit.families) {
    if (!next.families.contains(id)) change.dropped.push_back(id);
  }
  change.changed = std::move(next.families);
  change.numbers = std::move(next);
  return change;
}

VersionEdit SnapshotEdit(const ManifestState& state) {
  VersionEdit edit;
  edit.comparator_name = state.comparator_name;
  edit.database_id = state.database_id;
  edit.next_file_number = state.next_file_number;
  edit.last_sequence = state.last_sequence;
  edit.log_number = state.log_number;
  if (state.log_reach.segment != 0) edit.log_reach = state.log_reach;
  if (state.session_start != 0) edit.session_start = state.session_start;
  // The greatest id implies it, unless that family was dropped.
  const uint64_t implied =
      state.families.empty() ? 0 : uint64_t{state.families.rbegin()->first} + 1;
  if (state.next_family > implied) edit.next_family = state.next_family;
  if (state.wall_micros != 0) edit.wall_micros = state.wall_micros;
  for (const auto& [id, family] : state.families) {
    FamilyEdit& family_edit = edit.Family(id);
    family_edit.change = FamilyChange::kAdd;
    family_edit.name = family.name;
    family_edit.settings = family.settings;
    family_edit.flushed_sequence = family.flushed_sequence;
    if (family.comparator_name != state.comparator_name) {
      family_edit.comparator_name = family.comparator_name;
    }
    if (!family.merge_operator_name.empty()) {
      family_edit.merge_operator_name = family.merge_operator_name;
    }
    for (int level = 0; level < kLevelCount; ++level) {
      for (const Run& run : family.version->runs(level)) {
        for (const FileRef& file : run.files) {
          family_edit.added.push_back({level, run.id, *file});
          if (!file->quarantined()) continue;
          family_edit.added.back().file.damage.clear();  // a separate field contains it
          family_edit.quarantined.push_back({level, file->number, file->damage});
        }
      }
    }
  }
  return edit;
}

}  // namespace cambium::manifest
