// Many tables, few descriptors: a database of 10,000 tables in a process that may have 64 files.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/file_names.h"
#include "cambium/db.h"
#include "compaction/policy.h"
#include "compaction/run_merge.h"
#include "env/testing/fault_file_system.h"
#include "env/testing/intercepted_file_system.h"
#include "env/testing/mem_file_system.h"
#include "manifest/manifest_log.h"
#include "tests/support/apply_edit.h"
#include "tests/support/status_test.h"
#include "tests/support/temp_dir.h"
#include "tests/support/vector_iterator.h"
#include "util/status_macros.h"

namespace cambium {
namespace {

constexpr int kTables = 10'000;
constexpr rlim_t kLimit = 64;

std::string Key(int i) {
  const std::string digits = absl::StrCat(i);
  return absl::StrCat("key", std::string(6 - digits.size(), '0'), digits);
}

// Leaves syncs out: nothing here cuts the power, and 10,000 of them take long.
class SkipSyncs final : public env::Interceptor {
 public:
  env::Verdict Before(const env::Operation& operation) override {
    env::Verdict verdict;
    if (operation.kind == env::OperationKind::kSync) verdict.effect = env::Effect::kFail;
    return verdict;  // not done, and the status is ok
  }
  void After(const env::Operation&, const absl::Status&) override {}
};

// Adds to the database at `path`, which is closed, a last level of one table per key.
absl::Status AddTables(FileSystem* files, const std::string& path) {
  const KeyOrder order(BytewiseComparator());
  ASSIGN_OR_RETURN(const manifest::RecoveredManifest found,
                   manifest::RecoverManifest(files, path, manifest::KeyOrders(order)));
  manifest::ManifestState state = found.state;
  state.next_file_number += 1000;  // above the files that are there
  std::vector<OwnedEntry> entries;
  for (int i = 0; i < kTables; ++i) {
    entries.push_back({Key(i), MakeTrailer(1, Kind::kValue), absl::StrCat("value ", i)});
  }
  compaction::RunMergeOptions options;
  options.stream.order = order;
  options.target_file_size = 1;
  options.new_table = [&]() -> absl::StatusOr<compaction::OutputTable> {
    compaction::OutputTable table;
    table.number = FileNumber{state.next_file_number++};
    sstable::TableBuilderOptions builder;
    builder.order = order;
    builder.number = table.number;
    builder.path = TablePath(path, table.number);
    builder.level = kLevelCount - 1;
    ASSIGN_OR_RETURN(std::unique_ptr<WritableFile> file, files->CreateWritable(builder.path));
    table.builder = std::make_unique<sstable::TableBuilder>(builder, std::move(file));
    return table;
  };
  const auto input = NewVectorIterator(order, std::move(entries));
  ASSIGN_OR_RETURN(const compaction::RunMergeResult merged,
                   compaction::RunMerge(input.get(), options));
  manifest::VersionEdit edit;
  state.last_sequence += 1;
  for (const manifest::FileRef& file : merged.files) {
    edit.Family(0).added.push_back({kLevelCount - 1, compaction::kLeveledRun, *file});
  }
  const FileNumber number{state.next_file_number++};
  ASSIGN_OR_RETURN(state, manifest::ApplyEdit(state, edit, order));
  return manifest::ManifestLog::Create(files, path, number, manifest::SnapshotEdit(state)).status();
}

// Descriptors of this process; one of them is the directory that is listed.
size_t CountDescriptors() {
  size_t count = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    ++count;
  }
  return count;
}

class DescriptorsTest : public testing::Test {
 protected:
  DescriptorsTest() {
    EXPECT_EQ(::getrlimit(RLIMIT_NOFILE, &before_), 0);
    const struct rlimit limit = {kLimit, before_.rlim_max};
    EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &limit), 0);
    options_.memory_budget = size_t{16} << 20;
    options_.file_system = files_;
    path_ = dir_.Sub("db");
  }
  ~DescriptorsTest() override { EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &before_), 0); }

  void Open() {
    db_.reset();
    auto db = DB::Open(options_, path_);
    CAMBIUM_ASSERT_OK(db);
    db_ = *std::move(db);
  }
  void MakeTables() {
    Open();
    CAMBIUM_ASSERT_OK(db_->Put("key", "of the first days"));
    CAMBIUM_ASSERT_OK(db_->Flush());
    CAMBIUM_ASSERT_OK(db_->CompactRange());
    db_.reset();
    CAMBIUM_ASSERT_OK(AddTables(files_.get(), path_));
    Open();
  }
  void ExpectHealthy() {
    EXPECT_EQ(db_->GetHealth().state, Health::State::kHealthy) << db_->GetHealth().cause;
    EXPECT_LE(CountDescriptors(), kLimit);
  }

  struct rlimit before_ = {};
  test::TempDir dir_;
  std::shared_ptr<FileSystem> files_ = std::make_shared<env::InterceptedFileSystem>(
      DefaultFileSystem(), std::make_shared<SkipSyncs>(), env::MappingAccess::kShown);
  Options options_;
  std::string path_;
  std::unique_ptr<DB> db_;
};

