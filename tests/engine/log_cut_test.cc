// The live log, cut or removed by another hand: the database says so, and the process lives.
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "cambium/db.h"
#include "env/posix_file_system.h"
#include "tests/support/status_test.h"
#include "tests/support/temp_dir.h"

namespace cambium {
namespace {

Options SmallOptions() {
  Options options;
  options.memory_budget = size_t{64} << 20;
  return options;
}

// Cuts every log of the database to `size` bytes, as `truncate -s SIZE *.log` does.
void CutLogs(const std::string& path, uint64_t size) {
  for (const auto& entry : std::filesystem::directory_iterator(path)) {
    if (entry.path().extension() != ".log") continue;
    ASSERT_EQ(::truncate(entry.path().c_str(), static_cast<off_t>(size)), 0);
  }
}

void ExpectReadOnlyNamingTheLog(const DB& db) {
  const Health health = db.GetHealth();
  EXPECT_EQ(health.state, Health::State::kReadOnly);
  EXPECT_NE(health.cause.ToString().find(".log"), std::string::npos) << health.cause;
  EXPECT_NE(health.cause.ToString().find("cut"), std::string::npos) << health.cause;
}

class LogCutTest : public testing::TestWithParam<bool> {
 protected:
  Options Mapped() const {
    Options options = SmallOptions();
    options.mapped_log = GetParam();
    return options;
  }
};

TEST_P(LogCutTest, UnderWritersMakesTheDatabaseReadOnlyAndResumeLosesNothing) {
  for (const uint64_t size : {0, 5000}) {
    const test::TempDir dir;
    const std::string path = dir.Sub("db");
    Options options = Mapped();
    // Never full here: a flush beside the cut would remove logs that are about to be cut.
    options.memtable_size = size_t{256} << 20;
    auto opened = DB::Open(options, path);
    CAMBIUM_ASSERT_OK(opened);
    DB* const db = opened->get();
    for (int i = 0; i < 500; ++i) CAMBIUM_ASSERT_OK(db->Put(absl::StrCat("old", i), "v"));
    CAMBIUM_ASSERT_OK(db->Flush());
    std::vector<int> acked(3, 0);
    std::vector<std::thread> threads;
    for (size_t t = 0; t < acked.size(); ++t) {
      threads.emplace_back([&, t] {
        for (absl::Status status; acked[t] < 2'000'000; ++acked[t]) {
          const WriteOptions how{.sync = t == 0};
          status = db->Put(absl::StrCat("w", t, "-", acked[t]), std::string(300, 'v'), how);
          if (!status.ok()) break;
        }
      });
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    CutLogs(path, size);
    for (std::thread& thread : threads) thread.join();
    ExpectReadOnlyNamingTheLog(*db);
    EXPECT_FALSE(db->Put("k", "v").ok());
    for (int i = 0; i < 500; ++i) CAMBIUM_ASSERT_OK(db->Get(absl::StrCat("old", i)));
    // What was acknowledged is in the memtable still: its flush saves it.
    CAMBIUM_ASSERT_OK(db->Resume());
    CAMBIUM_ASSERT_OK(db->Put("k", "v"));
    CAMBIUM_ASSERT_OK(db->Close());
    opened->reset();
    auto again = DB::Open(SmallOptions(), path);
    CAMBIUM_ASSERT_OK(again);
    EXPECT_EQ(*(*again)->Get("k"), "v");
    for (int i = 0; i < 500; ++i) CAMBIUM_ASSERT_OK((*again)->Get(absl::StrCat("old", i)));
    for (size_t t = 0; t < acked.size(); ++t) {
      for (int i = 0; i < acked[t]; ++i) {
        CAMBIUM_ASSERT_OK((*again)->Get(absl::StrCat("w", t, "-", i)).status());
      }
    }
  }
}

TEST_P(LogCutTest, WithoutAnotherWriteShowsAtClose) {
  const test::TempDir dir;
  auto db = DB::Open(Mapped(), dir.Sub("db"));
  CAMBIUM_ASSERT_OK(db);
  CAMBIUM_ASSERT_OK((*db)->Put("k", "v", {.sync = true}));
  CutLogs(dir.Sub("db"), 100);
  CAMBIUM_EXPECT_CODE((*db)->Close(), kDataLoss);
}

TEST_P(LogCutTest, ALogThatIsRemovedShowsAtTheNextSync) {
  const test::TempDir dir;
  auto db = DB::Open(Mapped(), dir.Sub("db"));
  CAMBIUM_ASSERT_OK(db);
  CAMBIUM_ASSERT_OK((*db)->Put("k", "v", {.sync = true}));
  for (const auto& entry : std::filesystem::directory_iterator(dir.Sub("db"))) {
    if (entry.path().extension() == ".log") std::filesystem::remove(entry.path());
  }
  CAMBIUM_EXPECT_CODE((*db)->Put("k", "w", {.sync = true}), kDataLoss);
  EXPECT_EQ((*db)->GetHealth().state, Health::State::kReadOnly);
}

INSTANTIATE_TEST_SUITE_P(Log, LogCutTest, testing::Values(true, false),
                         [](const auto& test) { return test.param ? "Mapped" : "NotMapped"; });

// --- Handlers of the program ---------------------------------------------------------------------

// Runs `body` in a child process; its exit code, or 1000 and the signal that ended it.
template <typename Body>
int RunInChild(Body body) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(body());
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

// A store behind the end of a file of the program's own.
void FaultElsewhere(const std::string& path) {
  FILE* const file = std::fopen(path.c_str(), "w+");
  void* const memory = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, ::fileno(file), 0);
  *static_cast<volatile char*>(memory) = 'x';
}

// Opens a database and cuts its log under a writer. Returns 0 if the process lives and health says
// what happened.
int CutUnderWriter(const std::string& path) {
  auto db = DB::Open(SmallOptions(), path);
  if (!db.ok()) return 1;
  if (!(*db)->Put("k", "v").ok()) return 2;
  CutLogs(path, 0);
  absl::Status status;
  for (int i = 0; i < 1'000'000 && status.ok(); ++i) {
    status = (*db)->Put(absl::StrCat(i), std::string(100, 'v'));
  }
  return (*db)->GetHealth().state == Health::State::kReadOnly ? 0 : 3;
}

void ExitWith42(int) { ::_exit(42); }
struct sigaction program_before = {};
void HandOn(int signal, siginfo_t* info, void* context) {
  if ((program_before.sa_flags & SA_SIGINFO) != 0) {
    program_before.sa_sigaction(signal, info, context);
    return;
  }
  ::_exit(43);
}

TEST(BusErrorTest, AHandlerThatWasThereBeforeGetsTheFaultsThatAreNotOurs) {
  const test::TempDir dir;
  EXPECT_EQ(RunInChild([&] {
              std::signal(SIGBUS, ExitWith42);
              if (const int failed = CutUnderWriter(dir.Sub("db")); failed != 0) return failed;
              FaultElsewhere(dir.Sub("file"));
              return 10;
            }),
            42);
}

TEST(BusErrorTest, WithoutAHandlerAFaultThatIsNotOursEndsTheProcess) {
  const test::TempDir dir;
  EXPECT_EQ(RunInChild([&] {
              std::signal(SIGBUS, SIG_DFL);
              if (const int failed = CutUnderWriter(dir.Sub("db")); failed != 0) return failed;
              FaultElsewhere(dir.Sub("file"));
              return 10;
            }),
            1000 + SIGBUS);
  EXPECT_EQ(RunInChild([&] {
              std::signal(SIGBUS, SIG_DFL);
              if (const int failed = CutUnderWriter(dir.Sub("db2")); failed != 0) return failed;
              std::raise(SIGBUS);
              return 10;
            }),
            1000 + SIGBUS);
}

TEST(BusErrorTest, AHandlerInstalledLaterHandsOurFaultsOn) {
  const test::TempDir dir;
  EXPECT_EQ(RunInChild([&] {
              auto first = DB::Open(SmallOptions(), dir.Sub("first"));
              if (!first.ok()) return 20;
              struct sigaction action = {};
              action.sa_sigaction = HandOn;
              action.sa_flags = SA_SIGINFO;
              if (::sigaction(SIGBUS, &action, &program_before) != 0) return 21;
              return CutUnderWriter(dir.Sub("db"));
            }),
            0);
}

}  // namespace
}  // namespace cambium
