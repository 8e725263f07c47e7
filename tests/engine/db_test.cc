// The contract of every method of cambium::DB, on the memory file system with background work run
// inline: each test is a function of its text.
#include "cambium/db.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "env/testing/inline_executor.h"
#include "env/testing/mem_file_system.h"
#include "tests/support/status_test.h"

namespace cambium {
namespace {

using Contents = std::vector<std::pair<std::string, std::string>>;

constexpr char kPath[] = "db";
constexpr size_t kMaxKey = size_t{64} << 10;

Contents Forward(DB* db, const ReadOptions& options = {}) {
  Contents found;
  const auto it = db->NewIterator(options);
  for (it->SeekToFirst(); it->Valid(); it->Next()) found.emplace_back(it->key(), it->value());
  CAMBIUM_EXPECT_OK(it->status());
  return found;
}

Contents Backward(DB* db, const ReadOptions& options = {}) {
  Contents found;
  const auto it = db->NewIterator(options);
  for (it->SeekToLast(); it->Valid(); it->Prev()) found.emplace_back(it->key(), it->value());
  CAMBIUM_EXPECT_OK(it->status());
  std::reverse(found.begin(), found.end());
  return found;
}

std::string Key(int i) {
  std::string digits = absl::StrCat(i);
  return absl::StrCat("key", std::string(6 - digits.size(), '0'), digits);
}

// Bytes that zstd can't shrink to nothing.
std::string Noise(size_t size, uint64_t seed) {
  std::string bytes(size, '\0');
  uint64_t state = seed * 2 + 1;
  for (char& byte : bytes) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    byte = static_cast<char>(state >> 56);
  }
  return bytes;
}

// The bytewise order, turned round.
class Reverse final : public Comparator {
 public:
  int Compare(std::string_view a, std::string_view b) const override { return b.compare(a); }
  const char* Name() const override { return "test.reverse"; }
  bool EqualMeansIdentical() const override { return true; }
};

class DBTest : public testing::Test {
 protected:
  DBTest() {
    options_.file_system = files_;
    options_.executor = std::make_shared<env::InlineExecutor>(1);
    options_.memory_budget = size_t{4} << 20;
    options_.memtable_size = size_t{64} << 10;
    options_.target_file_size = uint64_t{64} << 10;
  }

  absl::Status TryOpen() {
    db_.reset();
    auto db = DB::Open(options_, kPath);
    if (db.ok()) db_ = *std::move(db);
    return db.status();
  }
  void Open() { CAMBIUM_ASSERT_OK(TryOpen()); }

  std::string Get(std::string_view key, const ReadOptions& options = {}) {
    const auto value = db_->Get(key, options);
    if (value.ok()) return *value;
    return absl::IsNotFound(value.status()) ? "(none)" : value.status().ToString();
  }

  // Name and content of each file of the database.
  std::map<std::string, std::string> Image() {
    std::map<std::string, std::string> image;
    const auto names = files_->ListDirectory(kPath);
    CAMBIUM_EXPECT_OK(names);
    for (const std::string& name : *names) {
      const auto file = files_->OpenRandomAccess(absl::StrCat(kPath, "/", name));
      CAMBIUM_EXPECT_OK(file);
      std::string bytes(*(*file)->Size(), '\0');
      ReadRequest request;
      request.buffer = bytes.data();
      request.size = bytes.size();
      (*file)->Read({&request, 1});
      CAMBIUM_EXPECT_OK(request.status);
      image[name] = bytes;
    }
    return image;
  }

