// ErrnoStatus: converts the operating system's error numbers to the Status codes of file_system.h.
#ifndef CAMBIUM_ENV_ERRNO_STATUS_H_
#define CAMBIUM_ENV_ERRNO_STATUS_H_

#include <string_view>

#include "absl/status/status.h"

namespace cambium::env {

// Returns the code for an errno value: ENOENT NotFound; EEXIST AlreadyExists; ENOSPC, EDQUOT, and
// EFBIG ResourceExhausted; EMFILE and ENFILE Aborted; EACCES, EPERM, and EROFS PermissionDenied;
// ENOSYS and EOPNOTSUPP Unimplemented; all others Unavailable.
absl::StatusCode CodeOfErrno(int error_number);

// Returns "<operation> <path>: <the system's text>" with the code above. `error_number` must not be
// 0.
absl::Status ErrnoStatus(std::string_view operation, std::string_view path, int error_number);

}  // namespace cambium::env

#endif  // CAMBIUM_ENV_ERRNO_STATUS_H_
