#include "tools/cambium/exit_code.h"

#include <cstdio>

#include "cambium/file_system.h"
#include "tools/cambium/text.h"

namespace cambium::tool {

ExitCode CodeOf(const absl::Status& status) {
  if (IsLockHeld(status)) return kLocked;
  switch (status.code()) {
    case absl::StatusCode::kOk:
      return kOk;
    case absl::StatusCode::kInvalidArgument:
      return kUsage;
    case absl::StatusCode::kDataLoss:
      return kDamaged;
    case absl::StatusCode::kResourceExhausted:
      return kNoSpace;
    case absl::StatusCode::kUnimplemented:
      return kUnsupported;
    default:
      return kIo;
  }
}

int Fail(ExitCode code, const std::string& error, const std::string& hint) {
  // One line, regardless of the text quoted in the message.
  std::fprintf(stderr, "error: %s\n", EscapeForTerminal(error).c_str());
  if (!hint.empty()) std::fprintf(stderr, "hint: %s\n", EscapeForTerminal(hint).c_str());
  return code;
}

int Fail(const absl::Status& status) {
  const ExitCode code = CodeOf(status);
  std::string hint;
  if (code == kLocked) hint = "close the other user of the database, or wait for it";
  return Fail(code, std::string(status.message()), hint);
}

}  // namespace cambium::tool
