// Converts errors of a FileSystem to errors of the database.
//
// NotFound from a read of the database means exactly one thing: the key does not exist. Therefore
// every function that opens or reads a file that the database needs passes the error through
// ReadError().
#ifndef CAMBIUM_UTIL_FILE_STATUS_H_
#define CAMBIUM_UTIL_FILE_STATUS_H_

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace cambium {

// Returns true if the call failed because the process, or the machine, has no descriptor left. The
// error does not concern the disk, and the call has changed nothing.
inline bool IsOutOfDescriptors(const absl::Status& status) { return absl::IsAborted(status); }

// Returns `status` as the error of a read of a file that must exist: DataLoss instead of NotFound,
// and Unavailable instead of a lack of descriptors. The file system's message names the operation
// and the file.
inline absl::Status ReadError(const absl::Status& status) {
  if (IsOutOfDescriptors(status)) return absl::UnavailableError(status.message());
  if (!absl::IsNotFound(status)) return status;
  return absl::DataLossError(absl::StrCat(status.message(), "; the database needs this file"));
}

}  // namespace cambium

#endif  // CAMBIUM_UTIL_FILE_STATUS_H_
