// DB::Close: the resources that it releases, and the results of calls during and after it.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <filesystem>
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
#include "env/posix_file_system.h"
#include "env/testing/fault_file_system.h"
#include "tests/support/status_test.h"
#include "tests/support/temp_dir.h"

namespace cambium {
namespace {

Options SmallOptions() {
  Options options;
  options.memory_budget = size_t{4} << 20;
  options.background_threads = 2;
  return options;
}

std::unique_ptr<DB> MustOpen(const Options& options, const std::string& path) {
  auto db = DB::Open(options, path);
  CAMBIUM_EXPECT_OK(db);
  return db.ok() ? *std::move(db) : nullptr;
}

size_t EntriesOf(const char* directory) {
  size_t count = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(directory)) ++count;
  return count;
}

// Returns the result of every method, by name; methods without a status get one here.
std::vector<std::pair<std::string, absl::Status>> AskAll(DB* db) {
  std::vector<std::pair<std::string, absl::Status>> answers;
  const auto add = [&](const char* name, absl::Status status) {
    answers.emplace_back(name, std::move(status));
  };
  add("Put", db->Put("k", "v"));
  add("Put sync", db->Put("k", "v", {.sync = true}));
  add("Delete", db->Delete("k"));
  add("PutIfAbsent", db->PutIfAbsent("k", "v"));
  add("CompareAndSet", db->CompareAndSet("k", "v", "v"));
  add("GetAndDelete", db->GetAndDelete("k").status());
  add("Update", db->Update("k", [](auto) { return std::optional<std::string>("v"); }));
  WriteBatch batch;
  batch.Put("k", "v");
  add("Write", db->Write(batch));
  add("Get", db->Get("k").status());
  const std::string_view key = "k";
  PinnedValue value;
  absl::Status status;
  add("Get pinned", db->Get(key, &value));
  db->MultiGet({&key, 1}, {&value, 1}, {&status, 1});
  add("MultiGet", status);
  const auto it = db->NewIterator();
  it->SeekToFirst();
  add("NewIterator", it->status());
  add("BeginTransaction", db->BeginTransaction()->Put("k", "v"));
  add("Transact", db->Transact([](Transaction& t) { return t.Put("k", "v"); }));
  add("CreateColumnFamily", db->CreateColumnFamily("f").status());
  add("GetColumnFamily", db->GetColumnFamily("default").status());
  add("RenameColumnFamily", db->RenameColumnFamily("f", "g"));
  add("DropColumnFamily", db->DropColumnFamily("f"));
  add("Flush", db->Flush());
  add("CompactRange", db->CompactRange());
  add("WaitForIdle", db->WaitForIdle());
  add("Verify", db->Verify());
  add("Resume", db->Resume());
  add("GetHealth", db->GetHealth().cause);
  ReadOptions at;
  at.snapshot = db->GetSnapshot();
  add("GetSnapshot",
      at.snapshot == nullptr ? absl::InternalError("null") : db->Get("k", at).status());
  return answers;
}

TEST(CloseTest, EveryLaterCallIsFailedPrecondition) {
  const test::TempDir dir;
  for (const bool read_only : {false, true}) {
    Options options = SmallOptions();
    options.read_only = read_only;
    const auto db = MustOpen(options, dir.Sub("db"));
    if (!read_only) {
      CAMBIUM_ASSERT_OK(db->Put("k", "v"));
    }
    CAMBIUM_EXPECT_OK(db->Close());
    for (const auto& [name, status] : AskAll(db.get())) {
      EXPECT_TRUE(test::HasCode(status, absl::StatusCode::kFailedPrecondition)) << name;
    }
    EXPECT_EQ(db->GetStats().last_sequence, 0u);
    EXPECT_EQ(db->GetProperty("cambium.version"), std::nullopt);
    EXPECT_EQ(db->ApproximateSize("a", "z"), 0u);
    EXPECT_TRUE(db->ListColumnFamilies().empty());
    CAMBIUM_EXPECT_OK(db->Close());
  }
}

TEST(CloseTest, ReleasesTheLock) {
  const test::TempDir dir;
  const std::string path = dir.Sub("db");
  const auto first = MustOpen(SmallOptions(), path);
  CAMBIUM_ASSERT_OK(first->Put("k", "v"));
  CAMBIUM_ASSERT_OK(first->Close());
  auto second = MustOpen(SmallOptions(), path);
  ASSERT_NE(second, nullptr);
  EXPECT_EQ(*second->Get("k"), "v");
  CAMBIUM_EXPECT_OK(second->Put("k", "w"));
  CAMBIUM_EXPECT_CODE(first->Get("k"), kFailedPrecondition);
  second.reset();
  CAMBIUM_EXPECT_OK(DestroyDB(path));
}

// Waits for seconds at most: a thread that was joined is listed for another moment.
void AwaitThreads(size_t count) {
  for (int i = 0; i < 300 && EntriesOf("/proc/self/task") > count; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
}

TEST(CloseTest, ReleasesDescriptorsAndThreads) {
  const test::TempDir dir;
  const size_t threads_before = EntriesOf("/proc/self/task");
  MustOpen(SmallOptions(), dir.Sub("other"));  // what the process makes once
  AwaitThreads(threads_before);
  const size_t descriptors = EntriesOf("/proc/self/fd"), threads = EntriesOf("/proc/self/task");
  const auto db = MustOpen(SmallOptions(), dir.Sub("db"));
  for (int i = 0; i < 1000; ++i)
    CAMBIUM_ASSERT_OK(db->Put(absl::StrCat(i), std::string(1000, 'v')));
  CAMBIUM_ASSERT_OK(db->Flush());
  EXPECT_EQ(*db->Get("7"), std::string(1000, 'v'));
  EXPECT_GT(EntriesOf("/proc/self/fd"), descriptors);
  EXPECT_GT(EntriesOf("/proc/self/task"), threads);
  CAMBIUM_ASSERT_OK(db->Close());
  // The handle on the directory goes with the object.
  EXPECT_LE(EntriesOf("/proc/self/fd"), descriptors + 1);
  AwaitThreads(threads);
  EXPECT_EQ(EntriesOf("/proc/self/task"), threads);
}

TEST(CloseTest, IteratorEndsWithItsNextMoveAndPinnedValueStays) {
  const test::TempDir dir;
  const auto db = MustOpen(SmallOptions(), dir.Sub("db"));
  const std::string large(100'000, 'x');
  for (const char* key : {"a", "b", "c"}) CAMBIUM_ASSERT_OK(db->Put(key, large));
  CAMBIUM_ASSERT_OK(db->Flush());
  CAMBIUM_ASSERT_OK(db->Put("d", large));
  PinnedValue in_table, in_memtable;
  CAMBIUM_ASSERT_OK(db->Get("a", &in_table));
  CAMBIUM_ASSERT_OK(db->Get("d", &in_memtable));
  const auto snapshot = db->GetSnapshot();
  const auto it = db->NewIterator();
  it->SeekToFirst();
  ASSERT_TRUE(it->Valid());
  CAMBIUM_ASSERT_OK(db->Close());
  EXPECT_EQ(in_table.view(), large);
  EXPECT_EQ(in_memtable.view(), large);
  EXPECT_EQ(it->key(), "a");
  EXPECT_EQ(it->value(), large);
  it->Next();
  EXPECT_FALSE(it->Valid());
  CAMBIUM_EXPECT_CODE(it->status(), kFailedPrecondition);
  it->SeekToLast();
  EXPECT_FALSE(it->Valid());
  CAMBIUM_EXPECT_CODE(it->status(), kFailedPrecondition);
}

TEST(CloseTest, ConcurrentClosesGetTheOneOutcome) {
  for (int round = 0; round < 10; ++round) {
    const test::TempDir dir;
    const auto files =
        std::make_shared<env::FaultFileSystem>(std::make_shared<env::PosixFileSystem>());
    Options options = SmallOptions();
    options.file_system = files;
    const auto db = MustOpen(options, dir.Sub("db"));
    CAMBIUM_ASSERT_OK(db->Put("k", "v"));
    files->AddRule({.kind = env::OperationKind::kSyncLog, .calls = env::kForever});
    std::vector<absl::Status> outcomes(8);
    std::vector<std::thread> threads;
    std::atomic<bool> go{false};
    for (absl::Status& outcome : outcomes) {
      threads.emplace_back([&] {
        while (!go.load()) std::this_thread::yield();
        outcome = db->Close();
      });
    }
    go.store(true);
    for (std::thread& thread : threads) thread.join();
    EXPECT_FALSE(outcomes.front().ok());
    for (const absl::Status& outcome : outcomes) EXPECT_EQ(outcome, outcomes.front());
    EXPECT_EQ(db->Close(), outcomes.front());
  }
}

// The bytewise order with another name, whose first use lasts until the database is closed.
class LateComparator final : public Comparator {
 public:
  int Compare(std::string_view a, std::string_view b) const override { return a.compare(b); }
  const char* Name() const override {
    in_use = true;
    while (!closed) std::this_thread::yield();
    return "test.late";
  }

  mutable std::atomic<bool> in_use{false};
  std::atomic<bool> closed{false};
};

// A new family that was accepted, but not begun, must not be written to the manifest of a database
// that may already belong to another process.
TEST(CloseTest, NoFileChangesAfterwards) {
  const test::TempDir dir;
  const auto files =
      std::make_shared<env::FaultFileSystem>(std::make_shared<env::PosixFileSystem>());
  Options options = SmallOptions();
  options.file_system = files;
  const auto db = MustOpen(options, dir.Sub("db"));
  LateComparator comparator;
  std::thread creator([&] {
    ColumnFamilyOptions late;
    late.comparator = &comparator;
    CAMBIUM_EXPECT_CODE(db->CreateColumnFamily("f", late).status(), kFailedPrecondition);
  });
  while (!comparator.in_use) std::this_thread::yield();
  CAMBIUM_EXPECT_OK(db->Close());
  std::atomic<int> changes{0};
  files->SetObserver([&](const env::Operation&) { ++changes; });
  comparator.closed = true;
  creator.join();
  EXPECT_EQ(changes, 0);
}

TEST(CloseTest, UnloggedWritesAreInTables) {
  const test::TempDir dir;
  auto db = MustOpen(SmallOptions(), dir.Sub("db"));
  CAMBIUM_ASSERT_OK(db->Put("k", "v", {.disable_wal = true}));
  CAMBIUM_ASSERT_OK(db->Close());
  db = MustOpen(SmallOptions(), dir.Sub("db"));
  EXPECT_EQ(*db->Get("k"), "v");
}

// Runs `call` in a thread until it is rejected; any result but success, NotFound, and the rejection
// is an error.
void RunUntilRefused(const std::function<absl::Status()>& call) {
  for (;;) {
    const absl::Status status = call();
    if (absl::IsFailedPrecondition(status)) return;
    ASSERT_TRUE(status.ok() || absl::IsNotFound(status)) << status;
  }
}

absl::Status MakeAndDropFamily(DB* db) {
  const absl::Status created = db->CreateColumnFamily("f").status();
  return created.ok() || absl::IsAlreadyExists(created) ? db->DropColumnFamily("f") : created;
}

TEST(CloseTest, CallsBesideItCompleteOrAreRefused) {
  const test::TempDir dir;
  for (int round = 0; round < 8; ++round) {
    Options options = SmallOptions();
    options.memory_budget = size_t{1} << 20;
    options.memtable_size = size_t{64} << 10;
    options.target_file_size = size_t{64} << 10;
    auto db = MustOpen(options, dir.Sub("db"));
    ASSERT_NE(db, nullptr);
    std::vector<int> acked(3, 0);
    std::vector<std::thread> threads;
    const auto start = [&](std::function<absl::Status()> call) {
      threads.emplace_back([call = std::move(call)] { RunUntilRefused(call); });
    };
    for (size_t writer = 0; writer < acked.size(); ++writer) {
      start([&, writer] {
        const WriteOptions how{.sync = writer == 1, .disable_wal = writer == 2};
        const std::string key = absl::StrCat("w", writer, "-", round, "-", acked[writer]);
        absl::Status status = db->Put(key, std::string(500, 'v'), how);
        if (status.ok()) ++acked[writer];
        return status;
      });
    }
    start([&] { return db->Get("w0-0-7").status(); });
    start([&] {
      const std::vector<std::string_view> keys = {"w0-0-1", "w1-0-1", "w2-0-1"};
      std::vector<PinnedValue> values(3);
      std::vector<absl::Status> statuses(3);
      db->MultiGet(keys, values, statuses);
      return statuses.back();
    });
    start([&] {
      const auto it = db->NewIterator();
      for (it->SeekToFirst(); it->Valid(); it->Next()) {
      }
      return it->status();
    });
    start([&] { return db->Flush(); });
    start([&] { return db->CompactRange(); });
    start([&] { return db->WaitForIdle(); });
    start([&] {
      db->GetStats();
      db->ApproximateSize("a", "z");
      return db->GetHealth().cause;
    });
    start([&] { return db->Resume(); });
    start([&] { return MakeAndDropFamily(db.get()); });
    start([&] {
      ReadOptions at;
      at.snapshot = db->GetSnapshot();
      const auto it = db->NewIterator(at);
      it->SeekToLast();
      return it->status();
    });
    std::this_thread::sleep_for(std::chrono::milliseconds(20 * (round + 1)));
    CAMBIUM_EXPECT_OK(db->Close());
    // The lock is free at once, whatever the stragglers do.
    const auto next = MustOpen(options, dir.Sub("db"));
    ASSERT_NE(next, nullptr);
    for (std::thread& thread : threads) thread.join();
    for (size_t writer = 0; writer < acked.size(); ++writer) {
      for (int i = 0; i < acked[writer]; ++i) {
        const std::string key = absl::StrCat("w", writer, "-", round, "-", i);
        CAMBIUM_ASSERT_OK(next->Get(key)) << key;
      }
    }
    db.reset();
  }
}

}  // namespace
}  // namespace cambium
