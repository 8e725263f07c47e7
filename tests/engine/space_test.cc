// How much of the disk a database takes: small ones, and ones that are opened or killed often.
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <string>

#include "absl/strings/str_cat.h"
#include "cambium/db.h"
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

}  // namespace
}  // namespace cambium