  std::shared_ptr<env::MemFileSystem> files_ = std::make_shared<env::MemFileSystem>();
  Options options_;
  std::unique_ptr<DB> db_;
};

// --- Open ----------------------------------------------------------------------------------------

TEST_F(DBTest, OpenMakesAnEmptyDatabase) {
  Open();
  EXPECT_EQ(Forward(db_.get()), Contents{});
  EXPECT_EQ(Get("k"), "(none)");
  EXPECT_EQ(db_->GetHealth().state, Health::State::kHealthy);
}

TEST_F(DBTest, OpenMakesMissingParents) {
  auto db = DB::Open(options_, "a/b/c");
  CAMBIUM_ASSERT_OK(db);
  CAMBIUM_EXPECT_OK((*db)->Put("k", "v"));
}

TEST_F(DBTest, OpenRefusesAnEmptyPathAndANullComparator) {
  CAMBIUM_EXPECT_CODE(DB::Open(options_, ""), kInvalidArgument);
  options_.comparator = nullptr;
  CAMBIUM_EXPECT_CODE(DB::Open(options_, kPath), kInvalidArgument);
}

TEST_F(DBTest, OpenNamesTheOptionThatMakesNoSense) {
  const std::vector<std::pair<const char*, void (*)(Options*)>> nonsense = {
      {"background_threads", [](Options* o) { o->background_threads = -4; }},
      {"background_threads", [](Options* o) { o->background_threads = 1'000'000; }},
      {"compression_level", [](Options* o) { o->compression_level = 999; }},
      {"compression_level", [](Options* o) { o->compression_level = -1'000'000; }},
      {"compression", [](Options* o) { o->compression = static_cast<Compression>(7); }},
      {"filter_bits_per_key", [](Options* o) { o->filter_bits_per_key = -3; }},
      {"filter_bits_per_key", [](Options* o) { o->filter_bits_per_key = 1e9; }},
      {"filter_bits_per_key", [](Options* o) { o->filter_bits_per_key = std::nan(""); }},
      {"target_file_size", [](Options* o) { o->target_file_size = 0; }},
      {"target_file_size", [](Options* o) { o->target_file_size = ~uint64_t{0}; }},
      {"memory_budget", [](Options* o) { o->memory_budget = static_cast<size_t>(-1); }},
      {"memtable_size", [](Options* o) { o->memtable_size = static_cast<size_t>(-1); }},
      {"block_cache_size", [](Options* o) { o->block_cache_size = static_cast<size_t>(-1); }},
  };
  const Options good = options_;
  for (const auto& [name, spoil] : nonsense) {
    options_ = good;
    spoil(&options_);
    const absl::Status status = TryOpen();
    EXPECT_TRUE(test::HasCode(status, absl::StatusCode::kInvalidArgument)) << name;
    EXPECT_NE(status.ToString().find(absl::StrCat("Options::", name)), std::string::npos) << status;
    EXPECT_NE(status.ToString().find("expected"), std::string::npos) << status;
  }
  EXPECT_FALSE(*files_->Exists(kPath));
  options_ = good;
  options_.filter_bits_per_key = 0;
  options_.compression_level = -5;
  options_.target_file_size = 16 << 10;
  Open();
}

TEST_F(DBTest, OpenIsNotFoundWhereItMayNotCreate) {
  options_.create_if_missing = false;
  CAMBIUM_EXPECT_CODE(TryOpen(), kNotFound);
  EXPECT_FALSE(*files_->Exists(kPath));
  options_.create_if_missing = true;
  Open();
  options_.create_if_missing = false;
  Open();
}

TEST_F(DBTest, OpenIsAlreadyExistsWhereAskedTo) {
  options_.error_if_exists = true;
  Open();
  CAMBIUM_ASSERT_OK(db_->Put("k", "v"));
  CAMBIUM_EXPECT_CODE(TryOpen(), kAlreadyExists);
  options_.error_if_exists = false;
  Open();
  EXPECT_EQ(Get("k"), "v");
}

TEST_F(DBTest, SecondOpenIsRefusedAndTheFirstGoesOn) {
  Open();
  EXPECT_TRUE(IsLockHeld(DB::Open(options_, kPath).status()));
  CAMBIUM_EXPECT_OK(db_->Put("k", "v"));
  EXPECT_EQ(Get("k"), "v");
}

TEST_F(DBTest, ComparatorOfAnotherNameIsInvalidArgument) {
  Open();
  CAMBIUM_ASSERT_OK(db_->Put("k", "v"));
  const Reverse reverse;
  options_.comparator = &reverse;
  const absl::Status status = TryOpen();
  CAMBIUM_EXPECT_CODE(status, kInvalidArgument);
  EXPECT_NE(std::string(status.message()).find("test.reverse"), std::string::npos) << status;
}

TEST_F(DBTest, CustomComparatorOrdersEverything) {
  const Reverse reverse;
  options_.comparator = &reverse;
  Open();
  for (int i = 0; i < 500; ++i) CAMBIUM_ASSERT_OK(db_->Put(Key(i), Noise(300, i)));
  CAMBIUM_ASSERT_OK(db_->CompactRange());
  for (int i = 500; i < 600; ++i) CAMBIUM_ASSERT_OK(db_->Put(Key(i), Noise(300, i)));
  const Contents forward = Forward(db_.get());
  ASSERT_EQ(forward.size(), 600u);
  EXPECT_EQ(forward.front().first, Key(599));
  EXPECT_EQ(forward.back().first, Key(0));
  EXPECT_EQ(Backward(db_.get()), forward);
  EXPECT_EQ(Get(Key(123)), Noise(300, 123));
  db_.reset();
}

// --- Writes and reads ----------------------------------------------------------------------------

TEST_F(DBTest, PutGetDelete) {
  Open();
  CAMBIUM_ASSERT_OK(db_->Put("a", "1"));
  CAMBIUM_ASSERT_OK(db_->Put("b", "2"));
  CAMBIUM_ASSERT_OK(db_->Put("a", "3"));
  CAMBIUM_ASSERT_OK(db_->Delete("b"));
  CAMBIUM_ASSERT_OK(db_->Delete("never there"));
  EXPECT_EQ(Get("a"), "3");
  EXPECT_EQ(Get("b"), "(none)");
  Open();
  EXPECT_EQ(Forward(db_.get()), (Contents{{"a", "3"}}));
  CAMBIUM_ASSERT_OK(db_->Flush());
  EXPECT_EQ(Forward(db_.get()), (Contents{{"a", "3"}}));
}

TEST_F(DBTest, EmptyAndBinaryKeysAndValues) {
  Open();
  const std::string zeros("\0\0", 2);
  const Contents expected = {{"", ""}, {zeros, "\xff"}, {"\x01", zeros}, {"\xff\xff", "x"}};
  for (const auto& [key, value] : expected) CAMBIUM_ASSERT_OK(db_->Put(key, value));
  EXPECT_EQ(Forward(db_.get()), expected);
  CAMBIUM_ASSERT_OK(db_->CompactRange());
  EXPECT_EQ(Forward(db_.get()), expected);
  EXPECT_EQ(Backward(db_.get()), expected);
  EXPECT_EQ(Get(""), "");
  Open();
  EXPECT_EQ(Get(zeros), "\xff");
  CAMBIUM_ASSERT_OK(db_->Delete(""));
  EXPECT_EQ(Get(""), "(none)");
}

TEST_F(DBTest, KeysUpToTheLimit) {
  Open();
  const std::string longest(kMaxKey, 'k');
  const std::string too_long(kMaxKey + 1, 'k');
  CAMBIUM_ASSERT_OK(db_->Put(longest, "v"));
  CAMBIUM_EXPECT_CODE(db_->Put(too_long, "v"), kInvalidArgument);
  CAMBIUM_EXPECT_CODE(db_->Delete(too_long), kInvalidArgument);
  WriteBatch batch;
  batch.Put("other", "v");
  batch.Put(too_long, "v");
  CAMBIUM_EXPECT_CODE(db_->Write(batch), kInvalidArgument);
  EXPECT_EQ(Get("other"), "(none)");
  EXPECT_EQ(Get(too_long), "(none)");
  CAMBIUM_ASSERT_OK(db_->Flush());
  EXPECT_EQ(Get(longest), "v");
  EXPECT_EQ(db_->GetHealth().state, Health::State::kHealthy);
}

TEST_F(DBTest, ValueLargerThanAMemtable) {
  Open();
  const std::string large = Noise(size_t{3} << 20, 7);
  CAMBIUM_ASSERT_OK(db_->Put("large", large));
  CAMBIUM_ASSERT_OK(db_->Put("small", "s"));
  EXPECT_TRUE(Get("large") == large);
  CAMBIUM_ASSERT_OK(db_->CompactRange());
  EXPECT_TRUE(Get("large") == large);
  CAMBIUM_ASSERT_OK(db_->Put("large2", large));
  Open();
  EXPECT_TRUE(Get("large") == large);
  EXPECT_TRUE(Get("large2") == large);
  EXPECT_EQ(Get("small"), "s");
}

TEST_F(DBTest, BatchAppliesInOrderAndAsOne) {
  Open();
  WriteBatch batch;
  CAMBIUM_EXPECT_OK(db_->Write(batch));  // an empty one is fine
  batch.Put("a", "1");
  batch.Delete("a");
  batch.Put("b", "1");
  batch.Put("b", "2");
  batch.Delete("c");
  batch.Put("c", "3");
  CAMBIUM_ASSERT_OK(db_->Write(batch));
  const Contents expected = {{"b", "2"}, {"c", "3"}};
  EXPECT_EQ(Forward(db_.get()), expected);
  EXPECT_EQ(Get("a"), "(none)");
  Open();
  EXPECT_EQ(Forward(db_.get()), expected);
  CAMBIUM_ASSERT_OK(db_->CompactRange());
  EXPECT_EQ(Forward(db_.get()), expected);
}

TEST_F(DBTest, BatchLargerThanAMemtable) {
  Open();
  WriteBatch batch;
  for (int i = 0; i < 2000; ++i) batch.Put(Key(i), Noise(200, i));
  CAMBIUM_ASSERT_OK(db_->Write(batch));
  EXPECT_EQ(Forward(db_.get()).size(), 2000u);
  Open();
  EXPECT_EQ(Get(Key(1999)), Noise(200, 1999));
}

TEST_F(DBTest, SyncWithDisabledLogIsInvalidArgument) {
  Open();
  CAMBIUM_EXPECT_CODE(db_->Put("k", "v", {.sync = true, .disable_wal = true}), kInvalidArgument);
  EXPECT_EQ(Get("k"), "(none)");
}

TEST_F(DBTest, UnloggedWritesSurviveFlushAndClose) {
  Open();
  CAMBIUM_ASSERT_OK(db_->Put("a", "1", {.disable_wal = true}));
  CAMBIUM_ASSERT_OK(db_->Flush());
  EXPECT_EQ(Get("a"), "1");
  CAMBIUM_ASSERT_OK(db_->Put("b", "2", {.disable_wal = true}));
  CAMBIUM_ASSERT_OK(db_->Put("c", "3"));
  CAMBIUM_ASSERT_OK(db_->Close());
  Open();
  EXPECT_EQ(Forward(db_.get()), (Contents{{"a", "1"}, {"b", "2"}, {"c", "3"}}));
}

TEST_F(DBTest, UnloggedWritesAreLostInACrashAndNothingElseIs) {
  Open();
  CAMBIUM_ASSERT_OK(db_->Put("a", "1"));
  CAMBIUM_ASSERT_OK(db_->Put("b", "2", {.disable_wal = true}));
  CAMBIUM_ASSERT_OK(db_->Put("c", "3"));
  options_.file_system = files_->CrashClone(env::CrashPolicy::kEverything, 1);
  auto crashed = DB::Open(options_, kPath);
  CAMBIUM_ASSERT_OK(crashed);
  EXPECT_EQ(Forward(crashed->get()), (Contents{{"a", "1"}, {"c", "3"}}));
}

TEST_F(DBTest, SyncedWritesSurviveAPowerCut) {
  Open();
  CAMBIUM_ASSERT_OK(db_->Put("a", "1"));
  CAMBIUM_ASSERT_OK(db_->Put("b", "2", {.sync = true}));
  options_.file_system = files_->CrashClone(env::CrashPolicy::kSyncedOnly, 1);
  auto crashed = DB::Open(options_, kPath);
  CAMBIUM_ASSERT_OK(crashed);
  EXPECT_EQ(Forward(crashed->get()), (Contents{{"a", "1"}, {"b", "2"}}));
}

TEST_F(DBTest, CloseSyncsEverything) {
  Open();
  CAMBIUM_ASSERT_OK(db_->Put("a", "1"));
  CAMBIUM_ASSERT_OK(db_->Close());
  options_.file_system = files_->CrashClone(env::CrashPolicy::kSyncedOnly, 1);
  auto crashed = DB::Open(options_, kPath);
  CAMBIUM_ASSERT_OK(crashed);
  EXPECT_EQ(Forward(crashed->get()), (Contents{{"a", "1"}}));
}

TEST_F(DBTest, CloseIsIdempotentAndLetsAnotherIn) {
  Open();
  CAMBIUM_ASSERT_OK(db_->Put("a", "1"));
  CAMBIUM_EXPECT_OK(db_->Close());
  CAMBIUM_EXPECT_OK(db_->Close());
  db_.reset();
  Open();
  EXPECT_EQ(Get("a"), "1");
}

TEST_F(DBTest, WriteAfterCloseIsRefused) {
  Open();
  CAMBIUM_ASSERT_OK(db_->Put("a", "1"));
  CAMBIUM_ASSERT_OK(db_->Close());
  EXPECT_FALSE(db_->Put("a", "2").ok());
  EXPECT_FALSE(db_->Delete("a").ok());
  Open();
  EXPECT_EQ(Get("a"), "1");
}

TEST_F(DBTest, MultiGetTakesDuplicatesAndAnyOrder) {
  Open();
  for (int i = 0; i < 400; ++i) CAMBIUM_ASSERT_OK(db_->Put(Key(i), absl::StrCat(i)));
  CAMBIUM_ASSERT_OK(db_->Flush());
  CAMBIUM_ASSERT_OK(db_->Put(Key(7), "new"));
  CAMBIUM_ASSERT_OK(db_->Delete(Key(8)));
  const std::vector<std::string> wanted = {Key(300), Key(7), "zzz", Key(8), Key(7), "", Key(300)};
  const std::vector<std::string> answers = {"300", "new", "-", "-", "new", "-", "300"};
  const std::vector<std::string_view> keys(wanted.begin(), wanted.end());
  std::vector<PinnedValue> values(keys.size());
  std::vector<absl::Status> statuses(keys.size());
  db_->MultiGet(keys, values, statuses);
  for (size_t i = 0; i < keys.size(); ++i) {
    if (answers[i] == "-") {
      CAMBIUM_EXPECT_CODE(statuses[i], kNotFound) << i;
      EXPECT_EQ(values[i].view(), "");
    } else {
      CAMBIUM_EXPECT_OK(statuses[i]) << i;
      EXPECT_EQ(values[i].view(), answers[i]) << i;
    }
  }
  db_->MultiGet({}, {}, {});
  std::vector<absl::Status> fewer(2);
  db_->MultiGet(keys, values, fewer);
  CAMBIUM_EXPECT_CODE(fewer[0], kInvalidArgument);
}

// --- Snapshots, pins, iterators ------------------------------------------------------------------

TEST_F(DBTest, SnapshotSeesItsMomentThroughFlushAndCompaction) {
  Open();
  CAMBIUM_ASSERT_OK(db_->Put("a", "old"));
  CAMBIUM_ASSERT_OK(db_->Put("b", "old"));
  ReadOptions old;
  old.snapshot = db_->GetSnapshot();
  EXPECT_EQ(db_->GetStats().snapshots_now, 1u);
  CAMBIUM_ASSERT_OK(db_->Put("a", "new"));
  CAMBIUM_ASSERT_OK(db_->Delete("b"));
  CAMBIUM_ASSERT_OK(db_->Put("c", "new"));
  const Contents before = {{"a", "old"}, {"b", "old"}};
  const auto check = [&] {
    EXPECT_EQ(Forward(db_.get(), old), before);
    EXPECT_EQ(Backward(db_.get(), old), before);
    EXPECT_EQ(Get("b", old), "old");
    EXPECT_EQ(Get("c", old), "(none)");
    EXPECT_EQ(Forward(db_.get()), (Contents{{"a", "new"}, {"c", "new"}}));
  };
  check();
  CAMBIUM_ASSERT_OK(db_->Flush());
  check();
  CAMBIUM_ASSERT_OK(db_->CompactRange());
  check();
  const uint64_t sequence = old.snapshot->sequence();
  EXPECT_EQ(sequence, 2u);
  old.snapshot.reset();
  EXPECT_EQ(db_->GetStats().snapshots_now, 0u);
}

TEST_F(DBTest, SnapshotMayOutliveItsDatabase) {
  Open();
  CAMBIUM_ASSERT_OK(db_->Put("a", "1"));
  ReadOptions old;
  old.snapshot = db_->GetSnapshot();
  Open();
  EXPECT_EQ(old.snapshot->sequence(), 1u);
  CAMBIUM_EXPECT_CODE(db_->Get("a", old), kInvalidArgument);
  const auto it = db_->NewIterator(old);
  it->SeekToFirst();
  EXPECT_FALSE(it->Valid());
  CAMBIUM_EXPECT_CODE(it->status(), kInvalidArgument);
}

TEST_F(DBTest, PinnedValueSurvivesOverwriteFlushAndCompaction) {
  Open();
  const std::string large = Noise(20'000, 3);
  CAMBIUM_ASSERT_OK(db_->Put("k", large));
  PinnedValue from_memory;
  CAMBIUM_ASSERT_OK(db_->Get("k", &from_memory));
  CAMBIUM_ASSERT_OK(db_->Flush());
  PinnedValue from_table;
  CAMBIUM_ASSERT_OK(db_->Get("k", &from_table));
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 600; ++i) CAMBIUM_ASSERT_OK(db_->Put(Key(i), Noise(1000, i)));
    CAMBIUM_ASSERT_OK(db_->Delete("k"));
    CAMBIUM_ASSERT_OK(db_->CompactRange());
  }
  EXPECT_EQ(Get("k"), "(none)");
  EXPECT_TRUE(from_memory.view() == large);
  EXPECT_TRUE(from_table.view() == large);
  PinnedValue moved = std::move(from_table);
  EXPECT_TRUE(moved.view() == large);
  moved.Reset();
  EXPECT_EQ(moved.view(), "");
}

