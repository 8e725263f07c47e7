// Merge: the same value of a key for every way to read it, wherever its operands lie.
#include <gtest/gtest.h>

#include <array>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "cambium/db.h"
#include "env/testing/inline_executor.h"
#include "env/testing/mem_file_system.h"
#include "tests/support/append_operator.h"
#include "tests/support/status_test.h"

namespace cambium {
namespace {

using test::AppendOperator;
using Model = std::map<std::string, std::string>;

constexpr char kPath[] = "db";

class MergeTest : public testing::TestWithParam<AppendOperator::Partial> {
 protected:
  MergeTest() {
    options_.file_system = files_;
    options_.executor = std::make_shared<env::InlineExecutor>(1);
    options_.memory_budget = size_t{4} << 20;
    options_.memtable_size = size_t{64} << 10;
    options_.target_file_size = uint64_t{64} << 10;
    options_.merge_operator = std::make_shared<AppendOperator>(GetParam());
  }

  absl::Status TryOpen() {
    db_.reset();
    auto db = DB::Open(options_, kPath);
    if (db.ok()) db_ = *std::move(db);
    return db.status();
  }

  // Gets, a MultiGet and scans in both directions, with turns, all see `model`.
  void ExpectModel(const Model& model, const ReadOptions& read, std::mt19937* random) {
    std::vector<std::string> names;
    for (int i = 0; i < kKeys; ++i) names.push_back(Key(i));
    const std::vector<std::string_view> keys(names.begin(), names.end());
    std::vector<PinnedValue> values(keys.size());
    std::vector<absl::Status> statuses(keys.size());
    db_->MultiGet(keys, values, statuses, read);
    for (size_t i = 0; i < names.size(); ++i) {
      const auto expected = model.find(names[i]);
      const auto value = db_->Get(names[i], read);
      if (expected == model.end()) {
        CAMBIUM_EXPECT_CODE(value, kNotFound);
        CAMBIUM_EXPECT_CODE(statuses[i], kNotFound);
        continue;
      }
      CAMBIUM_ASSERT_OK(value);
      CAMBIUM_ASSERT_OK(statuses[i]);
      ASSERT_EQ(*value, expected->second);
      ASSERT_EQ(values[i].view(), expected->second);
    }
    const auto it = db_->NewIterator(read);
    Model forward, backward;
    for (it->SeekToFirst(); it->Valid(); it->Next()) forward.emplace(it->key(), it->value());
    for (it->SeekToLast(); it->Valid(); it->Prev()) backward.emplace(it->key(), it->value());
    ASSERT_EQ(forward, model);
    ASSERT_EQ(backward, model);
    ExpectTurns(model, it.get(), random);
    CAMBIUM_EXPECT_OK(it->status());
  }
  void ExpectTurns(const Model& model, Iterator* it, std::mt19937* random) {
    const std::string start = Key(static_cast<int>((*random)() % kKeys));
    auto expected = model.lower_bound(start);
    it->Seek(start);
    for (int step = 0; step < 40; ++step) {
      ASSERT_EQ(it->Valid(), expected != model.end());
      if (!it->Valid()) return;
      ASSERT_EQ(it->key(), expected->first);
      ASSERT_EQ(it->value(), expected->second);
      if ((*random)() % 2 == 0) {
        it->Next();
        ++expected;
      } else {
        it->Prev();
        expected = expected == model.begin() ? model.end() : std::prev(expected);
      }
    }
  }

  static constexpr int kKeys = 12;
  static std::string Key(int i) { return absl::StrCat("key", 100 + i); }

