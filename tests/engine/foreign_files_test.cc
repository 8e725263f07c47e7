// Files in a database's directory that only have names like its own: they are not changed, and they
// do not prevent any operation. Files that a crash left of the database's own are removed.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/file_names.h"
#include "cambium/db.h"
#include "manifest/manifest_log.h"
#include "tests/support/status_test.h"
#include "tests/support/temp_dir.h"
#include "wal/log_format.h"

namespace cambium {
namespace {

Options SmallOptions() {
  Options options;
  options.memory_budget = size_t{1} << 20;
  options.memtable_size = size_t{64} << 10;
  return options;
}

// A directory with a database and files of others. Confined to one thread.
class ForeignFilesTest : public testing::Test {
 protected:
  ForeignFilesTest() { std::filesystem::create_directory(path_); }
  ~ForeignFilesTest() override { ExpectForeignFilesAsTheyWere(); }

  void AddForeign(const std::string& name, const std::string& content = "mine, and text\n") {
    foreign_[name] = content;
    Write(name, content);
  }
  void Write(const std::string& name, const std::string& content) {
    std::ofstream(JoinPath(path_, name), std::ios::binary) << content;
  }
  bool Exists(const std::string& name) { return std::filesystem::exists(JoinPath(path_, name)); }

  void ExpectForeignFilesAsTheyWere() {
    for (const auto& [name, content] : foreign_) {
      std::ifstream file(JoinPath(path_, name), std::ios::binary);
      const std::string found((std::istreambuf_iterator<char>(file)), {});
      EXPECT_EQ(found, content) << name;
    }
  }

  // Opens, checks every write so far, writes on with a flush, and closes.
  void OpenAndWrite() {
    auto db = DB::Open(SmallOptions(), path_);
    CAMBIUM_ASSERT_OK(db);
    for (int i = 0; i < written_; ++i) EXPECT_EQ((*db)->Get(absl::StrCat(i)).value(), "value");
    CAMBIUM_ASSERT_OK((*db)->Put(absl::StrCat(written_++), "value"));
    CAMBIUM_ASSERT_OK((*db)->Flush());
    CAMBIUM_ASSERT_OK((*db)->Put(absl::StrCat(written_++), "value"));
    CAMBIUM_ASSERT_OK((*db)->Close());
  }

  manifest::RecoveredManifest Manifest() {
    return *manifest::RecoverManifest(DefaultFileSystem().get(), path_,
                                      manifest::KeyOrders(KeyOrder(BytewiseComparator())));
  }

