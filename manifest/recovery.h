// RecoverManifest: from CURRENT to the state of the database. Changes nothing on disk (D11).
#ifndef CAMBIUM_MANIFEST_RECOVERY_H_
#define CAMBIUM_MANIFEST_RECOVERY_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "base/keys.h"
#include "cambium/file_system.h"
#include "manifest/manifest_state.h"

namespace cambium::manifest {

// Plain data.
struct RecoveredManifest {
  ManifestState state;
  FileNumber manifest_number{0};
  uint64_t edits = 0;
  // Bytes of an append that was never acknowledged, left out.
  uint64_t torn_bytes = 0;
};

// What CURRENT names. NotFound where there is none; DataLoss where it is not what was written.
absl::StatusOr<FileNumber> ReadCurrent(FileSystem* file_system, const std::string& directory);

// NotFound only where there is no CURRENT; InvalidArgument where the database is sorted by another
// comparator than `order`'s; Unimplemented where a newer release wrote what this one must not skip;
// DataLoss with file, offset, found and expected where the manifest is missing, damaged or
// contradicts itself. An append that was never acknowledged is dropped (manifest_log.h). The state
// says at least what was acknowledged last.
//
// A table or log segment that the state names may still be missing: the caller looks. It must also
// draw file numbers above those of every file in the directory, not only from next_file_number on.
absl::StatusOr<RecoveredManifest> RecoverManifest(FileSystem* file_system,
                                                  const std::string& directory,
                                                  const KeyOrder& order);

}  // namespace cambium::manifest

#endif  // CAMBIUM_MANIFEST_RECOVERY_H_
