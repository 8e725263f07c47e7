// FaultFileSystem: each effect on each kind of call, when rules fire, what is remembered.
#include "env/testing/fault_file_system.h"

#include <bit>
#include <thread>
#include <vector>

#include "env/testing/mem_file_system.h"
#include "tests/env/env_test_util.h"

namespace cambium::env {
namespace {

using testing::HasSubstr;

class FaultFileSystemTest : public testing::Test {
 protected:
  void SetUp() override { ASSERT_OK(memory_->CreateDirectory("/db")); }

  const std::shared_ptr<MemFileSystem> memory_ = std::make_shared<MemFileSystem>();
  FaultFileSystem files_{memory_};
};

TEST_F(FaultFileSystemTest, FailsTheCallsTheRuleNames) {
  files_.AddRule({.kind = OperationKind::kSync,
                  .path_part = ".sst",
                  .first_call = 2,
                  .calls = 2,
                  .error_number = ENOSPC});
  auto table = files_.CreateWritable("/db/1.sst");
  auto other = files_.CreateWritable("/db/1.log");
  ASSERT_OK(table.status());
  ASSERT_OK(other.status());
  EXPECT_OK((*other)->Sync());
  EXPECT_OK((*table)->Sync());
  EXPECT_OK((*other)->Sync());
  for (int i = 0; i < 2; ++i) {
    const absl::Status status = (*table)->Sync();
    EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
    EXPECT_EQ(MessageOf(status), "injected: sync /db/1.sst: No space left on device");
  }
  EXPECT_OK((*table)->Sync());
  EXPECT_EQ(files_.fired(), 2u);
  EXPECT_EQ(files_.Calls(OperationKind::kSync), 6u);
  EXPECT_THAT(files_.DebugString(), HasSubstr("#1 error of sync call 4 /db/1.sst"));
}

TEST_F(FaultFileSystemTest, ForeverLastsUntilRulesAreCleared) {
  files_.AddRule({.kind = OperationKind::kCreate, .calls = kForever});
  for (int i = 0; i < 5; ++i) EXPECT_FALSE(files_.CreateWritable("/db/a").ok());
  EXPECT_FALSE(*memory_->Exists("/db/a")) << "a failed call does nothing";
  files_.ClearRules();
  EXPECT_OK(files_.CreateWritable("/db/a").status());
}

// Makes every kind of call once, in turn; returns the first status that was not ok.
absl::Status UseEverything(FileSystem& files) {
  absl::Status first;
  const auto see = [&first](const absl::Status& status) { first.Update(status); };
  see(files.CreateDirectory("/db/d"));
  see(files.SyncDirectory("/db"));
  if (auto file = files.CreateWritable("/db/d/a"); file.ok()) {
    see((*file)->Append("content"));
    see((*file)->Sync());
    see((*file)->Close());
  } else {
    see(file.status());
  }
  if (auto log = files.CreateLog("/db/d/log", 8192); log.ok()) {
    see((*log)->WriteAt(0, "record"));
    see((*log)->Sync());
    see((*log)->Close(100));
  } else {
    see(log.status());
  }
  see(files.SyncFile("/db/d/a"));
  if (auto file = files.OpenRandomAccess("/db/d/a"); file.ok()) {
    see((*file)->Size().status());
    char buffer[10];
    ReadRequest request{.offset = 0, .buffer = buffer, .size = 10, .bytes_read = 0, .status = {}};
    (*file)->Read(std::span<ReadRequest>(&request, 1));
    see(request.status);
  } else {
    see(file.status());
  }
  see(files.FileSize("/db/d/a").status());
  see(files.FreeSpace("/db").status());
  see(files.Link("/db/d/a", "/db/d/b"));
  see(files.Rename("/db/d/b", "/db/d/c"));
  see(files.Truncate("/db/d/c", 3));
  see(files.ListDirectory("/db/d").status());
  see(files.Lock("/db/d/LOCK", LockMode::kExclusive).status());
  see(files.Exists("/db/d/a").status());
  for (const char* path : {"/db/d/a", "/db/d/c", "/db/d/log", "/db/d/LOCK"}) {
    see(files.Remove(path));
  }
  see(files.RemoveDirectory("/db/d"));
  return first;
}

TEST_F(FaultFileSystemTest, EveryKindOfCallCanFail) {
  for (size_t i = 0; i < kOperationKindCount; ++i) {
    const auto kind = static_cast<OperationKind>(i);
    auto memory = std::make_shared<MemFileSystem>();
    FaultFileSystem files(memory);
    ASSERT_OK(memory->CreateDirectory("/db"));
    files.AddRule({.kind = kind});
    const absl::Status status = UseEverything(files);
    EXPECT_EQ(files.fired(), 1u) << OperationKindName(kind);
    EXPECT_EQ(status.ok(), kind == OperationKind::kMap) << OperationKindName(kind);
  }
}

TEST_F(FaultFileSystemTest, RuleWithoutKindMatchesEveryCall) {
  uint64_t calls = 0;
  files_.AddRule(
      {.calls = kForever, .effect = Effect::kNone, .hook = [&](const Operation&) { ++calls; }});
  EXPECT_OK(UseEverything(files_));
  uint64_t counted = 0;
  for (size_t i = 0; i < kOperationKindCount; ++i) {
    counted += files_.Calls(static_cast<OperationKind>(i));
    EXPECT_GT(files_.Calls(static_cast<OperationKind>(i)), 0u);
  }
  EXPECT_EQ(calls, counted);
  EXPECT_EQ(files_.fired(), counted);
}

TEST_F(FaultFileSystemTest, ErrorButDoneIsDone) {
  ASSERT_OK(WriteNew(files_, "/db/a", "content"));
  files_.AddRule({.kind = OperationKind::kRename, .effect = Effect::kFailDone});
  files_.AddRule({.kind = OperationKind::kCreate, .effect = Effect::kFailDone});
  EXPECT_EQ(files_.Rename("/db/a", "/db/b").code(), absl::StatusCode::kUnavailable);
  EXPECT_TRUE(*memory_->Exists("/db/b"));
  EXPECT_FALSE(files_.CreateWritable("/db/c").ok());
  EXPECT_TRUE(*memory_->Exists("/db/c"));
}

TEST_F(FaultFileSystemTest, PathPartMatchesTheNewNameToo) {
  ASSERT_OK(WriteNew(files_, "/db/temp", "content"));
  files_.AddRule({.kind = OperationKind::kRename, .path_part = "CURRENT"});
  EXPECT_FALSE(files_.Rename("/db/temp", "/db/CURRENT").ok());
}

TEST_F(FaultFileSystemTest, ShortWriteLeavesHalfAndSaysSo) {
  files_.AddRule({.effect = Effect::kShort, .error_number = ENOSPC});
  EXPECT_TRUE(absl::IsResourceExhausted(WriteNew(files_, "/db/a", "0123456789")));
  EXPECT_EQ(ReadAll(*memory_, "/db/a"), "01234");
}

TEST_F(FaultFileSystemTest, ShortReadLooksLikeTheEndOfTheFile) {
  ASSERT_OK(WriteNew(files_, "/db/a", "0123456789"));
  files_.AddRule({.kind = OperationKind::kRead, .effect = Effect::kShort});
  EXPECT_EQ(ReadAt(files_, "/db/a", 0, 8), "0123");
  EXPECT_EQ(ReadAt(files_, "/db/a", 0, 8), "01234567");
}

size_t DifferentBits(std::string_view a, std::string_view b) {
  size_t bits = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    bits += static_cast<size_t>(std::popcount(static_cast<unsigned char>(a[i] ^ b[i])));
  }
  return bits;
}

TEST_F(FaultFileSystemTest, BitFlipTurnsOneBit) {
  const std::string content(1'000, 'x');
  ASSERT_OK(WriteNew(files_, "/db/a", content));
  files_.AddRule({.kind = OperationKind::kRead, .calls = 2, .effect = Effect::kBitFlip});
  const std::string first = ReadAll(files_, "/db/a");
  const std::string second = ReadAll(files_, "/db/a");
  EXPECT_EQ(DifferentBits(content, first), 1u);
  EXPECT_EQ(DifferentBits(content, second), 1u);
  EXPECT_NE(first, second) << "not always the same bit";
  EXPECT_EQ(ReadAll(files_, "/db/a"), content) << "the file itself is whole";
  files_.AddRule({.kind = OperationKind::kAppend, .effect = Effect::kBitFlip});
  ASSERT_OK(WriteNew(files_, "/db/b", content));
  EXPECT_EQ(DifferentBits(content, ReadAll(files_, "/db/b")), 1u);
}

TEST_F(FaultFileSystemTest, StaleReadGivesWhatStoodBefore) {
  ASSERT_OK(WriteNew(files_, "/db/a", "content"));
  files_.AddRule({.kind = OperationKind::kRead, .effect = Effect::kStale});
  EXPECT_EQ(ReadAll(files_, "/db/a"), std::string(7, '\0'));
}

TEST_F(FaultFileSystemTest, MisdirectedWriteLandsElsewhere) {
  auto log = files_.CreateLog("/db/log", 12'288);
  ASSERT_OK(log.status());
  files_.AddRule(
      {.kind = OperationKind::kWriteAt, .calls = kForever, .effect = Effect::kMisdirected});
  ASSERT_OK((*log)->WriteAt(5'000, "one"));
  ASSERT_OK((*log)->WriteAt(10, "two"));
  EXPECT_EQ(ReadAt(files_, "/db/log", 5'000, 3), std::string(3, '\0'));
  EXPECT_EQ(ReadAt(files_, "/db/log", 904, 3), "one");
  EXPECT_EQ(ReadAt(files_, "/db/log", 4'106, 3), "two");
  auto small = files_.CreateLog("/db/small", 100);
  ASSERT_OK(small.status());
  ASSERT_OK((*small)->WriteAt(50, "three"));
  EXPECT_EQ(ReadAt(files_, "/db/small", 0, 5), "three");
}

TEST_F(FaultFileSystemTest, MisdirectedAppendLeavesZerosAndSpoilsTheNext) {
  files_.AddRule({.kind = OperationKind::kAppend, .effect = Effect::kMisdirected});
  auto file = files_.CreateWritable("/db/a");
  ASSERT_OK(file.status());
  ASSERT_OK((*file)->Append("abc"));
  ASSERT_OK((*file)->Append("01234"));
  ASSERT_OK((*file)->Append("56789"));
  EXPECT_EQ(ReadAll(files_, "/db/a"), std::string(3, '\0') + "abc3456789");
}

TEST_F(FaultFileSystemTest, MisdirectedReadComesFromElsewhere) {
  ASSERT_OK(WriteNew(files_, "/db/a", std::string(4096, 'a') + std::string(4096, 'b')));
  files_.AddRule({.kind = OperationKind::kRead, .calls = 2, .effect = Effect::kMisdirected});
  EXPECT_EQ(ReadAt(files_, "/db/a", 4096, 3), "aaa");
  EXPECT_EQ(ReadAt(files_, "/db/a", 0, 3), "bbb");
}

TEST_F(FaultFileSystemTest, EffectThatCannotBeIsSkipped) {
  files_.AddRule({.calls = kForever, .effect = Effect::kStale});
  ASSERT_OK(WriteNew(files_, "/db/a", "content"));
  EXPECT_OK(files_.Rename("/db/a", "/db/b"));
  EXPECT_EQ(files_.fired(), 0u);
}

TEST_F(FaultFileSystemTest, MappingIsHiddenOnRequestOrByRule) {
  auto shown = files_.CreateLog("/db/1", 4096);
  ASSERT_OK(shown.status());
  EXPECT_NE((*shown)->Mapping(), nullptr);
  files_.AddRule({.kind = OperationKind::kMap});
  auto refused = files_.CreateLog("/db/2", 4096);
  ASSERT_OK(refused.status());
  EXPECT_EQ((*refused)->Mapping(), nullptr);
  FaultFileSystem hiding(memory_, MappingAccess::kHidden);
  auto hidden = hiding.CreateLog("/db/3", 4096);
  ASSERT_OK(hidden.status());
  EXPECT_EQ((*hidden)->Mapping(), nullptr);
  ASSERT_OK((*hidden)->WriteAt(0, "seen"));
  EXPECT_EQ(hiding.Calls(OperationKind::kWriteAt), 1u);
}

TEST_F(FaultFileSystemTest, ObserverSeesEveryMutatingCallBeforeIt) {
  std::vector<std::string> seen;
  files_.SetObserver([&](const Operation& operation) {
    seen.push_back(std::string(OperationKindName(operation.kind)));
    if (operation.kind == OperationKind::kCreate) {
      EXPECT_FALSE(*memory_->Exists(std::string(operation.path)));
    }
    // A campaign's use of it.
    EXPECT_NE(memory_->CrashClone(CrashPolicy::kSyncedOnly, 1), nullptr);
  });
  EXPECT_OK(UseEverything(files_));
  EXPECT_EQ(seen,
            (std::vector<std::string>{"create-directory", "sync-directory", "create", "append",
                                      "sync", "create-log", "write-at", "sync-log", "close-log",
                                      "sync-file", "link", "rename", "truncate", "lock", "remove",
                                      "remove", "remove", "remove", "remove-directory"}));
  files_.SetObserver(nullptr);
  EXPECT_OK(UseEverything(files_));
  EXPECT_EQ(seen.size(), 19u);
}

TEST_F(FaultFileSystemTest, RingKeepsTheLastFaults) {
  files_.AddRule({.kind = OperationKind::kRemove, .calls = kForever});
  for (int i = 0; i < 200; ++i) EXPECT_FALSE(files_.Remove("/db/a").ok());
  const std::string text = files_.DebugString();
  EXPECT_THAT(text, HasSubstr("#200 "));
  EXPECT_THAT(text, testing::Not(HasSubstr("#100 ")));
}

TEST_F(FaultFileSystemTest, CountsCallsOfManyThreads) {
  files_.AddRule({.kind = OperationKind::kExists, .first_call = 100, .calls = 50});
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 250; ++i) files_.Exists("/db").IgnoreError();
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(files_.Calls(OperationKind::kExists), 1'000u);
  EXPECT_EQ(files_.fired(), 50u);
}

}  // namespace
}  // namespace cambium::env
