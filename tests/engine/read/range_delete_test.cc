// Range deletes: what every way to read shows, wherever the range tombstones and the keys are.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "cambium/db.h"
#include "env/testing/fault_file_system.h"
#include "env/testing/inline_executor.h"
#include "env/testing/mem_file_system.h"
#include "tests/support/append_operator.h"
#include "tests/support/status_test.h"
#include "util/coding.h"

namespace cambium {
namespace {

using Contents = std::map<std::string, std::string>;

constexpr char kPath[] = "db";

class Reverse final : public Comparator {
 public:
  int Compare(std::string_view a, std::string_view b) const override { return b.compare(a); }
  const char* Name() const override { return "test.reverse"; }
  bool EqualMeansIdentical() const override { return true; }
};
const Reverse kReverse;

// Does not compress.
std::string RandomValue(std::mt19937* random) {
  std::string value(60, '\0');
  for (char& byte : value) byte = static_cast<char>((*random)());
  return value;
}

std::string Key(int number) { return absl::StrFormat("key%06d", number); }

class RangeDeleteTest : public testing::Test {
 protected:
  RangeDeleteTest() {
    options_.file_system = faults_;
    options_.executor = std::make_shared<env::InlineExecutor>(1);
    options_.memory_budget = size_t{4} << 20;
    options_.memtable_size = size_t{512} << 10;
    options_.target_file_size = uint64_t{64} << 10;
    options_.families["reverse"].comparator = &kReverse;
  }

  absl::Status TryOpen() {
    db_.reset();
    auto db = DB::Open(options_, kPath);
    if (db.ok()) db_ = *std::move(db);
    return db.status();
  }
  void Open() { CAMBIUM_ASSERT_OK(TryOpen()); }

  void Put(int first, int last, const std::string& value = "v") {
    for (int i = first; i <= last; ++i) CAMBIUM_ASSERT_OK(db_->Put(Key(i), value));
  }
  // Puts the keys up to `last`, and moves them to the last level.
  void FillTables(int last) {
    std::mt19937 random(5);
    for (int i = 0; i <= last; ++i) CAMBIUM_ASSERT_OK(db_->Put(Key(i), RandomValue(&random)));
    CAMBIUM_ASSERT_OK(db_->CompactRange());
  }

  // Scans forward and backward, and gets every key; all must show the same.
  Contents Read(const ReadOptions& options = {}, const ColumnFamily* family = nullptr) {
    const auto handle = db_->DefaultColumnFamily();
    if (family == nullptr) family = handle.get();
    Contents forward, backward;
    const auto it = db_->NewIterator(*family, options);
    for (it->SeekToFirst(); it->Valid(); it->Next()) {
      forward.emplace(it->key(), it->value());
      const auto value = db_->Get(*family, it->key(), options);
      EXPECT_TRUE(value.ok() && *value == it->value()) << value.status();
    }
    CAMBIUM_EXPECT_OK(it->status());
    for (it->SeekToLast(); it->Valid(); it->Prev()) backward.emplace(it->key(), it->value());
    CAMBIUM_EXPECT_OK(it->status());
    EXPECT_EQ(forward, backward);
    return forward;
  }
  std::string Keys(const ReadOptions& options = {}, const ColumnFamily* family = nullptr) {
    std::string text;
    for (const auto& [key, value] : Read(options, family)) absl::StrAppend(&text, key, " ");
    return text;
  }