  std::shared_ptr<env::MemFileSystem> files_ = std::make_shared<env::MemFileSystem>();
  Options options_;
  std::unique_ptr<DB> db_;
};

INSTANTIATE_TEST_SUITE_P(Partial, MergeTest,
                         testing::Values(AppendOperator::Partial::kNever,
                                         AppendOperator::Partial::kAlways),
                         [](const auto& param) {
                           return param.param == AppendOperator::Partial::kNever ? "Never"
                                                                                 : "Always";
                         });

TEST_P(MergeTest, EveryReadSeesTheSameInMemtablesTablesAndSnapshots) {
  CAMBIUM_ASSERT_OK(TryOpen());
  std::mt19937 random(7);
  Model model;
  struct Held {
    std::shared_ptr<const Snapshot> snapshot;
    Model model;
  };
  std::vector<Held> held;
  for (int step = 0; step < 4000; ++step) {
    const std::string key = Key(static_cast<int>(random() % kKeys));
    const uint32_t what = random() % 100;
    if (what < 70) {
      const std::string operand = absl::StrCat(step);
      CAMBIUM_ASSERT_OK(db_->Merge(key, operand));
      std::string& value = model.try_emplace(key, "").first->second;
      absl::StrAppend(&value, value.empty() ? "" : ",", operand);
    } else if (what < 82) {
      CAMBIUM_ASSERT_OK(db_->Put(key, absl::StrCat("p", step)));
      model[key] = absl::StrCat("p", step);
    } else if (what < 92) {
      CAMBIUM_ASSERT_OK(db_->Delete(key));
      model.erase(key);
    } else if (what < 94) {
      CAMBIUM_ASSERT_OK(db_->Flush());
    } else if (what == 94) {
      CAMBIUM_ASSERT_OK(db_->CompactRange());
    } else if (what == 95) {
      held.push_back({db_->GetSnapshot(), model});
      if (held.size() > 3) held.erase(held.begin());
    } else if (what == 96 && step % 5 == 0) {
      held.clear();
      CAMBIUM_ASSERT_OK(TryOpen());
    }
    if (step % 20 != 0) continue;
    ASSERT_NO_FATAL_FAILURE(ExpectModel(model, {}, &random)) << step;
    for (const Held& one : held) {
      ReadOptions read;
      read.snapshot = one.snapshot;
      ASSERT_NO_FATAL_FAILURE(ExpectModel(one.model, read, &random)) << step;
    }
  }
  held.clear();
  CAMBIUM_ASSERT_OK(db_->CompactRange());
  ExpectModel(model, {}, &random);
  const Stats stats = db_->GetStats();
  EXPECT_GT(stats.entries_merged, 100u);
  EXPECT_EQ(stats.levels[0].entries + stats.levels[6].entries, model.size());
  CAMBIUM_EXPECT_OK(db_->Verify());
}

TEST_P(MergeTest, BatchMergesInItsOrder) {
  CAMBIUM_ASSERT_OK(TryOpen());
  WriteBatch batch;
  batch.Merge("k", "lost");
  batch.Delete("k");
  batch.Merge("k", "a");
  batch.Merge("k", "b");
  CAMBIUM_ASSERT_OK(db_->Write(batch));
  EXPECT_EQ(db_->Get("k").value(), "a,b");
  CAMBIUM_ASSERT_OK(db_->Flush());
  EXPECT_EQ(db_->Get("k").value(), "a,b");
}

// A key with more operands than an iterator steps over before it seeks, and than a block holds.
TEST_P(MergeTest, ManyOperandsOfOneKey) {
  CAMBIUM_ASSERT_OK(TryOpen());
  CAMBIUM_ASSERT_OK(db_->Put("a", "before"));
  CAMBIUM_ASSERT_OK(db_->Put("z", "after"));
  std::string expected;
  for (int i = 0; i < 5000; ++i) {
    CAMBIUM_ASSERT_OK(db_->Merge("k", absl::StrCat(i)));
    absl::StrAppend(&expected, i == 0 ? "" : ",", i);
    if (i % 1000 == 999) {
      CAMBIUM_ASSERT_OK(db_->Flush());
    }
  }
  EXPECT_EQ(db_->Get("k").value(), expected);
  const auto it = db_->NewIterator();
  it->Seek("b");
  ASSERT_TRUE(it->Valid());
  EXPECT_EQ(it->value(), expected);
  it->Next();
  EXPECT_EQ(it->key(), "z");
  it->Prev();
  EXPECT_EQ(it->value(), expected);
  it->Prev();
  EXPECT_EQ(it->key(), "a");
}

// What the operator refuses is an error of the reads of that key, until it is overwritten.
TEST_P(MergeTest, RefusedOperandIsDataLossOfItsKeyAndIsKept) {
  CAMBIUM_ASSERT_OK(TryOpen());
  CAMBIUM_ASSERT_OK(db_->Put("a", "1"));
  CAMBIUM_ASSERT_OK(db_->Put("k", "v"));
  CAMBIUM_ASSERT_OK(db_->Merge("k", AppendOperator::kRefused));
  for (int round = 0; round < 2; ++round) {
    const auto value = db_->Get("k");
    CAMBIUM_EXPECT_CODE(value, kDataLoss);
    EXPECT_NE(value.status().ToString().find("\"k\""), std::string::npos) << value.status();
    EXPECT_EQ(db_->Get("a").value(), "1");
    const auto it = db_->NewIterator();
    it->SeekToFirst();
    EXPECT_EQ(it->key(), "a");
    it->Next();
    EXPECT_FALSE(it->Valid());
    CAMBIUM_EXPECT_CODE(it->status(), kDataLoss);
    CAMBIUM_ASSERT_OK(db_->CompactRange());
  }
  EXPECT_EQ(db_->GetHealth().state, Health::State::kHealthy);
  CAMBIUM_ASSERT_OK(db_->Put("k", "new"));
  EXPECT_EQ(db_->Get("k").value(), "new");
}

TEST_P(MergeTest, DatabaseWithoutItsOperatorKeepsOperands) {
  CAMBIUM_ASSERT_OK(TryOpen());
  CAMBIUM_ASSERT_OK(db_->Merge("k", "a"));
  CAMBIUM_ASSERT_OK(db_->Flush());
  CAMBIUM_ASSERT_OK(db_->Merge("k", "b"));
  const auto append = std::exchange(options_.merge_operator, nullptr);
  CAMBIUM_ASSERT_OK(TryOpen());
  CAMBIUM_EXPECT_CODE(db_->Merge("k", "c"), kFailedPrecondition);
  WriteBatch batch;
  batch.Put("p", "1");
  batch.Merge("k", "c");
  CAMBIUM_EXPECT_CODE(db_->Write(batch), kFailedPrecondition);
  CAMBIUM_EXPECT_CODE(db_->Get("p"), kNotFound);
  CAMBIUM_EXPECT_CODE(db_->Get("k"), kFailedPrecondition);
  CAMBIUM_ASSERT_OK(db_->CompactRange());
  CAMBIUM_EXPECT_CODE(db_->Get("k"), kFailedPrecondition);
  options_.merge_operator = append;
  CAMBIUM_ASSERT_OK(TryOpen());
  EXPECT_EQ(db_->Get("k").value(), "a,b");
}

class OtherOperator final : public MergeOperator {
 public:
  const char* Name() const override { return "test.other"; }
  bool FullMerge(std::string_view, std::optional<std::string_view>,
                 std::span<const std::string_view>, std::string*) const override {
    return false;
  }
};

TEST_P(MergeTest, OperatorOfAnotherNameDoesNotOpen) {
  CAMBIUM_ASSERT_OK(TryOpen());
  CAMBIUM_ASSERT_OK(db_->Merge("k", "a"));
  options_.merge_operator = std::make_shared<OtherOperator>();
  const absl::Status status = TryOpen();
  CAMBIUM_EXPECT_CODE(status, kInvalidArgument);
  EXPECT_NE(status.ToString().find("test.append"), std::string::npos) << status;
  EXPECT_NE(status.ToString().find("test.other"), std::string::npos) << status;
}

class BuiltInMergeTest : public testing::Test {
 protected:
  BuiltInMergeTest() {
    options_.file_system = std::make_shared<env::MemFileSystem>();
    options_.executor = std::make_shared<env::InlineExecutor>(1);
  }

