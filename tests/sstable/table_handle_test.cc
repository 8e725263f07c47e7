// Table handles: a table is opened once, on first use, by the first thread that needs it.
#include "sstable/table/table_handle.h"

#include <atomic>
#include <cerrno>
#include <thread>

#include "env/testing/fault_file_system.h"
#include "tests/sstable/table_support.h"

namespace cambium::sstable {
namespace {

class TableHandleTest : public ::testing::Test {
 protected:
  TableHandleTest() : base_(&table_.file_system(), [](FileSystem*) {}), faults_(base_) {
    EXPECT_TRUE(table_.Write({{"a", MakeTrailer(1, Kind::kValue), "1"}}).ok());
    directory_.file_system = &faults_;
    directory_.path = "/";
    directory_.cache = &table_.cache();
  }
  uint64_t size() const { return table_.summary().file_size; }

  TestTable table_;
  std::shared_ptr<FileSystem> base_;  // not the owner
  env::FaultFileSystem faults_;
  TableDirectory directory_;
};

TEST_F(TableHandleTest, OpensOnceAtTheFirstUse) {
  TableHandle handle(&directory_, kTestNumber, size());
  EXPECT_EQ(handle.reader_if_open(), nullptr);
  EXPECT_EQ(faults_.Calls(env::OperationKind::kOpen), 0u);
  const auto reader = handle.reader();
  ASSERT_TRUE(reader.ok()) << reader.status();
  EXPECT_EQ(handle.reader_if_open(), *reader);
  EXPECT_EQ(handle.reader().value(), *reader);
  EXPECT_EQ(faults_.Calls(env::OperationKind::kOpen), 1u);
  EXPECT_EQ(FindInTable(**reader, directory_.order, "a", 9)->value, "1");
}

TEST_F(TableHandleTest, OpensOnceForManyThreads) {
  TableHandle handle(&directory_, kTestNumber, size());
  std::vector<std::thread> threads;
  std::atomic<int> wrong{0};
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      const auto reader = handle.reader();
      if (!reader.ok()) {
        ++wrong;
        return;
      }
      const auto found = FindInTable(**reader, directory_.order, "a", 9);
      if (!found.ok() || found->value != "1") ++wrong;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(faults_.Calls(env::OperationKind::kOpen), 1u);
}

TEST_F(TableHandleTest, TriesAgainAfterAnErrorOfTheFileSystem) {
  for (const env::OperationKind kind : {env::OperationKind::kOpen, env::OperationKind::kRead}) {
    faults_.AddRule({.kind = kind});
    TableHandle handle(&directory_, kTestNumber, size());
    EXPECT_TRUE(absl::IsUnavailable(handle.reader().status())) << handle.reader().status();
    EXPECT_TRUE(handle.reader().ok()) << handle.reader().status();
    faults_.ClearRules();
  }
}

TEST_F(TableHandleTest, RemembersDamage) {
  std::string bytes = table_.Bytes();
  bytes.back() = static_cast<char>(bytes.back() ^ 1);
  table_.Overwrite(bytes);
  TableHandle handle(&directory_, kTestNumber, size());
  EXPECT_TRUE(absl::IsDataLoss(handle.reader().status()));
  EXPECT_TRUE(absl::IsDataLoss(handle.reader().status()));
  EXPECT_EQ(faults_.Calls(env::OperationKind::kOpen), 1u);
}

TEST_F(TableHandleTest, SaysWhichFileIsMissing) {
  TableHandle handle(&directory_, FileNumber{99}, size());
  const auto reader = handle.reader();
  ASSERT_TRUE(absl::IsDataLoss(reader.status())) << reader.status();
  EXPECT_THAT(std::string(reader.status().message()), ::testing::HasSubstr("000099.sst"));
}

TEST_F(TableHandleTest, FindsAFileThatHasComeBack) {
  TableHandle handle(&directory_, kTestNumber, size());
  faults_.AddRule({.kind = env::OperationKind::kOpen, .error_number = ENOENT});
  EXPECT_TRUE(absl::IsDataLoss(handle.reader().status())) << handle.reader().status();
  faults_.ClearRules();
  EXPECT_TRUE(handle.reader().ok()) << handle.reader().status();
}

TEST_F(TableHandleTest, NoErrorOfTheFileSystemIsNotFound) {
  for (const env::OperationKind kind :
       {env::OperationKind::kOpen, env::OperationKind::kSize, env::OperationKind::kRead}) {
    TableHandle handle(&directory_, kTestNumber, size());
    faults_.AddRule({.kind = kind, .error_number = ENOENT});
    EXPECT_TRUE(absl::IsDataLoss(handle.reader().status())) << handle.reader().status();
    faults_.ClearRules();
  }
}

TEST_F(TableHandleTest, GivesItsMemoryBack) {
  {
    TableHandle handle(&directory_, kTestNumber, size());
    const auto reader = handle.reader();
    ASSERT_TRUE(reader.ok()) << reader.status();
    EXPECT_EQ(FindInTable(**reader, directory_.order, "a", 9)->value, "1");
    EXPECT_GT(table_.cache().Stats().reserved, 0u);
    EXPECT_EQ(table_.cache().Stats().frames, 3u);
  }
  EXPECT_EQ(table_.cache().Stats().frames, 0u);
  EXPECT_EQ(table_.cache().Usage(), 0u);
}

}  // namespace
}  // namespace cambium::sstable
