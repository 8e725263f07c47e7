// The table cache: tables opened once, at their first use, by whoever comes first.
#include "sstable/table_cache.h"

#include <atomic>
#include <thread>

#include "env/testing/fault_file_system.h"
#include "tests/sstable/table_support.h"

namespace cambium::sstable {
namespace {

class TableCacheTest : public ::testing::Test {
 protected:
  TableCacheTest() : base_(&table_.file_system(), [](FileSystem*) {}), faults_(base_) {
    EXPECT_TRUE(table_.Write({{"a", MakeTag(1, Kind::kValue), "1"}}).ok());
    options_.file_system = &faults_;
    options_.directory = "/";
    options_.cache = &table_.cache();
  }
  uint64_t size() const { return table_.summary().file_size; }

  TestTable table_;
  std::shared_ptr<FileSystem> base_;  // not the owner
  env::FaultFileSystem faults_;
  TableCacheOptions options_;
};

TEST_F(TableCacheTest, OpensOnceAtTheFirstUse) {
  TableCache tables(options_);
  const auto handle = tables.GetHandle(kTestNumber, size());
  EXPECT_EQ(tables.GetHandle(kTestNumber, size()), handle);
  EXPECT_EQ(handle->reader_if_open(), nullptr);
  EXPECT_EQ(faults_.Calls(env::OperationKind::kOpen), 0u);
  const auto reader = handle->reader();
  ASSERT_TRUE(reader.ok()) << reader.status();
  EXPECT_EQ(handle->reader_if_open(), *reader);
  EXPECT_EQ(handle->reader().value(), *reader);
  EXPECT_EQ(faults_.Calls(env::OperationKind::kOpen), 1u);
  EXPECT_EQ(FindInTable(**reader, options_.order, "a", 9)->value, "1");
}

TEST_F(TableCacheTest, OpensOnceForManyThreads) {
  TableCache tables(options_);
  std::vector<std::thread> threads;
  std::atomic<int> wrong{0};
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      const auto reader = tables.GetHandle(kTestNumber, size())->reader();
      if (!reader.ok()) {
        ++wrong;
        return;
      }
      const auto found = FindInTable(**reader, options_.order, "a", 9);
      if (!found.ok() || found->value != "1") ++wrong;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(faults_.Calls(env::OperationKind::kOpen), 1u);
}

TEST_F(TableCacheTest, TriesAgainAfterAnErrorOfTheFileSystem) {
  for (const env::OperationKind kind : {env::OperationKind::kOpen, env::OperationKind::kRead}) {
    TableCache tables(options_);
    faults_.AddRule({.kind = kind});
    const auto handle = tables.GetHandle(kTestNumber, size());
    EXPECT_TRUE(absl::IsUnavailable(handle->reader().status())) << handle->reader().status();
    EXPECT_TRUE(handle->reader().ok()) << handle->reader().status();
    faults_.ClearRules();
  }
}

TEST_F(TableCacheTest, RemembersDamage) {
  std::string bytes = table_.Bytes();
  bytes.back() = static_cast<char>(bytes.back() ^ 1);
  table_.Overwrite(bytes);
  TableCache tables(options_);
  const auto handle = tables.GetHandle(kTestNumber, size());
  EXPECT_TRUE(absl::IsDataLoss(handle->reader().status()));
  EXPECT_TRUE(absl::IsDataLoss(handle->reader().status()));
  EXPECT_EQ(faults_.Calls(env::OperationKind::kOpen), 1u);
}

TEST_F(TableCacheTest, SaysWhichFileIsMissing) {
  TableCache tables(options_);
  const auto reader = tables.GetHandle(FileNumber{99}, size())->reader();
  ASSERT_TRUE(absl::IsNotFound(reader.status()));
  EXPECT_THAT(std::string(reader.status().message()), ::testing::HasSubstr("000099.sst"));
}

TEST_F(TableCacheTest, ForgetsATableWhoseHoldersMayGoOn) {
  TableCache tables(options_);
  const auto handle = tables.GetHandle(kTestNumber, size());
  const auto reader = handle->reader();
  ASSERT_TRUE(reader.ok()) << reader.status();
  tables.Evict(kTestNumber);
  tables.Evict(kTestNumber);
  EXPECT_EQ(FindInTable(**reader, options_.order, "a", 9)->value, "1");
  EXPECT_NE(tables.GetHandle(kTestNumber, size()), handle);
}

TEST_F(TableCacheTest, GivesItsMemoryBack) {
  {
    TableCache tables(options_);
    const auto reader = tables.GetHandle(kTestNumber, size())->reader();
    ASSERT_TRUE(reader.ok()) << reader.status();
    EXPECT_EQ(FindInTable(**reader, options_.order, "a", 9)->value, "1");
    EXPECT_GT(table_.cache().Stats().reserved, 0u);
    EXPECT_EQ(table_.cache().Stats().frames, 3u);
  }
  EXPECT_EQ(table_.cache().Stats().frames, 0u);
  EXPECT_EQ(table_.cache().Usage(), 0u);
}

}  // namespace
}  // namespace cambium::sstable
