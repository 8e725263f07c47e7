// PooledFileSystem: many files, few descriptors.
#include "env/pooled_file_system.h"

#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "env/testing/fault_file_system.h"
#include "env/testing/mem_file_system.h"
#include "tests/env/env_test_util.h"

namespace cambium::env {
namespace {

// The bytes of a file of four.
std::string ReadAll(const RandomAccessFile& file) {
  std::string buffer(4, '?');
  ReadRequest request;
  request.buffer = buffer.data();
  request.size = buffer.size();
  file.Read({&request, 1});
  if (!request.status.ok()) return "error: " + MessageOf(request.status);
  return buffer.substr(0, request.bytes_read);
}

class PooledFileSystemTest : public ::testing::Test {
 protected:
  PooledFileSystemTest() {
    EXPECT_OK(faults_->CreateDirectory("/d"));
    for (int i = 0; i < kFiles; ++i) {
      auto file = faults_->CreateWritable(Path(i));
      EXPECT_OK(file.status());
      EXPECT_OK((*file)->Append(Content(i)));
      EXPECT_OK((*file)->Close());
    }
  }

  static constexpr int kFiles = 20;
  static constexpr size_t kMaxOpen = 4;
  static std::string Path(int i) { return absl::StrCat("/d/", i); }
  static std::string Content(int i) { return absl::StrCat(1000 + i); }

  std::vector<std::unique_ptr<RandomAccessFile>> OpenAll() {
    std::vector<std::unique_ptr<RandomAccessFile>> files;
    for (int i = 0; i < kFiles; ++i) {
      auto file = pooled_.OpenRandomAccess(Path(i));
      EXPECT_OK(file.status());
      files.push_back(*std::move(file));
      EXPECT_LE(pooled_.open_count(), kMaxOpen);
    }
    return files;
  }
  uint64_t opened() const { return faults_->Calls(OperationKind::kOpen); }

  std::shared_ptr<FaultFileSystem> faults_ =
      std::make_shared<FaultFileSystem>(std::make_shared<MemFileSystem>());
  PooledFileSystem pooled_{faults_.get(), kMaxOpen};
};

TEST_F(PooledFileSystemTest, ReadsMoreFilesThanItHasDescriptors) {
  const auto files = OpenAll();
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < kFiles; ++i) {
      EXPECT_EQ(ReadAll(*files[static_cast<size_t>(i)]), Content(i));
      EXPECT_EQ(files[static_cast<size_t>(i)]->Size().value(), 4u);
      EXPECT_LE(pooled_.open_count(), kMaxOpen);
    }
  }
}

TEST_F(PooledFileSystemTest, KeepsWhatIsUsed) {
  const auto files = OpenAll();
  EXPECT_EQ(ReadAll(*files[0]), Content(0));
  const uint64_t before = opened();
  // One file is read before each of the others: it keeps its descriptor.
  for (int i = 1; i < kFiles; ++i) {
    EXPECT_EQ(ReadAll(*files[static_cast<size_t>(i)]), Content(i));
    EXPECT_EQ(ReadAll(*files[0]), Content(0));
  }
  EXPECT_LE(opened() - before, static_cast<uint64_t>(kFiles) + 3);
}

TEST_F(PooledFileSystemTest, GivesDescriptorsBack) {
  auto files = OpenAll();
  EXPECT_EQ(pooled_.open_count(), kMaxOpen);
  files.clear();
  EXPECT_EQ(pooled_.open_count(), 0u);
}

TEST_F(PooledFileSystemTest, ReportsAMissingFile) {
  EXPECT_TRUE(absl::IsNotFound(pooled_.OpenRandomAccess("/d/none").status()));
  const auto files = OpenAll();  // the first is closed by now
  EXPECT_OK(faults_->Remove(Path(0)));
  EXPECT_EQ(ReadAll(*files[0]).substr(0, 6), "error:");
  EXPECT_TRUE(absl::IsNotFound(files[0]->Size().status()));
  EXPECT_LE(pooled_.open_count(), kMaxOpen);
}

