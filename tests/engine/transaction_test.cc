// Transactions of one thread: their own writes over a snapshot, savepoints, and their ends.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "cambium/db.h"
#include "env/testing/fault_file_system.h"
#include "env/testing/mem_file_system.h"
#include "tests/support/append_operator.h"
#include "tests/support/status_test.h"

namespace cambium {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Contents = std::map<std::string, std::string>;
using Pairs = std::vector<std::pair<std::string, std::string>>;

class TransactionTest : public testing::TestWithParam<Concurrency> {
 protected:
  void SetUp() override {
    options_.memory_budget = size_t{4} << 20;
    options_.memtable_size = size_t{256} << 10;
    options_.target_file_size = uint64_t{64} << 10;
    options_.background_threads = 2;
    options_.merge_operator = std::make_shared<test::AppendOperator>();
    options_.file_system = files_;
    Open();
  }
  void Open() {
    db_ = nullptr;
    auto db = DB::Open(options_, "db");
    CAMBIUM_ASSERT_OK(db);
    db_ = *std::move(db);
  }
  std::unique_ptr<Transaction> Begin(Isolation isolation = Isolation::kSnapshot) {
    return db_->BeginTransaction({.isolation = isolation, .concurrency = GetParam()});
  }
  static Pairs Forward(Iterator* it) {
    Pairs found;
    for (it->SeekToFirst(); it->Valid(); it->Next()) found.emplace_back(it->key(), it->value());
    CAMBIUM_EXPECT_OK(it->status());
    return found;
  }
  static Pairs Backward(Iterator* it) {
    Pairs found;
    for (it->SeekToLast(); it->Valid(); it->Prev()) found.emplace_back(it->key(), it->value());
    CAMBIUM_EXPECT_OK(it->status());
    return {found.rbegin(), found.rend()};
  }

