// Coming back from errors on the write side: what failed commits left is never seen, nothing piles
// up while the error lasts, and an error that is over stays over.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "cambium/db.h"
#include "engine/state/memory.h"
#include "env/testing/fault_file_system.h"
#include "env/testing/inline_executor.h"
#include "env/testing/manual_clock.h"
#include "env/testing/mem_file_system.h"
#include "tests/support/status_test.h"

namespace cambium {
namespace {

using env::OperationKind;

class ResumeTest : public testing::Test {
 protected:
  ResumeTest() {
    options_.file_system = files_;
    options_.memory_budget = size_t{1} << 20;
    options_.memtable_size = size_t{64} << 10;
    options_.target_file_size = uint64_t{64} << 10;
    options_.background_threads = 2;
  }
  void Open() {
    db_ = nullptr;
    auto db = DB::Open(options_, "db");
    CAMBIUM_ASSERT_OK(db);
    db_ = *std::move(db);
  }

  // How many files of the database have `part` in their name.
  size_t Files(std::string_view part) const {
    const auto names = files_->ListDirectory("db");
    EXPECT_TRUE(names.ok());
    return static_cast<size_t>(std::count_if(
        names->begin(), names->end(),
        [part](const std::string& name) { return name.find(part) != std::string::npos; }));
  }
  size_t LiveTables() const {
    size_t count = 0;
    for (const LevelStats& level : db_->GetStats().levels) count += level.files;
    return count;
  }

  // Two writes at once: the first, blocked until the second is in its memtable, fails with EIO and
  // takes the second along.
  void FailAWriteBehindAnother(const std::string& first, const std::string& second) {
    std::atomic<bool> blocked{false}, second_written{false};
    files_->ClearRules();
    files_->AddRule(
        {.kind = OperationKind::kWriteAt, .path_part = ".log", .hook = [&](const env::Operation&) {
           blocked = true;
           while (!second_written) std::this_thread::yield();
         }});
    files_->AddRule({.kind = OperationKind::kWriteAt,
                     .path_part = ".log",
                     .first_call = 2,
                     .effect = env::Effect::kNone,
                     .hook = [&](const env::Operation&) { second_written = true; }});
    std::thread behind([&] {
      while (!blocked) std::this_thread::yield();
      EXPECT_FALSE(db_->Put(second, "ghost").ok());
    });
    EXPECT_FALSE(db_->Put(first, "ghost").ok());
    behind.join();
    files_->ClearRules();
  }

  const std::shared_ptr<env::FaultFileSystem> files_ =
      std::make_shared<env::FaultFileSystem>(std::make_shared<env::MemFileSystem>(
          env::MemOptions{env::MemOptions::LogMapping::kWriteAtOnly}));
  Options options_;
  std::unique_ptr<DB> db_;
};

// A lack of descriptors means elsewhere that nothing was done. A record that it kept out of the log
// stops the log all the same: health says so, and Resume() brings writing back.
TEST_F(ResumeTest, RecordThatFailsForWantOfADescriptorStopsWritesUntilResume) {
  Open();
  files_->AddRule(
      {.kind = OperationKind::kWriteAt, .path_part = ".log", .calls = 1, .error_number = EMFILE});
  EXPECT_FALSE(db_->Put("k", "1").ok());
  files_->ClearRules();
  EXPECT_EQ(db_->GetHealth().state, Health::State::kReadOnly);
  CAMBIUM_ASSERT_OK(db_->Resume());
  CAMBIUM_ASSERT_OK(db_->Put("k", "2"));
  EXPECT_EQ(*db_->Get("k"), "2");
}

TEST_F(ResumeTest, WritesOfFailedCommitsAreNeverSeen) {
  constexpr int kRounds = 100;
  Open();
  std::atomic<bool> stop{false};
  std::atomic<uint64_t> reads{0};
  std::vector<std::thread> readers;
  for (int t = 0; t < 3; ++t) {
    readers.emplace_back([&, t] {
      const std::string_view ghosts[] = {"a", "b"};
      while (!stop) {
        if (t == 0) {
          for (const std::string_view key : ghosts) CAMBIUM_EXPECT_CODE(db_->Get(key), kNotFound);
        } else if (t == 1) {
          ReadOptions options;
          options.snapshot = db_->GetSnapshot();
          for (const std::string_view key : ghosts) {
            CAMBIUM_EXPECT_CODE(db_->Get(key, options), kNotFound);
          }
        } else {
          const auto it = db_->NewIterator();
          for (it->SeekToFirst(); it->Valid(); it->Next()) EXPECT_EQ(it->key(), "real");
          CAMBIUM_EXPECT_OK(it->status());
        }
        ++reads;
      }
    });
  }
  for (int round = 0; round < kRounds; ++round) {
    FailAWriteBehindAnother("a", "b");
    EXPECT_EQ(db_->GetHealth().state, Health::State::kReadOnly);
    CAMBIUM_ASSERT_OK(db_->Resume());
    EXPECT_EQ(db_->GetHealth().state, Health::State::kHealthy);
    CAMBIUM_ASSERT_OK(db_->Put("real", absl::StrCat(round), {.sync = round % 3 == 0}));
  }
  stop = true;
  for (std::thread& reader : readers) reader.join();
  EXPECT_GT(reads.load(), 0u);
  EXPECT_EQ(*db_->Get("real"), absl::StrCat(kRounds - 1));
}

// A clock that stops one thread when it looks at it, between the failure of its sync and the report
// of that. Thread-safe.
class GateClock final : public Clock {
 public:
  uint64_t NowMicros() override {
    if (gated) waiting = true;
    while (gated && !open.load()) std::this_thread::yield();
    return clock_.NowMicros();
  }
  uint64_t WallMicros() override { return clock_.WallMicros(); }
  void SleepMicros(uint64_t micros) override { clock_.SleepMicros(micros); }

