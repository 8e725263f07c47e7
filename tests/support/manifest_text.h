// VersionEdits from text and as text, so that a test can say what it means.
#ifndef CAMBIUM_TESTS_SUPPORT_MANIFEST_TEXT_H_
#define CAMBIUM_TESTS_SUPPORT_MANIFEST_TEXT_H_

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "manifest/version.h"
#include "manifest/version_edit.h"

namespace cambium::manifest {

// One line a field:
//   comparator "cambium.Bytewise"
//   next-file 12
//   family 0
//     new-family "default"
//     flushed 340
//     delete L0 7
//     add L5 run 0 file 9 size 1024 keys "a".."m" seqs 1..9 entries 9 tombstones 1
//     quarantine L6 4 "checksum at 4096"
std::string DebugString(const VersionEdit& edit);

// One line a run, then one a file, in the same words; empty levels left out.
std::string DebugString(const Version& version);

// Reads what DebugString() prints. Of an addition, only level, file and keys need be
// there; a physical number, where absent, is the file's. InvalidArgument names the line.
absl::StatusOr<VersionEdit> ParseVersionEdit(std::string_view text);

}  // namespace cambium::manifest

#endif  // CAMBIUM_TESTS_SUPPORT_MANIFEST_TEXT_H_
