// Version: the files of a tree at one point in time.
//
//   level 0      run 9: [a……m]        newest run first: each flush adds a run
//                run 7: [c………x]
//   level 5      run 0: [a…c][d…k][m…z]
//   level 6      run 0: [a…b][c…e][f…h][i…t][u…z]       oldest data
//
// Invariants, checked by CheckConsistency() for every version that is built (D18):
// - Age: data of an upper level is newer than data of the same key in a lower one; within a level,
//   data of a run with a greater id is newer than data of a run with a smaller id.
// - The files of a run are ascending and disjoint in user keys, so all versions of a key in a run
//   are in one file.
// - A file's number is in the tree only once.
// - Runs of level 0 have disjoint ranges of sequence numbers, in the order of their ids.
#ifndef CAMBIUM_MANIFEST_VERSION_H_
#define CAMBIUM_MANIFEST_VERSION_H_

#include <array>
#include <cassert>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/keys.h"
#include "base/limits.h"
#include "manifest/version_edit.h"
#include "util/shared_array.h"

namespace cambium::manifest {

// One sorted sequence of files. A copy shares the arrays: versions with the same run share it.
// Plain data.
struct Run {
  // Orders the runs of a level by age.
  uint64_t id = 0;
  SharedArray<FileRef> files;  // ascending, disjoint
  // The data of `files` that a search uses: order.Abbreviate() of each file's largest key, and its
  // number.
  SharedArray<uint64_t> largest_abbreviated;
  SharedArray<FileNumber> numbers;
  uint64_t bytes = 0;  // sum of file sizes
  // The indexes of the files that have range tombstones, ascending.
  SharedArray<uint32_t> with_range_deletes;
};

// A range of user keys, both ends inclusive; an absent end is unbounded. Plain data.
struct KeyBounds {
  std::optional<std::string_view> smallest, largest;
};

// Returns the index of the first file of `run` that does not end before `key`, or run.files.size()
// if there is none. `abbreviated` is order.Abbreviate(key).
size_t FindFileIndex(const Run& run, std::string_view key, uint64_t abbreviated,
                     const KeyOrder& order);

// Returns the files of `run` that overlap `bounds`: adjacent files in run.files.
std::span<const FileRef> FilesOverlapping(const Run& run, const KeyBounds& bounds,
                                          const KeyOrder& order);

using Levels = std::array<std::vector<Run>, kLevelCount>;

// Immutable after construction.
class Version {
 public:
  Version() = default;
  // The runs of each level must be indexed and sorted newest first (VersionBuilder does both).
  explicit Version(Levels levels);

  // Returns the runs of a level, newest first.
  std::span<const Run> runs(int level) const {
    assert(level >= 0 && level < kLevelCount);
    return levels_[static_cast<size_t>(level)];
  }

  uint64_t LevelBytes(int level) const {
    assert(level >= 0 && level < kLevelCount);
    return level_bytes_[static_cast<size_t>(level)];
  }
  uint64_t TotalBytes() const;

  // Returns ok if all invariants above are satisfied, or DataLoss with the first file that breaks
  // one.
  absl::Status CheckConsistency(const KeyOrder& order) const;

 private:
  Levels levels_;
  std::array<uint64_t, kLevelCount> level_bytes_{};
};

// Applies edits to a version and builds the next version. Unchanged parts cost nothing: unchanged
// runs are shared, a changed run is copied as references, and only its new parts are checked. To
// find files by number, the numbers of the base are scanned once per edit.
//
// If an edit deletes or quarantines a file that does not exist, or adds one twice, it is rejected
// and the builder must not be used again: such a manifest is damaged, and such a job has a bug.
// Thread-compatible.
class VersionBuilder {
 public:
  // A null base is the empty version. If the order is not known, the files of a run are in no
  // particular order, and their keys are not checked: such a version can only be stored.
  VersionBuilder(std::shared_ptr<const Version> base, const std::optional<KeyOrder>& order);

  // Applies one family's part of an edit, except `change` and `flushed_sequence`, which the caller
  // handles. Its levels must exist in the tree. Returns DataLoss if it contradicts the current
  // files.
  absl::Status Apply(const FamilyEdit& edit);

  // Returns the version after all edits so far, or the base if they changed nothing. Returns
  // DataLoss if the version would break an invariant of version.h. The builder may be used
  // afterwards.
  absl::StatusOr<std::shared_ptr<const Version>> Build();

 private:
  struct PlacedFile {
    uint64_t run = 0;
    FileRef file;
  };
  // The position of a file in the base.
  struct BasePlace {
    int level = 0;
    size_t run = 0;   // in its level
    size_t file = 0;  // in the run
  };
  // The difference between a level and the base's level.
  struct LevelChange {
    std::map<FileNumber, PlacedFile> placed;
    std::set<FileNumber> removed;  // files of the base
  };
  // A run that is being built.
  struct RunParts;

  // Finds the files of the base that the edit refers to.
  void Locate(const FamilyEdit& edit);
  // Returns the file with that number in the level, or null.
  const FileRef* Find(int level, FileNumber number) const;
  const FileRef& FileAt(const BasePlace& place) const {
    return base_->runs(place.level)[place.run].files[place.file];
  }
  void Remove(int level, FileNumber number);

  absl::StatusOr<std::vector<Run>> BuildLevel(int level, const LevelChange& change) const;
  // Returns `base` without the files at `removed` and with `added`.
  absl::StatusOr<Run> BuildRun(int level, const Run& base, std::vector<size_t> removed,
                               std::vector<FileRef> added) const;
  absl::Status CheckNumbers() const;

  const std::shared_ptr<const Version> base_;
  const std::optional<KeyOrder> order_;
  std::map<int, LevelChange> changes_;
  std::map<FileNumber, BasePlace> known_;  // files of the base that edits referred to
};

}  // namespace cambium::manifest

#endif  // CAMBIUM_MANIFEST_VERSION_H_
