// The files of tables under an open database: missing ones, and those that leave the tree.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "cambium/db.h"
#include "env/testing/fault_file_system.h"
#include "env/testing/inline_executor.h"
#include "env/testing/mem_file_system.h"
#include "tests/support/status_test.h"
#include "tests/support/temp_dir.h"

namespace cambium {
namespace {

std::string Key(int i) {
  const std::string digits = absl::StrCat(i);
  return absl::StrCat("key", std::string(6 - digits.size(), '0'), digits);
}

Options SmallOptions() {
  Options options;
  options.memory_budget = size_t{4} << 20;
  options.memtable_size = size_t{64} << 10;
  options.target_file_size = uint64_t{64} << 10;
  options.compression = Compression::kNone;
  return options;
}

// --- No error of the file system is NotFound -----------------------------------------------------

class MissingFileTest : public testing::Test {
 protected:
  static constexpr int kKeys = 3000;
  static constexpr char kPath[] = "db";

  MissingFileTest() {
    options_ = SmallOptions();
    options_.file_system = faults_;
    options_.executor = std::make_shared<env::InlineExecutor>(1);
    Open();
    for (int i = 0; i < kKeys; ++i) {
      CAMBIUM_EXPECT_OK(db_->Put(Key(i), std::string(100, 'v')));
    }
    CAMBIUM_EXPECT_OK(db_->CompactRange());
    CAMBIUM_EXPECT_OK(db_->WaitForIdle());
    Open();  // no table is open
  }

  void Open() {
    db_.reset();
    auto db = DB::Open(options_, kPath);
    CAMBIUM_ASSERT_OK(db);
    db_ = *std::move(db);
  }

  std::vector<std::string> Files(std::string_view part) {
    std::vector<std::string> found;
    const std::vector<std::string> names = files_->ListDirectory(kPath).value();
    for (const std::string& name : names) {
      if (name.find(part) != std::string::npos) found.push_back(absl::StrCat(kPath, "/", name));
    }
    return found;
  }
  void RemoveFiles(std::string_view part) {
    const std::vector<std::string> names = Files(part);
    ASSERT_FALSE(names.empty());
    for (const std::string& name : names) CAMBIUM_ASSERT_OK(files_->Remove(name));
  }

  void ExpectDamaged() {
    const Health health = db_->GetHealth();
    EXPECT_EQ(health.state, Health::State::kDamaged);
    EXPECT_FALSE(health.damaged_files.empty());
    CAMBIUM_EXPECT_CODE(health.cause, kDataLoss);
    CAMBIUM_EXPECT_OK(db_->Put("another", "write"));
  }

