// What compaction does to a database that is in use: to its writers, to the bytes that it writes,
// beside a damaged file. On the memory file system, with threads of its own.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "cambium/db.h"
#include "env/testing/fault_file_system.h"
#include "env/testing/mem_file_system.h"
#include "tests/support/status_test.h"

namespace cambium {
namespace {

constexpr char kPath[] = "db";
constexpr int kValueBytes = 100;

std::string Key(char prefix, uint32_t i) { return absl::StrFormat("%c%08d", prefix, i); }

std::string Value(std::mt19937* random) {
  std::string value(kValueBytes, '\0');
  for (char& byte : value) byte = static_cast<char>((*random)());
  return value;
}

class CompactionTest : public testing::Test {
 protected:
  CompactionTest() {
    options_.file_system = faults_;
    options_.background_threads = 3;
  }

  void Open() {
    auto db = DB::Open(options_, kPath);
    CAMBIUM_ASSERT_OK(db);
    db_ = *std::move(db);
  }
  void Overwrite(char prefix, uint32_t writes, uint32_t keys) {
    for (uint32_t i = 0; i < writes; ++i) {
      CAMBIUM_ASSERT_OK(db_->Put(Key(prefix, random_() % keys), Value(&random_)));
    }
  }
  // Changes a byte of the first block of a table.
  void DamageOneTable() {
    const auto names = files_->ListDirectory(kPath);
    CAMBIUM_ASSERT_OK(names);
    const auto table = std::find_if(names->begin(), names->end(),
                                    [](const std::string& name) { return name.ends_with(".sst"); });
    ASSERT_NE(table, names->end());
    const std::string path = absl::StrCat(kPath, "/", *table);
    std::string bytes(files_->FileSize(path).value(), '\0');
    {
      const auto file = files_->OpenRandomAccess(path);
      CAMBIUM_ASSERT_OK(file);
      ReadRequest request;
      request.buffer = bytes.data();
      request.size = bytes.size();
      (*file)->Read({&request, 1});
      CAMBIUM_ASSERT_OK(request.status);
    }
    bytes[10] = static_cast<char>(~bytes[10]);
    CAMBIUM_ASSERT_OK(files_->Remove(path));
    const auto file = files_->CreateWritable(path);
    CAMBIUM_ASSERT_OK(file);
    CAMBIUM_ASSERT_OK((*file)->Append(bytes));
    CAMBIUM_ASSERT_OK((*file)->Close());
  }

