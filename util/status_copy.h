// CopyStatus: copies a status without sharing memory.
//
// Use it to store and to read a status that several threads access. A plain copy shares a counted
// block; the counting is in Debian's prebuilt Abseil, so ThreadSanitizer cannot see that it orders
// the last use before the deletion.
#ifndef CAMBIUM_UTIL_STATUS_COPY_H_
#define CAMBIUM_UTIL_STATUS_COPY_H_

#include "absl/status/status.h"
#include "util/out_of_memory.h"

namespace cambium {

// Does not copy payloads: no stored status has one. Omits the message if there is no memory for it:
// throws nothing.
inline absl::Status CopyStatus(const absl::Status& status) noexcept {
  return status.ok() ? absl::OkStatus() : NoThrowStatus(status.code(), status.message());
}

}  // namespace cambium

#endif  // CAMBIUM_UTIL_STATUS_COPY_H_