TEST_F(DBTest, IteratorKeepsItsViewAcrossCompaction) {
  Open();
  Contents expected;
  for (int i = 0; i < 3000; ++i) {
    CAMBIUM_ASSERT_OK(db_->Put(Key(i), "old"));
    expected.emplace_back(Key(i), "old");
  }
  const auto it = db_->NewIterator();
  it->SeekToFirst();
  Contents found;
  for (int i = 0; it->Valid(); it->Next(), ++i) {
    found.emplace_back(it->key(), it->value());
    if (i % 1000 != 5) continue;
    for (int k = 0; k < 3000; ++k) {
      CAMBIUM_ASSERT_OK(k % 2 == 0 ? db_->Delete(Key(k)) : db_->Put(Key(k), "new"));
    }
    CAMBIUM_ASSERT_OK(db_->CompactRange());
  }
  CAMBIUM_EXPECT_OK(it->status());
  EXPECT_EQ(found, expected);
  EXPECT_EQ(Forward(db_.get()).size(), 1500u);
}

TEST_F(DBTest, IteratorSeeksAndTurns) {
  Open();
  for (int i = 0; i < 10; i += 2) CAMBIUM_ASSERT_OK(db_->Put(Key(i), "t"));
  CAMBIUM_ASSERT_OK(db_->Flush());
  for (int i = 1; i < 10; i += 4) CAMBIUM_ASSERT_OK(db_->Put(Key(i), "m"));  // 1 5 9
  CAMBIUM_ASSERT_OK(db_->Delete(Key(4)));
  const auto it = db_->NewIterator();
  it->Seek(Key(3));
  ASSERT_TRUE(it->Valid());
  EXPECT_EQ(it->key(), Key(5));
  it->Prev();
  EXPECT_EQ(it->key(), Key(2));
  it->Prev();
  EXPECT_EQ(it->key(), Key(1));
  it->Next();
  EXPECT_EQ(it->key(), Key(2));
  it->SeekForPrev(Key(4));
  EXPECT_EQ(it->key(), Key(2));
  it->SeekForPrev(Key(5));
  EXPECT_EQ(it->key(), Key(5));
  it->Seek("z");
  EXPECT_FALSE(it->Valid());
  it->SeekForPrev("a");
  EXPECT_FALSE(it->Valid());
  CAMBIUM_EXPECT_OK(it->status());
  it->SeekToLast();
  EXPECT_EQ(it->key(), Key(9));
  it->Next();
  EXPECT_FALSE(it->Valid());
}

