#include "env/errno_status.h"

#include <cerrno>
#include <string>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "util/absl_view.h"

namespace cambium::env {

absl::StatusCode CodeOfErrno(int error_number) {
  switch (error_number) {
    case ENOENT:
      return absl::StatusCode::kNotFound;
    case EEXIST:
      return absl::StatusCode::kAlreadyExists;
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
      return absl::StatusCode::kResourceExhausted;
    case EMFILE:
    case ENFILE:
      return absl::StatusCode::kAborted;
    case ENOTEMPTY:
      return absl::StatusCode::kFailedPrecondition;
    case EACCES:
    case EPERM:
    case EROFS:
      return absl::StatusCode::kPermissionDenied;
    case ENOSYS:
    case EOPNOTSUPP:
      return absl::StatusCode::kUnimplemented;
    default:
      return absl::StatusCode::kUnavailable;
  }
}

absl::Status ErrnoStatus(std::string_view operation, std::string_view path, int error_number) {
  // strerror() is not used: its buffer is shared between threads.
  const std::string reason = std::generic_category().message(error_number);
  return absl::Status(CodeOfErrno(error_number),
                      absl::StrCat(ToAbsl(operation), " ", ToAbsl(path), ": ", reason));
}

}  // namespace cambium::env