  std::shared_ptr<env::MemFileSystem> files_ = std::make_shared<env::MemFileSystem>();
  std::shared_ptr<env::FaultFileSystem> faults_ = std::make_shared<env::FaultFileSystem>(files_);
  Options options_;
  std::unique_ptr<DB> db_;
};

TEST_F(MissingFileTest, GetIsDataLoss) {
  RemoveFiles(".sst");
  const auto value = db_->Get(Key(7));
  CAMBIUM_EXPECT_CODE(value, kDataLoss);
  EXPECT_NE(value.status().ToString().find(".sst"), std::string::npos) << value.status();
  ExpectDamaged();
}

TEST_F(MissingFileTest, MultiGetIsDataLoss) {
  RemoveFiles(".sst");
  const std::array<std::string, 2> names = {Key(7), Key(kKeys - 1)};
  const std::array<std::string_view, 2> keys = {names[0], names[1]};
  std::array<PinnedValue, 2> values;
  std::array<absl::Status, 2> statuses;
  db_->MultiGet(keys, values, statuses);
  for (const absl::Status& status : statuses) CAMBIUM_EXPECT_CODE(status, kDataLoss);
  ExpectDamaged();
}

TEST_F(MissingFileTest, IteratorIsDataLoss) {
  RemoveFiles(".sst");
  const auto it = db_->NewIterator();
  const auto expect_data_loss = [&it] {
    EXPECT_FALSE(it->Valid());
    CAMBIUM_EXPECT_CODE(it->status(), kDataLoss);
  };
  it->SeekToFirst();
  expect_data_loss();
  it->SeekToLast();
  expect_data_loss();
  it->Seek(Key(9));
  expect_data_loss();
  it->SeekForPrev(Key(9));
  expect_data_loss();
  ExpectDamaged();
}

TEST_F(MissingFileTest, VerifyIsDataLoss) {
  RemoveFiles(".sst");
  CAMBIUM_EXPECT_CODE(db_->Verify(), kDataLoss);
  ExpectDamaged();
}

TEST_F(MissingFileTest, ApproximateSizeCountsTheFileAndReportsIt) {
  RemoveFiles(".sst");
  EXPECT_GT(db_->ApproximateSize(Key(7), Key(8)), 0u);
  ExpectDamaged();
}

TEST_F(MissingFileTest, CompactionQuarantinesTheFile) {
  RemoveFiles(".sst");
  CAMBIUM_EXPECT_OK(db_->Put(Key(7), "newer"));
  CAMBIUM_EXPECT_CODE(db_->CompactRange(), kDataLoss);
  ExpectDamaged();
}

TEST_F(MissingFileTest, VerifyWithoutCurrentIsDataLoss) {
  RemoveFiles("CURRENT");
  CAMBIUM_EXPECT_CODE(db_->Verify(), kDataLoss);
}

TEST_F(MissingFileTest, VerifyWithoutTheManifestIsDataLoss) {
  RemoveFiles("MANIFEST");
  CAMBIUM_EXPECT_CODE(db_->Verify(), kDataLoss);
}

TEST_F(MissingFileTest, OpenWithoutTheManifestIsDataLoss) {
  db_.reset();
  RemoveFiles("MANIFEST");
  CAMBIUM_EXPECT_CODE(DB::Open(options_, kPath), kDataLoss);
}

TEST_F(MissingFileTest, OpenWithoutATableIsDataLoss) {
  db_.reset();
  RemoveFiles(".sst");
  CAMBIUM_EXPECT_CODE(DB::Open(options_, kPath), kDataLoss);
}

// A log that cannot be found when it is opened, though the directory lists it.
TEST_F(MissingFileTest, OpenWithoutALogIsDataLoss) {
  CAMBIUM_ASSERT_OK(db_->Put("in the log", "only"));
  db_.reset();
  faults_->AddRule({.kind = env::OperationKind::kOpen,
                    .path_part = ".log",
                    .calls = env::kForever,
                    .error_number = ENOENT});
  CAMBIUM_EXPECT_CODE(DB::Open(options_, kPath), kDataLoss);
  faults_->ClearRules();
  Open();
  EXPECT_EQ(db_->Get("in the log").value(), "only");
}

// Each file system call of a read returns "no such file" in turn.
TEST_F(MissingFileTest, NoFailedCallMakesAReadNotFound) {
  for (const env::OperationKind kind :
       {env::OperationKind::kOpen, env::OperationKind::kSize, env::OperationKind::kRead}) {
    for (uint64_t call = 1; call < 6; ++call) {
      Open();
      const uint64_t fired = faults_->fired();
      faults_->AddRule({.kind = kind, .first_call = call, .error_number = ENOENT});
      const auto value = db_->Get(Key(7));
      if (!value.ok()) {
        CAMBIUM_EXPECT_CODE(value, kDataLoss);
      }
      const auto it = db_->NewIterator();
      for (it->SeekToFirst(); it->Valid(); it->Next()) {
      }
      if (!it->status().ok()) {
        CAMBIUM_EXPECT_CODE(it->status(), kDataLoss);
      }
      EXPECT_EQ(value.ok() && it->status().ok(), faults_->fired() == fired);
      if (faults_->fired() != fired) ExpectDamaged();
      faults_->ClearRules();
    }
  }
}

// --- Files that leave the tree -------------------------------------------------------------------

size_t CountFiles(const std::string& directory, std::string_view suffix) {
  size_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    if (entry.path().string().ends_with(suffix)) ++count;
  }
  return count;
}

// Descriptors of this process that lead to tables, and how many of those were removed.
struct OpenTables {
  size_t all = 0, removed = 0;
};
OpenTables CountOpenTables() {
  OpenTables count;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    std::error_code gone;
    const std::string target = std::filesystem::read_symlink(entry.path(), gone).string();
    if (target.find(".sst") == std::string::npos) continue;
    ++count.all;
    if (target.ends_with("(deleted)")) ++count.removed;
  }
  return count;
}