TEST_F(DBTest, IteratorStaysInsideItsBounds) {
  Open();
  for (int i = 0; i < 100; ++i) CAMBIUM_ASSERT_OK(db_->Put(Key(i), absl::StrCat(i)));
  for (int round = 0; round < 2; ++round) {
    ReadOptions bounded;
    bounded.lower_bound = Key(10);
    bounded.upper_bound = Key(20);
    const Contents found = Forward(db_.get(), bounded);
    ASSERT_EQ(found.size(), 10u);
    EXPECT_EQ(found.front().first, Key(10));
    EXPECT_EQ(found.back().first, Key(19));
    EXPECT_EQ(Backward(db_.get(), bounded), found);
    const auto it = db_->NewIterator(bounded);
    it->Seek(Key(3));
    EXPECT_EQ(it->key(), Key(10));
    it->SeekForPrev(Key(50));
    EXPECT_EQ(it->key(), Key(19));
    it->Seek(Key(20));
    EXPECT_FALSE(it->Valid());
    it->SeekForPrev(Key(9));
    EXPECT_FALSE(it->Valid());
    bounded.upper_bound = Key(5);
    EXPECT_EQ(Forward(db_.get(), bounded), Contents{});
    EXPECT_EQ(Backward(db_.get(), bounded), Contents{});
    CAMBIUM_ASSERT_OK(db_->CompactRange());
  }
}

