// Conditional writes: what each call returns and writes, and that no other write, of any kind, gets
// between its read and its write. The function of Update() runs between the two, so a write that it
// makes, once, is such a write.
#include <gtest/gtest.h>

#include <cctype>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "cambium/db.h"
#include "env/testing/fault_file_system.h"
#include "env/testing/mem_file_system.h"
#include "tests/support/append_operator.h"
#include "tests/support/status_test.h"
#include "util/absl_view.h"

namespace cambium {
namespace {

using env::OperationKind;
using test::AppendOperator;
using Found = std::optional<std::string>;

constexpr size_t kLargeKey = (size_t{64} << 10) + 1;

// ASCII letters of both cases are equal, so that equal keys may differ.
class FoldingComparator final : public Comparator {
 public:
  int Compare(std::string_view a, std::string_view b) const override {
    return Folded(a).compare(Folded(b));
  }
  const char* Name() const override { return "test.folding"; }

 private:
  static std::string Folded(std::string_view key) {
    std::string folded(key);
    for (char& c : folded) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    return folded;
  }
};

class ConditionalWriteTest : public testing::Test {
 protected:
  ConditionalWriteTest() {
    options_.file_system = files_;
    options_.memory_budget = size_t{1} << 20;
    options_.memtable_size = size_t{64} << 10;
    options_.target_file_size = uint64_t{64} << 10;
    options_.background_threads = 1;
    options_.merge_operator = std::make_shared<AppendOperator>();
  }
  void SetUp() override { Open(); }

  void Open() {
    db_ = nullptr;
    auto db = DB::Open(options_, "db");
    CAMBIUM_ASSERT_OK(db);
    db_ = *std::move(db);
  }

  Found Get(std::string_view key) const {
    const absl::StatusOr<std::string> value = db_->Get(key);
    if (absl::IsNotFound(value.status())) return std::nullopt;
    CAMBIUM_EXPECT_OK(value);
    return value.value_or("(error)");
  }
  uint64_t KeysWritten() const { return db_->GetStats().keys_written; }

  // Calls Update(key), which appends "+" to what it finds, and `between` once, after its first
  // read. Returns what it found, one entry per read: "" if the key was absent.
  std::vector<std::string> UpdateAround(std::string_view key, const std::function<void()>& between,
                                        absl::Status* status) {
    std::vector<std::string> found;
    *status = db_->Update(key, [&](std::optional<std::string_view> current) {
      found.emplace_back(current.value_or(""));
      if (found.size() == 1) between();
      return std::optional(absl::StrCat(ToAbsl(current.value_or("")), "+"));
    });
    return found;
  }
  std::vector<std::string> UpdateAround(std::string_view key,
                                        const std::function<void()>& between) {
    absl::Status status;
    std::vector<std::string> found = UpdateAround(key, between, &status);
    CAMBIUM_EXPECT_OK(status);
    return found;
  }
  using Reads = std::vector<std::string>;