  std::shared_ptr<env::MemFileSystem> files_ = std::make_shared<env::MemFileSystem>();
  std::shared_ptr<env::FaultFileSystem> faults_ = std::make_shared<env::FaultFileSystem>(files_);
  std::mt19937 random_{17};
  Options options_;
  std::unique_ptr<DB> db_;
};

// Levels follow from what is written: with a memtable of a few KiB a byte was once written 41
// times, and more often the more data there was.
TEST_F(CompactionTest, SmallestBudgetWritesEachByteAFewTimes) {
  options_.memory_budget = size_t{1} << 20;
  Open();
  constexpr uint32_t kKeys = 400'000;
  Overwrite('k', 3 * kKeys, kKeys);
  CAMBIUM_ASSERT_OK(db_->WaitForIdle());
  const Stats stats = db_->GetStats();
  const double amplification =
      static_cast<double>(stats.flush_bytes + stats.compaction_bytes_written) /
      static_cast<double>(stats.bytes_written);
  RecordProperty("write_amplification", absl::StrFormat("%.1f", amplification));
  EXPECT_LT(amplification, 14) << "flushed " << stats.flush_bytes << ", compacted "
                               << stats.compaction_bytes_written;
}

// A file of the level that level 0 is merged into is damaged: level 0 is emptied around it, and all
// keys outside of the file can be read.
TEST_F(CompactionTest, EmptiesLevel0AroundADamagedFileOfTheBaseLevel) {
  options_.memory_budget = size_t{8} << 20;
  options_.memtable_size = size_t{64} << 10;
  options_.target_file_size = uint64_t{64} << 10;
  Open();
  constexpr uint32_t kKeys = 5000;
  Overwrite('k', 2 * kKeys, kKeys);
  CAMBIUM_ASSERT_OK(db_->CompactRange());
  db_.reset();
  DamageOneTable();
  Open();
  CAMBIUM_EXPECT_CODE(db_->Verify(), kDataLoss);
  Overwrite('k', 8 * kKeys, kKeys);
  CAMBIUM_ASSERT_OK(db_->Flush());
  CAMBIUM_ASSERT_OK(db_->WaitForIdle());
  EXPECT_EQ(db_->GetHealth().damaged_files.size(), 1u);
  const Stats stats = db_->GetStats();
  EXPECT_LT(stats.levels[0].bytes, 6 * options_.memtable_size);
  EXPECT_EQ(stats.compaction_debt_bytes_now, 0u);
  // All but a few keys have been written again since, and are found above the damaged file.
  uint32_t lost = 0;
  for (uint32_t i = 0; i < kKeys; ++i) {
    const auto value = db_->Get(Key('k', i));
    lost += value.ok() ? 0 : 1;
    if (!value.ok() && !absl::IsNotFound(value.status())) {
      CAMBIUM_EXPECT_CODE(value, kDataLoss);
    }
  }
  EXPECT_LT(lost, kKeys / 50);
}

// More runs of level 0 are damaged than are allowed before writers stop: no compaction will ever
// reduce their number, so no writer waits for it. The intact runs between them are merged.
TEST_F(CompactionTest, WritersGoOnOverManyDamagedRuns) {
  options_.memory_budget = size_t{8} << 20;
  options_.memtable_size = size_t{64} << 10;
  Open();
  constexpr uint32_t kDamaged = 40;
  for (uint32_t i = 0; i < kDamaged; ++i) {
    for (int run = 0; run < 3; ++run) {
      CAMBIUM_ASSERT_OK(db_->Put(Key('a', i), Value(&random_)));
      CAMBIUM_ASSERT_OK(db_->Flush());
    }
    CAMBIUM_ASSERT_OK(db_->WaitForIdle());  // the fault is the Get's
    faults_->AddRule(
        {.kind = env::OperationKind::kRead, .path_part = ".sst", .effect = env::Effect::kBitFlip});
    CAMBIUM_EXPECT_CODE(db_->Get(Key('a', i)), kDataLoss);
    faults_->ClearRules();
  }
  EXPECT_EQ(db_->GetHealth().damaged_files.size(), kDamaged);
  Overwrite('a', 20'000, 5000);
  CAMBIUM_ASSERT_OK(db_->WaitForIdle());
  EXPECT_LT(db_->GetStats().levels[0].runs, 4 * (kDamaged + 1));
  EXPECT_EQ(db_->GetStats().compaction_debt_bytes_now, 0u);
}

// Writers go on beside a manual compaction that takes its time: automatic plans run beside it.
TEST_F(CompactionTest, WritersGoOnWhileCompactRangeRuns) {
  options_.memory_budget = size_t{8} << 20;
  options_.memtable_size = size_t{64} << 10;
  options_.target_file_size = uint64_t{64} << 10;
  Open();
  // Everything is in one level, with old versions to give up as soon as the snapshot is released.
  Overwrite('a', 5000, 2000);
  {
    const auto snapshot = db_->GetSnapshot();
    Overwrite('a', 5000, 2000);
    CAMBIUM_ASSERT_OK(db_->CompactRange());
  }
  ASSERT_EQ(db_->GetStats().levels[0].runs, 0u);

  std::mutex mu;
  std::condition_variable changed;
  bool started = false;  // the manual compaction makes a table
  bool written = false;  // what it waits for
  faults_->AddRule({.kind = env::OperationKind::kCreate,
                    .path_part = ".sst",
                    .effect = env::Effect::kNone,
                    .hook = [&](const env::Operation&) {
                      std::unique_lock lock(mu);
                      started = true;
                      changed.notify_all();
                      changed.wait_for(lock, std::chrono::seconds(120), [&] { return written; });
                    }});
  std::atomic<bool> compacted{false};
  std::thread manual([&] {
    CAMBIUM_EXPECT_OK(db_->CompactRange(Key('a', 0), Key('a', 2000)));
    compacted.store(true);
  });
  {
    std::unique_lock lock(mu);
    EXPECT_TRUE(changed.wait_for(lock, std::chrono::seconds(60), [&] { return started; }));
  }
  // Several times what level 0 may hold before writers stop.
  Overwrite('w', 50'000, 5000);
  EXPECT_FALSE(compacted.load());
  EXPECT_GT(db_->GetStats().compactions, 0u);
  {
    const std::lock_guard lock(mu);
    written = true;
    changed.notify_all();
  }
  manual.join();
  CAMBIUM_EXPECT_OK(db_->Verify());
}

}  // namespace
}  // namespace cambium
