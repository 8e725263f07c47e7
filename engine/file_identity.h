// Identifies the database's files in a directory. A name alone proves nothing: a user's file
// "000123.log" may be in the same directory, and must not be changed.
//
// A file belongs to the database if its content proves it: a log header with the database's UUID, a
// table's footer, or a manifest's header, each with the number in the name. A crash can also leave
// blank and torn files, whose content proves nothing. Such a file belongs to the database only if
// its number may have been allocated. If it is not blank, its number must also have been allocated
// since the last Open that left no torn file (ManifestState::session_start), and it must not be
// text.
#ifndef CAMBIUM_ENGINE_FILE_IDENTITY_H_
#define CAMBIUM_ENGINE_FILE_IDENTITY_H_

#include <cstdint>
#include <optional>
#include <string>

#include "base/file_names.h"
#include "cambium/file_system.h"
#include "manifest/version_edit.h"
#include "wal/log_format.h"

namespace cambium::engine {

// More file numbers than are ever allocated between two edits of the manifest, which records the
// allocated numbers. A file whose number is further ahead does not belong to the database.
inline constexpr uint64_t kFileNumberGap = uint64_t{1} << 20;
// The greatest file number in use: segment numbers have 32 bits, and come from the same counter.
inline constexpr uint64_t kMaxFileNumber = wal::kMaxSegmentNumber - kFileNumberGap;

// The known facts about a database when its directory is listed. Plain data.
struct KnownDatabase {
  std::optional<manifest::DatabaseId> id;
  uint64_t session_start = 0;       // no file with a lower number is torn
  uint64_t limit = kFileNumberGap;  // no number from here on was allocated
};

// kUnreadable: the file may belong to the database, and be torn.
enum class FileIdentity { kForeign, kUnreadable, kTorn, kOurs };

FileIdentity Identify(FileSystem* file_system, const std::string& path, const ParsedFileName& file,
                      const KnownDatabase& known);

// Returns what the CURRENT file in `directory` says about the database.
KnownDatabase KnownFromCurrent(FileSystem* file_system, const std::string& directory);

}  // namespace cambium::engine

#endif  // CAMBIUM_ENGINE_FILE_IDENTITY_H_
