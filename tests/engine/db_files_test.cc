// What of cambium::DB needs the real file system: DestroyDB and the lock among processes.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "cambium/db.h"
#include "tests/support/status_test.h"
#include "tests/support/temp_dir.h"

namespace cambium {
namespace {

Options SmallOptions() {
  Options options;
  options.memory_budget = size_t{4} << 20;
  return options;
}

// A process that holds the database at `path` until it is told to end.
class Holder {
 public:
  explicit Holder(const std::string& path) {
    if (::pipe(opened_.data()) != 0 || ::pipe(end_.data()) != 0) return;
    pid_ = ::fork();
    if (pid_ != 0) return;
    auto db = DB::Open(SmallOptions(), path);
    const char answer = db.ok() ? 'y' : 'n';
    if (::write(opened_[1], &answer, 1) != 1) ::_exit(1);
    char ignored = 0;
    if (::read(end_[0], &ignored, 1) != 1) ::_exit(1);
    ::_exit(0);
  }
  ~Holder() {
    if (::write(end_[1], "x", 1) == 1) ::waitpid(pid_, nullptr, 0);
    for (const int fd : {opened_[0], opened_[1], end_[0], end_[1]}) ::close(fd);
  }

  // Waits until it has the database; false where it could not open it.
  bool Holds() {
    char answer = 0;
    return ::read(opened_[0], &answer, 1) == 1 && answer == 'y';
  }
  pid_t pid() const { return pid_; }

 private:
  std::array<int, 2> opened_{};
  std::array<int, 2> end_{};
  pid_t pid_ = -1;
};

TEST(DBFilesTest, SecondProcessIsToldThePid) {
  const test::TempDir dir;
  const std::string path = dir.Sub("db");
  {
    Holder holder(path);
    ASSERT_TRUE(holder.Holds());
    const auto db = DB::Open(SmallOptions(), path);
    CAMBIUM_EXPECT_CODE(db, kFailedPrecondition);
    EXPECT_NE(db.status().ToString().find(absl::StrCat("pid ", holder.pid())), std::string::npos)
        << db.status();
    CAMBIUM_EXPECT_CODE(DestroyDB(path), kFailedPrecondition);
  }
  CAMBIUM_EXPECT_OK(DB::Open(SmallOptions(), path));
}

TEST(DBFilesTest, SecondOpenOfOneProcessIsToldItsPid) {
  const test::TempDir dir;
  const std::string path = dir.Sub("db");
  auto db = DB::Open(SmallOptions(), path);
  CAMBIUM_ASSERT_OK(db);
  const auto second = DB::Open(SmallOptions(), absl::StrCat(path, "/../db/"));
  CAMBIUM_EXPECT_CODE(second, kFailedPrecondition);
  EXPECT_NE(second.status().ToString().find(absl::StrCat("pid ", ::getpid())), std::string::npos);
  CAMBIUM_EXPECT_CODE(DestroyDB(path), kFailedPrecondition);
  CAMBIUM_EXPECT_OK((*db)->Put("k", "v"));
}

TEST(DBFilesTest, DestroyRemovesTheDatabaseAndItsDirectory) {
  const test::TempDir dir;
  const std::string path = dir.Sub("db");
  {
    auto db = DB::Open(SmallOptions(), path);
    CAMBIUM_ASSERT_OK(db);
    for (int i = 0; i < 1000; ++i) CAMBIUM_ASSERT_OK((*db)->Put(absl::StrCat(i), "v"));
    CAMBIUM_ASSERT_OK((*db)->Flush());
  }
  CAMBIUM_EXPECT_OK(DestroyDB(path));
  EXPECT_FALSE(std::filesystem::exists(path));
  CAMBIUM_EXPECT_OK(DestroyDB(path));
}

TEST(DBFilesTest, DestroyLeavesForeignFiles) {
  const test::TempDir dir;
  const std::string path = dir.Sub("db");
  CAMBIUM_ASSERT_OK(DB::Open(SmallOptions(), path));
  for (const char* name : {"notes.txt", "1.sst.bak", "MANIFEST", "x.log"}) {
    std::ofstream(absl::StrCat(path, "/", name)) << "mine";
  }
  CAMBIUM_EXPECT_OK(DestroyDB(path));
  size_t left = 0;
  for (const auto& entry : std::filesystem::directory_iterator(path)) {
    ++left;
    std::string text;
    std::ifstream(entry.path()) >> text;
    EXPECT_EQ(text, "mine") << entry.path();
  }
  EXPECT_EQ(left, 4u);
  const std::string foreign = dir.Sub("foreign");
  std::filesystem::create_directory(foreign);
  std::ofstream(absl::StrCat(foreign, "/a")) << "mine";
  CAMBIUM_EXPECT_OK(DestroyDB(foreign));
  EXPECT_TRUE(std::filesystem::exists(absl::StrCat(foreign, "/a")));
  EXPECT_FALSE(std::filesystem::exists(absl::StrCat(foreign, "/LOCK")));
}

}  // namespace
}  // namespace cambium
