#include "absl/status/status.h"
#include "absl/strings/cord.h"
#include "cambium/file_system.h"
#include "util/absl_view.h"

namespace cambium {
namespace {

constexpr char kPayload[] = "cambium/lock-held";

}  // namespace

absl::Status LockHeldError(std::string_view message) {
  absl::Status status = absl::FailedPreconditionError(ToAbsl(message));
  status.SetPayload(kPayload, absl::Cord());
  return status;
}

bool IsLockHeld(const absl::Status& status) { return status.GetPayload(kPayload).has_value(); }

}  // namespace cambium
