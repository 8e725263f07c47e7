// VersionEdits from text, so that a test can say what it means.
#ifndef CAMBIUM_TESTS_SUPPORT_MANIFEST_TEXT_H_
#define CAMBIUM_TESTS_SUPPORT_MANIFEST_TEXT_H_

#include <string_view>

#include "absl/status/statusor.h"
#include "manifest/version_edit.h"

namespace cambium::manifest {

// Reads what VersionEdit::DebugString() prints. Of an addition, only level, file and keys need be
// there; a physical number, where absent, is the file's. InvalidArgument names the line.
absl::StatusOr<VersionEdit> ParseVersionEdit(std::string_view text);

}  // namespace cambium::manifest

#endif  // CAMBIUM_TESTS_SUPPORT_MANIFEST_TEXT_H_
