// Versions and the manifest's state, edit by edit: testdata/ says which edits, and what comes of
// them.
//
//   state    its input, one edit or none, is applied to the state of a new database
//   edit     the input is applied to the state; prints the versions of the families that it is
//   about,
//            or why it is refused: the state is as before then
//   show     prints the state, as the edit that makes it out of nothing
#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "tests/manifest/manifest_test_util.h"
#include "tests/support/apply_edit.h"
#include "tests/support/data_driven.h"

namespace cambium::manifest {
namespace {

using test::DataCommand;

// What a data file works on. Confined to one test.
class StateWorld {
 public:
  std::string Run(const DataCommand& command) {
    if (command.name == "state") state_ = NewState();
    if (command.name == "state" || command.name == "edit") return Apply(ParseEdit(command.input));
    if (command.name == "show") {
      const VersionEdit snapshot = SnapshotEdit(state_);
      const auto again = ApplyEdit(ManifestState(), snapshot, Bytewise());
      EXPECT_TRUE(again.ok()) << again.status();
      if (again.ok()) {
        EXPECT_EQ(SnapshotEdit(*again), snapshot);
      }
      return DebugString(snapshot);
    }
    ADD_FAILURE() << command.where << ": no command " << command.name;
    return "";
  }

 private:
  std::string Apply(const VersionEdit& edit) {
    absl::StatusOr<ManifestState> next = ApplyEdit(state_, edit, Bytewise());
    if (!next.ok()) {
      EXPECT_TRUE(absl::IsDataLoss(next.status())) << next.status();
      return absl::StrCat("refused: ", next.status().message());
    }
    state_ = *std::move(next);
    std::string text;
    for (const auto& [id, family] : edit.families) {
      const auto found = state_.families.find(id);
      absl::StrAppend(&text, "family ", id, found == state_.families.end() ? " is gone\n" : "\n");
      if (found != state_.families.end()) {
        absl::StrAppend(&text, DebugString(*found->second.version));
      }
    }
    return text;
  }

  ManifestState state_ = NewState();
};

TEST(ManifestData, EditsDoWhatTheFilesSay) {
  for (const std::string& path : test::DataFiles(CAMBIUM_TESTDATA)) {
    StateWorld world;
    test::RunDataFile(path, [&world](const DataCommand& command) { return world.Run(command); });
  }
}

}  // namespace
}  // namespace cambium::manifest
