// The tool's exit codes, and the status that each represents.
#ifndef CAMBIUM_TOOLS_CAMBIUM_EXIT_CODE_H_
#define CAMBIUM_TOOLS_CAMBIUM_EXIT_CODE_H_

#include <string>

#include "absl/status/status.h"

namespace cambium::tool {

enum ExitCode : int {
  kOk = 0,
  kNotFound = 1,  // get: the key does not exist
  kUsage = 2,
  kIo = 3,           // input or output failed; there is no such database
  kDamaged = 4,      // a damaged database or damaged input
  kLocked = 5,       // another process has the database open
  kNoSpace = 6,      // on a disk, or in memory
  kUnsupported = 7,  // input or a database that this tool cannot represent
};

// Returns the code for a failed call of the library.
ExitCode CodeOf(const absl::Status& status);

// Prints "error: …", and "hint: …" if there is one, to stderr; returns `code`.
int Fail(ExitCode code, const std::string& error, const std::string& hint = "");
int Fail(const absl::Status& status);

}  // namespace cambium::tool

#endif  // CAMBIUM_TOOLS_CAMBIUM_EXIT_CODE_H_
