// How much of the disk a database takes: small ones, and ones that are opened or killed often.
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <string>

#include "absl/strings/str_cat.h"
#include "cambium/db.h"
#include "env/testing/fault_file_system.h"
#include "env/testing/inline_executor.h"
#include "env/testing/mem_file_system.h"
#include "tests/support/status_test.h"
#include "tests/support/temp_dir.h"

namespace cambium {
namespace {

constexpr uint64_t kMiB = uint64_t{1} << 20;

// Bytes that the files of a directory take on the disk.
uint64_t DiskUsage(const std::string& directory) {
  uint64_t bytes = 0;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    struct stat info;
    if (::stat(entry.path().c_str(), &info) == 0)
      bytes += static_cast<uint64_t>(info.st_blocks) * 512;
  }
  return bytes;
}

// A file system of `bytes` in memory, mounted on a directory of its own.
class SmallMount {
 public:
  explicit SmallMount(uint64_t bytes) {
    const std::string options = absl::StrCat("size=", bytes);
    const int result = ::mount("none", dir_.path().c_str(), "tmpfs", 0, options.c_str());
    error_ = result == 0 ? 0 : errno;
  }
  SmallMount(const SmallMount&) = delete;
  SmallMount& operator=(const SmallMount&) = delete;
  ~SmallMount() {
    if (error_ == 0) ::umount2(dir_.path().c_str(), MNT_DETACH);
  }

  // 0, or why it is not mounted.
  int error() const { return error_; }
  std::string Sub(const std::string& name) const { return dir_.Sub(name); }

 private:
  test::TempDir dir_;
  int error_ = 0;
};

void PutCloseAndGet(const Options& options, const std::string& path) {
  auto db = DB::Open(options, path);
  CAMBIUM_ASSERT_OK(db);
  CAMBIUM_ASSERT_OK((*db)->Put("key", "value", {.sync = true}));
  CAMBIUM_ASSERT_OK((*db)->Close());
  db->reset();
  db = DB::Open(options, path);
  CAMBIUM_ASSERT_OK(db);
  EXPECT_EQ(*(*db)->Get("key"), "value");
}

TEST(SpaceTest, OneKeyTakesLittle) {
  const test::TempDir dir;
  const std::string path = dir.Sub("db");
  auto db = DB::Open(Options(), path);
  CAMBIUM_ASSERT_OK(db);
  CAMBIUM_ASSERT_OK((*db)->Put("key", "value", {.sync = true}));
  CAMBIUM_ASSERT_OK((*db)->WaitForIdle());
  EXPECT_LT(DiskUsage(path), 4 * kMiB);
  CAMBIUM_ASSERT_OK((*db)->Close());
  EXPECT_LT(DiskUsage(path), kMiB);
}

TEST(SpaceTest, OneKeyFitsADiskOfOneMiB) {
  for (const auto mapping :
       {env::MemOptions::LogMapping::kMapped, env::MemOptions::LogMapping::kWriteAtOnly}) {
    Options options;
    options.file_system = std::make_shared<env::MemFileSystem>(env::MemOptions{mapping, kMiB});
    PutCloseAndGet(options, "db");
  }
}

TEST(SpaceTest, OneKeyFitsAMountedFileSystemOfOneMiB) {
  const SmallMount mounted(kMiB);
  if (mounted.error() != 0) GTEST_SKIP() << "cannot mount: " << std::strerror(mounted.error());
  PutCloseAndGet(Options(), mounted.Sub("db"));
}

// Half of what is left over is less than the usual segment: it still serves.
TEST(SpaceTest, WritesUseTheLastOfTheSpace) {
  Options options;
  auto disk = std::make_shared<env::MemFileSystem>(env::MemOptions{.capacity = kMiB});
  options.file_system = disk;
  auto db = DB::Open(options, "db");
  CAMBIUM_ASSERT_OK(db);
  uint64_t written = 0;
  absl::Status status;
  const std::string value(1000, 'v');
  while (status.ok()) {
    status = (*db)->Put(absl::StrCat(written), value);
    if (status.ok()) ++written;
  }
  CAMBIUM_EXPECT_CODE(status, kResourceExhausted);
  EXPECT_GT(written * value.size(), kMiB * 3 / 4);
  for (uint64_t i = 0; i < written; ++i) EXPECT_EQ((*db)->Get(absl::StrCat(i)).value(), value);
}

// What fills a full disk can be read, and reopened: there is no space to write the log again.
TEST(SpaceTest, FullDiskReopens) {
  Options options;
  auto disk = std::make_shared<env::MemFileSystem>(env::MemOptions{.capacity = kMiB});
  options.file_system = disk;
  const std::string value(1000, 'v');
  uint64_t written = 0;
  {
    auto db = DB::Open(options, "db");
    CAMBIUM_ASSERT_OK(db);
    while (written < 500 && (*db)->Put(absl::StrCat(written), value).ok()) ++written;
    CAMBIUM_ASSERT_OK((*db)->Close());
  }
  ASSERT_EQ(written, 500u);
  auto db = DB::Open(options, "db");
  CAMBIUM_ASSERT_OK(db);
  for (uint64_t i = 0; i < written; ++i) EXPECT_EQ((*db)->Get(absl::StrCat(i)).value(), value);
}

// Files and bytes of a directory of a file system in memory.
struct Contents {
  size_t files = 0;
  uint64_t bytes = 0;
};
Contents ContentsOf(FileSystem* files, const std::string& directory) {
  Contents contents;
  const auto names = files->ListDirectory(directory);
  EXPECT_TRUE(names.ok());
  for (const std::string& name : *names) {
    ++contents.files;
    contents.bytes += files->FileSize(absl::StrCat(directory, "/", name)).value_or(0);
  }
  return contents;
}

TEST(SpaceTest, ManyOpensLeaveFewFiles) {
  constexpr int kOpens = 500;
  Options options;
  options.file_system = std::make_shared<env::MemFileSystem>(
      env::MemOptions{env::MemOptions::LogMapping::kWriteAtOnly});
  options.executor = std::make_shared<env::InlineExecutor>(1);
  for (int i = 0; i < kOpens; ++i) {
    auto db = DB::Open(options, "db");
    CAMBIUM_ASSERT_OK(db);
    CAMBIUM_ASSERT_OK((*db)->Put(absl::StrCat(i), absl::StrCat("value ", i)));
    CAMBIUM_ASSERT_OK((*db)->Close());
  }
  const Contents left = ContentsOf(options.file_system.get(), "db");
  EXPECT_LE(left.files, 5u);
  EXPECT_LT(left.bytes, kMiB / 4);
  auto db = DB::Open(options, "db");
  CAMBIUM_ASSERT_OK(db);
  for (int i = 0; i < kOpens; ++i) {
    EXPECT_EQ((*db)->Get(absl::StrCat(i)).value(), absl::StrCat("value ", i));
  }
  EXPECT_EQ((*db)->GetStats().last_sequence, uint64_t{kOpens});
}

TEST(SpaceTest, ManyCrashesLeaveLittle) {
  constexpr int kCrashes = 100;
  const test::TempDir dir;
  const std::string path = dir.Sub("db");
  for (int i = 0; i < kCrashes; ++i) {
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      auto db = DB::Open(Options(), path);
      if (!db.ok() || !(*db)->Put(absl::StrCat(i), "value").ok()) ::_exit(1);
      ::kill(::getpid(), SIGKILL);
    }
    int outcome = 0;
    ASSERT_EQ(::waitpid(child, &outcome, 0), child);
    ASSERT_TRUE(WIFSIGNALED(outcome)) << "crash " << i;
  }
  EXPECT_LE(DiskUsage(path), 2 * kMiB);
  auto db = DB::Open(Options(), path);
  CAMBIUM_ASSERT_OK(db);
  for (int i = 0; i < kCrashes; ++i) EXPECT_EQ((*db)->Get(absl::StrCat(i)).value(), "value");
}

