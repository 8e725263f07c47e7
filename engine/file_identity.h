// Which files of a directory are the database's. A name alone proves nothing: a user's "000123.log"
// may lie beside ours, and is left alone.
//
// A file is ours if its content says so: a log header with the database's UUID, a table's footer, a
// manifest's header, each with the number in the name. A crash also leaves files that say nothing:
// blank ones, and torn ones. Those count as ours only if their number may have been handed out; if
// they are not blank, it must have been handed out since the last Open that left no torn file
// (ManifestState::session_start), and they must not be text.
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

// More file numbers than are ever handed out between two edits of the manifest, which says what was
// handed out before. A file whose number is further ahead is not the database's.
inline constexpr uint64_t kFileNumberGap = uint64_t{1} << 20;
// The greatest file number in use: segment numbers have 32 bits, and come from the same counter.
inline constexpr uint64_t kMaxFileNumber = wal::kMaxSegmentNumber - kFileNumberGap;

// What is known of a database when its directory is looked at. Plain data.
struct KnownDatabase {
  std::optional<manifest::DatabaseId> id;
  uint64_t session_start = 0;       // no file of a lower number is torn
  uint64_t limit = kFileNumberGap;  // no number from here on was handed out
};

enum class FileIdentity {
  kForeign,
  kUnreadable,  // it may be ours, and torn
  kTorn,
  kOurs,
};

FileIdentity Identify(FileSystem* file_system, const std::string& path, const ParsedFileName& file,
                      const KnownDatabase& known);

// What is known of the database in `directory` from its CURRENT alone.
KnownDatabase KnownFromCurrent(FileSystem* file_system, const std::string& directory);

}  // namespace cambium::engine

#endif  // CAMBIUM_ENGINE_FILE_IDENTITY_H_