size_t LiveTables(const DB& db) {
  size_t live = 0;
  for (const LevelStats& level : db.GetStats().levels) live += level.files;
  return live;
}

void Fill(DB* db, int round) {
  for (int i = 0; i < 6000; ++i) {
    CAMBIUM_ASSERT_OK(db->Put(Key(i), std::string(100, static_cast<char>('a' + round))));
  }
  CAMBIUM_ASSERT_OK(db->CompactRange());
  CAMBIUM_ASSERT_OK(db->WaitForIdle());
}

size_t Walk(Iterator* it) {
  size_t count = 0;
  for (it->SeekToFirst(); it->Valid(); it->Next()) ++count;
  CAMBIUM_EXPECT_OK(it->status());
  return count;
}

// Iterators that outlive compactions read tables that the tree dropped: when they go, so do the
// descriptors and the files, without a further job.
TEST(LeavingFilesTest, GoWithTheLastIterator) {
  const test::TempDir dir;
  const std::string path = dir.Sub("db");
  auto opened = DB::Open(SmallOptions(), path);
  CAMBIUM_ASSERT_OK(opened);
  DB* const db = opened->get();
  std::vector<std::unique_ptr<Iterator>> iterators;
  for (int round = 0; round < 4; ++round) {
    Fill(db, round);
    iterators.push_back(db->NewIterator());
  }
  Fill(db, 4);
  const size_t live = LiveTables(*db);
  EXPECT_GT(CountFiles(path, ".sst"), 4 * live);
  for (const auto& it : iterators) EXPECT_EQ(Walk(it.get()), 6000u);
  EXPECT_EQ(CountOpenTables().removed, 0u);
  iterators.clear();
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (CountFiles(path, ".sst") > live && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  EXPECT_EQ(CountFiles(path, ".sst"), live);
  EXPECT_LE(CountOpenTables().all, live);
  EXPECT_EQ(CountOpenTables().removed, 0u);
  EXPECT_EQ(db->GetStats().table_memory_bytes_now > 0, CountOpenTables().all > 0);
}

// The same with an executor that has no threads: the removal is one of its tasks.
TEST(LeavingFilesTest, GoByATaskOfTheExecutor) {
  const auto files = std::make_shared<env::MemFileSystem>();
  const auto executor = std::make_shared<env::InlineExecutor>(1);
  Options options = SmallOptions();
  options.file_system = files;
  options.executor = executor;
  auto db = DB::Open(options, "db");
  CAMBIUM_ASSERT_OK(db);
  const auto count = [&files] {
    const std::vector<std::string> names = files->ListDirectory("db").value();
    return static_cast<size_t>(std::count_if(
        names.begin(), names.end(), [](const auto& name) { return name.ends_with(".sst"); }));
  };
  Fill(db->get(), 0);
  auto it = (*db)->NewIterator();
  Fill(db->get(), 1);
  while (executor->RunOne()) {
  }
  EXPECT_EQ(Walk(it.get()), 6000u);
  EXPECT_GT(count(), LiveTables(**db));
  it.reset();
  while (executor->RunOne()) {
  }
  EXPECT_EQ(count(), LiveTables(**db));
}

// A removal that is due when the database closes does not happen behind its back: by then the
// directory may be another's.
TEST(LeavingFilesTest, NothingIsRemovedAfterClose) {
  const auto files = std::make_shared<env::MemFileSystem>();
  const auto faults = std::make_shared<env::FaultFileSystem>(files);
  const auto executor = std::make_shared<env::InlineExecutor>(1);
  Options options = SmallOptions();
  options.file_system = faults;
  options.executor = executor;
  auto db = DB::Open(options, "db");
  CAMBIUM_ASSERT_OK(db);
  Fill(db->get(), 0);
  auto it = (*db)->NewIterator();
  Fill(db->get(), 1);
  CAMBIUM_ASSERT_OK((*db)->Close());
  const uint64_t removed = faults->Calls(env::OperationKind::kRemove);
  it.reset();
  while (executor->RunOne()) {
  }
  db->reset();
  while (executor->RunOne()) {
  }
  EXPECT_EQ(faults->Calls(env::OperationKind::kRemove), removed);
  CAMBIUM_EXPECT_OK(DB::Open(options, "db"));
}

}  // namespace
}  // namespace cambium