  void Open() {
    db_.reset();
    auto db = DB::Open(options_, kPath);
    CAMBIUM_ASSERT_OK(db);
    db_ = *std::move(db);
  }

  static ColumnFamilyOptions With(std::shared_ptr<const MergeOperator> merge) {
    ColumnFamilyOptions options;
    options.merge_operator = std::move(merge);
    return options;
  }
  static std::string Number(unsigned char value) {
    return std::string(1, static_cast<char>(value)) + std::string(7, '\0');
  }

  Options options_;
  std::unique_ptr<DB> db_;
};

TEST_F(BuiltInMergeTest, OperatorsAreFoundByTheirStoredNames) {
  options_.merge_operator = Int64AddOperator();
  Open();
  const std::string separator("\0,", 2);
  CAMBIUM_ASSERT_OK(db_->CreateColumnFamily("list", With(cambium::AppendOperator(separator))));
  CAMBIUM_ASSERT_OK(db_->CreateColumnFamily("high", With(MaxOperator())));
  CAMBIUM_ASSERT_OK(db_->CreateColumnFamily("low", With(MinOperator())));
  options_.merge_operator = nullptr;
  // Options without an operator replace only what they give.
  options_.families["low"].compression = Compression::kNone;
  for (int round = 0; round < 3; ++round) {
    Open();
    CAMBIUM_ASSERT_OK(db_->Merge("n", Number(20)));
    for (const char* name : {"list", "high", "low"}) {
      const auto family = db_->GetColumnFamily(name);
      CAMBIUM_ASSERT_OK(family);
      CAMBIUM_ASSERT_OK(db_->Merge(**family, "k", std::string(1, static_cast<char>('b' + round))));
      if (round != 1) continue;
      CAMBIUM_ASSERT_OK(db_->CompactRange(**family));
    }
  }
  EXPECT_EQ(db_->Get("n").value(), Number(60));
  EXPECT_EQ(db_->Get(**db_->GetColumnFamily("list"), "k").value(),
            "b" + separator + "c" + separator + "d");
  EXPECT_EQ(db_->Get(**db_->GetColumnFamily("high"), "k").value(), "d");
  EXPECT_EQ(db_->Get(**db_->GetColumnFamily("low"), "k").value(), "b");
}

TEST_F(BuiltInMergeTest, AnotherSeparatorIsAnotherOperator) {
  Open();
  CAMBIUM_ASSERT_OK(db_->CreateColumnFamily("list", With(cambium::AppendOperator(","))));
  options_.families["list"] = With(cambium::AppendOperator(";"));
  Open();
  const auto list = db_->GetColumnFamily("list");
  CAMBIUM_ASSERT_OK(list);
  CAMBIUM_EXPECT_CODE(db_->Merge(**list, "k", "a"), kFailedPrecondition);
}

TEST_F(BuiltInMergeTest, NumberOfAnotherLengthIsDataLossAndKeepsItsOperands) {
  options_.merge_operator = Int64AddOperator();
  Open();
  CAMBIUM_ASSERT_OK(db_->Put("counter", "abc"));
  CAMBIUM_ASSERT_OK(db_->Merge("counter", Number(1)));
  CAMBIUM_ASSERT_OK(db_->Merge("broken", Number(1)));
  CAMBIUM_ASSERT_OK(db_->Merge("broken", "1"));
  CAMBIUM_ASSERT_OK(db_->Merge("broken", Number(2)));
  for (int round = 0; round < 2; ++round) {
    for (const std::string key : {"counter", "broken"}) {
      const auto value = db_->Get(key);
      CAMBIUM_EXPECT_CODE(value, kDataLoss);
      EXPECT_NE(value.status().ToString().find(key), std::string::npos) << value.status();
    }
    CAMBIUM_ASSERT_OK(db_->CompactRange());
  }
  EXPECT_EQ(db_->GetStats().levels[6].entries, 5u);
  CAMBIUM_ASSERT_OK(db_->Delete("counter"));
  CAMBIUM_ASSERT_OK(db_->Merge("counter", Number(4)));
  EXPECT_EQ(db_->Get("counter").value(), Number(4));
}

// A flush combines operands in groups: it copies no byte as often as there are operands.
TEST_F(BuiltInMergeTest, FlushOfManyOperandsOfOneKeyIsFast) {
  options_.merge_operator = cambium::AppendOperator("");
  Open();
  CAMBIUM_ASSERT_OK(db_->Put("k", ""));
  CAMBIUM_ASSERT_OK(db_->Flush());
  constexpr size_t kOperands = 300'000;
  WriteBatch batch;
  for (size_t i = 0; i < kOperands; ++i) batch.Merge("k", "0123456789");
  CAMBIUM_ASSERT_OK(db_->Write(batch));
  CAMBIUM_ASSERT_OK(db_->Flush());
  EXPECT_EQ(db_->GetStats().entries_merged, kOperands - 1);
  EXPECT_EQ(db_->Get("k").value().size(), 10 * kOperands);
}

}  // namespace
}  // namespace cambium