  static thread_local bool gated;
  std::atomic<bool> waiting{false};  // a gated thread was here
  std::atomic<bool> open{false};

 private:
  env::ManualClock clock_{1};
};
thread_local bool GateClock::gated = false;

TEST_F(ResumeTest, SyncErrorThatArrivesAfterARecoveryIsItsCallersAlone) {
  const auto clock = std::make_shared<GateClock>();
  options_.clock = clock;
  Open();
  std::atomic<bool> failed{false};
  files_->AddRule({.kind = OperationKind::kSyncLog, .hook = [&](const env::Operation&) {
                     GateClock::gated = true;
                     failed = true;
                   }});
  std::thread late([&] {
    CAMBIUM_EXPECT_CODE(db_->Put("late", "1", {.sync = true}), kUnavailable);
    GateClock::gated = false;
  });
  while (!failed) std::this_thread::yield();
  // The log is failed, which the next write finds, and a recovery puts right.
  while (db_->Put("next", "1").ok()) std::this_thread::yield();
  EXPECT_EQ(db_->GetHealth().state, Health::State::kReadOnly);
  CAMBIUM_ASSERT_OK(db_->Resume());
  clock->open = true;
  late.join();
  EXPECT_EQ(db_->GetHealth().state, Health::State::kHealthy);
  CAMBIUM_EXPECT_OK(db_->Put("after", "1", {.sync = true}));
  CAMBIUM_EXPECT_OK(db_->Get("late"));  // it was visible, and the recovery kept it
}

// Found by the stress program: a writer that saw the error, and then looked for its text after the
// recovery, found none and returned ok without having written.
TEST_F(ResumeTest, WriteThatMeetsAnErrorAndItsRecoveryIsDoneOrRefused) {
  const auto clock = std::make_shared<GateClock>();
  options_.clock = clock;
  Open();
  files_->AddRule({.kind = OperationKind::kWriteAt, .path_part = ".log", .calls = 1});
  EXPECT_FALSE(db_->Put("first", "1").ok());
  EXPECT_EQ(db_->GetHealth().state, Health::State::kReadOnly);
  absl::Status written;
  std::thread between([&] {
    GateClock::gated = true;
    written = db_->Put("between", "1");
    GateClock::gated = false;
  });
  while (!clock->waiting) std::this_thread::yield();
  CAMBIUM_ASSERT_OK(db_->Resume());
  clock->open = true;
  between.join();
  EXPECT_EQ(db_->Get("between").ok(), written.ok()) << written;
}

// --- A disk that is full for a long time -------------------------------------------------------

struct FullDisk {
  const char* name;
  // What fails with ENOSPC for ever, and what does once before that.
  OperationKind kind;
  const char* path_part;
  bool log_fails_first;
};

class FullDiskTest : public ResumeTest, public testing::WithParamInterface<FullDisk> {
 protected:
  // Writes a little every 50 ms of `seconds`; returns whether a write succeeded.
  bool WriteFor(double seconds) {
    bool any = false;
    for (int i = 0; i < static_cast<int>(seconds * 20); ++i) {
      any = db_->Put(absl::StrCat("key", i % 100), std::string(1000, 'v')).ok() || any;
      clock_->Advance(50'000);
      most_frozen_ = std::max<uint64_t>(most_frozen_, db_->GetStats().frozen_memtables_now);
    }
    return any;
  }

  const std::shared_ptr<env::ManualClock> clock_ = std::make_shared<env::ManualClock>(1);
  uint64_t most_frozen_ = 0;
};

INSTANTIATE_TEST_SUITE_P(
    All, FullDiskTest,
    testing::Values(FullDisk{"Tables", OperationKind::kAppend, ".sst", false},
                    FullDisk{"TablesAfterTheLog", OperationKind::kAppend, ".sst", true},
                    FullDisk{"Manifests", OperationKind::kAppend, "MANIFEST", false},
                    FullDisk{"ManifestsAfterTheLog", OperationKind::kAppend, "MANIFEST", true},
                    FullDisk{"Current", OperationKind::kRename, "CURRENT", true},
                    FullDisk{"TemporaryFile", OperationKind::kCreate, "CURRENT", true},
                    FullDisk{"Log", OperationKind::kWriteAt, ".log", false},
                    FullDisk{"NewLogs", OperationKind::kCreateLog, ".log", true}),
    [](const auto& param) { return std::string(param.param.name); });

TEST_P(FullDiskTest, ThirtySecondsPileUpNothingAndWritesGoOnWithinTwo) {
  options_.clock = clock_;
  options_.executor = std::make_shared<env::InlineExecutor>(3);
  Open();
  CAMBIUM_ASSERT_OK(db_->Put("before", "1"));
  clock_->Advance(60'000'000);
  const FullDisk& full = GetParam();
  const auto no_space = [&](OperationKind kind, const char* part, uint64_t calls) {
    files_->AddRule({.kind = kind, .path_part = part, .calls = calls, .error_number = ENOSPC});
  };
  if (full.log_fails_first) no_space(OperationKind::kWriteAt, ".log", 1);
  no_space(full.kind, full.path_part, env::kForever);
  // A manifest is needed now, whatever fails.
  if (full.log_fails_first) no_space(OperationKind::kSync, "MANIFEST", 1);
  db_->Flush().IgnoreError();

  WriteFor(5);
  const size_t files = Files("") - Files(".log");
  const uint64_t attempts = files_->fired();
  WriteFor(30);
  EXPECT_LE(most_frozen_, static_cast<uint64_t>(engine::PlanMemory(options_).frozen_limit));
  EXPECT_LE(Files("") - Files(".log"), files + 1);
  EXPECT_LE(Files(".log"), static_cast<size_t>(engine::PlanMemory(options_).frozen_limit) + 3);
  EXPECT_LE(Files("MANIFEST"), 2u);
  // An attempt to make a log segment tries ever smaller ones: 256 KiB down to 4.
  const uint64_t calls = full.kind == OperationKind::kCreateLog ? 7 : 1;
  EXPECT_LE(files_->fired() - attempts, 70 * calls) << "attempts in thirty seconds";
  EXPECT_FALSE(db_->Flush().ok());
  EXPECT_EQ(db_->GetHealth().state, Health::State::kNoSpace);

  files_->ClearRules();
  EXPECT_TRUE(WriteFor(2)) << db_->GetHealth().cause;
  CAMBIUM_EXPECT_OK(db_->Flush());
  CAMBIUM_EXPECT_OK(db_->WaitForIdle());
  EXPECT_EQ(db_->GetHealth().state, Health::State::kHealthy);
  CAMBIUM_EXPECT_OK(db_->Get("before"));
  EXPECT_EQ(Files("MANIFEST"), 1u);
  EXPECT_EQ(Files(".sst"), LiveTables());
  EXPECT_EQ(Files(".tmp"), 0u);
  Open();
  CAMBIUM_EXPECT_OK(db_->Get("before"));
}

// --- Errors of the manifest ----------------------------------------------------------------------

class ManifestErrorTest : public ResumeTest, public testing::WithParamInterface<OperationKind> {};

INSTANTIATE_TEST_SUITE_P(All, ManifestErrorTest,
                         testing::Values(OperationKind::kAppend, OperationKind::kSync,
                                         OperationKind::kRename, OperationKind::kSyncDirectory),
                         [](const auto& param) {
                           std::string name(env::OperationKindName(param.param));
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

TEST_P(ManifestErrorTest, LeavesNothingOnceALaterManifestIsInForce) {
  for (const env::Effect effect : {env::Effect::kFail, env::Effect::kFailDone}) {
    Open();
    for (int round = 0; round < 3; ++round) {
      CAMBIUM_ASSERT_OK(db_->Put(absl::StrCat("key", round), "1"));
      files_->AddRule({.kind = OperationKind::kSync, .path_part = "MANIFEST"});
      EXPECT_FALSE(db_->Flush().ok());
      files_->ClearRules();
      // The fresh manifest fails too, at each of its steps; the directory is synced twice for it.
      const bool directory = GetParam() == OperationKind::kSyncDirectory;
      files_->AddRule({.kind = GetParam(),
                       .path_part = directory                              ? "db"
                                    : GetParam() == OperationKind::kRename ? "CURRENT"
                                                                           : "MANIFEST",
                       .first_call = directory ? 1 + static_cast<uint64_t>(round) % 2 : 1,
                       .effect = effect});
      db_->Resume().IgnoreError();
      files_->ClearRules();
      CAMBIUM_ASSERT_OK(db_->Resume());
      CAMBIUM_ASSERT_OK(db_->Flush());
      CAMBIUM_ASSERT_OK(db_->WaitForIdle());
      EXPECT_EQ(Files("MANIFEST"), 1u) << round;
      EXPECT_EQ(Files(".tmp"), 0u) << round;
      EXPECT_EQ(Files(".sst"), LiveTables()) << round;
    }
    Open();
    for (int round = 0; round < 3; ++round) {
      CAMBIUM_EXPECT_OK(db_->Get(absl::StrCat("key", round)));
    }
  }
}

// --- Close
// -----------------------------------------------------------------------------------------

TEST_F(ResumeTest, CloseBesideWritersLosesNoAcknowledgedWriteThatIsNotLogged) {
  for (int round = 0; round < 10; ++round) {
    Open();
    std::atomic<int> started{0};
    std::vector<std::thread> writers;
    std::vector<int> acked(4, -1);
    for (size_t t = 0; t < acked.size(); ++t) {
      writers.emplace_back([&, t] {
        for (int i = 0;; ++i) {
          if (i == 20) ++started;
          const absl::Status status = db_->Put(absl::StrCat(round, "/", t, "/", i),
                                               std::string(200, 'v'), {.disable_wal = true});
          if (!status.ok()) {
            CAMBIUM_EXPECT_CODE(status, kFailedPrecondition);
            break;
          }
          acked[t] = i;
        }
      });
    }
    while (started.load() < 4) std::this_thread::yield();
    CAMBIUM_EXPECT_OK(db_->Close());
    for (std::thread& writer : writers) writer.join();
    Open();
    for (size_t t = 0; t < acked.size(); ++t) {
      for (int i = 0; i <= acked[t]; ++i) {
        CAMBIUM_ASSERT_OK(db_->Get(absl::StrCat(round, "/", t, "/", i)));
      }
    }
  }
}

TEST_F(ResumeTest, ClosedDatabaseDoesNotResume) {
  Open();
  files_->AddRule({.kind = OperationKind::kSyncLog});
  CAMBIUM_EXPECT_CODE(db_->Put("a", "1", {.sync = true}), kUnavailable);
  EXPECT_EQ(db_->GetHealth().state, Health::State::kReadOnly);
  EXPECT_FALSE(db_->Close().ok()) << "a log whose sync failed was not ended";
  CAMBIUM_EXPECT_CODE(db_->Resume(), kFailedPrecondition);
  EXPECT_FALSE(db_->Put("b", "1").ok());
}

}  // namespace
}  // namespace cambium