// --- Upkeep --------------------------------------------------------------------------------------

TEST_F(DBTest, StatsCountReadsOfTablesAndSyncs) {
  Open();
  for (int i = 0; i < 1000; i += 2) CAMBIUM_ASSERT_OK(db_->Put(Key(i), Noise(100, i)));
  CAMBIUM_ASSERT_OK(db_->Put(Key(1000), "synced", {.sync = true}));
  CAMBIUM_ASSERT_OK(db_->Flush());
  const Stats before = db_->GetStats();
  EXPECT_EQ(before.log_syncs, 1u);
  EXPECT_EQ(before.sync_micros.count, 1u);
  for (int i = 0; i < 1000; i += 2) EXPECT_EQ(Get(Key(i)), Noise(100, i));
  for (int i = 1; i < 1000; i += 2) EXPECT_EQ(Get(Key(i)), "(none)");
  const Stats after = db_->GetStats();
  EXPECT_GT(after.filter_negatives - before.filter_negatives, 450u);
  const uint64_t misses = after.block_cache_misses - before.block_cache_misses;
  EXPECT_GT(misses, 0u);
  EXPECT_GE(after.block_bytes_read - before.block_bytes_read, 50'000u);
  // Each key that is there, and a few that the filter lets through.
  const uint64_t looked = after.block_cache_hits - before.block_cache_hits + misses;
  EXPECT_GE(looked, 500u);
  EXPECT_LT(looked, 550u);
}

TEST_F(DBTest, ReplacedTablesGoWithoutWaitingForOthers) {
  Open();
  for (int round = 0; round < 20; ++round) {
    for (int i = 0; i < 100; ++i) CAMBIUM_ASSERT_OK(db_->Put(Key(i), Noise(100, round)));
    CAMBIUM_ASSERT_OK(db_->Flush());
  }
  uint64_t live = 0;
  const Stats stats = db_->GetStats();
  for (const LevelStats& level : stats.levels) live += level.files;
  ASSERT_GT(stats.compactions, 0u);
  const auto names = files_->ListDirectory(kPath);
  CAMBIUM_ASSERT_OK(names);
  const auto tables = std::count_if(names->begin(), names->end(),
                                    [](const std::string& name) { return name.ends_with(".sst"); });
  EXPECT_EQ(static_cast<uint64_t>(tables), live);
}

// An error that the preparation meets would otherwise stop writes after WaitForIdle() has returned.
TEST_F(DBTest, WaitForIdleAlsoWaitsForThePreparationOfTheNextLogSegment) {
  options_.memtable_size = size_t{1} << 20;
  Open();
  const auto log_files = [this] {
    const std::map<std::string, std::string> image = Image();
    return std::count_if(image.begin(), image.end(),
                         [](const auto& file) { return file.first.ends_with(".log"); });
  };
  CAMBIUM_ASSERT_OK(db_->Put("k", Noise(200 << 10, 1)));  // the first segment has 256 KiB
  EXPECT_EQ(log_files(), 1);
  CAMBIUM_ASSERT_OK(db_->WaitForIdle());
  EXPECT_EQ(log_files(), 2);
}

TEST_F(DBTest, CompactRangeDropsTombstonesAndOldVersions) {
  Open();
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 1000; ++i) CAMBIUM_ASSERT_OK(db_->Put(Key(i), Noise(200, i)));
    CAMBIUM_ASSERT_OK(db_->Flush());
  }
  for (int i = 0; i < 1000; ++i) CAMBIUM_ASSERT_OK(db_->Delete(Key(i)));
  CAMBIUM_ASSERT_OK(db_->CompactRange());
  EXPECT_EQ(Forward(db_.get()), Contents{});
  CAMBIUM_ASSERT_OK(db_->WaitForIdle());
  const Stats stats = db_->GetStats();
  uint64_t entries = 0;
  for (const LevelStats& level : stats.levels) entries += level.entries;
  EXPECT_EQ(entries, 0u);
  EXPECT_EQ(stats.live_bytes_now, 0u);
  CAMBIUM_EXPECT_OK(db_->Verify());
}

