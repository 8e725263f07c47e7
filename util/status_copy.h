// CopyStatus: a copy of a status that shares no memory with it.
//
// What one thread stores and others read is stored and read through it. A plain copy shares a
// counted block; the counting happens in Debian's prebuilt Abseil, where ThreadSanitizer cannot see
// that it orders the last use before the deletion.
#ifndef CAMBIUM_UTIL_STATUS_COPY_H_
#define CAMBIUM_UTIL_STATUS_COPY_H_

#include "absl/status/status.h"
#include "util/out_of_memory.h"

namespace cambium {

// Payloads are left out: no status that is stored has one. So is the message if there is no memory
// for it: nothing is thrown.
inline absl::Status CopyStatus(const absl::Status& status) noexcept {
  return status.ok() ? absl::OkStatus() : NoThrowStatus(status.code(), status.message());
}

}  // namespace cambium

#endif  // CAMBIUM_UTIL_STATUS_COPY_H_
