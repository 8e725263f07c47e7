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
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "base/keys.h"
#include "base/limits.h"
#include "manifest/file_metadata.h"

namespace cambium::manifest {

// Files that hold each key at most once a version: one sorted sequence. Plain data.
struct Run {
  // Orders the runs of a level by age.
  uint64_t id = 0;
  std::vector<FileRef> files;  // ascending, disjoint
  // order.Head() of each file's largest key, beside `files`: what a search touches.
  std::vector<uint64_t> largest_heads;
  uint64_t bytes = 0;  // sum of file sizes

  // Sets largest_heads and bytes from `files`.
  void Index(const KeyOrder& order);
};

// A range of user keys, both ends inclusive; an absent end is unbounded. Plain data.
struct KeyBounds {
  std::optional<std::string_view> smallest, largest;
};

// The index of the first file of `run` whose largest key is >= `key`; run.files.size() where there
// is none. `head` is order.Head(key).
size_t FindFileIndex(const Run& run, std::string_view key, uint64_t head, const KeyOrder& order);

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
  std::span<const Run> runs(int level) const { return levels_[static_cast<size_t>(level)]; }

  uint64_t LevelBytes(int level) const { return level_bytes_[static_cast<size_t>(level)]; }
  uint64_t TotalBytes() const;

  // ok where every invariant above holds; DataLoss names the first file that breaks one.
  absl::Status CheckConsistency(const KeyOrder& order) const;

  // One line a run, then one a file, in the words of VersionEdit::DebugString; empty levels left
  // out.
  std::string DebugString() const;

 private:
  Levels levels_;
  std::array<uint64_t, kLevelCount> level_bytes_{};
};

}  // namespace cambium::manifest

#endif  // CAMBIUM_MANIFEST_VERSION_H_