TEST_F(DBTest, CompactRangeOfAPartLeavesTheRest) {
  Open();
  for (int i = 0; i < 2000; ++i) CAMBIUM_ASSERT_OK(db_->Put(Key(i), Noise(200, i)));
  CAMBIUM_ASSERT_OK(db_->CompactRange(Key(500), Key(600)));
  CAMBIUM_ASSERT_OK(db_->CompactRange({}, Key(100)));
  CAMBIUM_ASSERT_OK(db_->CompactRange(Key(1900), {}));
  CAMBIUM_ASSERT_OK(db_->CompactRange(Key(600), Key(500)));
  EXPECT_EQ(Forward(db_.get()).size(), 2000u);
  CAMBIUM_EXPECT_OK(db_->Verify());
}

// Runs above a quarantined one can only be merged among themselves, and keep the sequence numbers
// by which level 0 is ordered.
TEST_F(DBTest, Level0IsMergedAboveADamagedRun) {
  Open();
  const auto write_run = [this](int run) {
    CAMBIUM_ASSERT_OK(db_->Put(Key(0), Noise(100, run)));
    CAMBIUM_ASSERT_OK(db_->Put(Key(run), Noise(100, run)));
    CAMBIUM_ASSERT_OK(db_->Flush());
  };
  write_run(1);
  for (auto& [name, bytes] : Image()) {
    if (!name.ends_with(".sst")) continue;
    const std::string path = absl::StrCat(kPath, "/", name);
    bytes[10] = static_cast<char>(~bytes[10]);
    CAMBIUM_ASSERT_OK(files_->Remove(path));
    const auto file = files_->CreateWritable(path);
    CAMBIUM_ASSERT_OK(file);
    CAMBIUM_ASSERT_OK((*file)->Append(bytes));
    CAMBIUM_ASSERT_OK((*file)->Close());
  }
  for (int run = 2; run <= 12; ++run) write_run(run);
  CAMBIUM_ASSERT_OK(db_->WaitForIdle());
  EXPECT_EQ(db_->GetHealth().state, Health::State::kDamaged);
  EXPECT_LT(db_->GetStats().levels[0].runs, 6u);
  for (int run = 2; run <= 12; ++run) EXPECT_EQ(Get(Key(run)), Noise(100, run));
  EXPECT_EQ(Get(Key(0)), Noise(100, 12));
  CAMBIUM_EXPECT_CODE(db_->Get(Key(1)), kDataLoss);
}

