// Classifies the files of a database for a TraceFileSystem.
#ifndef CAMBIUM_TESTS_SUPPORT_CLASSIFY_FILE_H_
#define CAMBIUM_TESTS_SUPPORT_CLASSIFY_FILE_H_

#include <optional>
#include <string_view>

#include "base/file_names.h"
#include "env/testing/trace_file_system.h"

namespace cambium::test {

inline env::FileClass ClassifyFile(std::string_view path) {
  const std::optional<ParsedFileName> file = ParseFileName(path.substr(path.rfind('/') + 1));
  if (!file.has_value()) return env::FileClass::kOther;
  switch (file->type) {
    case FileType::kLog:
      return env::FileClass::kLog;
    case FileType::kTable:
      return env::FileClass::kTable;
    case FileType::kManifest:
      return env::FileClass::kManifest;
    case FileType::kCurrent:
      return env::FileClass::kCurrent;
    case FileType::kTemporary:
      return env::FileClass::kTemp;
    default:
      return env::FileClass::kOther;
  }
}

}  // namespace cambium::test

#endif  // CAMBIUM_TESTS_SUPPORT_CLASSIFY_FILE_H_