// A disk as a crash leaves it: `records` values of `size` bytes in the log, none in a table.
std::shared_ptr<env::MemFileSystem> CrashedDisk(int records, size_t size) {
  auto disk = std::make_shared<env::MemFileSystem>(
      env::MemOptions{env::MemOptions::LogMapping::kWriteAtOnly});
  Options options;
  options.file_system = disk;
  options.executor = std::make_shared<env::InlineExecutor>(1);
  auto db = DB::Open(options, "db");
  EXPECT_TRUE(db.ok()) << db.status();
  for (int i = 0; i < records; ++i) {
    CAMBIUM_EXPECT_OK((*db)->Put(absl::StrCat(i), std::string(size, 'v')));
  }
  return disk->CrashClone(env::CrashPolicy::kEverything, 1);
}

TEST(SpaceTest, ReplayGivesItsMemoryBack) {
  // One value far beyond the budget, and many that exceed it together.
  for (const auto& [records, size] :
       {std::pair(1, size_t{24} << 20), std::pair(24, size_t{1} << 20)}) {
    Options options;
    options.file_system = CrashedDisk(records, size);
    options.memory_budget = size_t{4} << 20;
    auto db = DB::Open(options, "db");
    CAMBIUM_ASSERT_OK(db);
    CAMBIUM_ASSERT_OK((*db)->WaitForIdle());
    EXPECT_LE((*db)->GetStats().memtable_bytes_now, options.memory_budget);
    EXPECT_EQ((*db)->GetStats().frozen_memtables_now, 0u);
    const Contents left = ContentsOf(options.file_system.get(), "db");
    EXPECT_LE(left.files, 12u);
    EXPECT_LT(left.bytes, 30 * kMiB);
    for (int i = 0; i < records; ++i) {
      EXPECT_EQ((*db)->Get(absl::StrCat(i)).value().size(), size);
    }
  }
}

TEST(SpaceTest, OpenSyncsAConstantNumberOfTimes) {
  for (const auto& [records, size] : {std::pair(1, size_t{10}), std::pair(24, size_t{1} << 20)}) {
    auto faults = std::make_shared<env::FaultFileSystem>(CrashedDisk(records, size));
    Options options;
    options.file_system = faults;
    options.executor = std::make_shared<env::InlineExecutor>(1);
    auto db = DB::Open(options, "db");
    CAMBIUM_ASSERT_OK(db);
    using env::OperationKind;
    EXPECT_EQ(faults->Calls(OperationKind::kSyncFile), 0u);
    EXPECT_LE(faults->Calls(OperationKind::kSyncLog) + faults->Calls(OperationKind::kSync) +
                  faults->Calls(OperationKind::kSyncDirectory),
              12u);
  }
}

}  // namespace
}  // namespace cambium