  // Changes a byte of the block of each table that has range tombstones.
  void DamageRangeDeletes() {
    const auto names = files_->ListDirectory(kPath);
    CAMBIUM_ASSERT_OK(names);
    for (const std::string& name : *names) {
      if (!name.ends_with(".sst")) continue;
      const std::string path = absl::StrCat(kPath, "/", name);
      std::string bytes(files_->FileSize(path).value(), '\0');
      {
        const auto file = files_->OpenRandomAccess(path);
        CAMBIUM_ASSERT_OK(file);
        ReadRequest request;
        request.buffer = bytes.data();
        request.size = bytes.size();
        (*file)->Read({&request, 1});
        CAMBIUM_ASSERT_OK(request.status);
      }
      constexpr size_t kFooterSize = 128, kHandleOffset = 72;
      const char* const handle = bytes.data() + bytes.size() - kFooterSize + kHandleOffset;
      const size_t at = LoadFixed64(handle);
      if (LoadFixed32(handle + 8) == 0) continue;
      bytes[at + 6] = static_cast<char>(~bytes[at + 6]);
      CAMBIUM_ASSERT_OK(files_->Remove(path));
      const auto file = files_->CreateWritable(path);
      CAMBIUM_ASSERT_OK(file);
      CAMBIUM_ASSERT_OK((*file)->Append(bytes));
      CAMBIUM_ASSERT_OK((*file)->Close());
    }
  }

  uint64_t TableReads() const { return faults_->Calls(env::OperationKind::kRead); }
  uint64_t Files() const {
    uint64_t files = 0;
    for (const LevelStats& level : db_->GetStats().levels) files += level.files;
    return files;
  }

