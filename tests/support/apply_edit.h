// ApplyEdit: the state after one edit, as a whole.
#ifndef CAMBIUM_TESTS_SUPPORT_APPLY_EDIT_H_
#define CAMBIUM_TESTS_SUPPORT_APPLY_EDIT_H_

#include <utility>

#include "absl/status/statusor.h"
#include "manifest/manifest_state.h"
#include "util/status_macros.h"

namespace cambium::manifest {

inline absl::StatusOr<ManifestState> ApplyEdit(const ManifestState& state, const VersionEdit& edit,
                                               const KeyOrder& order) {
  ASSIGN_OR_RETURN(StateChange change, ChangeOf(state, edit, KeyOrders(order)));
  ManifestState next = state;
  std::move(change).ApplyTo(&next);
  return next;
}

}  // namespace cambium::manifest

#endif  // CAMBIUM_TESTS_SUPPORT_APPLY_EDIT_H_
