// File names: the name of each file of a database, and the parsing of names.
//
//   CURRENT            names the current manifest, with a checksum
//   LOCK               locked by the process that has the database open
//   MANIFEST-000005    a manifest log          000007.sst   an SSTable
//   000006.log         a log segment           *.tmp        temporary; removed at Open
//
// Numbers come from one counter and are never reused.
#ifndef CAMBIUM_BASE_FILE_NAMES_H_
#define CAMBIUM_BASE_FILE_NAMES_H_

#include <optional>
#include <string>
#include <string_view>

#include "base/keys.h"

namespace cambium {

enum class FileType { kCurrent, kLock, kManifest, kTable, kLog, kTemporary };

struct ParsedFileName {
  FileType type;
  FileNumber number{0};  // of a manifest, table, or log
};

std::string JoinPath(std::string_view directory, std::string_view name);

std::string CurrentPath(std::string_view directory);
std::string LockPath(std::string_view directory);
std::string ManifestPath(std::string_view directory, FileNumber number);
std::string TablePath(std::string_view directory, FileNumber number);
std::string LogPath(std::string_view directory, FileNumber number);
// Returns `path` + ".tmp".
std::string TemporaryPath(std::string_view path);

// Parses the name (without a path) of a directory entry; returns nullopt if the file does not
// belong to a database.
std::optional<ParsedFileName> ParseFileName(std::string_view name);

}  // namespace cambium

#endif  // CAMBIUM_BASE_FILE_NAMES_H_