// More threads than descriptors: each read waits for one, and all end.
TEST_F(PooledFileSystemTest, ManyThreadsShareFewDescriptors) {
  const auto files = OpenAll();
  faults_->AddRule({.kind = OperationKind::kRead,
                    .calls = kForever,
                    .effect = Effect::kNone,
                    .hook = [](const Operation&) { std::this_thread::yield(); }});
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      for (int k = 0; k < 500; ++k) {
        const int i = (k * 7 + t * 3) % kFiles;
        if (ReadAll(*files[static_cast<size_t>(i)]) != Content(i)) ++wrong;
        if (pooled_.open_count() > kMaxOpen) ++wrong;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

// A descriptor that is in use is not closed, and who needs one waits for it.
TEST_F(PooledFileSystemTest, WaitsForAPinnedDescriptor) {
  PooledFileSystem one(faults_.get(), 1);
  auto first = *one.OpenRandomAccess(Path(0));
  std::atomic<bool> reading{false}, go_on{false}, second_done{false};
  faults_->AddRule({.kind = OperationKind::kRead,
                    .path_part = Path(0),
                    .effect = Effect::kNone,
                    .hook = [&](const Operation&) {
                      reading = true;
                      while (!go_on) std::this_thread::yield();
                    }});
  std::thread reader([&] { EXPECT_EQ(ReadAll(*first), Content(0)); });
  while (!reading) std::this_thread::yield();
  std::thread opener([&] {
    const auto second = one.OpenRandomAccess(Path(1));
    EXPECT_OK(second.status());
    second_done = true;
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  EXPECT_FALSE(second_done);
  go_on = true;
  reader.join();
  opener.join();
}

// Every call that takes a descriptor is repeated after EMFILE, with idle descriptors closed.
TEST_F(PooledFileSystemTest, LackOfDescriptorsIsNotSeen) {
  for (const int error : {EMFILE, ENFILE}) {
    for (const OperationKind kind :
         {OperationKind::kOpen, OperationKind::kCreate, OperationKind::kCreateLog,
          OperationKind::kSyncFile, OperationKind::kSyncDirectory, OperationKind::kListDirectory,
          OperationKind::kLock}) {
      const auto files = OpenAll();
      EXPECT_EQ(pooled_.open_count(), kMaxOpen);
      const uint64_t fired = faults_->fired();
      faults_->AddRule({.kind = kind, .calls = 3, .error_number = error});
      const std::string fresh = absl::StrCat("/d/", error, "-", static_cast<int>(kind));
      EXPECT_OK(pooled_.OpenRandomAccess(Path(0)).status());
      EXPECT_OK(pooled_.CreateWritable(fresh).status());
      EXPECT_OK(pooled_.CreateLog(fresh + ".log", 4096).status());
      EXPECT_OK(pooled_.SyncFile(fresh));
      EXPECT_OK(pooled_.SyncDirectory("/d"));
      EXPECT_OK(pooled_.ListDirectory("/d").status());
      EXPECT_OK(pooled_.Lock("/d/LOCK", LockMode::kExclusive).status());
      EXPECT_EQ(faults_->fired(), fired + 3) << OperationKindName(kind);
      EXPECT_EQ(ReadAll(*files[0]), Content(0));
      faults_->ClearRules();
    }
  }
}

TEST_F(PooledFileSystemTest, ALackOfDescriptorsThatLastsIsAborted) {
  faults_->AddRule({.kind = OperationKind::kCreate, .calls = kForever, .error_number = EMFILE});
  EXPECT_TRUE(absl::IsAborted(pooled_.CreateWritable("/d/new").status()));
  faults_->ClearRules();
  EXPECT_OK(pooled_.CreateWritable("/d/new").status());
}

// The descriptors of one database serve another one of the same process.
TEST_F(PooledFileSystemTest, PoolsOfOneProcessHelpEachOther) {
  const auto files = OpenAll();
  PooledFileSystem other(faults_.get(), kMaxOpen);
  faults_->AddRule({.kind = OperationKind::kCreate, .error_number = EMFILE});
  EXPECT_OK(other.CreateWritable("/d/new").status());
  EXPECT_EQ(pooled_.open_count(), 0u);
}

TEST(ChooseMaxOpenFiles, LeavesRoomForTheRest) {
  struct rlimit before = {};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  for (const rlim_t soft : {rlim_t{16}, rlim_t{64}, rlim_t{100}, rlim_t{1024}}) {
    if (soft > before.rlim_max) continue;
    const struct rlimit limit = {soft, before.rlim_max};
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &limit), 0);
    const int chosen = ChooseMaxOpenFiles();
    EXPECT_GE(chosen, 8);
    EXPECT_LE(chosen, std::max<int>(8, static_cast<int>(soft) - 32));
  }
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
}

}  // namespace
}  // namespace cambium::env
