// What of cambium::DB needs the real file system: DestroyDB and the lock among processes.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

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

// A process that holds the database at `path` until it is stopped.
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
    EXPECT_TRUE(IsLockHeld(db.status())) << db.status();
    EXPECT_NE(db.status().ToString().find(absl::StrCat("pid ", holder.pid())), std::string::npos)
        << db.status();
    EXPECT_TRUE(IsLockHeld(DestroyDB(path)));
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

// The working directory of the process for a scope.
class WorkingDirectory {
 public:
  explicit WorkingDirectory(const std::string& path) : before_(std::filesystem::current_path()) {
    std::filesystem::current_path(path);
  }
  ~WorkingDirectory() { std::filesystem::current_path(before_); }

 private:
  const std::filesystem::path before_;
};

// Key numbers below `count`, with values that name the database, in tables and in the log.
void Fill(DB* db, const std::string& name, int count) {
  for (int i = 0; i < count; ++i) {
    CAMBIUM_ASSERT_OK(db->Put(absl::StrCat(i), absl::StrCat(name, i)));
    if (i != count / 2) continue;
    CAMBIUM_ASSERT_OK(db->Flush());
  }
}
void ExpectFilled(DB* db, const std::string& name, int count) {
  for (int i = 0; i < count; ++i) {
    const auto value = db->Get(absl::StrCat(i));
    CAMBIUM_ASSERT_OK(value);
    ASSERT_EQ(*value, absl::StrCat(name, i));
  }
}

// Writes, flushes and compacts until each database has replaced all of its files.
void RewriteAll(DB* db, const std::string& name, int count) {
  Fill(db, name, count);
  CAMBIUM_ASSERT_OK(db->CompactRange());
  CAMBIUM_ASSERT_OK(db->WaitForIdle());
}

TEST(DBFilesTest, ARelativePathStaysThatOfOpenAfterChangingTheWorkingDirectory) {
  const test::TempDir dir;
  for (const char* sub : {"one", "two"}) std::filesystem::create_directory(dir.Sub(sub));
  std::unique_ptr<DB> first, second;
  {
    const WorkingDirectory here(dir.Sub("one"));
    auto db = DB::Open(SmallOptions(), "db");
    CAMBIUM_ASSERT_OK(db);
    first = *std::move(db);
    Fill(first.get(), "first", 100);
  }
  {
    const WorkingDirectory here(dir.Sub("two"));
    auto db = DB::Open(SmallOptions(), "db");
    CAMBIUM_ASSERT_OK(db);
    second = *std::move(db);
    Fill(second.get(), "second", 100);
    ExpectFilled(first.get(), "first", 100);
    RewriteAll(first.get(), "first", 100);
    RewriteAll(second.get(), "second", 100);
    first.reset();
    second.reset();
  }
  EXPECT_TRUE(std::filesystem::exists(dir.Sub("one/db/CURRENT")));
  for (const auto& [sub, name] : {std::pair("one/db", "first"), std::pair("two/db", "second")}) {
    auto db = DB::Open(SmallOptions(), dir.Sub(sub));
    CAMBIUM_ASSERT_OK(db);
    ExpectFilled(db->get(), name, 100);
    CAMBIUM_EXPECT_OK((*db)->Verify());
  }
}

TEST(DBFilesTest, ADirectoryThatIsRenamedWhileOpenIsFollowed) {
  const test::TempDir dir;
  auto first = DB::Open(SmallOptions(), dir.Sub("db"));
  CAMBIUM_ASSERT_OK(first);
  Fill(first->get(), "first", 100);
  std::filesystem::rename(dir.Sub("db"), dir.Sub("moved"));
  // Another database takes the place of the first: neither may touch the other's files.
  auto second = DB::Open(SmallOptions(), dir.Sub("db"));
  CAMBIUM_ASSERT_OK(second);
  Fill(second->get(), "second", 100);
  RewriteAll(first->get(), "first", 100);
  RewriteAll(second->get(), "second", 100);
  ExpectFilled(first->get(), "first", 100);
  CAMBIUM_EXPECT_OK((*first)->Verify());
  CAMBIUM_EXPECT_CODE(DB::Open(SmallOptions(), dir.Sub("moved")), kFailedPrecondition);
  first->reset();
  second->reset();
  for (const auto& [sub, name] : {std::pair("moved", "first"), std::pair("db", "second")}) {
    auto db = DB::Open(SmallOptions(), dir.Sub(sub));
    CAMBIUM_ASSERT_OK(db);
    ExpectFilled(db->get(), name, 100);
  }
}