  const test::TempDir dir_;
  const std::string path_ = dir_.Sub("db");
  std::map<std::string, std::string> foreign_;
  int written_ = 0;
};

TEST_F(ForeignFilesTest, NameOfAHugeNumberIsNoObstacle) {
  AddForeign("20261125184956.log");
  for (int i = 0; i < 3; ++i) OpenAndWrite();
  AddForeign("2026112518.log");
  AddForeign("2026112519.sst");
  AddForeign("MANIFEST-18446744073709551615");
  for (int i = 0; i < 3; ++i) OpenAndWrite();
  EXPECT_LT(Manifest().state.next_file_number, 100u);
}

TEST_F(ForeignFilesTest, TextUnderAnyNumberIsLeftAlone) {
  OpenAndWrite();
  const uint64_t next = Manifest().state.next_file_number;
  for (const uint64_t number : {uint64_t{1}, next, next + 3, next + 1000}) {
    const FileNumber file{number};
    for (const std::string& path : {LogPath("", file), TablePath("", file), ManifestPath("", file),
                                    TemporaryPath(TablePath("", file))}) {
      if (!Exists(path)) AddForeign(path);
    }
  }
  for (int i = 0; i < 3; ++i) OpenAndWrite();
}

TEST_F(ForeignFilesTest, NameThatIsTakenWhileOpenIsPassedOver) {
  auto db = DB::Open(SmallOptions(), path_);
  CAMBIUM_ASSERT_OK(db);
  const uint64_t next = Manifest().state.next_file_number;
  for (uint64_t number = next; number < next + 12; ++number) {
    const FileNumber file{number};
    for (const std::string& path :
         {LogPath("", file), TablePath("", file), ManifestPath("", file)}) {
      if (!Exists(path)) AddForeign(path);
    }
  }
  const std::string value(1000, 'v');
  for (int i = 0; i < 400; ++i) CAMBIUM_ASSERT_OK((*db)->Put(absl::StrCat(i), value));
  CAMBIUM_ASSERT_OK((*db)->Flush());
  CAMBIUM_ASSERT_OK((*db)->CompactRange());
  CAMBIUM_ASSERT_OK((*db)->Close());
  db->reset();
  db = DB::Open(SmallOptions(), path_);
  CAMBIUM_ASSERT_OK(db);
  for (int i = 0; i < 400; ++i) EXPECT_EQ((*db)->Get(absl::StrCat(i)).value(), value);
}

TEST_F(ForeignFilesTest, LogOfAnotherDatabaseIsLeftAlone) {
  OpenAndWrite();
  const uint64_t next = Manifest().state.next_file_number;
  for (const uint64_t number : {uint64_t{1}, next + 20}) {
    wal::SegmentHeader header;
    header.segment = number;
    const auto bytes = wal::EncodeSegmentHeader(header);
    AddForeign(LogPath("", FileNumber{number}), std::string(bytes.data(), bytes.size()));
  }
  for (int i = 0; i < 2; ++i) OpenAndWrite();
}

TEST_F(ForeignFilesTest, CounterThatAForeignFileRaisedComesBack) {
  OpenAndWrite();
  // What an older release wrote when it met 20261125184956.log.
  manifest::ManifestState state = Manifest().state;
  const uint64_t raised = 20261125184957;
  state.next_file_number = raised + 1;
  CAMBIUM_ASSERT_OK(manifest::ManifestLog::Create(
      DefaultFileSystem().get(), path_, FileNumber{raised}, manifest::SnapshotEdit(state)));
  for (int i = 0; i < 2; ++i) OpenAndWrite();
  EXPECT_LT(Manifest().state.next_file_number, 1000u);
  EXPECT_FALSE(Exists(ManifestPath("", FileNumber{raised})));
}

TEST_F(ForeignFilesTest, WhatACrashLeftIsRemoved) {
  OpenAndWrite();
  const uint64_t next = Manifest().state.next_file_number;
  std::string torn(3000, '\0');
  for (size_t i = 0; i < torn.size(); ++i) torn[i] = static_cast<char>(i * 7);
  std::map<std::string, std::string> left = {
      {LogPath("", FileNumber{next}), ""},
      {LogPath("", FileNumber{next + 1}), std::string(100'000, '\0')},
      {TablePath("", FileNumber{next + 2}), ""},
      {TablePath("", FileNumber{next + 3}), torn},
      {ManifestPath("", FileNumber{next + 4}), torn},
      {"CURRENT.tmp", "cambium-mani"}};
  for (const auto& [name, content] : left) Write(name, content);
  OpenAndWrite();
  for (const auto& [name, content] : left) EXPECT_FALSE(Exists(name)) << name;
}

TEST_F(ForeignFilesTest, DestroyDBLeavesThem) {
  OpenAndWrite();
  AddForeign("000001.sst");
  AddForeign("20261125184956.log");
  AddForeign("000777.log");
  CAMBIUM_EXPECT_OK(DestroyDB(path_));
  size_t left = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(path_)) ++left;
  EXPECT_EQ(left, foreign_.size());
  // A directory without a database is not touched at all.
  CAMBIUM_EXPECT_OK(DestroyDB(path_));
  EXPECT_FALSE(Exists("LOCK"));
}

}  // namespace
}  // namespace cambium