  std::shared_ptr<env::MemFileSystem> files_ = std::make_shared<env::MemFileSystem>();
  std::shared_ptr<env::FaultFileSystem> faults_ = std::make_shared<env::FaultFileSystem>(files_);
  Options options_;
  std::unique_ptr<DB> db_;
};

// What happens between two steps.
enum class Between { kNothing, kFlush, kCompact, kReopen };

class RangeDeletePlaces : public RangeDeleteTest,
                          public testing::WithParamInterface<std::tuple<Between, Between>> {
 protected:
  void Do(Between between) {
    if (between == Between::kFlush) {
      CAMBIUM_ASSERT_OK(db_->Flush());
    } else if (between == Between::kCompact) {
      CAMBIUM_ASSERT_OK(db_->CompactRange());
    } else if (between == Between::kReopen) {
      Open();
    }
  }
};

INSTANTIATE_TEST_SUITE_P(All, RangeDeletePlaces,
                         testing::Combine(testing::Values(Between::kNothing, Between::kFlush,
                                                          Between::kCompact, Between::kReopen),
                                          testing::Values(Between::kNothing, Between::kFlush,
                                                          Between::kCompact, Between::kReopen)));

TEST_P(RangeDeletePlaces, HideOlderKeysOfTheRangeAndNoOthers) {
  Open();
  for (const char* key : {"", "a", "b", "b\xff", "c", "d", "e"}) {
    CAMBIUM_ASSERT_OK(db_->Put(key, "old"));
  }
  Do(std::get<0>(GetParam()));
  CAMBIUM_ASSERT_OK(db_->DeleteRange("b", "d"));
  CAMBIUM_ASSERT_OK(db_->Put("c", "new"));
  CAMBIUM_ASSERT_OK(db_->Put("b2", "new"));
  Do(std::get<1>(GetParam()));
  const Contents expected = {{"", "old"},  {"a", "old"}, {"b2", "new"},
                             {"c", "new"}, {"d", "old"}, {"e", "old"}};
  EXPECT_EQ(Read(), expected);
  CAMBIUM_EXPECT_CODE(db_->Get("b"), kNotFound);
  CAMBIUM_EXPECT_CODE(db_->Get("b\xff"), kNotFound);
  const std::array<std::string_view, 4> keys = {"b", "c", "b\xff", "a"};
  std::array<PinnedValue, 4> values;
  std::array<absl::Status, 4> statuses;
  db_->MultiGet(keys, values, statuses);
  EXPECT_TRUE(absl::IsNotFound(statuses[0]) && absl::IsNotFound(statuses[2]));
  EXPECT_EQ(values[1].view(), "new");
  EXPECT_EQ(values[3].view(), "old");
  ReadOptions bounded;
  bounded.lower_bound = "b";
  bounded.upper_bound = "c";
  EXPECT_EQ(Keys(bounded), "b2 ");

  CAMBIUM_ASSERT_OK(db_->DeleteFrom("b3"));
  Do(std::get<1>(GetParam()));
  EXPECT_EQ(Keys(), " a b2 ");
  CAMBIUM_ASSERT_OK(db_->ClearColumnFamily(*db_->DefaultColumnFamily()));
  Do(std::get<1>(GetParam()));
  EXPECT_EQ(Keys(), "");
  CAMBIUM_ASSERT_OK(db_->Put("f", "last"));
  Do(std::get<0>(GetParam()));
  EXPECT_EQ(Keys(), "f ");
  CAMBIUM_EXPECT_OK(db_->Verify());
}

TEST_P(RangeDeletePlaces, SnapshotsAndIteratorsStillSeeTheKeys) {
  Open();
  if (std::get<1>(GetParam()) == Between::kReopen) return;  // no snapshot outlives it
  Put(1, 3);
  Do(std::get<0>(GetParam()));
  ReadOptions before;
  before.snapshot = db_->GetSnapshot();
  const auto it = db_->NewIterator();
  CAMBIUM_ASSERT_OK(db_->DeleteRange(Key(2), Key(9)));
  ReadOptions between;
  between.snapshot = db_->GetSnapshot();
  Put(2, 2, "new");
  CAMBIUM_ASSERT_OK(db_->DeleteRange("", Key(2)));
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(Keys(before), absl::StrCat(Key(1), " ", Key(2), " ", Key(3), " "));
    EXPECT_EQ(Keys(between), absl::StrCat(Key(1), " "));
    EXPECT_EQ(Read(), (Contents{{Key(2), "new"}}));
    it->Seek(Key(2));
    ASSERT_TRUE(it->Valid());
    EXPECT_EQ(it->value(), "v");
    Do(std::get<1>(GetParam()));
  }
}

TEST_F(RangeDeleteTest, AnEmptyRangeIsNoWrite) {
  Open();
  Put(1, 2);
  const uint64_t sequence = db_->GetStats().last_sequence;
  CAMBIUM_EXPECT_OK(db_->DeleteRange(Key(2), Key(2)));
  CAMBIUM_EXPECT_OK(db_->DeleteRange(Key(2), Key(1)));
  CAMBIUM_EXPECT_CODE(db_->DeleteRange(std::string(70'000, 'k'), "a"), kInvalidArgument);
  CAMBIUM_EXPECT_CODE(db_->DeleteRange("a", std::string(70'000, 'k')), kInvalidArgument);
  EXPECT_EQ(db_->GetStats().last_sequence, sequence);
  WriteBatch batch;
  batch.DeleteRange(Key(2), Key(1));
  CAMBIUM_EXPECT_OK(db_->Write(batch));
  EXPECT_EQ(Read().size(), 2u);
  batch.DeleteRange("a", std::string(70'000, 'k'));
  CAMBIUM_EXPECT_CODE(db_->Write(batch), kInvalidArgument);
}

TEST_F(RangeDeleteTest, AppliesInTheOrderOfABatch) {
  Open();
  Put(1, 5);
  WriteBatch batch;
  batch.Put(Key(6), "before");
  batch.DeleteRange(Key(2), Key(9));
  batch.Put(Key(3), "after");
  batch.DeleteFrom(Key(5));
  CAMBIUM_ASSERT_OK(db_->Write(batch));
  EXPECT_EQ(Read(), (Contents{{Key(1), "v"}, {Key(3), "after"}}));
  CAMBIUM_ASSERT_OK(db_->Flush());
  EXPECT_EQ(Read(), (Contents{{Key(1), "v"}, {Key(3), "after"}}));
}

TEST_F(RangeDeleteTest, FollowsTheOrderOfTheFamily) {
  Open();
  ColumnFamilyOptions reverse;
  reverse.comparator = &kReverse;
  auto family = db_->CreateColumnFamily("reverse", reverse);
  CAMBIUM_ASSERT_OK(family);
  for (const char* key : {"", "a", "b", "c", "d"}) {
    CAMBIUM_ASSERT_OK(db_->Put(**family, key, "v"));
    CAMBIUM_ASSERT_OK(db_->Put(key, "v"));
  }
  CAMBIUM_ASSERT_OK(db_->DeleteRange(**family, "a", "c"));  // empty in this order
  CAMBIUM_ASSERT_OK(db_->DeleteRange(**family, "c", "a"));
  EXPECT_EQ(Keys({}, family->get()), " a d ");
  CAMBIUM_ASSERT_OK(db_->Flush());
  EXPECT_EQ(Keys({}, family->get()), " a d ");
  CAMBIUM_ASSERT_OK(db_->DeleteFrom(**family, "b"));
  EXPECT_EQ(Keys({}, family->get()), "d ");
  CAMBIUM_ASSERT_OK(db_->Flush());
  EXPECT_EQ(Keys({}, family->get()), "d ");
  WriteBatch batch;
  batch.DeleteRange(**family, "z", "b");
  batch.DeleteFrom("b");
  CAMBIUM_ASSERT_OK(db_->Write(batch));
  EXPECT_EQ(Keys({}, family->get()), "");
  EXPECT_EQ(Keys(), " a ");
  CAMBIUM_ASSERT_OK(db_->Put(**family, "x", "v"));
  CAMBIUM_ASSERT_OK(db_->CompactRange(**family));
  CAMBIUM_ASSERT_OK(db_->ClearColumnFamily(**family));
  CAMBIUM_ASSERT_OK(db_->Put(**family, "y", "v"));
  CAMBIUM_ASSERT_OK(db_->CompactRange(**family));
  EXPECT_EQ(Keys({}, family->get()), "y ");
  EXPECT_EQ(Keys(), " a ") << "another family";
}

TEST_F(RangeDeleteTest, RefusesHandlesOfNoUse) {
  Open();
  auto family = db_->CreateColumnFamily("users");
  CAMBIUM_ASSERT_OK(family);
  Options other_options = options_;
  auto other = DB::Open(other_options, "other");
  CAMBIUM_ASSERT_OK(other);
  CAMBIUM_EXPECT_CODE((*other)->DeleteRange(**family, "a", "b"), kInvalidArgument);
  CAMBIUM_EXPECT_CODE((*other)->ClearColumnFamily(**family), kInvalidArgument);
  CAMBIUM_ASSERT_OK(db_->DropColumnFamily("users"));
  CAMBIUM_EXPECT_CODE(db_->DeleteRange(**family, "a", "b"), kFailedPrecondition);
  CAMBIUM_EXPECT_CODE(db_->DeleteRange(**family, "b", "a"), kFailedPrecondition);
  CAMBIUM_EXPECT_CODE(db_->DeleteFrom(**family, "a"), kFailedPrecondition);
  CAMBIUM_EXPECT_CODE(db_->ClearColumnFamily(**family), kFailedPrecondition);
}

TEST_F(RangeDeleteTest, SurvivesACrashIfItWasLogged) {
  Open();
  Put(1, 9);
  CAMBIUM_ASSERT_OK(db_->DeleteRange(Key(2), Key(4), {.sync = true}));
  CAMBIUM_ASSERT_OK(db_->DeleteFrom(Key(8), {.sync = true}));
  CAMBIUM_ASSERT_OK(db_->DeleteRange("", Key(9), {.sync = false, .disable_wal = true}));
  EXPECT_EQ(Keys(), "");
  const std::shared_ptr<env::MemFileSystem> image =
      files_->CrashClone(env::CrashPolicy::kSyncedOnly, 1);
  db_.reset();
  options_.file_system = image;
  const std::string expected =
      absl::StrCat(Key(1), " ", Key(4), " ", Key(5), " ", Key(6), " ", Key(7), " ");
  options_.read_only = true;
  Open();
  EXPECT_EQ(Keys(), expected);
  CAMBIUM_EXPECT_CODE(db_->DeleteRange("a", "b"), kFailedPrecondition);
  CAMBIUM_EXPECT_CODE(db_->ClearColumnFamily(*db_->DefaultColumnFamily()), kFailedPrecondition);
  options_.read_only = false;
  Open();
  EXPECT_EQ(Keys(), expected);
}

// A conditional write reads again if a range delete came in between.
TEST_F(RangeDeleteTest, IsAWriteOfEveryKeyForConditionalWrites) {
  Open();
  Put(1, 3);
  for (int way = 0; way < 3; ++way) {
    Put(2, 2);
    int calls = 0;
    std::optional<std::string> last;
    CAMBIUM_ASSERT_OK(db_->Update(Key(2), [&](std::optional<std::string_view> current) {
      last.reset();
      if (current.has_value()) last = std::string(*current);
      if (++calls == 1) {
        if (way == 0) {
          CAMBIUM_EXPECT_OK(db_->DeleteRange(Key(1), Key(3)));
        } else if (way == 1) {
          CAMBIUM_EXPECT_OK(db_->ClearColumnFamily(*db_->DefaultColumnFamily()));
        } else {
          WriteBatch batch;
          batch.DeleteFrom("");
          CAMBIUM_EXPECT_OK(db_->Write(batch));
        }
      }
      return std::optional<std::string>("updated");
    }));
    EXPECT_EQ(calls, 2) << way;
    EXPECT_FALSE(last.has_value()) << way;
    EXPECT_EQ(db_->Get(Key(2)).value(), "updated");
  }
  CAMBIUM_ASSERT_OK(db_->DeleteFrom(""));
  CAMBIUM_EXPECT_OK(db_->PutIfAbsent(Key(2), "v"));
  CAMBIUM_ASSERT_OK(db_->DeleteFrom(""));
  CAMBIUM_EXPECT_CODE(db_->CompareAndSet(Key(2), "v", "w"), kAborted);
  CAMBIUM_EXPECT_CODE(db_->GetAndDelete(Key(2)), kNotFound);
}

// A scan over deleted keys in tables seeks to the end of the range: it reads no block inside of it.
TEST_F(RangeDeleteTest, AScanReadsNoBlockOfTheRange) {
  options_.block_cache_size = 1;
  Open();
  const auto snapshot = db_->GetSnapshot();  // the files stay
  constexpr int kKeys = 60'000;
  FillTables(kKeys);
  ASSERT_GT(Files(), 20u);
  CAMBIUM_ASSERT_OK(db_->DeleteRange(Key(10), Key(kKeys - 10)));
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(Read().size(), 21u);  // opens the tables at the ends
    for (const bool forward : {true, false}) {
      const auto it = db_->NewIterator();
      const uint64_t before = TableReads();
      if (forward) {
        it->Seek(Key(11));
        ASSERT_TRUE(it->Valid());
        EXPECT_EQ(it->key(), Key(kKeys - 10));
      } else {
        it->SeekForPrev(Key(kKeys - 11));
        ASSERT_TRUE(it->Valid());
        EXPECT_EQ(it->key(), Key(9));
      }
      EXPECT_LE(TableReads() - before, 4u);
    }
    // The second time with the range tombstone in a table of level 0.
    CAMBIUM_ASSERT_OK(db_->Flush());
  }
  const uint64_t before = TableReads();
  CAMBIUM_EXPECT_CODE(db_->Get(Key(500)), kNotFound);
  EXPECT_LE(TableReads() - before, 4u) << "the table of the key is not opened";
}

// Keys and range tombstone in one memtable would have to be stepped over.
TEST_F(RangeDeleteTest, ARangeOfManyRecentKeysBeginsAMemtable) {
  options_.memory_budget = size_t{64} << 20;
  options_.memtable_size = size_t{8} << 20;
  Open();
  Put(0, 9'999);
  CAMBIUM_ASSERT_OK(db_->DeleteRange(Key(0), Key(100)));
  CAMBIUM_ASSERT_OK(db_->WaitForIdle());
  EXPECT_EQ(db_->GetStats().flushes, 0u) << "too few";
  CAMBIUM_ASSERT_OK(db_->DeleteRange(Key(0), Key(9'000)));
  EXPECT_EQ(Read().size(), 1'000u);
  CAMBIUM_ASSERT_OK(db_->WaitForIdle());
  EXPECT_EQ(db_->GetStats().flushes, 1u);
  EXPECT_EQ(Read().size(), 1'000u);
}

// Files that a range tombstone covers leave the tree unread.
TEST_F(RangeDeleteTest, CompactionDropsCoveredFilesWithoutReadingThem) {
  Open();
  constexpr int kKeys = 60'000;
  FillTables(kKeys);
  const uint64_t files = Files();
  ASSERT_GT(files, 20u);
  Open();  // closes the tables
  CAMBIUM_ASSERT_OK(db_->DeleteRange(Key(10), Key(kKeys - 10)));
  const uint64_t before = TableReads();
  CAMBIUM_ASSERT_OK(db_->CompactRange());
  EXPECT_LT(TableReads() - before, 60u) << "of " << files << " files";
  EXPECT_LE(Files(), 2u);
  EXPECT_EQ(Read().size(), 21u);
  CAMBIUM_EXPECT_OK(db_->Verify());
}

// Without CompactRange: a flush whose range tombstones cover larger files makes a compaction due.
TEST_F(RangeDeleteTest, SpaceIsFreedWithoutBeingAsked) {
  Open();
  FillTables(60'000);
  const uint64_t bytes = db_->GetStats().live_bytes_now;
  auto snapshot = db_->GetSnapshot();
  CAMBIUM_ASSERT_OK(db_->DeleteRange(Key(10), Key(50'000)));
  CAMBIUM_ASSERT_OK(db_->Flush());
  CAMBIUM_ASSERT_OK(db_->WaitForIdle());
  EXPECT_GE(db_->GetStats().live_bytes_now, bytes) << "a snapshot sees the keys";
  snapshot.reset();
  CAMBIUM_ASSERT_OK(db_->WaitForIdle());
  EXPECT_LT(db_->GetStats().live_bytes_now, bytes / 4);
  EXPECT_EQ(Read().size(), 10'011u);
}

TEST_F(RangeDeleteTest, CompactionKeepsCoveredFilesForSnapshots) {
  Open();
  FillTables(20'000);
  ReadOptions old;
  old.snapshot = db_->GetSnapshot();
  CAMBIUM_ASSERT_OK(db_->DeleteFrom(""));
  CAMBIUM_ASSERT_OK(db_->CompactRange());
  EXPECT_EQ(Read(old).size(), 20'001u);
  EXPECT_EQ(Keys(), "");
  old.snapshot.reset();
  CAMBIUM_ASSERT_OK(db_->CompactRange());
  EXPECT_EQ(Files(), 0u) << "nothing is left to hide, so no tombstone is, either";
}

// Small ranges that touch each other are skipped together.
TEST_F(RangeDeleteTest, AdjacentRangesAreOneForAScan) {
  options_.block_cache_size = 1;
  Open();
  FillTables(20'000);
  for (int i = 10; i < 19'990; i += 10) {
    CAMBIUM_ASSERT_OK(db_->DeleteRange(Key(i), Key(i + 10)));
  }
  EXPECT_EQ(Read().size(), 21u);
  const auto it = db_->NewIterator();
  const uint64_t before = TableReads();
  it->Seek(Key(11));
  ASSERT_TRUE(it->Valid());
  EXPECT_EQ(it->key(), Key(19'990));
  EXPECT_LE(TableReads() - before, 4u);
}

TEST_F(RangeDeleteTest, DamagedRangeTombstonesAreDataLoss) {
  Open();
  Put(1, 9);
  CAMBIUM_ASSERT_OK(db_->CompactRange());
  CAMBIUM_ASSERT_OK(db_->DeleteRange(Key(2), Key(4)));
  CAMBIUM_ASSERT_OK(db_->Flush());
  Open();  // closes the tables
  DamageRangeDeletes();
  const absl::Status got = db_->Get(Key(3)).status();
  CAMBIUM_EXPECT_CODE(got, kDataLoss);
  EXPECT_THAT(std::string(got.message()),
              testing::AllOf(testing::HasSubstr("range deletes"), testing::HasSubstr(".sst"),
                             testing::HasSubstr("offset")));
  const auto it = db_->NewIterator();
  it->SeekToFirst();
  EXPECT_FALSE(it->Valid());
  CAMBIUM_EXPECT_CODE(it->status(), kDataLoss);
  EXPECT_NE(db_->GetHealth().state, Health::State::kHealthy);
}

// Random writes of every kind, with operands, compared with a map, now and as of snapshots.
class RangeDeleteMerges : public RangeDeleteTest,
                          public testing::WithParamInterface<test::AppendOperator::Partial> {
 protected:
  static constexpr int kKeys = 40;

  void Write(std::mt19937* random) {
    const std::string key = Key(static_cast<int>((*random)() % kKeys));
    const std::string end = Key(static_cast<int>((*random)() % kKeys));
    const std::string value = absl::StrCat(++written_);
    const uint32_t draw = (*random)() % 100;
    if (draw < 30) {
      CAMBIUM_ASSERT_OK(db_->Put(key, value));
      model_[key] = value;
    } else if (draw < 40) {
      CAMBIUM_ASSERT_OK(db_->Delete(key));
      model_.erase(key);
    } else if (draw < 85) {
      CAMBIUM_ASSERT_OK(db_->Merge(key, value));
      const auto place = model_.find(key);
      model_[key] = place == model_.end() ? value : absl::StrCat(place->second, ",", value);
    } else if (draw < 98) {
      CAMBIUM_ASSERT_OK(db_->DeleteRange(key, end));
      if (key < end) model_.erase(model_.lower_bound(key), model_.lower_bound(end));
    } else {
      CAMBIUM_ASSERT_OK(db_->DeleteFrom(key));
      model_.erase(model_.lower_bound(key), model_.end());
    }
  }

  Contents model_;
  int written_ = 0;
};

INSTANTIATE_TEST_SUITE_P(All, RangeDeleteMerges,
                         testing::Values(test::AppendOperator::Partial::kNever,
                                         test::AppendOperator::Partial::kAlways));

TEST_P(RangeDeleteMerges, AreTheSameInEveryPlace) {
  options_.merge_operator = std::make_shared<test::AppendOperator>(GetParam());
  for (uint32_t seed = 1; seed <= 12; ++seed) {
    SCOPED_TRACE(seed);
    files_ = std::make_shared<env::MemFileSystem>();
    options_.file_system = files_;
    model_.clear();
    std::mt19937 random(seed);
    Open();
    std::vector<std::pair<ReadOptions, Contents>> held;
    for (int step = 0; step < 1500; ++step) {
      Write(&random);
      const uint32_t draw = random() % 1000;
      if (draw < 30) {
        CAMBIUM_ASSERT_OK(db_->Flush());
      } else if (draw < 45) {
        CAMBIUM_ASSERT_OK(db_->CompactRange(Key(static_cast<int>(random() % kKeys)), std::nullopt));
      } else if (draw < 60) {
        held.emplace_back(ReadOptions(), model_);
        held.back().first.snapshot = db_->GetSnapshot();
        if (held.size() > 3) held.erase(held.begin());
      } else if (draw < 65) {
        held.clear();
      } else if (draw < 68) {
        held.clear();
        Open();
      }
      if (draw >= 100) continue;
      ASSERT_EQ(Read(), model_) << "step " << step;
      for (const auto& [options, contents] : held) ASSERT_EQ(Read(options), contents);
      for (int i = 0; i < kKeys; ++i) {
        const auto value = db_->Get(Key(i));
        ASSERT_EQ(value.ok(), model_.contains(Key(i))) << value.status();
      }
    }
    held.clear();
  }
}

}  // namespace
}  // namespace cambium
