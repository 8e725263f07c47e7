// Expiry: when values with a TTL are visible, and that their space comes back without bringing
// older versions back.
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "cambium/db.h"
#include "env/testing/inline_executor.h"
#include "env/testing/manual_clock.h"
#include "env/testing/mem_file_system.h"
#include "tests/support/append_operator.h"
#include "tests/support/status_test.h"

namespace cambium {
namespace {

using std::chrono::milliseconds;
using TimePoint = std::chrono::system_clock::time_point;

constexpr char kPath[] = "db";
constexpr int64_t kMilli = 1000;          // microseconds
constexpr int64_t kDay = 86'400'000'000;  // microseconds

class ExpiryTest : public testing::Test {
 protected:
  ExpiryTest() {
    options_.file_system = files_;
    options_.clock = clock_;
    options_.executor = std::make_shared<env::InlineExecutor>(1);
    options_.memory_budget = size_t{4} << 20;
    options_.memtable_size = size_t{64} << 10;
    options_.target_file_size = uint64_t{64} << 10;
    Open();
  }

  void Open() {
    db_.reset();
    auto db = DB::Open(options_, kPath);
    CAMBIUM_ASSERT_OK(db);
    db_ = *std::move(db);
  }
  // Opens the database as it is after the death of the process.
  void Crash() {
    files_ = files_->CrashClone(env::CrashPolicy::kEverything, 1);
    options_.file_system = files_;
    Open();
  }

  static WriteOptions For(int64_t millis) {
    WriteOptions options;
    options.ttl = milliseconds(millis);
    return options;
  }
  void Advance(int64_t micros) { clock_->JumpWall(micros); }

  // What every way to read says about "k"; "" if it does not exist.
  std::string Read(const ReadOptions& options = {}) {
    const auto got = db_->Get("k", options);
    const std::string_view key = "k";
    PinnedValue value;
    absl::Status status;
    db_->MultiGet({&key, 1}, {&value, 1}, {&status, 1}, options);
    const std::string expected = got.ok() ? *got : "";
    EXPECT_TRUE(got.ok() || absl::IsNotFound(got.status())) << got.status();
    EXPECT_EQ(status.code(), got.status().code());
    EXPECT_EQ(value.view(), expected);
    const auto it = db_->NewIterator(options);
    it->SeekToFirst();
    EXPECT_EQ(it->Valid() ? it->value() : "", expected);
    it->SeekToLast();
    EXPECT_EQ(it->Valid() ? it->value() : "", expected);
    it->Seek("k");
    EXPECT_EQ(it->Valid() ? it->value() : "", expected);
    CAMBIUM_EXPECT_OK(it->status());
    return expected;
  }

  size_t Files() {
    size_t files = 0;
    for (const auto& level : db_->GetStats().levels) files += level.files;
    return files;
  }