  const std::shared_ptr<env::MemFileSystem> disk_ = std::make_shared<env::MemFileSystem>(
      env::MemOptions{env::MemOptions::LogMapping::kWriteAtOnly});
  const std::shared_ptr<env::FaultFileSystem> files_ =
      std::make_shared<env::FaultFileSystem>(disk_);
  Options options_;
  std::unique_ptr<DB> db_;
};

// --- The calls, wherever the current value is
// -----------------------------------------------------

enum class Place { kMemTable, kTable, kLastLevel, kReopened };

class ConditionalWriteAtTest : public ConditionalWriteTest,
                               public testing::WithParamInterface<Place> {
 protected:
  // Moves everything written so far.
  void Move() {
    switch (GetParam()) {
      case Place::kMemTable:
        return;
      case Place::kTable:
        CAMBIUM_ASSERT_OK(db_->Flush());
        return;
      case Place::kLastLevel:
        CAMBIUM_ASSERT_OK(db_->CompactRange());
        return;
      case Place::kReopened:
        Open();
    }
  }
  void Put(std::string_view key, std::string_view value) {
    CAMBIUM_ASSERT_OK(db_->Put(key, value));
    Move();
  }
};

std::string PlaceName(const testing::TestParamInfo<Place>& place) {
  constexpr const char* kNames[] = {"MemTable", "Table", "LastLevel", "Reopened"};
  return kNames[static_cast<size_t>(place.param)];
}

INSTANTIATE_TEST_SUITE_P(All, ConditionalWriteAtTest,
                         testing::Values(Place::kMemTable, Place::kTable, Place::kLastLevel,
                                         Place::kReopened),
                         PlaceName);

TEST_P(ConditionalWriteAtTest, PutIfAbsentWritesOnlyIfTheKeyIsAbsent) {
  CAMBIUM_EXPECT_OK(db_->PutIfAbsent("k", "1"));
  Move();
  CAMBIUM_EXPECT_CODE(db_->PutIfAbsent("k", "2"), kAlreadyExists);
  EXPECT_EQ(Get("k"), "1");
  CAMBIUM_ASSERT_OK(db_->Delete("k"));
  Move();
  CAMBIUM_EXPECT_OK(db_->PutIfAbsent("k", "3"));
  EXPECT_EQ(Get("k"), "3");
  // An empty value exists, and the empty key is a key.
  CAMBIUM_EXPECT_OK(db_->PutIfAbsent("", ""));
  Move();
  EXPECT_EQ(Get(""), "");
  CAMBIUM_EXPECT_CODE(db_->PutIfAbsent("", "1"), kAlreadyExists);
}

TEST_P(ConditionalWriteAtTest, CompareAndSetComparesTheWholeValueAndItsAbsence) {
  const Found states[] = {std::nullopt,          "", "a", "ab", std::string("a\0", 2),
                          std::string(5000, 'x')};
  const auto view = [](const Found& value) {
    return value.has_value() ? std::optional<std::string_view>(*value) : std::nullopt;
  };
  for (const Found& current : states) {
    for (const Found& expected : states) {
      for (const Found& desired : states) {
        if (current.has_value()) {
          Put("k", *current);
        } else {
          CAMBIUM_ASSERT_OK(db_->Delete("k"));
          Move();
        }
        const absl::Status status = db_->CompareAndSet("k", view(expected), view(desired));
        if (current == expected) {
          CAMBIUM_EXPECT_OK(status);
          EXPECT_EQ(Get("k"), desired);
        } else {
          CAMBIUM_EXPECT_CODE(status, kAborted);
          EXPECT_EQ(Get("k"), current);
        }
      }
    }
  }
}

TEST_P(ConditionalWriteAtTest, GetAndDeleteReturnsWhatItDeleted) {
  CAMBIUM_EXPECT_CODE(db_->GetAndDelete("k"), kNotFound);
  for (const std::string& value : {std::string("1"), std::string(), std::string(5000, 'x')}) {
    Put("k", value);
    const absl::StatusOr<std::string> deleted = db_->GetAndDelete("k");
    CAMBIUM_ASSERT_OK(deleted);
    EXPECT_EQ(*deleted, value);
    EXPECT_EQ(Get("k"), std::nullopt);
    CAMBIUM_EXPECT_CODE(db_->GetAndDelete("k"), kNotFound);
  }
}

TEST_P(ConditionalWriteAtTest, UpdateWritesWhatTheFunctionReturns) {
  std::vector<Found> seen;
  const auto update = [&](const Found& next) {
    return db_->Update("k", [&](std::optional<std::string_view> current) {
      seen.push_back(current.has_value() ? Found(*current) : std::nullopt);
      return next;
    });
  };
  const Found large = std::string(5000, 'x');
  for (const Found& next : {Found(std::nullopt), Found("1"), Found(""), large, Found("2"),
                            Found(std::nullopt), Found("3")}) {
    CAMBIUM_EXPECT_OK(update(next));
    EXPECT_EQ(Get("k"), next);
    Move();
  }
  EXPECT_EQ(seen,
            (std::vector<Found>{std::nullopt, std::nullopt, "1", "", large, "2", std::nullopt}));
}

TEST_P(ConditionalWriteAtTest, OperandsAreFoldedIntoTheCurrentValue) {
  CAMBIUM_ASSERT_OK(db_->Merge("k", "a"));
  Move();
  CAMBIUM_EXPECT_CODE(db_->PutIfAbsent("k", "1"), kAlreadyExists);
  CAMBIUM_ASSERT_OK(db_->Merge("k", "b"));
  CAMBIUM_EXPECT_CODE(db_->CompareAndSet("k", "b", "2"), kAborted);
  CAMBIUM_EXPECT_OK(db_->CompareAndSet("k", "a,b", "2"));
  CAMBIUM_ASSERT_OK(db_->Merge("k", "c"));
  Move();
  EXPECT_EQ(db_->GetAndDelete("k").value_or(""), "2,c");
  EXPECT_EQ(Get("k"), std::nullopt);
}

// --- What is not written
// --------------------------------------------------------------------------

TEST_F(ConditionalWriteTest, NothingIsWrittenIfNothingChanges) {
  CAMBIUM_ASSERT_OK(db_->Put("k", "1"));
  const uint64_t before = KeysWritten();
  CAMBIUM_EXPECT_CODE(db_->PutIfAbsent("k", "1"), kAlreadyExists);
  CAMBIUM_EXPECT_CODE(db_->CompareAndSet("k", "2", "3"), kAborted);
  CAMBIUM_EXPECT_CODE(db_->CompareAndSet("k", std::nullopt, "3"), kAborted);
  CAMBIUM_EXPECT_CODE(db_->CompareAndSet("none", "2", std::nullopt), kAborted);
  CAMBIUM_EXPECT_OK(db_->CompareAndSet("k", "1", "1"));
  CAMBIUM_EXPECT_OK(db_->CompareAndSet("none", std::nullopt, std::nullopt));
  CAMBIUM_EXPECT_CODE(db_->GetAndDelete("none"), kNotFound);
  CAMBIUM_EXPECT_OK(db_->Update("k", [](auto) { return std::optional<std::string>("1"); }));
  CAMBIUM_EXPECT_OK(db_->Update("none", [](auto) { return std::optional<std::string>(); }));
  EXPECT_EQ(KeysWritten(), before);
  CAMBIUM_EXPECT_OK(db_->CompareAndSet("k", "1", "2"));
  EXPECT_EQ(KeysWritten(), before + 1) << "the counter counts";
}

// The result of a call that returned ok survives what its options say, even if the call changed
// nothing, and an earlier write with weaker options did.
TEST_F(ConditionalWriteTest, UnchangedValueIsWrittenIfItIsNotDurableEnough) {
  CAMBIUM_ASSERT_OK(db_->Put("k", "1"));
  CAMBIUM_EXPECT_OK(db_->CompareAndSet("k", "1", "1", {.sync = true}));
  const auto crashed = disk_->CrashClone(env::CrashPolicy::kSyncedOnly, 1);
  db_ = nullptr;
  Options options = options_;
  options.file_system = crashed;
  auto db = DB::Open(options, "db");
  CAMBIUM_ASSERT_OK(db);
  EXPECT_EQ((*db)->Get("k").value_or("lost"), "1");

  CAMBIUM_ASSERT_OK((*db)->Put("u", "1", {.disable_wal = true}));
  const uint64_t before = (*db)->GetStats().log_bytes;
  CAMBIUM_EXPECT_OK((*db)->CompareAndSet("u", "1", "1", {.disable_wal = true}));
  EXPECT_EQ((*db)->GetStats().log_bytes, before);
  CAMBIUM_EXPECT_OK((*db)->CompareAndSet("u", "1", "1"));
  EXPECT_GT((*db)->GetStats().log_bytes, before);
}

TEST_F(ConditionalWriteTest, WriteOptionsApply) {
  const uint64_t syncs = db_->GetStats().log_syncs;
  CAMBIUM_EXPECT_OK(db_->PutIfAbsent("k", "1", {.sync = true}));
  EXPECT_EQ(db_->GetStats().log_syncs, syncs + 1);
  const uint64_t bytes = db_->GetStats().log_bytes;
  CAMBIUM_EXPECT_OK(db_->CompareAndSet("k", "1", "2", {.disable_wal = true}));
  CAMBIUM_EXPECT_OK(db_->PutIfAbsent("l", "3", {.disable_wal = true}));
  EXPECT_EQ(db_->GetStats().log_bytes, bytes);
  EXPECT_EQ(Get("k"), "2");
  EXPECT_EQ(Get("l"), "3");
  const WriteOptions both = {.sync = true, .disable_wal = true};
  CAMBIUM_EXPECT_CODE(db_->PutIfAbsent("k", "1", both), kInvalidArgument);
  CAMBIUM_EXPECT_CODE(db_->CompareAndSet("k", "2", "2", both), kInvalidArgument);
  CAMBIUM_EXPECT_CODE(db_->GetAndDelete("k", both), kInvalidArgument);
}

// --- Errors
// ---------------------------------------------------------------------------------------

TEST_F(ConditionalWriteTest, MismatchNamesTheKey) {
  const std::string long_key = std::string("\0\x01z", 3) + std::string(100, 'k') + "end";
  const auto message = [](const absl::Status& status) { return status.ToString(); };
  CAMBIUM_ASSERT_OK(db_->Put(long_key, "1"));
  for (const std::string& text : {message(db_->CompareAndSet(long_key, "2", "3")),
                                  message(db_->PutIfAbsent(long_key, "2"))}) {
    EXPECT_NE(text.find("\\x00\\x01zkkkk"), std::string::npos) << text;
    EXPECT_EQ(text.find("end"), std::string::npos) << text;
  }
  EXPECT_NE(message(db_->CompareAndSet("none", "1", "2")).find("\"none\" does not exist"),
            std::string::npos);
}

TEST_F(ConditionalWriteTest, KeysAndValuesHaveTheLimitsOfPut) {
  const std::string key(kLargeKey, 'k');
  const auto one = [](auto) { return std::optional<std::string>("1"); };
  CAMBIUM_EXPECT_CODE(db_->PutIfAbsent(key, "1"), kInvalidArgument);
  CAMBIUM_EXPECT_CODE(db_->CompareAndSet(key, "1", "2"), kInvalidArgument);
  CAMBIUM_EXPECT_CODE(db_->CompareAndSet(key, "1", std::nullopt), kInvalidArgument);
  CAMBIUM_EXPECT_CODE(db_->GetAndDelete(key), kInvalidArgument);
  CAMBIUM_EXPECT_CODE(db_->Update(key, one), kInvalidArgument);
  // Only its size is looked at.
  const std::string_view value(key.data(), (size_t{1} << 30) + 1);
  CAMBIUM_ASSERT_OK(db_->Put("k", "1"));
  CAMBIUM_EXPECT_CODE(db_->PutIfAbsent("k", value), kInvalidArgument);
  CAMBIUM_EXPECT_CODE(db_->CompareAndSet("k", "2", value), kInvalidArgument);
  EXPECT_EQ(Get("k"), "1");
}

TEST_F(ConditionalWriteTest, ValueThatCannotBeReadIsNotReplaced) {
  CAMBIUM_ASSERT_OK(db_->Merge("k", "a"));
  CAMBIUM_ASSERT_OK(db_->Merge("bad", AppendOperator::kRefused));
  options_.merge_operator = nullptr;
  Open();
  CAMBIUM_EXPECT_CODE(db_->PutIfAbsent("k", "1"), kFailedPrecondition);
  options_.merge_operator = std::make_shared<AppendOperator>();
  Open();
  CAMBIUM_EXPECT_CODE(db_->PutIfAbsent("bad", "1"), kDataLoss);
  CAMBIUM_EXPECT_CODE(db_->GetAndDelete("bad"), kDataLoss);
  CAMBIUM_EXPECT_OK(db_->Put("bad", "1"));
  CAMBIUM_EXPECT_OK(db_->CompareAndSet("bad", "1", "2"));
}

TEST_F(ConditionalWriteTest, ReadOnlyDatabaseIsFailedPrecondition) {
  CAMBIUM_ASSERT_OK(db_->Put("k", "1"));
  db_ = nullptr;
  options_.read_only = true;
  Open();
  bool called = false;
  const auto f = [&](auto) { return called = true, std::optional<std::string>("1"); };
  CAMBIUM_EXPECT_CODE(db_->PutIfAbsent("k", "1"), kFailedPrecondition);
  CAMBIUM_EXPECT_CODE(db_->CompareAndSet("k", "1", "1"), kFailedPrecondition);
  CAMBIUM_EXPECT_CODE(db_->GetAndDelete("none"), kFailedPrecondition);
  CAMBIUM_EXPECT_CODE(db_->Update("k", f), kFailedPrecondition);
  EXPECT_FALSE(called);
}

TEST_F(ConditionalWriteTest, ExceptionOfTheFunctionLeavesNothing) {
  CAMBIUM_ASSERT_OK(db_->Put("k", "1"));
  const auto fails = [](auto) -> std::optional<std::string> {
    throw std::runtime_error("of the caller");
  };
  const uint64_t before = KeysWritten();
  EXPECT_THROW(db_->Update("k", fails).IgnoreError(), std::runtime_error);
  EXPECT_EQ(KeysWritten(), before);
  const auto no_memory = [](auto) -> std::optional<std::string> { throw std::bad_alloc(); };
  CAMBIUM_EXPECT_CODE(db_->Update("k", no_memory), kResourceExhausted);
  EXPECT_EQ(UpdateAround("k", [] {}), Reads{"1"});
  CAMBIUM_EXPECT_OK(db_->Close());
}

TEST_F(ConditionalWriteTest, FunctionMayReadAndCloseTheDatabase) {
  CAMBIUM_ASSERT_OK(db_->Put("k", "1"));
  EXPECT_EQ(UpdateAround("k",
                         [&] {
                           EXPECT_EQ(Get("k"), "1");
                           const auto it = db_->NewIterator();
                           it->SeekToFirst();
                           EXPECT_TRUE(it->Valid());
                           CAMBIUM_EXPECT_OK(db_->Flush());
                         }),
            Reads{"1"});
  absl::Status status;
  UpdateAround(
      "k", [&] { CAMBIUM_EXPECT_OK(db_->Close()); }, &status);
  CAMBIUM_EXPECT_CODE(status, kFailedPrecondition);
}

// --- Writes between the read and the write
// --------------------------------------------------------

TEST_F(ConditionalWriteTest, WriteOfTheKeyInBetweenMakesItReadAgain) {
  WriteBatch small, large;
  small.Put("a", "1");
  small.Put("k", "batch");
  small.Delete("b");
  for (int i = 0; i < 3000; ++i) large.Put(absl::StrCat("other", i), "1");
  large.Put("k", "large");
  const struct {
    std::function<absl::Status()> write;
    const char* found;
  } cases[] = {
      {[&] { return db_->Put("k", "put"); }, "put"},
      {[&] { return db_->Put("k", "unlogged", {.disable_wal = true}); }, "unlogged"},
      {[&] { return db_->Put("k", "synced", {.sync = true}); }, "synced"},
      {[&] { return db_->Delete("k"); }, ""},
      {[&] { return db_->Merge("k", "merge"); }, "first,merge"},
      {[&] { return db_->Write(small); }, "batch"},
      {[&] { return db_->Write(large); }, "large"},
      {[&] { return db_->CompareAndSet("k", "first", "cas"); }, "cas"},
      {[&] { return db_->GetAndDelete("k").status(); }, ""},
      {[&] { return db_->Put("k", "first"); }, "first"},  // written, if not changed
  };
  for (const auto& one : cases) {
    for (const bool flush : {false, true}) {
      CAMBIUM_ASSERT_OK(db_->Put("k", "first"));
      const Reads reads = UpdateAround("k", [&] {
        CAMBIUM_EXPECT_OK(one.write());
        if (!flush) return;
        CAMBIUM_EXPECT_OK(db_->Flush());
      });
      EXPECT_EQ(reads, (Reads{"first", one.found}));
      EXPECT_EQ(Get("k"), absl::StrCat(one.found, "+"));
    }
  }
}

TEST_F(ConditionalWriteTest, WriteByAnotherThreadInBetweenMakesItReadAgain) {
  CAMBIUM_ASSERT_OK(db_->Put("k", "1"));
  EXPECT_EQ(UpdateAround(
                "k", [&] { std::thread([&] { CAMBIUM_EXPECT_OK(db_->Put("k", "2")); }).join(); }),
            (Reads{"1", "2"}));
}

TEST_F(ConditionalWriteTest, WritesOfOtherKeysInBetweenDoNotMatter) {
  CAMBIUM_ASSERT_OK(db_->Put("k", "1"));
  EXPECT_EQ(UpdateAround("k",
                         [&] {
                           // More than a memtable.
                           for (int i = 0; i < 100; ++i) {
                             CAMBIUM_EXPECT_OK(
                                 db_->Put(absl::StrCat("other", i), std::string(2000, 'x')));
                           }
                           WriteBatch batch;
                           batch.Put("a", "1");
                           batch.Put("b", "1");
                           CAMBIUM_EXPECT_OK(db_->Write(batch));
                         }),
            Reads{"1"});
  EXPECT_GT(db_->GetStats().flushes + db_->GetStats().frozen_memtables_now, 0u);
  EXPECT_EQ(Get("k"), "1+");
}

// Keys that differ and are equal have different hashes.
TEST_F(ConditionalWriteTest, EqualKeysMayHaveDifferentBytes) {
  static const FoldingComparator comparator;
  options_.comparator = &comparator;
  db_ = nullptr;
  auto db = DB::Open(options_, "folding");
  CAMBIUM_ASSERT_OK(db);
  db_ = *std::move(db);
  CAMBIUM_ASSERT_OK(db_->Put("KEY", "1"));
  EXPECT_EQ(UpdateAround("key", [&] { CAMBIUM_EXPECT_OK(db_->Put("kEy", "2")); }),
            (Reads{"1", "2"}));
  EXPECT_EQ(Get("Key"), "2+");
  CAMBIUM_EXPECT_CODE(db_->PutIfAbsent("keY", "3"), kAlreadyExists);
  EXPECT_EQ(db_->GetAndDelete("KEY").value_or(""), "2+");
}

// Each key of the table's size and more has its own updates; keys that share a slot only repeat.
TEST_F(ConditionalWriteTest, ManyKeysAreUpdatedIndependently) {
  const auto add = [](std::optional<std::string_view> current) {
    return std::optional(absl::StrCat(ToAbsl(current.value_or("")), "+"));
  };
  for (int round = 0; round < 2; ++round) {
    for (int i = 0; i < 20000; ++i) CAMBIUM_ASSERT_OK(db_->Update(absl::StrCat(i), add));
  }
  for (int i = 0; i < 20000; ++i) ASSERT_EQ(Get(absl::StrCat(i)), "++") << i;
}

// --- Faults
// ---------------------------------------------------------------------------------------

TEST_F(ConditionalWriteTest, FailedWriteOfTheKeyInBetweenFailsItToo) {
  CAMBIUM_ASSERT_OK(db_->Put("k", "1"));
  absl::Status status;
  const Reads reads = UpdateAround(
      "k",
      [&] {
        files_->AddRule({.kind = OperationKind::kWriteAt, .path_part = ".log", .calls = 1});
        EXPECT_FALSE(db_->Put("k", "failed").ok());
      },
      &status);
  EXPECT_EQ(reads, Reads{"1"});
  EXPECT_FALSE(status.ok());
  CAMBIUM_EXPECT_CODE(db_->PutIfAbsent("l", "1"), kFailedPrecondition);
  CAMBIUM_ASSERT_OK(db_->Resume());
  EXPECT_EQ(Get("k"), "1");
  EXPECT_EQ(UpdateAround("k", [] {}), Reads{"1"});
}

// ResetAfterError(): the failed write has a number, which was recorded and is never published. It
// is skipped, and the operation reads a state without it.
TEST_F(ConditionalWriteTest, RecoveryInBetweenOnlyMakesItReadAgain) {
  CAMBIUM_ASSERT_OK(db_->Put("k", "1"));
  const Reads reads = UpdateAround("k", [&] {
    files_->AddRule({.kind = OperationKind::kWriteAt, .path_part = ".log", .calls = 1});
    EXPECT_FALSE(db_->Put("k", "failed").ok());
    CAMBIUM_EXPECT_OK(db_->Resume());
  });
  EXPECT_EQ(reads, (Reads{"1", "1"}));
  EXPECT_EQ(Get("k"), "1+");
  // A new conditional write begins above all of that.
  EXPECT_EQ(UpdateAround("k", [] {}), Reads{"1+"});
}

TEST_F(ConditionalWriteTest, FailedSyncIsAnUnknownOutcome) {
  CAMBIUM_ASSERT_OK(db_->Put("k", "1"));
  files_->AddRule({.kind = OperationKind::kSyncLog, .calls = 1});
  CAMBIUM_EXPECT_CODE(db_->CompareAndSet("k", "1", "2", {.sync = true}), kUnavailable);
  EXPECT_EQ(Get("k"), "2");
  CAMBIUM_ASSERT_OK(db_->Resume());
  CAMBIUM_EXPECT_OK(db_->CompareAndSet("k", "2", "3"));
}

}  // namespace
}  // namespace cambium
