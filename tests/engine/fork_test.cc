// A database and fork(): the child may not use it and cannot harm it, and has databases of its own.
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
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
  options.memtable_size = size_t{64} << 10;
  return options;
}

// Waits for a child for so long; then ends it. The exit code, or 1000 and the signal, or 999 if it
// hung.
int ExitOf(pid_t child) {
  for (int i = 0; i < 6000; ++i) {
    int status = 0;
    if (::waitpid(child, &status, WNOHANG) == child) {
      return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  return 999;
}

// Threads that write until they are stopped. Confined to the test.
class Writers {
 public:
  Writers(DB* db, int count) : acked_(static_cast<size_t>(count)) {
    for (int i = 0; i < count; ++i) {
      threads_.emplace_back([this, db, i] {
        auto& acked = acked_[static_cast<size_t>(i)];
        for (; !stop_.load(); ++acked) {
          const std::string key = absl::StrCat("w", i, "-", acked);
          CAMBIUM_ASSERT_OK(db->Put(key, std::string(400, 'v'), {.sync = acked % 64 == 0}));
        }
      });
    }
  }
  ~Writers() { Stop(); }
  void Stop() {
    stop_.store(true);
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
  }
  void ExpectAllIn(DB* db) const {
    for (size_t i = 0; i < acked_.size(); ++i) {
      for (int j = 0; j < acked_[i]; ++j) {
        CAMBIUM_ASSERT_OK(db->Get(absl::StrCat("w", i, "-", j)).status());
      }
    }
  }

 private:
  std::atomic<bool> stop_{false};
  std::vector<int> acked_;
  std::vector<std::thread> threads_;
};

// What a child must find: each call refused. Returns 0, or the number of the call that was not.
int CallsNotRefused(DB* db, Iterator* iterator, const ReadOptions& at_snapshot) {
  const std::string_view key = "a";
  PinnedValue value;
  absl::Status status;
  db->MultiGet({&key, 1}, {&value, 1}, {&status, 1});
  iterator->Next();
  const auto fresh = db->NewIterator();
  fresh->SeekToFirst();
  ReadOptions at;
  at.snapshot = db->GetSnapshot();
  const std::array<absl::Status, 18> answers = {
      db->Put("a", "child"),
      db->Delete("a"),
      db->PutIfAbsent("a", "child"),
      db->CompareAndSet("a", "b", "c"),
      db->GetAndDelete("a").status(),
      db->Update("a", [](auto) { return std::optional<std::string>(); }),
      db->Get("a").status(),
      status,
      iterator->status(),
      fresh->status(),
      db->Flush(),
      db->CompactRange(),
      db->WaitForIdle(),
      db->Verify(),
      db->Resume(),
      db->GetHealth().cause,
      db->Close(),
      db->Get("a", at_snapshot).status()};
  db->GetStats();
  for (size_t i = 0; i < answers.size(); ++i) {
    if (!absl::IsFailedPrecondition(answers[i])) return static_cast<int>(i) + 1;
  }
  return 0;
}

TEST(ForkTest, TheChildIsRefusedAndItsNormalExitHarmsNothing) {
  const test::TempDir dir;
  const std::string path = dir.Sub("db");
  auto opened = DB::Open(SmallOptions(), path);
  CAMBIUM_ASSERT_OK(opened);
  std::unique_ptr<DB> db = *std::move(opened);
  const std::string large(50'000, 'x');
  CAMBIUM_ASSERT_OK(db->Put("a", large));
  CAMBIUM_ASSERT_OK(db->Flush());
  CAMBIUM_ASSERT_OK(db->Put("b", large));
  Writers writers(db.get(), 2);
  for (int round = 0; round < 20; ++round) {
    auto iterator = db->NewIterator();
    iterator->SeekToFirst();
    ASSERT_TRUE(iterator->Valid());
    PinnedValue in_table, in_memtable;
    CAMBIUM_ASSERT_OK(db->Get("a", &in_table));
    CAMBIUM_ASSERT_OK(db->Get("b", &in_memtable));
    ReadOptions at;
    at.snapshot = db->GetSnapshot();
    const pid_t child = ::fork();
    if (child == 0) {
      const int refused = CallsNotRefused(db.get(), iterator.get(), at);
      iterator.reset();
      in_table.Reset();
      in_memtable.Reset();
      at.snapshot.reset();
      db.reset();
      if (refused != 0) ::_exit(refused);
      std::exit(0);  // with the destructors of statics
    }
    ASSERT_EQ(ExitOf(child), 0) << "round " << round;
    EXPECT_EQ(in_table.view(), large);
    CAMBIUM_ASSERT_OK(db->Put(absl::StrCat("round", round), "v"));
  }
  writers.Stop();
  CAMBIUM_EXPECT_OK(db->Verify());
  CAMBIUM_EXPECT_OK(db->Close());
  db.reset();
  auto again = DB::Open(SmallOptions(), path);
  CAMBIUM_ASSERT_OK(again);
  writers.ExpectAllIn(again->get());
  EXPECT_EQ(*(*again)->Get("round19"), "v");
}

// A whole life of a database in a child. Returns 0 if all went well.
int UseDatabase(const std::string& path) {
  auto db = DB::Open(SmallOptions(), path);
  if (!db.ok()) return 1;
  for (int i = 0; i < 300; ++i) {
    if (!(*db)->Put(absl::StrCat(i), std::string(1000, 'c')).ok()) return 2;
  }
  if (!(*db)->Flush().ok() || !(*db)->CompactRange().ok()) return 3;
  if (!(*db)->Get("7").ok()) return 4;
  if (!(*db)->WaitForIdle().ok()) return 5;
  return (*db)->Close().ok() ? 0 : 6;
}

TEST(ForkTest, TheChildHasADatabaseOfItsOwn) {
  const test::TempDir dir;
  auto db = DB::Open(SmallOptions(), dir.Sub("db"));
  CAMBIUM_ASSERT_OK(db);
  Writers writers(db->get(), 3);
  // Threads that keep the process's own state busy while it is copied.
  std::atomic<bool> stop{false};
  std::thread opener([&] {
    while (!stop.load()) {
      CAMBIUM_EXPECT_OK(DB::Open(SmallOptions(), dir.Sub("reopened")));
    }
  });
  for (int round = 0; round < 15; ++round) {
    const pid_t child = ::fork();
    if (child == 0) ::_exit(UseDatabase(dir.Sub(absl::StrCat("child", round))));
    ASSERT_EQ(ExitOf(child), 0) << "round " << round;
  }
  stop.store(true);
  opener.join();
}

TEST(ForkTest, TheChildMayOpenTheDatabaseOnceTheParentHasClosedIt) {
  const test::TempDir dir;
  const std::string path = dir.Sub("db");
  std::array<int, 2> closed{};
  ASSERT_EQ(::pipe(closed.data()), 0);
  auto db = DB::Open(SmallOptions(), path);
  CAMBIUM_ASSERT_OK(db);
  CAMBIUM_ASSERT_OK((*db)->Put("k", "v"));
  const pid_t child = ::fork();
  if (child == 0) {
    const auto refused = DB::Open(SmallOptions(), path);
    if (!absl::IsFailedPrecondition(refused.status())) ::_exit(1);
    const std::string pid = absl::StrCat("pid ", ::getppid());
    if (refused.status().ToString().find(pid) == std::string::npos) ::_exit(2);
    char byte = 0;
    if (::read(closed[0], &byte, 1) != 1) ::_exit(3);
    auto mine = DB::Open(SmallOptions(), path);
    if (!mine.ok()) ::_exit(4);
    ::_exit((*mine)->Get("k").ok() && (*mine)->Close().ok() ? 0 : 5);
  }
  // The child has met the lock, or will: both are fine once the parent has let go.
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  CAMBIUM_ASSERT_OK((*db)->Close());
  ASSERT_EQ(::write(closed[1], "x", 1), 1);
  EXPECT_EQ(ExitOf(child), 0);
  for (const int fd : closed) ::close(fd);
}

TEST(ForkTest, AChildThatGoesOnDoesNotHoldTheLockOfADeadParent) {
  const test::TempDir dir;
  const std::string path = dir.Sub("db");
  std::array<int, 2> ready{}, end{};
  ASSERT_EQ(::pipe(ready.data()), 0);
  ASSERT_EQ(::pipe(end.data()), 0);
  const pid_t parent = ::fork();
  if (parent == 0) {
    auto db = DB::Open(SmallOptions(), path);
    if (!db.ok() || !(*db)->Put("k", "v").ok()) ::_exit(1);
    if (::fork() == 0) {
      ::close(end[1]);
      char byte = 0;
      (void)!::write(ready[1], "x", 1);
      (void)!::read(end[0], &byte, 1);  // lives until the test ends
      ::_exit(0);
    }
    char byte = 0;
    while (::read(end[0], &byte, 1) < 0) {
    }
    ::_exit(0);
  }
  char byte = 0;
  ASSERT_EQ(::read(ready[0], &byte, 1), 1);
  ::kill(parent, SIGKILL);
  ::waitpid(parent, nullptr, 0);
  auto db = DB::Open(SmallOptions(), path);
  CAMBIUM_ASSERT_OK(db);
  EXPECT_EQ(*(*db)->Get("k"), "v");
  for (const int fd : {ready[0], ready[1], end[0], end[1]}) ::close(fd);
}

// A write over RLIMIT_FSIZE is an error of the call, with the signal's default action in force.
TEST(ProcessLimitsTest, AFileThatGetsTooLargeIsResourceExhausted) {
  for (const bool mapped : {true, false}) {
    const test::TempDir dir;
    const pid_t child = ::fork();
    if (child == 0) {
      std::signal(SIGXFSZ, SIG_DFL);
      Options options = SmallOptions();
      options.mapped_log = mapped;
      options.compression = Compression::kNone;
      auto db = DB::Open(options, dir.Sub("db"));
      if (!db.ok()) ::_exit(1);
      const struct rlimit limit = {20'000, 20'000};
      if (::setrlimit(RLIMIT_FSIZE, &limit) != 0) ::_exit(2);
      absl::Status status;
      for (int i = 0; i < 1000 && status.ok(); ++i) {
        status = (*db)->Put(absl::StrCat(i), std::string(1000, 'v'), {.sync = i % 2 == 0});
      }
      if (status.ok()) status = (*db)->Flush();
      if (status.ok()) ::_exit(3);
      if ((*db)->GetHealth().state == Health::State::kHealthy) ::_exit(4);
      if (!(*db)->Get("0").ok()) ::_exit(5);
      db->reset();
      ::_exit(0);
    }
    EXPECT_EQ(ExitOf(child), 0) << "mapped " << mapped;
  }
}

}  // namespace
}  // namespace cambium
