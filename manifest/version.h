// Version: which files a tree consists of, at one moment.
//
//   level 0      run 9: [a……m]        newest run first: each flush makes a run
//                run 7: [c………x]
//   level 5      run 0: [a…c][d…k][m…z]
//   level 6      run 0: [a…b][c…e][f…h][i…t][u…z]       oldest data
//
// Invariants, checked by CheckConsistency() for every version that is built (D18):
//  - Age: data of an upper level is newer than data of the same key in a lower one; within a level,
//    data of a run with a greater id is newer than that of one with a smaller id.
//  - The files of a run are ascending and disjoint in user keys, so that all versions of one key
//    that a run holds stand in one file of it.
//  - A file's number stands in the tree once.
//  - Runs of level 0 have disjoint ranges of sequence numbers, in the order of their ids.
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

// Files that hold each key at most once a version: one sorted sequence. A copy shares the arrays:
// versions that do not differ in a run share it. Plain data.
struct Run {
  // Orders the runs of a level by age.
  uint64_t id = 0;
  SharedArray<FileRef> files;  // ascending, disjoint
  // Beside `files`, what a search touches: order.Abbreviate() of each file's largest key, and its
  // number.
  SharedArray<uint64_t> largest_abbreviated;
  SharedArray<FileNumber> numbers;
  uint64_t bytes = 0;  // sum of file sizes
};

// A range of user keys, both ends inclusive; an absent end is unbounded. Plain data.
struct KeyBounds {
  std::optional<std::string_view> smallest, largest;
};

// The index of the first file of `run` whose largest key is >= `key`; run.files.size() where there
// is none. `abbreviated key` is order.Abbreviate(key).
size_t FindFileIndex(const Run& run, std::string_view key, uint64_t abbreviated,
                     const KeyOrder& order);

// The files of `run` that overlap `bounds`: neighbours in run.files.
std::span<const FileRef> FilesOverlapping(const Run& run, const KeyBounds& bounds,
                                          const KeyOrder& order);

using Levels = std::array<std::vector<Run>, kLevelCount>;

// Immutable after construction.
class Version {
 public:
  Version() = default;
  // Requires: the runs of each level stand newest first and are indexed (VersionBuilder does both).
  explicit Version(Levels levels);

  // Newest first.
  std::span<const Run> runs(int level) const {
    assert(level >= 0 && level < kLevelCount);
    return levels_[static_cast<size_t>(level)];
  }

  uint64_t LevelBytes(int level) const {
    assert(level >= 0 && level < kLevelCount);
    return level_bytes_[static_cast<size_t>(level)];
  }
  uint64_t TotalBytes() const;

  // ok where every invariant above holds; DataLoss names the first file that breaks one.
  absl::Status CheckConsistency(const KeyOrder& order) const;

 private:
  Levels levels_;
  std::array<uint64_t, kLevelCount> level_bytes_{};
};

// A version, some edits, the next version. What an edit does not change costs nothing: runs that it
// leaves alone are shared, one that it changes is copied as references, and only what is new in it
// is checked. To find files by number, the numbers of the base are scanned once per edit.
//
// An edit is refused, and the builder is of no further use, where it deletes or quarantines a file
// that is not there, or adds one twice: a manifest that says so is damaged, and a job that does so
// is wrong. Thread-compatible.
class VersionBuilder {
 public:
  // Null stands for the empty version.
  VersionBuilder(std::shared_ptr<const Version> base, const KeyOrder& order);

  // Takes up one family's part of an edit; its `change` and `flushed_sequence` are the caller's
  // business. Its levels are levels of the tree. DataLoss where it contradicts what was before.
  absl::Status Apply(const FamilyEdit& edit);

  // The version after every edit applied so far; the base itself where none changed it. DataLoss
  // where it would break an invariant of version.h. The builder may go on from there.
  absl::StatusOr<std::shared_ptr<const Version>> Build();

 private:
  struct PlacedFile {
    uint64_t run = 0;
    FileRef file;
  };
  // A place in the base.
  struct BasePlace {
    int level = 0;
    size_t run = 0;   // in its level
    size_t file = 0;  // in the run
  };
  // How a level differs from the base's.
  struct LevelChange {
    std::map<FileNumber, PlacedFile> placed;
    std::set<FileNumber> removed;  // files of the base
  };
  // A run in the making.
  struct RunParts;

  // Finds the files of the base that the edit speaks of.
  void Locate(const FamilyEdit& edit);
  // The file of that number in the level, or null.
  const FileRef* Find(int level, FileNumber number) const;
  const FileRef& FileAt(const BasePlace& place) const {
    return base_->runs(place.level)[place.run].files[place.file];
  }
  void Remove(int level, FileNumber number);

  absl::StatusOr<std::vector<Run>> BuildLevel(int level, const LevelChange& change) const;
  // `base` without the files at `removed` and with `added`.
  absl::StatusOr<Run> BuildRun(int level, const Run& base, std::vector<size_t> removed,
                               std::vector<FileRef> added) const;
  absl::Status CheckNumbers() const;

  const std::shared_ptr<const Version> base_;
  const KeyOrder order_;
  std::map<int, LevelChange> changes_;
  std::map<FileNumber, BasePlace> known_;  // of the base, as far as edits spoke of them
};

}  // namespace cambium::manifest

#endif  // CAMBIUM_MANIFEST_VERSION_H_