TEST_F(DescriptorsTest, TenThousandTablesUnderALimitOf64) {
  MakeTables();
  for (int i = 0; i < kTables; ++i) ASSERT_EQ(db_->Get(Key(i)).value(), absl::StrCat("value ", i));
  ExpectHealthy();

  std::vector<std::string> names;
  for (int i = 0; i < kTables; i += 50) names.push_back(Key(i));
  const std::vector<std::string_view> keys(names.begin(), names.end());
  std::vector<PinnedValue> values(keys.size());
  std::vector<absl::Status> statuses(keys.size());
  db_->MultiGet(keys, values, statuses);
  for (const absl::Status& status : statuses) CAMBIUM_EXPECT_OK(status);

  int count = 0;
  auto it = db_->NewIterator();
  for (it->SeekToFirst(); it->Valid(); it->Next()) ++count;
  CAMBIUM_EXPECT_OK(it->status());
  EXPECT_EQ(count, kTables + 1);
  for (it->SeekToLast(); it->Valid(); it->Prev()) --count;
  CAMBIUM_EXPECT_OK(it->status());
  EXPECT_EQ(count, 0);
  it.reset();
  ExpectHealthy();

  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 16; ++t) {
    threads.emplace_back([&, t] {
      for (int k = 0; k < 500; ++k) {
        const int i = (k * 7919 + t * 631) % kTables;
        const auto value = db_->Get(Key(i));
        if (!value.ok() || *value != absl::StrCat("value ", i)) ++wrong;
      }
    });
  }
  for (int i = 0; i < 500; ++i) {
    CAMBIUM_ASSERT_OK(db_->Put(Key(i), "new"));
    if (i % 100 == 99) {
      CAMBIUM_ASSERT_OK(db_->Flush());
    }
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_LE(wrong, 16 * 500 * 600 / kTables);  // those that were overwritten
  ExpectHealthy();

  CAMBIUM_EXPECT_OK(db_->CompactRange(Key(0), Key(1000)));
  CAMBIUM_EXPECT_OK(db_->Verify());
  EXPECT_GT(db_->ApproximateSize(Key(2), Key(kTables)), 0u);
  ExpectHealthy();
  Open();
  EXPECT_EQ(db_->Get(Key(499)).value(), "new");
  EXPECT_EQ(db_->Get(Key(kTables - 1)).value(), absl::StrCat("value ", kTables - 1));
  ExpectHealthy();
}

// Only the tables at the ends of the range are opened.
TEST_F(DescriptorsTest, ApproximateSizeOpensTheTablesAtTheEnds) {
  const auto faults = std::make_shared<env::FaultFileSystem>(files_);
  options_.file_system = faults;
  MakeTables();
  const uint64_t before = faults->Calls(env::OperationKind::kOpen);
  const uint64_t size = db_->ApproximateSize(Key(10), Key(kTables - 10));
  EXPECT_GT(size, 0u);
  EXPECT_LE(faults->Calls(env::OperationKind::kOpen) - before, 2u);
  EXPECT_LT(size, db_->ApproximateSize("", "z"));
}

// The rest of the program takes every descriptor that is left: the database closes tables, and goes
// on with their descriptors.
TEST_F(DescriptorsTest, WritesWhileTheProgramHoldsAllOtherDescriptors) {
  MakeTables();
  for (int i = 0; i < 200; ++i) CAMBIUM_ASSERT_OK(db_->Get(Key(i)));
  std::vector<int> taken;
  for (int fd; (fd = ::open("/dev/null", O_RDONLY)) >= 0;) taken.push_back(fd);
  EXPECT_EQ(errno, EMFILE);
  for (int i = 0; i < 1000; ++i) CAMBIUM_EXPECT_OK(db_->Put(Key(i), std::string(1000, 'x')));
  CAMBIUM_EXPECT_OK(db_->Flush());
  CAMBIUM_EXPECT_OK(db_->CompactRange(Key(0), Key(500)));
  for (int i = 0; i < kTables; i += 37) CAMBIUM_EXPECT_OK(db_->Get(Key(i)));
  EXPECT_EQ(db_->GetHealth().state, Health::State::kHealthy) << db_->GetHealth().cause;
  for (const int fd : taken) ::close(fd);
  ExpectHealthy();
}

TEST_F(DescriptorsTest, RefusesANonsensicalLimit) {
  for (const int files : {-1, 2'000'000'000}) {
    options_.max_open_files = files;
    const auto db = DB::Open(options_, path_);
    CAMBIUM_EXPECT_CODE(db, kInvalidArgument);
    EXPECT_NE(db.status().ToString().find("max_open_files"), std::string::npos);
  }
}

// While no descriptor can be had at all, jobs wait; the database stays healthy and goes on when
// there are some.
TEST(LackOfDescriptors, NeverChangesTheHealth) {
  const auto faults =
      std::make_shared<env::FaultFileSystem>(std::make_shared<env::MemFileSystem>());
  Options options;
  options.memory_budget = size_t{4} << 20;
  options.file_system = faults;
  auto db = DB::Open(options, "db");
  CAMBIUM_ASSERT_OK(db);
  CAMBIUM_ASSERT_OK((*db)->Put("k", "v"));
  faults->AddRule(
      {.kind = env::OperationKind::kCreate, .calls = env::kForever, .error_number = EMFILE});
  std::atomic<bool> flushed{false};
  std::thread flusher([&] {
    CAMBIUM_EXPECT_OK((*db)->Flush());
    flushed = true;
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(1500));
  EXPECT_FALSE(flushed);
  EXPECT_GT(faults->fired(), 0u);
  EXPECT_EQ((*db)->GetHealth().state, Health::State::kHealthy);
  CAMBIUM_EXPECT_OK((*db)->Put("k2", "v"));
  faults->ClearRules();
  flusher.join();
  EXPECT_EQ((*db)->Get("k").value(), "v");
  EXPECT_EQ((*db)->GetHealth().state, Health::State::kHealthy);
}

}  // namespace
}  // namespace cambium
