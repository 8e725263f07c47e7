// File names: what each file of a database is called, and what a name means.
//
//   CURRENT            names the manifest in force, with a checksum
//   LOCK               held by the process that has the database open
//   MANIFEST-000005    a manifest log          000007.sst   an SSTable
//   000006.log         a log segment           *.tmp        being made; removed at Open
//
// Numbers come from one counter and are never used twice.
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
  FileNumber number{0};  // of a manifest, table or log
};

std::string JoinPath(std::string_view directory, std::string_view name);

std::string CurrentPath(std::string_view directory);
std::string LockPath(std::string_view directory);
std::string ManifestPath(std::string_view directory, FileNumber number);
std::string TablePath(std::string_view directory, FileNumber number);
std::string LogPath(std::string_view directory, FileNumber number);
// `path` + ".tmp".
std::string TemporaryPath(std::string_view path);

// What the name (no path) of a directory entry means; nullopt for a file that is not the
// database's.
std::optional<ParsedFileName> ParseFileName(std::string_view name);

}  // namespace cambium

#endif  // CAMBIUM_BASE_FILE_NAMES_H_
