// VersionBuilder: a version, some edits, the next version.
//
// An edit is refused, and the builder is of no further use, where it deletes or quarantines a file
// that is not there, or adds one twice: a manifest that says so is damaged, and a job that does so
// is wrong.
#ifndef CAMBIUM_MANIFEST_VERSION_BUILDER_H_
#define CAMBIUM_MANIFEST_VERSION_BUILDER_H_

#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/keys.h"
#include "manifest/version.h"
#include "manifest/version_edit.h"

namespace cambium::manifest {

// Thread-compatible.
class VersionBuilder {
 public:
  // Null stands for the empty version.
  VersionBuilder(std::shared_ptr<const Version> base, const KeyOrder& order);

  // Takes up one family's part of an edit; its `change` and `flushed_sequence` are the caller's
  // business. DataLoss where it contradicts what was before.
  absl::Status Apply(const FamilyEdit& edit);

  // The version after every edit applied so far; the base itself where none changed it. DataLoss
  // where it would break an invariant of version.h. The builder may go on from there.
  absl::StatusOr<std::shared_ptr<const Version>> Build();

 private:
  struct PlacedFile {
    uint64_t run = 0;
    FileRef file;
  };
  using LevelFiles = std::map<FileNumber, PlacedFile>;

  absl::Status Delete(const DeletedFile& deleted);
  absl::Status Add(const AddedFile& added);
  absl::Status Quarantine(const QuarantinedFile& quarantined);
  // The files of `level` so far, taken from the base at the first call.
  LevelFiles& Touch(int level);
  std::vector<Run> BuildLevel(const LevelFiles& files) const;

  const std::shared_ptr<const Version> base_;
  const KeyOrder order_;
  // The state so far of the levels that an edit touched; a level not here is the base's.
  std::map<int, LevelFiles> touched_;
};

}  // namespace cambium::manifest

#endif  // CAMBIUM_MANIFEST_VERSION_BUILDER_H_