  std::shared_ptr<env::MemFileSystem> files_ = std::make_shared<env::MemFileSystem>();
  std::shared_ptr<env::ManualClock> clock_ = std::make_shared<env::ManualClock>();
  Options options_;
  std::unique_ptr<DB> db_;
};

TEST_F(ExpiryTest, ValueIsVisibleUntilItsLastMicrosecond) {
  for (const bool flushed : {false, true}) {
    const uint64_t start = clock_->WallMicros();
    CAMBIUM_ASSERT_OK(db_->Put("k", "v", For(10)));
    const auto snapshot = db_->GetSnapshot();
    if (flushed) {
      CAMBIUM_ASSERT_OK(db_->Flush());
    }
    const auto expiry = db_->GetExpiry("k");
    CAMBIUM_ASSERT_OK(expiry);
    EXPECT_EQ(*expiry, TimePoint(std::chrono::microseconds(start + 10 * kMilli)));
    Advance(10 * kMilli - 1);
    EXPECT_EQ(Read(), "v");
    ReadOptions old;
    old.snapshot = snapshot;
    EXPECT_EQ(Read(old), "v");
    Advance(1);
    EXPECT_EQ(Read(), "");
    EXPECT_EQ(Read(old), "");
    CAMBIUM_EXPECT_CODE(db_->GetExpiry("k"), kNotFound);
    Advance(12345);
  }
}

TEST_F(ExpiryTest, ZeroIsForeverNegativeIsInvalidAndHugeSaturates) {
  CAMBIUM_ASSERT_OK(db_->Put("k", "v", For(0)));
  EXPECT_EQ(db_->GetExpiry("k").value(), std::nullopt);
  CAMBIUM_EXPECT_CODE(db_->Put("k", "w", For(-1)), kInvalidArgument);
  CAMBIUM_EXPECT_CODE(db_->PutIfAbsent("n", "w", For(-1)), kInvalidArgument);
  CAMBIUM_EXPECT_CODE(db_->CompareAndSet("k", "v", "w", For(-1)), kInvalidArgument);
  CAMBIUM_EXPECT_CODE(db_->GetAndExtend("k", milliseconds(-1)), kInvalidArgument);
  WriteBatch batch;
  batch.Put("a", "1");
  batch.Put("k", "w", milliseconds(-1));
  CAMBIUM_EXPECT_CODE(db_->Write(batch), kInvalidArgument);
  EXPECT_EQ(Read(), "v");
  batch.Clear();
  batch.Put("k", "w", milliseconds::max());
  CAMBIUM_ASSERT_OK(db_->Write(batch));
  Advance(1000 * 365 * kDay / 10);
  EXPECT_EQ(Read(), "w");
  CAMBIUM_ASSERT_OK(db_->Put("k", "x", For(INT64_MAX)));
  EXPECT_GT(db_->GetExpiry("k").value().value(), TimePoint(std::chrono::hours(24 * 365 * 290)));
  ColumnFamilyOptions family;
  family.default_ttl = milliseconds(-1);
  CAMBIUM_EXPECT_CODE(db_->CreateColumnFamily("f", family), kInvalidArgument);
}

TEST_F(ExpiryTest, PlainPutAndDeleteEndTheExpiry) {
  CAMBIUM_ASSERT_OK(db_->Put("k", "v", For(10)));
  CAMBIUM_ASSERT_OK(db_->Put("k", "w"));
  EXPECT_EQ(db_->GetExpiry("k").value(), std::nullopt);
  Advance(kDay);
  EXPECT_EQ(Read(), "w");
  CAMBIUM_ASSERT_OK(db_->Put("k", "x", For(10)));
  CAMBIUM_ASSERT_OK(db_->Delete("k"));
  CAMBIUM_EXPECT_CODE(db_->GetExpiry("k"), kNotFound);
}

TEST_F(ExpiryTest, TtlsOfABatchCountFromWrite) {
  WriteBatch batch;
  batch.Put("k", "v", milliseconds(10));
  batch.Put("other", "stays");
  batch.Put("third", "stays, too", milliseconds(0));
  WriteBatch more;
  more.Put("fourth", "goes", milliseconds(20));
  batch.Append(more);
  Advance(kDay);
  const uint64_t start = clock_->WallMicros();
  CAMBIUM_ASSERT_OK(db_->Write(batch));
  EXPECT_EQ(db_->GetExpiry("k").value(), TimePoint(std::chrono::microseconds(start + 10 * kMilli)));
  EXPECT_EQ(db_->GetExpiry("other").value(), std::nullopt);
  Advance(10 * kMilli);
  CAMBIUM_EXPECT_CODE(db_->Get("k"), kNotFound);
  EXPECT_EQ(db_->Get("fourth").value(), "goes");
  Advance(10 * kMilli);
  CAMBIUM_EXPECT_CODE(db_->Get("fourth"), kNotFound);
  EXPECT_EQ(db_->Get("other").value(), "stays");
  EXPECT_EQ(db_->Get("third").value(), "stays, too");
}

TEST_F(ExpiryTest, DefaultTtlOfAFamilyIsStored) {
  ColumnFamilyOptions with_ttl;
  with_ttl.default_ttl = milliseconds(10);
  CAMBIUM_ASSERT_OK(db_->CreateColumnFamily("cache", with_ttl));
  Open();
  const auto cache = db_->GetColumnFamily("cache").value();
  CAMBIUM_ASSERT_OK(db_->Put(*cache, "put", "v"));
  CAMBIUM_ASSERT_OK(db_->Put(*cache, "forever", "v", For(0)));
  CAMBIUM_ASSERT_OK(db_->Put(*cache, "long", "v", For(1000)));
  CAMBIUM_ASSERT_OK(db_->PutIfAbsent(*cache, "absent", "v"));
  CAMBIUM_ASSERT_OK(db_->Put("elsewhere", "v"));
  WriteBatch batch;
  batch.Put(*cache, "batch", "v");
  batch.Put(*cache, "batch forever", "v", milliseconds(0));
  batch.Delete(*cache, "none");
  batch.Put("batch elsewhere", "v");
  CAMBIUM_ASSERT_OK(db_->Write(batch));
  Advance(10 * kMilli);
  for (const char* key : {"put", "absent", "batch"}) {
    CAMBIUM_EXPECT_CODE(db_->Get(*cache, key), kNotFound);
  }
  for (const char* key : {"forever", "long", "batch forever"}) {
    CAMBIUM_EXPECT_OK(db_->Get(*cache, key));
  }
  CAMBIUM_EXPECT_OK(db_->Get("elsewhere"));
  CAMBIUM_EXPECT_OK(db_->Get("batch elsewhere"));
  // Options that the program gives replace the stored one.
  options_.families["default"].default_ttl = milliseconds(5);
  options_.families["cache"].default_ttl = milliseconds(0);
  Open();
  CAMBIUM_ASSERT_OK(db_->Put(*db_->GetColumnFamily("cache").value(), "put", "v"));
  CAMBIUM_ASSERT_OK(db_->Put("put", "v"));
  Advance(kDay);
  CAMBIUM_EXPECT_OK(db_->Get(*db_->GetColumnFamily("cache").value(), "put"));
  CAMBIUM_EXPECT_CODE(db_->Get("put"), kNotFound);
}

TEST_F(ExpiryTest, ConditionalWritesTakeExpiredForAbsent) {
  CAMBIUM_ASSERT_OK(db_->Put("k", "v", For(10)));
  CAMBIUM_EXPECT_CODE(db_->PutIfAbsent("k", "w"), kAlreadyExists);
  Advance(10 * kMilli);
  CAMBIUM_EXPECT_CODE(db_->CompareAndSet("k", "v", "w"), kAborted);
  CAMBIUM_EXPECT_CODE(db_->GetAndDelete("k"), kNotFound);
  CAMBIUM_EXPECT_CODE(db_->GetAndExtend("k", milliseconds(5)), kNotFound);
  CAMBIUM_ASSERT_OK(db_->PutIfAbsent("k", "w", For(10)));
  Advance(10 * kMilli);
  CAMBIUM_ASSERT_OK(db_->CompareAndSet("k", std::nullopt, "x", For(10)));
  EXPECT_EQ(db_->GetAndExtend("k", milliseconds(20)).value(), "x");
  Advance(10 * kMilli);
  std::optional<std::string> seen;
  const auto replace = [&](std::optional<std::string_view> current) -> std::optional<std::string> {
    seen.reset();
    if (current.has_value()) seen = std::string(*current);
    return "y";
  };
  CAMBIUM_ASSERT_OK(db_->Update("k", replace, For(10)));
  EXPECT_EQ(seen, "x");
  Advance(10 * kMilli);
  CAMBIUM_ASSERT_OK(db_->Update("k", replace, For(10)));
  EXPECT_EQ(seen, std::nullopt);
}

// The same value with another expiry is another value.
TEST_F(ExpiryTest, ConditionalWriteOfTheSameValueSetsItsExpiry) {
  CAMBIUM_ASSERT_OK(db_->Put("k", "v", For(10)));
  CAMBIUM_ASSERT_OK(db_->CompareAndSet("k", "v", "v", For(0)));
  EXPECT_EQ(db_->GetExpiry("k").value(), std::nullopt);
  CAMBIUM_ASSERT_OK(db_->CompareAndSet("k", "v", "v", For(10)));
  EXPECT_EQ(db_->GetExpiry("k").value(),
            TimePoint(std::chrono::microseconds(clock_->WallMicros() + 10 * kMilli)));
  EXPECT_EQ(db_->GetAndExtend("k", milliseconds(0)).value(), "v");
  EXPECT_EQ(db_->GetExpiry("k").value(), std::nullopt);
  Advance(kDay);
  EXPECT_EQ(Read(), "v");
}

TEST_F(ExpiryTest, IteratorKeepsTheTimeAtWhichItWasMade) {
  CAMBIUM_ASSERT_OK(db_->Put("a", "1", For(10)));
  CAMBIUM_ASSERT_OK(db_->Put("b", "2", For(10)));
  const auto it = db_->NewIterator();
  Advance(20 * kMilli);
  CAMBIUM_EXPECT_CODE(db_->Get("a"), kNotFound);
  CAMBIUM_ASSERT_OK(db_->Flush());
  CAMBIUM_ASSERT_OK(db_->CompactRange());
  std::string forward, backward;
  for (it->SeekToFirst(); it->Valid(); it->Next()) forward += it->value();
  for (it->SeekToLast(); it->Valid(); it->Prev()) backward += it->value();
  EXPECT_EQ(forward, "12");
  EXPECT_EQ(backward, "21");
  const auto now = db_->NewIterator();
  now->SeekToFirst();
  EXPECT_FALSE(now->Valid());
}

// The expired version and the older one that it hides, in every pair of places.
TEST_F(ExpiryTest, ExpiredValueKeepsHidingOlderVersions) {
  for (int places = 0; places < 16; ++places) {
    const auto snapshot = places & 8 ? db_->GetSnapshot() : nullptr;
    CAMBIUM_ASSERT_OK(db_->Put("k", "old"));
    std::shared_ptr<const Snapshot> between;
    if (places & 4) between = db_->GetSnapshot();
    if (places & 1) {
      CAMBIUM_ASSERT_OK(db_->CompactRange());
    }
    CAMBIUM_ASSERT_OK(db_->Put("k", "new", For(10)));
    if (places & 2) {
      CAMBIUM_ASSERT_OK(db_->Flush());
    }
    Advance(10 * kMilli);
    EXPECT_EQ(Read(), "") << places;
    CAMBIUM_ASSERT_OK(db_->WaitForIdle());
    EXPECT_EQ(Read(), "") << places;
    CAMBIUM_ASSERT_OK(db_->Flush());
    EXPECT_EQ(Read(), "") << places;
    ReadOptions old;
    old.snapshot = between;
    EXPECT_EQ(Read(old), between == nullptr ? "" : "old") << places;
    CAMBIUM_ASSERT_OK(db_->CompactRange());
    EXPECT_EQ(Read(), "") << places;
    EXPECT_EQ(Read(old), between == nullptr ? "" : "old") << places;
    old.snapshot = nullptr;
    between = nullptr;
    CAMBIUM_ASSERT_OK(db_->CompactRange());
    CAMBIUM_ASSERT_OK(db_->WaitForIdle());
    EXPECT_EQ(Read(), "") << places;
    EXPECT_EQ(Files(), 0u) << places;
  }
}

TEST_F(ExpiryTest, OperandsOutliveAnExpiredBase) {
  options_.merge_operator = AppendOperator(",");
  for (int steps = 0; steps < 16; ++steps) {
    Open();
    const auto step = [&](int bit) {
      if (steps & bit) {
        CAMBIUM_ASSERT_OK(db_->CompactRange());
      }
    };
    CAMBIUM_ASSERT_OK(db_->Put("k", "base", For(10)));
    step(1);
    CAMBIUM_ASSERT_OK(db_->Merge("k", "a"));
    step(2);
    CAMBIUM_ASSERT_OK(db_->Merge("k", "b"));
    EXPECT_EQ(db_->GetExpiry("k").value(), std::nullopt);
    step(4);
    EXPECT_EQ(Read(), "base,a,b") << steps;
    Advance(10 * kMilli);
    EXPECT_EQ(Read(), "a,b") << steps;
    step(8);
    EXPECT_EQ(Read(), "a,b") << steps;
    EXPECT_EQ(db_->GetExpiry("k").value(), std::nullopt);
    CAMBIUM_ASSERT_OK(db_->CompactRange());
    EXPECT_EQ(Read(), "a,b") << steps;
    EXPECT_EQ(db_->GetStats().levels[6].entries, 1u);
    CAMBIUM_ASSERT_OK(db_->Delete("k"));
  }
  // A value with operands over a base that expires will change: it is not "unchanged".
  CAMBIUM_ASSERT_OK(db_->Put("k", "base", For(10)));
  CAMBIUM_ASSERT_OK(db_->Merge("k", "a"));
  CAMBIUM_ASSERT_OK(db_->CompareAndSet("k", "base,a", "base,a"));
  Advance(10 * kMilli);
  EXPECT_EQ(Read(), "base,a");
}

// Nothing can be dropped under operands without their operator, and nothing is tried for ever.
TEST_F(ExpiryTest, ExpiredValuesUnderOperandsThatCannotBeMergedStay) {
  options_.merge_operator = std::make_shared<test::AppendOperator>();
  Open();
  for (int i = 0; i < 10; ++i) {
    CAMBIUM_ASSERT_OK(db_->Put(absl::StrCat(i), "base", For(10)));
    CAMBIUM_ASSERT_OK(db_->Merge(absl::StrCat(i), "a"));
  }
  CAMBIUM_ASSERT_OK(db_->CompactRange());
  EXPECT_EQ(db_->GetStats().levels[6].entries, 20u);
  const auto append = std::exchange(options_.merge_operator, nullptr);
  Open();
  Advance(10 * kMilli);
  CAMBIUM_ASSERT_OK(db_->WaitForIdle());
  EXPECT_EQ(db_->GetStats().levels[6].entries, 20u);
  EXPECT_LE(db_->GetStats().compactions, 1u);
  options_.merge_operator = append;
  Open();
  CAMBIUM_ASSERT_OK(db_->WaitForIdle());
  EXPECT_EQ(db_->GetStats().levels[6].entries, 10u);
  EXPECT_EQ(db_->Get("3").value(), "a");
}

TEST_F(ExpiryTest, WorksOverAndUnderRangeDeletes) {
  const auto settle = [&](int how) {
    if (how == 1) {
      CAMBIUM_ASSERT_OK(db_->Flush());
    } else if (how == 2) {
      CAMBIUM_ASSERT_OK(db_->CompactRange({}, {}));
    }
  };
  for (int how = 0; how < 3; ++how) {
    CAMBIUM_ASSERT_OK(db_->Put("k", "old"));
    settle(how);
    std::shared_ptr<const Snapshot> snapshot = db_->GetSnapshot();  // keeps the range tombstone
    CAMBIUM_ASSERT_OK(db_->DeleteRange("a", "z"));
    CAMBIUM_ASSERT_OK(db_->Put("k", "v", For(10)));
    settle(how);
    EXPECT_EQ(Read(), "v");
    EXPECT_EQ(*db_->Get("k", {.snapshot = snapshot}), "old");
    Advance(10 * kMilli);
    EXPECT_EQ(Read(), "");
    settle(how);
    EXPECT_EQ(Read(), "");
    EXPECT_EQ(*db_->Get("k", {.snapshot = snapshot}), "old");
    CAMBIUM_ASSERT_OK(db_->Put("k", "v", For(10)));
    settle(how);
    CAMBIUM_ASSERT_OK(db_->DeleteFrom("a"));
    settle(how);
    EXPECT_EQ(Read(), "");
    WriteBatch batch;
    batch.DeleteRange("a", "z");
    batch.Put("k", "batch", milliseconds(10));
    CAMBIUM_ASSERT_OK(db_->Write(batch));
    settle(how);
    snapshot = nullptr;
    Crash();
    EXPECT_EQ(Read(), "batch");
    settle(2);
    EXPECT_EQ(Read(), "batch");
    Advance(10 * kMilli);
    EXPECT_EQ(Read(), "");
  }
}

TEST_F(ExpiryTest, TtlsOfATransactionCountFromItsCommit) {
  options_.merge_operator = std::make_shared<test::AppendOperator>();
  Open();
  for (const bool indexed : {false, true}) {
    const auto t = db_->BeginTransaction();
    CAMBIUM_ASSERT_OK(t->Put("a", "early", milliseconds(10)));
    if (indexed) {
      EXPECT_EQ(*t->Get("a"), "early");
    }
    CAMBIUM_ASSERT_OK(t->Put("b", "late", milliseconds(10)));
    CAMBIUM_ASSERT_OK(t->Merge("b", "x"));
    CAMBIUM_EXPECT_CODE(t->Put("c", "v", milliseconds(-1)), kInvalidArgument);
    t->SetSavepoint();
    CAMBIUM_ASSERT_OK(t->Put("d", "v", milliseconds(1)));
    CAMBIUM_ASSERT_OK(t->RollbackToSavepoint());
    Advance(20 * kMilli);
    EXPECT_EQ(*t->Get("a"), "early");
    EXPECT_EQ(*t->Get("b"), "late,x");
    CAMBIUM_EXPECT_CODE(t->Get("d"), kNotFound);
    const auto it = t->NewIterator();
    it->SeekToFirst();
    ASSERT_TRUE(it->Valid());
    EXPECT_EQ(it->value(), "early");
    it->SeekToLast();
    ASSERT_TRUE(it->Valid());
    EXPECT_EQ(it->value(), "late,x");
    const uint64_t commit = clock_->WallMicros();
    CAMBIUM_ASSERT_OK(t->Commit());
    EXPECT_EQ(*db_->GetExpiry("a"), TimePoint(std::chrono::microseconds(commit + 10 * kMilli)));
    EXPECT_EQ(*db_->Get("b"), "late,x");
    Advance(10 * kMilli);
    CAMBIUM_EXPECT_CODE(db_->Get("a"), kNotFound);
    EXPECT_EQ(*db_->Get("b"), "x");
    CAMBIUM_ASSERT_OK(db_->Delete("b"));
  }
}

TEST_F(ExpiryTest, WriteThatHasExpiredIsAConflict) {
  CAMBIUM_ASSERT_OK(db_->Put("a", "v"));
  CAMBIUM_ASSERT_OK(db_->Flush());
  auto t = db_->BeginTransaction();
  CAMBIUM_EXPECT_CODE(t->Get("k"), kNotFound);
  CAMBIUM_ASSERT_OK(t->Put("k", "own"));
  CAMBIUM_ASSERT_OK(db_->Put("k", "v", For(10)));
  CAMBIUM_ASSERT_OK(db_->Flush());
  Advance(10 * kMilli);
  CAMBIUM_ASSERT_OK(db_->WaitForIdle());
  CAMBIUM_EXPECT_CODE(t->Commit(), kAborted);
}

TEST_F(ExpiryTest, DefaultTtlAppliesToTransactions) {
  options_.families["default"].default_ttl = milliseconds(10);
  Open();
  const auto t = db_->BeginTransaction();
  CAMBIUM_ASSERT_OK(t->Put("k", "v"));
  CAMBIUM_ASSERT_OK(t->Put("z", "kept", milliseconds(0)));
  EXPECT_EQ(*t->Get("k"), "v");
  CAMBIUM_ASSERT_OK(t->Commit());
  EXPECT_EQ(*db_->Get("k"), "v");
  Advance(10 * kMilli);
  CAMBIUM_EXPECT_CODE(db_->Get("k"), kNotFound);
  EXPECT_EQ(*db_->Get("z"), "kept");
}

TEST_F(ExpiryTest, TimeNeverRunsBack) {
  CAMBIUM_ASSERT_OK(db_->Put("k", "v", For(10)));
  Advance(10 * kMilli);
  EXPECT_EQ(Read(), "");
  Advance(-kDay);
  EXPECT_EQ(Read(), "");
  // A later write does not expire before an earlier one with the same TTL.
  CAMBIUM_ASSERT_OK(db_->Put("first", "v", For(1000)));
  Advance(-kDay);
  CAMBIUM_ASSERT_OK(db_->Put("second", "v", For(1000)));
  EXPECT_GE(db_->GetExpiry("second").value(), db_->GetExpiry("first").value());
  Open();
  CAMBIUM_EXPECT_CODE(db_->Get("k"), kNotFound);
  EXPECT_EQ(db_->Get("first").value(), "v");
}

TEST_F(ExpiryTest, TimeDoesNotRunBackAcrossOpens) {
  for (const bool flushed : {false, true}) {
    CAMBIUM_ASSERT_OK(db_->Put("k", "v", For(10)));
    if (flushed) {
      CAMBIUM_ASSERT_OK(db_->Flush());
    }
    Open();  // the manifest has not seen the time of the next reads
    Advance(10 * kMilli);
    EXPECT_EQ(Read(), "");
    Advance(-kDay);
    Open();
    EXPECT_EQ(Read(), "");
    Open();
    EXPECT_EQ(Read(), "");
    Advance(kDay);
  }
}

TEST_F(ExpiryTest, ExpiriesSurviveACrash) {
  CAMBIUM_ASSERT_OK(db_->Put("k", "v", For(10)));
  WriteBatch batch;
  batch.Put("k", "w", milliseconds(20));
  CAMBIUM_ASSERT_OK(db_->Write(batch));
  const auto expiry = db_->GetExpiry("k");
  for (int round = 0; round < 3; ++round) {
    Crash();
    EXPECT_EQ(Read(), "w");
    EXPECT_EQ(db_->GetExpiry("k").value(), *expiry);
    if (round == 1) {
      CAMBIUM_ASSERT_OK(db_->Flush());
    }
  }
  Advance(20 * kMilli);
  EXPECT_EQ(Read(), "");
  CAMBIUM_ASSERT_OK(db_->WaitForIdle());  // the space, and with it the time, is on disk
  EXPECT_EQ(Files(), 0u);
  Advance(-kDay);
  Crash();
  EXPECT_EQ(Read(), "");
}

TEST_F(ExpiryTest, WholeFilesAreDroppedUnread) {
  std::mt19937 random(1);
  const auto incompressible = [&random] {
    std::string value(1000, '\0');
    for (char& byte : value) byte = static_cast<char>(random());
    return value;
  };
  for (int i = 0; i < 500; ++i) {
    CAMBIUM_ASSERT_OK(db_->Put(absl::StrCat("key", 1000 + i), incompressible(), For(1001 + i)));
  }
  CAMBIUM_ASSERT_OK(db_->CompactRange());
  for (int i = 0; i < 20; ++i) {
    CAMBIUM_ASSERT_OK(db_->Put(absl::StrCat("key", 1000 + 20 * i), incompressible(), For(1500)));
  }
  CAMBIUM_ASSERT_OK(db_->Flush());
  CAMBIUM_ASSERT_OK(db_->WaitForIdle());
  const Stats before = db_->GetStats();
  const size_t files = Files();
  ASSERT_GT(files, 5u);
  Advance(1000 * kMilli);
  CAMBIUM_ASSERT_OK(db_->WaitForIdle());
  EXPECT_EQ(Files(), files);
  Advance(1000 * kMilli);
  CAMBIUM_ASSERT_OK(db_->WaitForIdle());
  const Stats after = db_->GetStats();
  EXPECT_EQ(Files(), 0u);
  EXPECT_EQ(after.live_bytes_now, 0u);
  EXPECT_EQ(after.files_dropped, files);
  EXPECT_EQ(after.compaction_bytes_read - before.compaction_bytes_read, 0u)
      << after.compactions - before.compactions;
}

// The lower file goes first: the upper one hides it until then.
TEST_F(ExpiryTest, FileThatHidesOlderDataIsNotDropped) {
  CAMBIUM_ASSERT_OK(db_->Put("a", "old"));
  CAMBIUM_ASSERT_OK(db_->Put("k", "old"));
  CAMBIUM_ASSERT_OK(db_->CompactRange());
  CAMBIUM_ASSERT_OK(db_->Put("k", "new", For(10)));
  CAMBIUM_ASSERT_OK(db_->Flush());
  Advance(10 * kMilli);
  CAMBIUM_ASSERT_OK(db_->WaitForIdle());
  EXPECT_EQ(db_->GetStats().files_dropped, 0u);
  CAMBIUM_EXPECT_CODE(db_->Get("k"), kNotFound);
  EXPECT_EQ(db_->Get("a").value(), "old");
  EXPECT_EQ(db_->GetStats().levels[0].files, 0u);  // compacted, because most of it has expired
  EXPECT_EQ(db_->GetStats().levels[6].entries, 1u);
}

TEST_F(ExpiryTest, ExpiredPartOfAFileIsDroppedWithoutWrites) {
  for (int i = 0; i < 100; ++i) {
    CAMBIUM_ASSERT_OK(db_->Put(absl::StrCat("key", 1000 + i), "v", For(i % 4 == 0 ? 0 : 10)));
  }
  CAMBIUM_ASSERT_OK(db_->CompactRange());
  EXPECT_EQ(db_->GetStats().levels[6].entries, 100u);
  Advance(10 * kMilli - 1);
  CAMBIUM_ASSERT_OK(db_->WaitForIdle());
  EXPECT_EQ(db_->GetStats().levels[6].entries, 100u);
  Advance(1);
  CAMBIUM_ASSERT_OK(db_->WaitForIdle());
  EXPECT_EQ(db_->GetStats().levels[6].entries, 25u);
  EXPECT_EQ(db_->GetStats().entries_expired, 75u);
  CAMBIUM_EXPECT_OK(db_->Verify());
}

// The last value of the file will expire in ten years, most have.
TEST_F(ExpiryTest, FileWithALateExpiryIsCompactedInTime) {
  for (int i = 0; i <= 3650; ++i) {
    CAMBIUM_ASSERT_OK(db_->Put(absl::StrCat("key", 10000 + i), "v", For(86'400'000LL * (1 + i))));
  }
  CAMBIUM_ASSERT_OK(db_->CompactRange());
  Advance(2000 * kDay);
  CAMBIUM_ASSERT_OK(db_->WaitForIdle());
  EXPECT_EQ(db_->GetStats().levels[6].entries, 1651u);
}

TEST_F(ExpiryTest, FlushDropsWhatHidesNothing) {
  CAMBIUM_ASSERT_OK(db_->Put("a", "old"));
  CAMBIUM_ASSERT_OK(db_->Flush());
  CAMBIUM_ASSERT_OK(db_->Put("a", "new", For(10)));
  CAMBIUM_ASSERT_OK(db_->Put("b", "new", For(10)));
  Advance(10 * kMilli);
  CAMBIUM_ASSERT_OK(db_->Flush());
  EXPECT_EQ(db_->GetStats().entries_expired, 1u);
  EXPECT_EQ(db_->GetStats().levels[0].tombstones, 1u);
  CAMBIUM_EXPECT_CODE(db_->Get("a"), kNotFound);
}

// With threads of its own, a database releases the space without a call.
TEST(ExpiryTimer, SpaceComesBackWithoutACall) {
  Options options;
  options.file_system = std::make_shared<env::MemFileSystem>();
  const auto clock = std::make_shared<env::ManualClock>();
  options.clock = clock;
  auto db = DB::Open(options, kPath);
  CAMBIUM_ASSERT_OK(db);
  WriteOptions ttl;
  ttl.ttl = std::chrono::hours(1);
  for (int i = 0; i < 1000; ++i) CAMBIUM_ASSERT_OK((*db)->Put(absl::StrCat(i), "v", ttl));
  CAMBIUM_ASSERT_OK((*db)->Flush());
  CAMBIUM_ASSERT_OK((*db)->WaitForIdle());
  EXPECT_GT((*db)->GetStats().live_bytes_now, 0u);
  clock->JumpWall(3600 * int64_t{1'000'000});
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while ((*db)->GetStats().live_bytes_now != 0 && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::sleep_for(milliseconds(10));
  }
  EXPECT_EQ((*db)->GetStats().live_bytes_now, 0u);
  CAMBIUM_EXPECT_OK((*db)->Close());
}

}  // namespace
}  // namespace cambium