  Options options_;
  std::shared_ptr<env::FaultFileSystem> files_ =
      std::make_shared<env::FaultFileSystem>(std::make_shared<env::MemFileSystem>());
  std::unique_ptr<DB> db_;
};

INSTANTIATE_TEST_SUITE_P(, TransactionTest,
                         testing::Values(Concurrency::kOptimistic, Concurrency::kPessimistic),
                         [](const auto& param_info) {
                           return param_info.param == Concurrency::kOptimistic ? "Optimistic"
                                                                               : "Pessimistic";
                         });

TEST_P(TransactionTest, ReadsItsOwnWritesOverTheStateAtItsBegin) {
  CAMBIUM_ASSERT_OK(db_->Put("a", "old"));
  CAMBIUM_ASSERT_OK(db_->Put("b", "old"));
  CAMBIUM_ASSERT_OK(db_->Put("m", "1"));
  auto t = Begin();
  CAMBIUM_ASSERT_OK(t->Put("a", "own"));
  CAMBIUM_ASSERT_OK(t->Delete("b"));
  CAMBIUM_ASSERT_OK(t->Merge("m", "2"));
  CAMBIUM_ASSERT_OK(t->Merge("n", "3"));
  CAMBIUM_ASSERT_OK(db_->Put("later", "v"));
  EXPECT_EQ(*t->Get("a"), "own");
  CAMBIUM_EXPECT_CODE(t->Get("b"), kNotFound);
  EXPECT_EQ(*t->Get("m"), "1,2");
  EXPECT_EQ(*t->Get("n"), "3");
  CAMBIUM_EXPECT_CODE(t->Get("later"), kNotFound);
  EXPECT_EQ(*db_->Get("a"), "old");
  auto it = t->NewIterator();
  const Pairs expected = {{"a", "own"}, {"m", "1,2"}, {"n", "3"}};
  EXPECT_EQ(Forward(it.get()), expected);
  EXPECT_EQ(Backward(it.get()), expected);
  std::vector<std::string_view> keys = {"n", "b", "a", "later"};
  std::vector<PinnedValue> values(4);
  std::vector<absl::Status> statuses(4);
  t->MultiGet(keys, values, statuses);
  EXPECT_EQ(values[0].view(), "3");
  CAMBIUM_EXPECT_CODE(statuses[1], kNotFound);
  EXPECT_EQ(values[2].view(), "own");
  CAMBIUM_EXPECT_CODE(statuses[3], kNotFound);
  CAMBIUM_ASSERT_OK(t->Commit());
  EXPECT_EQ(*db_->Get("a"), "own");
  CAMBIUM_EXPECT_CODE(db_->Get("b"), kNotFound);
  EXPECT_EQ(*db_->Get("m"), "1,2");
  it = nullptr;
  t = nullptr;
  Open();
  EXPECT_EQ(*db_->Get("m"), "1,2");
}

TEST_P(TransactionTest, RollbackAndDestructionWriteNothing) {
  auto t = Begin();
  CAMBIUM_ASSERT_OK(t->Put("a", "v"));
  t->Rollback();
  t = Begin();
  CAMBIUM_ASSERT_OK(t->Put("a", "v"));
  t = nullptr;
  CAMBIUM_EXPECT_CODE(db_->Get("a"), kNotFound);
  EXPECT_EQ(db_->GetStats().snapshots_now, 0u);
}

TEST_P(TransactionTest, EverythingFailsWhenItIsOver) {
  for (const bool commit : {false, true}) {
    const auto t = Begin();
    if (commit) {
      CAMBIUM_ASSERT_OK(t->Commit());
    } else {
      t->Rollback();
    }
    PinnedValue value;
    CAMBIUM_EXPECT_CODE(t->Get("a"), kFailedPrecondition);
    CAMBIUM_EXPECT_CODE(t->GetForUpdate("a", &value), kFailedPrecondition);
    CAMBIUM_EXPECT_CODE(t->Put("a", "v"), kFailedPrecondition);
    CAMBIUM_EXPECT_CODE(t->Delete("a"), kFailedPrecondition);
    CAMBIUM_EXPECT_CODE(t->Merge("a", "v"), kFailedPrecondition);
    CAMBIUM_EXPECT_CODE(t->NewIterator()->status(), kFailedPrecondition);
    const std::string_view key = "a";
    absl::Status status;
    t->MultiGet({&key, 1}, {&value, 1}, {&status, 1});
    CAMBIUM_EXPECT_CODE(status, kFailedPrecondition);
    t->SetSavepoint();
    CAMBIUM_EXPECT_CODE(t->RollbackToSavepoint(), kFailedPrecondition);
    CAMBIUM_EXPECT_CODE(t->ReleaseSavepoint(), kFailedPrecondition);
    CAMBIUM_EXPECT_CODE(t->Commit(), kFailedPrecondition);
    t->Rollback();
  }
}

TEST_P(TransactionTest, BadArgumentsAreRefusedAndChangeNothing) {
  const auto t = Begin();
  ReadOptions at;
  at.snapshot = db_->GetSnapshot();
  CAMBIUM_EXPECT_CODE(t->Get("a", at), kInvalidArgument);
  CAMBIUM_EXPECT_CODE(t->NewIterator(at)->status(), kInvalidArgument);
  CAMBIUM_EXPECT_CODE(t->Put(std::string(70000, 'k'), "v"), kInvalidArgument);
  const auto plain = *db_->CreateColumnFamily("plain");
  CAMBIUM_EXPECT_CODE(t->Merge(*plain, "a", "v"), kFailedPrecondition);
  Options other_options = options_;
  auto other = *DB::Open(other_options, "other");
  CAMBIUM_EXPECT_CODE(t->Put(*other->DefaultColumnFamily(), "a", "v"), kInvalidArgument);
  CAMBIUM_EXPECT_CODE(t->Get(*other->DefaultColumnFamily(), "a"), kInvalidArgument);
  CAMBIUM_ASSERT_OK(t->Put("a", "v"));
  CAMBIUM_EXPECT_CODE(t->Commit({.sync = true, .disable_wal = true}), kInvalidArgument);
  CAMBIUM_EXPECT_CODE(db_->Get("a"), kNotFound);
  const auto bad = db_->BeginTransaction({.lock_timeout = std::chrono::milliseconds(-1)});
  CAMBIUM_EXPECT_CODE(bad->Get("a"), kInvalidArgument);
  EXPECT_THAT(bad->Commit().message(), HasSubstr("lock_timeout"));
}

TEST_P(TransactionTest, SavepointsNest) {
  const auto t = Begin();
  CAMBIUM_EXPECT_CODE(t->RollbackToSavepoint(), kFailedPrecondition);
  CAMBIUM_EXPECT_CODE(t->ReleaseSavepoint(), kFailedPrecondition);
  const auto family = *db_->CreateColumnFamily("f");
  CAMBIUM_ASSERT_OK(t->Put("a", "1"));
  t->SetSavepoint();
  CAMBIUM_ASSERT_OK(t->Put("a", "2"));
  CAMBIUM_ASSERT_OK(t->Put(*family, "x", "2"));
  t->SetSavepoint();
  CAMBIUM_ASSERT_OK(t->Put("a", "3"));
  EXPECT_EQ(*t->Get("a"), "3");
  const auto it = t->NewIterator();
  CAMBIUM_ASSERT_OK(t->RollbackToSavepoint());
  EXPECT_EQ(*t->Get("a"), "2");
  EXPECT_EQ(Forward(it.get()), (Pairs{{"a", "3"}})) << "an iterator keeps what it saw";
  CAMBIUM_ASSERT_OK(t->RollbackToSavepoint());
  EXPECT_EQ(*t->Get("a"), "1");
  CAMBIUM_EXPECT_CODE(t->Get(*family, "x"), kNotFound);
  t->SetSavepoint();
  CAMBIUM_ASSERT_OK(t->Put("b", "4"));
  CAMBIUM_ASSERT_OK(t->ReleaseSavepoint());
  CAMBIUM_EXPECT_CODE(t->RollbackToSavepoint(), kFailedPrecondition);
  CAMBIUM_ASSERT_OK(t->Commit());
  EXPECT_EQ(*db_->Get("a"), "1");
  EXPECT_EQ(*db_->Get("b"), "4");
  CAMBIUM_EXPECT_CODE(db_->Get(*family, "x"), kNotFound);
}

TEST_P(TransactionTest, IsAtomicAcrossFamiliesAndKnowsTheirOrders) {
  class Backwards final : public Comparator {
   public:
    int Compare(std::string_view a, std::string_view b) const override { return b.compare(a); }
    const char* Name() const override { return "test.backwards"; }
    bool EqualMeansIdentical() const override { return true; }
  };
  static const Backwards backwards;
  ColumnFamilyOptions reversed;
  reversed.comparator = &backwards;
  const auto family = *db_->CreateColumnFamily("f", reversed);
  CAMBIUM_ASSERT_OK(db_->Put(*family, "b", "base"));
  const auto t = Begin();
  CAMBIUM_ASSERT_OK(t->Put(*family, "a", "1"));
  CAMBIUM_ASSERT_OK(t->Put(*family, "c", "2"));
  CAMBIUM_ASSERT_OK(t->Put("a", "default"));
  const auto it = t->NewIterator(*family);
  const Pairs expected = {{"c", "2"}, {"b", "base"}, {"a", "1"}};
  EXPECT_EQ(Forward(it.get()), expected);
  EXPECT_EQ(Backward(it.get()), expected);
  CAMBIUM_ASSERT_OK(t->Commit());
  EXPECT_EQ(*db_->Get(*family, "a"), "1");
  EXPECT_EQ(*db_->Get("a"), "default");
}

TEST_P(TransactionTest, DroppedFamilyIsAConflict) {
  const auto family = *db_->CreateColumnFamily("f");
  CAMBIUM_ASSERT_OK(db_->Put(*family, "a", "v"));
  const auto writer = Begin();
  CAMBIUM_ASSERT_OK(writer->Put(*family, "a", "w"));
  CAMBIUM_ASSERT_OK(writer->Put("other", "w"));
  const auto reader = Begin(Isolation::kSerializable);
  EXPECT_EQ(*reader->Get(*family, "a"), "v");
  CAMBIUM_ASSERT_OK(reader->Put("read", "v"));
  CAMBIUM_ASSERT_OK(db_->DropColumnFamily("f"));
  CAMBIUM_EXPECT_CODE(writer->Commit(), kAborted);
  EXPECT_TRUE(writer->HadConflict());
  CAMBIUM_EXPECT_CODE(reader->Commit(), kAborted);
  CAMBIUM_EXPECT_CODE(db_->Get("other"), kNotFound);
  CAMBIUM_EXPECT_CODE(db_->Get("read"), kNotFound);
}

// However long it is open, and whatever was flushed and compacted meanwhile.
TEST_P(TransactionTest, NeverFailsForLackOfHistory) {
  CAMBIUM_ASSERT_OK(db_->Put("mine", "old"));
  CAMBIUM_ASSERT_OK(db_->Put("other", "old"));
  const auto calm = Begin(Isolation::kSerializable), hit = Begin();
  for (Transaction* t : {calm.get(), hit.get()}) {
    EXPECT_EQ(*t->Get("mine"), "old");
  }
  for (int i = 0; i < 3000; ++i) {
    CAMBIUM_ASSERT_OK(db_->Put(absl::StrCat("key", i % 500), std::string(500, 'v')));
  }
  CAMBIUM_ASSERT_OK(db_->Delete("other"));
  CAMBIUM_ASSERT_OK(db_->CompactRange());
  CAMBIUM_ASSERT_OK(calm->Put("mine", "new"));
  CAMBIUM_EXPECT_OK(calm->Commit());
  // Its deletion is the newest version of the key, though nothing older needs it.
  const absl::Status written = hit->Put("other", "new");
  const absl::Status committed = hit->Commit();
  CAMBIUM_EXPECT_CODE((written.ok() ? committed : written), kAborted);
  EXPECT_THAT((written.ok() ? committed : written).message(), HasSubstr("other"));
}

TEST_P(TransactionTest, CommitThatCannotBeLoggedIsNotApplied) {
  auto t = Begin();
  CAMBIUM_ASSERT_OK(t->Put("a", "v"));
  files_->AddRule({.kind = env::OperationKind::kSyncLog});
  EXPECT_FALSE(t->Commit({.sync = true}).ok());
  CAMBIUM_EXPECT_CODE(t->Commit(), kFailedPrecondition);
  t = Begin();
  CAMBIUM_EXPECT_CODE(t->Get("nothing"), kNotFound);
  CAMBIUM_ASSERT_OK(db_->Resume());
  CAMBIUM_ASSERT_OK(t->Put("b", "v"));
  CAMBIUM_EXPECT_OK(t->Commit());
  t = Begin();
  CAMBIUM_ASSERT_OK(t->Put("b", "w"));
  CAMBIUM_EXPECT_OK(t->Commit());
}

TEST_P(TransactionTest, ClosedDatabaseRefuses) {
  const auto t = Begin();
  CAMBIUM_ASSERT_OK(t->Put("a", "v"));
  CAMBIUM_ASSERT_OK(db_->Close());
  CAMBIUM_EXPECT_CODE(t->Get("a"), kFailedPrecondition);
  CAMBIUM_EXPECT_CODE(t->Put("a", "v"), kFailedPrecondition);
  CAMBIUM_EXPECT_CODE(t->Commit(), kFailedPrecondition);
  CAMBIUM_EXPECT_CODE(Begin()->Get("a"), kFailedPrecondition);
}

TEST_P(TransactionTest, ReadOnlyDatabaseCanBeReadTogether) {
  CAMBIUM_ASSERT_OK(db_->Put("a", "v"));
  options_.read_only = true;
  Open();
  const auto t = Begin(Isolation::kSerializable);
  EXPECT_EQ(*t->Get("a"), "v");
  CAMBIUM_EXPECT_CODE(t->Put("a", "w"), kFailedPrecondition);
  CAMBIUM_EXPECT_OK(t->Commit());
}

// Random steps against a map: own writes over base, in both directions, with bounds.
TEST_P(TransactionTest, IteratorsAgreeWithAModel) {
  for (uint32_t seed = 0; seed < 40; ++seed) {
    std::mt19937 random(seed);
    const auto key = [&] { return absl::StrCat(random() % 30); };
    Contents model;
    for (int i = 0; i < 30; ++i) {
      CAMBIUM_ASSERT_OK(db_->Delete(absl::StrCat(i)));
    }
    for (int i = 0; i < 15; ++i) {
      const std::string k = key();
      model[k] = absl::StrCat(i);
      CAMBIUM_ASSERT_OK(db_->Put(k, model[k]));
    }
    const auto t = Begin(seed % 2 == 0 ? Isolation::kSnapshot : Isolation::kSerializable);
    for (int i = 0; i < 15; ++i) {
      const std::string k = key(), v = absl::StrCat("own", i);
      switch (random() % 3) {
        case 0:
          CAMBIUM_ASSERT_OK(t->Put(k, v));
          model[k] = v;
          break;
        case 1:
          CAMBIUM_ASSERT_OK(t->Delete(k));
          model.erase(k);
          break;
        default:
          CAMBIUM_ASSERT_OK(t->Merge(k, v));
          model[k] = model.contains(k) ? model[k] + "," + v : v;
      }
    }
    ReadOptions bounds;
    if (seed % 3 == 1) bounds.lower_bound = "13";
    if (seed % 4 == 1) bounds.upper_bound = "25";
    std::erase_if(model, [&](const auto& entry) {
      return (bounds.lower_bound.has_value() && entry.first < *bounds.lower_bound) ||
             (bounds.upper_bound.has_value() && entry.first >= *bounds.upper_bound);
    });
    const auto it = t->NewIterator(bounds);
    // What is written later is not seen.
    CAMBIUM_ASSERT_OK(t->Put("2", "later"));
    CAMBIUM_ASSERT_OK(t->Put("299", "later"));
    EXPECT_EQ(Forward(it.get()), Pairs(model.begin(), model.end()));
    EXPECT_EQ(Backward(it.get()), Pairs(model.begin(), model.end()));
    auto at = model.end();
    for (int step = 0; step < 200; ++step) {
      const std::string target = key();
      const uint32_t action = random() % 6;
      if (action == 0) {
        it->Seek(target);
        at = model.lower_bound(target);
      } else if (action == 1) {
        it->SeekForPrev(target);
        at = model.upper_bound(target);
        at = at == model.begin() ? model.end() : std::prev(at);
      } else if (it->Valid() && action < 4) {
        it->Next();
        ++at;
      } else if (it->Valid()) {
        it->Prev();
        at = at == model.begin() ? model.end() : std::prev(at);
      }
      ASSERT_EQ(it->Valid(), at != model.end()) << seed << " step " << step;
      if (!it->Valid()) continue;
      ASSERT_EQ(it->key(), at->first) << seed << " step " << step;
      ASSERT_EQ(it->value(), at->second) << seed << " step " << step;
    }
  }
}

TEST_P(TransactionTest, LargeOnesCommitAndReadTheirWrites) {
  const auto t = Begin();
  EXPECT_EQ(t->Get("0").status().code(), absl::StatusCode::kNotFound);
  for (int i = 0; i < 20000; ++i) {
    CAMBIUM_ASSERT_OK(t->Put(absl::StrCat(i), "v"));
    if (i % 100 == 0) {
      EXPECT_EQ(*t->Get(absl::StrCat(i / 2)), "v");
    }
  }
  CAMBIUM_ASSERT_OK(db_->Put("unrelated", "v"));
  CAMBIUM_ASSERT_OK(t->Commit());
  for (int i = 0; i < 20000; i += 97) EXPECT_EQ(*db_->Get(absl::StrCat(i)), "v");
}

TEST_P(TransactionTest, TransactRepeatsConflictsOnly) {
  int calls = 0;
  CAMBIUM_EXPECT_OK(db_->Transact(
      [&](Transaction& t) -> absl::Status {
        PinnedValue value;
        const absl::Status read = t.Get("n", &value);
        if (!read.ok() && !absl::IsNotFound(read)) return read;
        if (++calls < 3) {
          CAMBIUM_EXPECT_OK(db_->Put("n", "overtaken"));
        }
        return t.Put("n", "done");
      },
      {.concurrency = GetParam()}));
  EXPECT_EQ(calls, 3);
  EXPECT_EQ(*db_->Get("n"), "done");
  calls = 0;
  CAMBIUM_EXPECT_CODE(db_->Transact(
                          [&](Transaction& t) -> absl::Status {
                            ++calls;
                            CAMBIUM_EXPECT_OK(t.Put("n", "no"));
                            return absl::AbortedError("the program's own");
                          },
                          {.concurrency = GetParam()}),
                      kAborted);
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(*db_->Get("n"), "done");
}

// A range delete is a write of every key in it, in memory and in tables.
TEST_P(TransactionTest, ConflictsWithRangeDeletesAfterItsBegin) {
  for (const bool flush : {false, true}) {
    CAMBIUM_ASSERT_OK(db_->Put("b", "v"));
    CAMBIUM_ASSERT_OK(db_->Put("y", "v"));
    auto writes = Begin(), beside = Begin();
    CAMBIUM_ASSERT_OK(writes->Put("b", "own"));
    CAMBIUM_ASSERT_OK(beside->Put("d", "own"));
    auto reads = Begin(Isolation::kSerializable), scans = Begin(Isolation::kSerializable);
    CAMBIUM_ASSERT_OK(reads->Get("b"));
    CAMBIUM_ASSERT_OK(reads->Put("x1", "own"));
    const auto it = scans->NewIterator();
    it->Seek("a");
    ASSERT_TRUE(it->Valid());
    it->Next();
    CAMBIUM_ASSERT_OK(scans->Put("x2", "own"));
    CAMBIUM_ASSERT_OK(db_->DeleteRange("b", "c"));
    if (flush) {
      CAMBIUM_ASSERT_OK(db_->Flush());
    }
    CAMBIUM_EXPECT_CODE(writes->Commit(), kAborted);
    CAMBIUM_EXPECT_CODE(reads->Commit(), kAborted);
    CAMBIUM_EXPECT_CODE(scans->Commit(), kAborted);
    CAMBIUM_EXPECT_OK(beside->Commit());
    auto cleared = Begin(Isolation::kSerializable);
    CAMBIUM_ASSERT_OK(cleared->Get("y"));
    CAMBIUM_ASSERT_OK(cleared->Put("z", "own"));
    CAMBIUM_ASSERT_OK(db_->ClearColumnFamily(*db_->DefaultColumnFamily()));
    if (flush) {
      CAMBIUM_ASSERT_OK(db_->Flush());
    }
    CAMBIUM_EXPECT_CODE(cleared->Commit(), kAborted);
  }
}

}  // namespace
}  // namespace cambium
