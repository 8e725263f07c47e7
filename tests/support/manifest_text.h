// Converts VersionEdits to text and back, so that tests are readable.
#ifndef CAMBIUM_TESTS_SUPPORT_MANIFEST_TEXT_H_
#define CAMBIUM_TESTS_SUPPORT_MANIFEST_TEXT_H_

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "manifest/version.h"
#include "manifest/version_edit.h"

namespace cambium::manifest {

// One line per field:
//   comparator "cambium.Bytewise"
//   next-file 12
//   family 0
//     new-family "default"
//     flushed 340
//     delete L0 7
//     add L5 run 0 file 9 size 1024 keys "a".."m" seqs 1..9 entries 9 tombstones 1
//     quarantine L6 4 "checksum at 4096"
std::string DebugString(const VersionEdit& edit);

// Returns one line per run, then one per file, in the same words, without empty levels.
std::string DebugString(const Version& version);

// Parses the output of DebugString(). An added file needs only level, file, and keys; the default
// physical number is the file's. InvalidArgument contains the line.
absl::StatusOr<VersionEdit> ParseVersionEdit(std::string_view text);

}  // namespace cambium::manifest

#endif  // CAMBIUM_TESTS_SUPPORT_MANIFEST_TEXT_H_
