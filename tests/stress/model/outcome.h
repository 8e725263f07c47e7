// Determines the outcome of a write from its error.
#ifndef CAMBIUM_TESTS_STRESS_MODEL_OUTCOME_H_
#define CAMBIUM_TESTS_STRESS_MODEL_OUTCOME_H_

#include "absl/status/status.h"

namespace cambium::stress {

// Returns true if a write with that error did not happen (include/cambium/db.h). With any other
// error its outcome is unknown until the next Open.
inline bool IsRefusal(const absl::Status& status) {
  return absl::IsInvalidArgument(status) || absl::IsFailedPrecondition(status) ||
         absl::IsResourceExhausted(status);
}

}  // namespace cambium::stress

#endif  // CAMBIUM_TESTS_STRESS_MODEL_OUTCOME_H_
