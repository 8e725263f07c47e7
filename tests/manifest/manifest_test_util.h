// Shared by the tests of manifest/ and compaction/: versions and edits from text.
#ifndef CAMBIUM_TESTS_MANIFEST_MANIFEST_TEST_UTIL_H_
#define CAMBIUM_TESTS_MANIFEST_MANIFEST_TEST_UTIL_H_

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "gtest/gtest.h"
#include "manifest/manifest_state.h"
#include "manifest/version_edit.h"
#include "tests/support/manifest_text.h"

namespace cambium::manifest {

inline KeyOrder Bytewise() { return KeyOrder(BytewiseComparator()); }

inline VersionEdit ParseEdit(std::string_view text) {
  absl::StatusOr<VersionEdit> edit = ParseVersionEdit(text);
  EXPECT_TRUE(edit.ok()) << edit.status();
  return edit.ok() ? *edit : VersionEdit();
}

// Returns `base` after the edits of family 0 in `text`, or the error.
inline absl::StatusOr<std::shared_ptr<const Version>> TryVersion(
    std::string_view text, std::shared_ptr<const Version> base = nullptr,
    const KeyOrder& order = Bytewise()) {
  VersionBuilder builder(std::move(base), order);
  const absl::Status applied = builder.Apply(ParseEdit(text).Family(0));
  if (!applied.ok()) return applied;
  return builder.Build();
}

inline std::shared_ptr<const Version> MakeVersion(std::string_view text,
                                                  std::shared_ptr<const Version> base = nullptr) {
  auto version = TryVersion(text, std::move(base));
  EXPECT_TRUE(version.ok()) << version.status();
  return version.ok() ? *version : std::make_shared<const Version>();
}

// Returns the state of a new, empty database with family 0.
inline ManifestState NewState() {
  ManifestState state;
  state.comparator_name = BytewiseComparator()->Name();
  for (size_t i = 0; i < state.database_id.size(); ++i) {
    state.database_id[i] = static_cast<uint8_t>(0xa0 + i);
  }
  state.next_file_number = 2;
  state.next_family = 1;
  state.families[0] = {"default", state.comparator_name};
  state.families[0].version = std::make_shared<const Version>();
  return state;
}

// Returns the files of all runs of `level` that overlap `bounds`, newest run first.
inline std::vector<FileRef> FilesInLevel(const Version& version, int level,
                                         const KeyBounds& bounds = {}) {
  std::vector<FileRef> result;
  for (const Run& run : version.runs(level)) {
    const auto files = FilesOverlapping(run, bounds, Bytewise());
    result.insert(result.end(), files.begin(), files.end());
  }
  return result;
}
inline size_t CountFiles(const Version& version, int level) {
  return FilesInLevel(version, level).size();
}
inline size_t CountFiles(const Version& version) {
  size_t files = 0;
  for (int level = 0; level < kLevelCount; ++level) files += CountFiles(version, level);
  return files;
}

}  // namespace cambium::manifest

#endif  // CAMBIUM_TESTS_MANIFEST_MANIFEST_TEST_UTIL_H_