TEST_F(DBTest, StatsAccountForEveryEntry) {
  Open();
  for (int i = 0; i < 8000; ++i) {
    CAMBIUM_ASSERT_OK(i % 5 == 4 ? db_->Delete(Key(i * 7 % 1500))
                                 : db_->Put(Key(i * 7 % 1500), Noise(100, i)));
  }
  CAMBIUM_ASSERT_OK(db_->CompactRange());
  CAMBIUM_ASSERT_OK(db_->WaitForIdle());
  const Stats stats = db_->GetStats();
  EXPECT_EQ(stats.keys_written, 8000u);
  EXPECT_EQ(stats.last_sequence, 8000u);
  EXPECT_GT(stats.flushes, 3u);
  EXPECT_GT(stats.compactions, 0u);
  EXPECT_GT(stats.log_bytes, 800'000u * 4 / 5);
  EXPECT_GT(stats.flush_bytes, 0u);
  EXPECT_EQ(stats.entries_in, stats.entries_out + stats.entries_shadowed +
                                  stats.tombstones_dropped + stats.entries_merged);
  EXPECT_EQ(Get(Key(1)), Get(Key(1)));
  EXPECT_EQ(db_->GetStats().gets, 2u);
}

TEST_F(DBTest, ApproximateSizeFollowsTheData) {
  Open();
  EXPECT_EQ(db_->ApproximateSize("", "z"), 0u);
  for (int i = 0; i < 2000; ++i) CAMBIUM_ASSERT_OK(db_->Put(Key(i), Noise(500, i)));
  CAMBIUM_ASSERT_OK(db_->CompactRange());
  const uint64_t all = db_->ApproximateSize("", "z");
  EXPECT_GE(all, 1'000'000u);
  EXPECT_LE(all, 1'200'000u);
  const uint64_t half = db_->ApproximateSize("", Key(1000));
  EXPECT_NEAR(static_cast<double>(half), static_cast<double>(all) / 2,
              static_cast<double>(all) / 10);
  EXPECT_EQ(db_->ApproximateSize("z", "zz"), 0u);
  EXPECT_EQ(db_->ApproximateSize(Key(9), Key(3)), 0u);
}

TEST_F(DBTest, PropertiesHaveTheirNames) {
  Open();
  CAMBIUM_ASSERT_OK(db_->Put("k", "v"));
  CAMBIUM_ASSERT_OK(db_->CompactRange());
  for (const char* name :
       {"cambium.levels", "cambium.stats", "cambium.version", "cambium.last-sequence",
        "cambium.num-files-at-level0", "cambium.approximate-memory-usage"}) {
    const auto value = db_->GetProperty(name);
    ASSERT_TRUE(value.has_value()) << name;
    EXPECT_FALSE(value->empty()) << name;
  }
  EXPECT_EQ(*db_->GetProperty("cambium.last-sequence"), "1");
  EXPECT_EQ(*db_->GetProperty("cambium.version"), Version());
  for (const char* name :
       {"", "cambium", "cambium.", "cambium.nothing", "levels", "cambium.num-files-at-level",
        "cambium.num-files-at-level99", "cambium.num-files-at-level1x"}) {
    EXPECT_FALSE(db_->GetProperty(name).has_value()) << name;
  }
}

TEST_F(DBTest, FlushOfNothingMakesNothing) {
  Open();
  CAMBIUM_ASSERT_OK(db_->Flush());
  CAMBIUM_ASSERT_OK(db_->CompactRange());
  CAMBIUM_ASSERT_OK(db_->WaitForIdle());
  EXPECT_EQ(db_->GetStats().live_bytes_now, 0u);
  EXPECT_EQ(db_->GetStats().flushes, 0u);
  CAMBIUM_EXPECT_OK(db_->Resume());
  CAMBIUM_EXPECT_OK(db_->Verify());
}

// --- Read-only -----------------------------------------------------------------------------------

TEST_F(DBTest, ReadOnlyChangesNothingOnDisk) {
  Open();
  for (int i = 0; i < 3000; ++i) CAMBIUM_ASSERT_OK(db_->Put(Key(i), Noise(100, i)));
  CAMBIUM_ASSERT_OK(db_->Delete(Key(5)));
  const Contents expected = Forward(db_.get());
  files_ = files_->CrashClone(env::CrashPolicy::kEverything, 1);
  db_.reset();
  options_.file_system = files_;
  const auto image = Image();
  options_.read_only = true;
  Open();
  auto second = DB::Open(options_, kPath);
  CAMBIUM_ASSERT_OK(second);
  EXPECT_EQ(Forward(db_.get()), expected);
  EXPECT_EQ(Backward(second->get()), expected);
  EXPECT_EQ(Get(Key(5)), "(none)");
  EXPECT_EQ(Get(Key(6)), Noise(100, 6));
  CAMBIUM_EXPECT_CODE(db_->Put("k", "v"), kFailedPrecondition);
  EXPECT_FALSE(IsLockHeld(db_->Put("k", "v")));
  CAMBIUM_EXPECT_CODE(db_->Delete("k"), kFailedPrecondition);
  CAMBIUM_EXPECT_CODE(db_->Write(WriteBatch()), kFailedPrecondition);
  CAMBIUM_EXPECT_CODE(db_->Flush(), kFailedPrecondition);
  CAMBIUM_EXPECT_CODE(db_->CompactRange(), kFailedPrecondition);
  CAMBIUM_EXPECT_OK(db_->WaitForIdle());
  CAMBIUM_EXPECT_OK(db_->Verify());
  options_.read_only = false;
  CAMBIUM_EXPECT_CODE(DB::Open(options_, kPath), kFailedPrecondition);
  CAMBIUM_EXPECT_OK(db_->Close());
  db_.reset();
  second->reset();
  EXPECT_EQ(Image(), image);
  Open();
  EXPECT_EQ(Forward(db_.get()), expected);
}

TEST_F(DBTest, ReadOnlyOfNothingIsNotFoundAndMakesNothing) {
  options_.read_only = true;
  CAMBIUM_EXPECT_CODE(TryOpen(), kNotFound);
  EXPECT_FALSE(*files_->Exists(kPath));
}

}  // namespace
}  // namespace cambium