std::string ContentOf(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

TEST(DBFilesTest, ALockFileThatIsNotOursIsLeftAlone) {
  namespace fs = std::filesystem;
  const test::TempDir dir;
  const std::string path = dir.Sub("db"), lock = dir.Sub("db/LOCK"), mine = dir.Sub("mine");
  CAMBIUM_ASSERT_OK(DB::Open(SmallOptions(), path));
  std::ofstream(mine) << "precious";
  const auto expect_refused = [&](const char* what) {
    EXPECT_FALSE(DB::Open(SmallOptions(), path).ok()) << what;
    Options reading = SmallOptions();
    reading.read_only = true;
    EXPECT_FALSE(DB::Open(reading, path).ok()) << what;
    EXPECT_FALSE(DestroyDB(path).ok()) << what;
    EXPECT_EQ(ContentOf(mine), "precious") << what;
    EXPECT_TRUE(fs::exists(dir.Sub("db/CURRENT"))) << what;
    fs::remove(lock);
  };
  fs::remove(lock);
  fs::create_symlink(mine, lock);
  expect_refused("a symbolic link");
  fs::create_hard_link(mine, lock);
  expect_refused("a second name");
  fs::copy_file(mine, lock);
  expect_refused("other content");
  ASSERT_EQ(::mkfifo(lock.c_str(), 0600), 0);
  expect_refused("a pipe");
  CAMBIUM_EXPECT_OK(DB::Open(SmallOptions(), path));
}

TEST(DBFilesTest, ASymbolicLinkInThePlaceOfAFileIsNotFollowed) {
  namespace fs = std::filesystem;
  const test::TempDir dir;
  const std::string path = dir.Sub("db");
  {
    auto db = DB::Open(SmallOptions(), path);
    CAMBIUM_ASSERT_OK(db);
    Fill(db->get(), "v", 10);
  }
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(path)) files.push_back(entry.path());
  for (const fs::path& file : files) {
    // An opening may have replaced it.
    if (file.filename() == "LOCK" || !fs::exists(file)) continue;
    fs::rename(file, dir.Sub("elsewhere"));
    fs::create_symlink(dir.Sub("elsewhere"), file);
    auto db = DB::Open(SmallOptions(), path);
    if (db.ok()) {
      // A table is read when it is needed.
      CAMBIUM_EXPECT_CODE((*db)->Verify(), kUnavailable);
    } else {
      EXPECT_FALSE(absl::IsNotFound(db.status())) << file << ": " << db.status();
    }
    db = absl::UnknownError("closed");
    fs::remove(file);
    fs::rename(dir.Sub("elsewhere"), file);
  }
}

TEST(DBFilesTest, DestroyThroughASymbolicLinkLeavesLinkAndDirectory) {
  const test::TempDir dir;
  const std::string path = dir.Sub("db"), link = dir.Sub("link");
  std::filesystem::create_directory(path);
  std::filesystem::create_directory_symlink(path, link);
  {
    auto db = DB::Open(SmallOptions(), link);
    CAMBIUM_ASSERT_OK(db);
    Fill(db->get(), "v", 10);
  }
  CAMBIUM_EXPECT_OK(DestroyDB(link));
  EXPECT_TRUE(std::filesystem::is_empty(path));
  EXPECT_TRUE(std::filesystem::is_symlink(link));
  CAMBIUM_EXPECT_OK(DB::Open(SmallOptions(), link));
}

TEST(DBFilesTest, ADirectoryThatMayNotBeReadIsPermissionDenied) {
  const test::TempDir dir;
  std::filesystem::create_directory(dir.Sub("above"));
  CAMBIUM_ASSERT_OK(DB::Open(SmallOptions(), dir.Sub("above/db")));
  std::filesystem::permissions(dir.Sub("above"), std::filesystem::perms::none);
  const pid_t child = ::fork();
  if (child == 0) {
    constexpr uid_t kNobody = 65534;
    if (::geteuid() == 0 && ::seteuid(kNobody) != 0) ::_exit(1);
    for (const bool create : {true, false}) {
      Options options = SmallOptions();
      options.create_if_missing = create;
      const auto db = DB::Open(options, dir.Sub("above/db"));
      if (!absl::IsPermissionDenied(db.status())) ::_exit(2);
    }
    ::_exit(absl::IsPermissionDenied(DestroyDB(dir.Sub("above/db"))) ? 0 : 3);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(WEXITSTATUS(status), 0);
  std::filesystem::permissions(dir.Sub("above"), std::filesystem::perms::owner_all);
}

TEST(DBFilesTest, MissingCurrentBesideTablesIsDataLossHoweverItIsOpened) {
  const test::TempDir dir;
  const std::string path = dir.Sub("db");
  {
    auto db = DB::Open(SmallOptions(), path);
    CAMBIUM_ASSERT_OK(db);
    Fill(db->get(), "v", 10);
  }
  std::filesystem::remove(dir.Sub("db/CURRENT"));
  for (const auto& [create, read_only] : {std::pair(true, false), {false, false}, {true, true}}) {
    Options options = SmallOptions();
    options.create_if_missing = create;
    options.read_only = read_only;
    const auto db = DB::Open(options, path);
    CAMBIUM_EXPECT_CODE(db, kDataLoss);
    EXPECT_NE(db.status().ToString().find("CURRENT"), std::string::npos) << db.status();
  }
  // A directory without files of ours has no database; nothing is made in it.
  std::filesystem::create_directory(dir.Sub("empty"));
  Options options = SmallOptions();
  options.create_if_missing = false;
  CAMBIUM_EXPECT_CODE(DB::Open(options, dir.Sub("empty")), kNotFound);
  EXPECT_TRUE(std::filesystem::is_empty(dir.Sub("empty")));
}

TEST(DBFilesTest, FilesAreNotForOthers) {
  const test::TempDir dir;
  const mode_t before = ::umask(0);
  auto db = DB::Open(SmallOptions(), dir.Sub("a/db"));
  CAMBIUM_ASSERT_OK(db);
  Fill(db->get(), "v", 10);
  ::umask(077);
  CAMBIUM_EXPECT_OK(DB::Open(SmallOptions(), dir.Sub("private")));
  ::umask(before);
  const auto mode_of = [](const std::string& path) {
    struct stat info = {};
    EXPECT_EQ(::stat(path.c_str(), &info), 0);
    return info.st_mode & 0777;
  };
  EXPECT_EQ(mode_of(dir.Sub("a")), 0750u);
  EXPECT_EQ(mode_of(dir.Sub("a/db")), 0750u);
  for (const auto& entry : std::filesystem::directory_iterator(dir.Sub("a/db"))) {
    EXPECT_EQ(mode_of(entry.path()), 0640u) << entry.path();
  }
  EXPECT_EQ(mode_of(dir.Sub("private")), 0700u);
  EXPECT_EQ(mode_of(dir.Sub("private/CURRENT")), 0600u);
}

}  // namespace
}  // namespace cambium
