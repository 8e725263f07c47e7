// Column families: key spaces of their own over one log; created, dropped and renamed at any time.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "cambium/column_family.h"
#include "cambium/db.h"
#include "env/testing/fault_file_system.h"
#include "env/testing/inline_executor.h"
#include "env/testing/mem_file_system.h"
#include "tests/support/append_operator.h"
#include "tests/support/status_test.h"

namespace cambium {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Contents = std::map<std::string, std::string>;
using Family = std::shared_ptr<ColumnFamily>;

// The bytewise order, turned round.
class Backwards final : public Comparator {
 public:
  int Compare(std::string_view a, std::string_view b) const override { return b.compare(a); }
  const char* Name() const override { return "test.backwards"; }
  bool EqualMeansIdentical() const override { return true; }
};

std::string Key(int i) { return absl::StrCat("key", 10000 + i); }

class ColumnFamiliesTest : public testing::Test {
 protected:
  void SetUp() override {
    options_.memory_budget = size_t{4} << 20;
    options_.memtable_size = size_t{256} << 10;
    options_.target_file_size = uint64_t{64} << 10;
    options_.background_threads = 2;
    UseDisk(std::make_shared<env::MemFileSystem>());
    Open();
  }
  void UseDisk(std::shared_ptr<env::MemFileSystem> disk) {
    disk_ = std::move(disk);
    faults_ = std::make_shared<env::FaultFileSystem>(disk_);
    options_.file_system = faults_;
  }
  absl::Status TryOpen() {
    db_ = nullptr;
    auto db = DB::Open(options_, "db");
    if (db.ok()) db_ = *std::move(db);
    return db.status();
  }
  void Open() { CAMBIUM_ASSERT_OK(TryOpen()); }
  // The machine loses its power at this moment.
  void PowerCutAndOpen() {
    std::shared_ptr<env::MemFileSystem> image = disk_->CrashClone(env::CrashPolicy::kSyncedOnly, 1);
    db_ = nullptr;
    UseDisk(std::move(image));
    Open();
  }
  // The process is killed at this moment.
  void KillAndOpen() {
    std::shared_ptr<env::MemFileSystem> image = disk_->CrashClone(env::CrashPolicy::kEverything, 1);
    db_ = nullptr;
    UseDisk(std::move(image));
    Open();
  }

  Family Make(std::string_view name, const ColumnFamilyOptions& options = {}) {
    auto made = db_->CreateColumnFamily(name, options);
    CAMBIUM_EXPECT_OK(made);
    return made.ok() ? *made : nullptr;
  }
  Family Find(std::string_view name) {
    auto found = db_->GetColumnFamily(name);
    CAMBIUM_EXPECT_OK(found);
    return found.ok() ? *found : nullptr;
  }
  Contents Scan(const ColumnFamily& family, const ReadOptions& read = {}) {
    Contents contents;
    const auto it = db_->NewIterator(family, read);
    for (it->SeekToFirst(); it->Valid(); it->Next()) {
      contents.emplace(it->key(), it->value());
    }
    CAMBIUM_EXPECT_OK(it->status());
    return contents;
  }
  size_t FilesThatEndIn(std::string_view suffix) {
    const auto names = disk_->ListDirectory("db");
    CAMBIUM_EXPECT_OK(names);
    return static_cast<size_t>(std::count_if(
        names->begin(), names->end(), [&](const auto& name) { return name.ends_with(suffix); }));
  }

  Options options_;
  std::shared_ptr<env::MemFileSystem> disk_;
  std::shared_ptr<env::FaultFileSystem> faults_;
  std::unique_ptr<DB> db_;
};

TEST_F(ColumnFamiliesTest, AreKeySpacesOfTheirOwn) {
  const Family users = Make("users"), orders = Make("orders");
  CAMBIUM_ASSERT_OK(db_->Put("k", "default"));
  CAMBIUM_ASSERT_OK(db_->Put(*users, "k", "users"));
  CAMBIUM_ASSERT_OK(db_->Put(*orders, "k", "orders"));
  CAMBIUM_ASSERT_OK(db_->Put(*orders, "", ""));
  CAMBIUM_ASSERT_OK(db_->Delete(*db_->DefaultColumnFamily(), "k"));
  const auto expect = [&](const ColumnFamily& first, const ColumnFamily& second) {
    CAMBIUM_EXPECT_CODE(db_->Get("k"), kNotFound);
    EXPECT_EQ(Scan(first), (Contents{{"k", "users"}}));
    EXPECT_EQ(Scan(second), (Contents{{"", ""}, {"k", "orders"}}));
    const std::vector<std::string_view> keys = {"k", "none", ""};
    std::array<PinnedValue, 3> values;
    std::array<absl::Status, 3> statuses;
    db_->MultiGet(second, keys, values, statuses);
    EXPECT_EQ(values[0].view(), "orders");
    CAMBIUM_EXPECT_CODE(statuses[1], kNotFound);
    CAMBIUM_EXPECT_OK(statuses[2]);
  };
  expect(*users, *orders);
  CAMBIUM_ASSERT_OK(db_->Flush(*orders));
  expect(*users, *orders);
  CAMBIUM_ASSERT_OK(db_->CompactRange(*orders));
  EXPECT_GT(db_->ApproximateSize(*orders, "", "z"), 0u);
  EXPECT_EQ(db_->ApproximateSize(*users, "", "z"), 0u);
  expect(*users, *orders);
  for (int i = 0; i < 3; ++i) {
    Open();
    EXPECT_THAT(db_->ListColumnFamilies(), ElementsAre("default", "orders", "users"));
    const Family found = Find("users");
    EXPECT_EQ(found->name(), "users");
    EXPECT_EQ(found->id(), users->id());
    expect(*found, *Find("orders"));
  }
}

TEST_F(ColumnFamiliesTest, BatchIsAtomicAcrossFamilies) {
  const Family a = Make("a"), b = Make("b");
  WriteBatch batch;
  batch.Put(*b, "k", "1");
  batch.Put("k", "2");
  batch.Put(*a, "k", "3");
  batch.Delete(*b, "k");
  batch.Put(*b, "m", "4");
  CAMBIUM_ASSERT_OK(db_->Write(batch, {.sync = true}));
  for (const bool reopened : {false, true}) {
    if (reopened) PowerCutAndOpen();
    EXPECT_EQ(*db_->Get("k"), "2");
    EXPECT_EQ(Scan(*Find("a")), (Contents{{"k", "3"}}));
    EXPECT_EQ(Scan(*Find("b")), (Contents{{"m", "4"}}));
  }
}

TEST_F(ColumnFamiliesTest, ConditionalWritesKnowTheFamily) {
  const Family a = Make("a"), b = Make("b");
  CAMBIUM_ASSERT_OK(db_->Put(*b, "k", "in b"));
  CAMBIUM_EXPECT_OK(db_->PutIfAbsent(*a, "k", "in a"));
  CAMBIUM_EXPECT_CODE(db_->PutIfAbsent(*b, "k", "x"), kAlreadyExists);
  CAMBIUM_EXPECT_CODE(db_->Get("k"), kNotFound);
  CAMBIUM_EXPECT_CODE(db_->CompareAndSet(*a, "k", "in b", "x"), kAborted);
  CAMBIUM_EXPECT_OK(db_->CompareAndSet(*a, "k", "in a", "new"));
  CAMBIUM_EXPECT_OK(db_->Update(
      *b, "k", [](const auto& value) { return std::optional(std::string(*value) + "!"); }));
  EXPECT_EQ(*db_->Get(*a, "k"), "new");
  EXPECT_EQ(*db_->GetAndDelete(*b, "k"), "in b!");
  CAMBIUM_EXPECT_CODE(db_->GetAndDelete(*b, "k"), kNotFound);
  CAMBIUM_ASSERT_OK(db_->DropColumnFamily("a"));
  CAMBIUM_EXPECT_CODE(db_->PutIfAbsent(*a, "k", "x"), kFailedPrecondition);
  CAMBIUM_EXPECT_CODE(db_->CompareAndSet(*a, "k", std::nullopt, "x"), kFailedPrecondition);
}

TEST_F(ColumnFamiliesTest, NamesAreCheckedAndErrorsNameThem) {
  const Family one = Make("one");
  CAMBIUM_EXPECT_CODE(db_->CreateColumnFamily("one"), kAlreadyExists);
  CAMBIUM_EXPECT_CODE(db_->CreateColumnFamily("default"), kAlreadyExists);
  CAMBIUM_EXPECT_CODE(db_->CreateColumnFamily(""), kInvalidArgument);
  CAMBIUM_EXPECT_CODE(db_->CreateColumnFamily(std::string(1025, 'n')), kInvalidArgument);
  CAMBIUM_EXPECT_OK(db_->CreateColumnFamily(std::string(1024, '\0')));
  CAMBIUM_EXPECT_CODE(db_->GetColumnFamily("two"), kNotFound);
  EXPECT_THAT(db_->GetColumnFamily("two").status().ToString(), HasSubstr("\"two\""));
  CAMBIUM_EXPECT_CODE(db_->DropColumnFamily("two"), kNotFound);
  CAMBIUM_EXPECT_CODE(db_->DropColumnFamily("default"), kInvalidArgument);
  CAMBIUM_EXPECT_CODE(db_->RenameColumnFamily("default", "x"), kInvalidArgument);
  CAMBIUM_EXPECT_CODE(db_->RenameColumnFamily("two", "x"), kNotFound);
  CAMBIUM_EXPECT_CODE(db_->RenameColumnFamily("one", "default"), kAlreadyExists);
  ColumnFamilyOptions bad;
  bad.compression_level = 1000;
  const auto refused = db_->CreateColumnFamily("bad", bad);
  CAMBIUM_EXPECT_CODE(refused, kInvalidArgument);
  EXPECT_THAT(refused.status().ToString(), HasSubstr("ColumnFamilyOptions::compression_level"));
  options_.families["one"].comparator = nullptr;
  CAMBIUM_EXPECT_CODE(TryOpen(), kInvalidArgument);
}

TEST_F(ColumnFamiliesTest, RenamedFamilyKeepsItsIdItsDataAndItsHandles) {
  const Family old = Make("old");
  CAMBIUM_ASSERT_OK(db_->Put(*old, "k", "v"));
  CAMBIUM_ASSERT_OK(db_->RenameColumnFamily("old", "new"));
  CAMBIUM_EXPECT_CODE(db_->GetColumnFamily("old"), kNotFound);
  EXPECT_EQ(old->name(), "old");
  CAMBIUM_ASSERT_OK(db_->Put(*old, "k2", "v2"));
  Make("old");
  for (const bool reopened : {false, true}) {
    if (reopened) PowerCutAndOpen();
    EXPECT_THAT(db_->ListColumnFamilies(), ElementsAre("default", "new", "old"));
    if (!reopened) {
      EXPECT_EQ(Scan(*Find("new")), (Contents{{"k", "v"}, {"k2", "v2"}}));
    }
    EXPECT_EQ(Find("new")->id(), old->id());
    EXPECT_EQ(Scan(*Find("old")), (Contents{}));
  }
}

TEST_F(ColumnFamiliesTest, DroppedFamilyRefusesAndItsIdIsNeverUsedAgain) {
  const Family gone = Make("f");
  CAMBIUM_ASSERT_OK(db_->Put(*gone, "k", "v"));
  WriteBatch batch;
  batch.Put("in default", "v");
  batch.Put(*gone, "k", "v");
  CAMBIUM_ASSERT_OK(db_->DropColumnFamily("f"));
  const auto refused = [&](const absl::Status& status) {
    CAMBIUM_EXPECT_CODE(status, kFailedPrecondition);
    EXPECT_THAT(status.ToString(), HasSubstr("dropped"));
  };
  refused(db_->Put(*gone, "k", "v"));
  refused(db_->Delete(*gone, "k"));
  refused(db_->Get(*gone, "k").status());
  refused(db_->NewIterator(*gone)->status());
  refused(db_->Flush(*gone));
  refused(db_->CompactRange(*gone));
  refused(db_->Write(batch));
  CAMBIUM_EXPECT_CODE(db_->Get("in default"), kNotFound);
  std::array<PinnedValue, 1> values;
  std::array<absl::Status, 1> statuses;
  const std::vector<std::string_view> keys = {"k"};
  db_->MultiGet(*gone, keys, values, statuses);
  refused(statuses[0]);
  EXPECT_EQ(gone->name(), "f");

  const Family again = Make("f");
  EXPECT_GT(again->id(), gone->id());
  EXPECT_EQ(Scan(*again), Contents{});
  refused(db_->Get(*gone, "k").status());
  // The log still holds the write to the first one.
  KillAndOpen();
  EXPECT_EQ(Scan(*Find("f")), Contents{});
  CAMBIUM_ASSERT_OK(db_->DropColumnFamily("f"));
  KillAndOpen();
  KillAndOpen();  // the manifest no longer has the edits that created them
  EXPECT_GT(Make("f")->id(), again->id());
}

TEST_F(ColumnFamiliesTest, IteratorsAndOlderSnapshotsStillReadADroppedFamily) {
  Family family = Make("f");
  Contents expected;
  for (int i = 0; i < 3000; ++i) {
    expected[Key(i)] = std::string(100, 'a' + char(i % 26));
    CAMBIUM_ASSERT_OK(db_->Put(*family, Key(i), expected[Key(i)]));
    if (i == 1000) {
      CAMBIUM_ASSERT_OK(db_->CompactRange(*family));
    }
  }
  ReadOptions read;
  read.snapshot = db_->GetSnapshot();
  CAMBIUM_ASSERT_OK(db_->Put(*family, "later", "v"));
  CAMBIUM_ASSERT_OK(db_->WaitForIdle());
  ASSERT_GT(FilesThatEndIn(".sst"), 0u);
  CAMBIUM_ASSERT_OK(db_->DropColumnFamily("f"));
  EXPECT_EQ(Scan(*family, read), expected);
  EXPECT_EQ(*db_->Get(*family, Key(7), read), expected[Key(7)]);
  CAMBIUM_EXPECT_CODE(db_->Get(*family, "later", read), kNotFound);
  CAMBIUM_EXPECT_CODE(db_->Get(*family, Key(7)), kFailedPrecondition);
  auto it = db_->NewIterator(*family, read);
  read.snapshot = nullptr;
  CAMBIUM_EXPECT_CODE(db_->Get(*family, Key(7)), kFailedPrecondition);
  family = nullptr;
  size_t seen = 0;
  for (it->SeekToFirst(); it->Valid(); it->Next()) ++seen;
  EXPECT_EQ(seen, expected.size());
  it = nullptr;
  CAMBIUM_ASSERT_OK(db_->WaitForIdle());
  EXPECT_EQ(FilesThatEndIn(".sst"), 0u) << disk_->DebugString();
}

TEST_F(ColumnFamiliesTest, SpaceOfADroppedFamilyIsFreeWhenNothingNeedsIt) {
  const Family family = Make("f");
  const std::string value(1000, 'v');
  for (int i = 0; i < 1000; ++i) CAMBIUM_ASSERT_OK(db_->Put(*family, Key(i), value));
  CAMBIUM_ASSERT_OK(db_->Flush());
  CAMBIUM_ASSERT_OK(db_->WaitForIdle());
  ASSERT_GT(FilesThatEndIn(".sst"), 0u);
  CAMBIUM_ASSERT_OK(db_->DropColumnFamily("f"));
  EXPECT_EQ(FilesThatEndIn(".sst"), 0u) << "a handle alone keeps nothing";
  EXPECT_EQ(db_->GetStats().live_bytes_now, 0u);
}

TEST_F(ColumnFamiliesTest, FlushOfAFamilyThatIsDroppedMeanwhileIsDiscarded) {
  const Family family = Make("f");
  CAMBIUM_ASSERT_OK(db_->Put(*family, "k", "v"));
  std::atomic<bool> writing{false}, dropped{false};
  env::FaultRule pause;
  pause.kind = env::OperationKind::kCreate;
  pause.path_part = ".sst";
  pause.effect = env::Effect::kNone;
  pause.hook = [&](const env::Operation&) {
    writing = true;
    while (!dropped) std::this_thread::yield();
  };
  faults_->AddRule(pause);
  std::thread flusher([&] {
    const absl::Status flushed = db_->Flush(*family);
    EXPECT_TRUE(flushed.ok() || absl::IsFailedPrecondition(flushed)) << flushed;
  });
  while (!writing) std::this_thread::yield();
  CAMBIUM_EXPECT_OK(db_->DropColumnFamily("f"));
  dropped = true;
  flusher.join();
  CAMBIUM_ASSERT_OK(db_->WaitForIdle());
  EXPECT_EQ(db_->GetHealth().state, Health::State::kHealthy) << db_->GetHealth().cause;
  EXPECT_EQ(FilesThatEndIn(".sst"), 0u) << disk_->DebugString();
  CAMBIUM_ASSERT_OK(db_->Put("k", "v"));
  CAMBIUM_EXPECT_OK(db_->Flush());
}

TEST_F(ColumnFamiliesTest, HandleOfAnotherDatabaseIsInvalid) {
  auto other = DB::Open(options_, "other");
  CAMBIUM_ASSERT_OK(other);
  const auto foreign = (*other)->CreateColumnFamily("f");
  CAMBIUM_ASSERT_OK(foreign);
  const Family own = Make("f");
  CAMBIUM_EXPECT_CODE(db_->Put(**foreign, "k", "v"), kInvalidArgument);
  CAMBIUM_EXPECT_CODE(db_->Get(**foreign, "k"), kInvalidArgument);
  CAMBIUM_EXPECT_CODE(db_->NewIterator(**foreign)->status(), kInvalidArgument);
  WriteBatch batch;
  batch.Put(*own, "k", "v");
  batch.Put(**foreign, "k", "v");
  CAMBIUM_EXPECT_CODE(db_->Write(batch), kInvalidArgument);
  batch.Clear();
  batch.Put(*own, "k", "v");
  CAMBIUM_EXPECT_OK(db_->Write(batch));
  // A handle may outlive its database; a new one at the same place does not accept it.
  Open();
  CAMBIUM_EXPECT_CODE(db_->Put(*own, "k", "v"), kInvalidArgument);
  other->reset();
  EXPECT_EQ((*foreign)->name(), "f");
}

TEST_F(ColumnFamiliesTest, HandlesOutliveTheirDatabase) {
  const Family open = Make("open");
  const Family dropped = Make("dropped");
  CAMBIUM_ASSERT_OK(db_->Put(*open, "k", "v"));
  CAMBIUM_ASSERT_OK(db_->Put(*dropped, "k", "v"));
  CAMBIUM_ASSERT_OK(db_->Flush());
  CAMBIUM_ASSERT_OK(db_->DropColumnFamily("dropped"));
  CAMBIUM_ASSERT_OK(db_->Close());
  CAMBIUM_EXPECT_CODE(db_->Put(*open, "k", "v"), kFailedPrecondition);
  CAMBIUM_EXPECT_CODE(db_->CreateColumnFamily("x"), kFailedPrecondition);
  EXPECT_TRUE(db_->ListColumnFamilies().empty());
  db_ = nullptr;
  EXPECT_EQ(open->name(), "open");
  EXPECT_EQ(dropped->name(), "dropped");
}

// A family with its own comparator and merge operator; a program that does not know them can use
// all other families, and loses nothing.
TEST_F(ColumnFamiliesTest, FamilyWhoseComparatorIsMissingIsRefusedAndKept) {
  static const Backwards backwards;
  ColumnFamilyOptions own;
  own.comparator = &backwards;
  own.merge_operator = std::make_shared<test::AppendOperator>();
  {
    const Family family = Make("backwards", own);
    for (int i = 0; i < 500; ++i) {
      CAMBIUM_ASSERT_OK(db_->Put(*family, Key(i), std::string(300, 'v')));
      if (i % 100 == 0) {
        CAMBIUM_ASSERT_OK(db_->Flush(*family));
      }
    }
    CAMBIUM_ASSERT_OK(db_->CompactRange(*family, Key(200), Key(100)));
    CAMBIUM_ASSERT_OK(db_->Merge(*family, Key(1), "operand"));
    CAMBIUM_ASSERT_OK(db_->Put("k", "v"));
  }
  // Its last writes are in the log only. The programs without the comparator write a lot.
  for (int round = 0; round < 3; ++round) {
    KillAndOpen();
    const Family unknown = Find("backwards");
    const auto refused = [&](const absl::Status& status) {
      CAMBIUM_EXPECT_CODE(status, kFailedPrecondition);
      EXPECT_THAT(status.ToString(), HasSubstr("test.backwards"));
      EXPECT_THAT(status.ToString(), HasSubstr("\"backwards\""));
    };
    refused(db_->Get(*unknown, "k").status());
    refused(db_->Put(*unknown, "k", "v"));
    refused(db_->Merge(*unknown, "k", "v"));
    refused(db_->NewIterator(*unknown)->status());
    refused(db_->CompactRange(*unknown));
    refused(db_->Verify());
    EXPECT_EQ(*db_->Get("k"), "v");
    for (int i = 0; i < 4000; ++i) CAMBIUM_ASSERT_OK(db_->Put(Key(i), std::string(500, 'w')));
    CAMBIUM_ASSERT_OK(db_->CompactRange());
    CAMBIUM_ASSERT_OK(db_->WaitForIdle());
    if (round == 1) {
      CAMBIUM_ASSERT_OK(db_->Close());
    }
  }
  options_.families["backwards"] = own;
  options_.families["unknown"] = own;  // ignored
  KillAndOpen();
  const Family family = Find("backwards");
  EXPECT_EQ(Scan(*family).size(), 500u);
  const auto it = db_->NewIterator(*family);
  it->SeekToFirst();
  ASSERT_TRUE(it->Valid());
  EXPECT_EQ(it->key(), Key(499));
  EXPECT_EQ(*db_->Get(*family, Key(1)), std::string(300, 'v') + ",operand");
  CAMBIUM_EXPECT_OK(db_->Verify());
}

TEST_F(ColumnFamiliesTest, OtherComparatorThanTheStoredOneIsNamed) {
  static const Backwards backwards;
  Make("f");
  options_.families["f"].comparator = &backwards;
  Open();
  const absl::Status status = db_->Get(*Find("f"), "k").status();
  CAMBIUM_EXPECT_CODE(status, kFailedPrecondition);
  EXPECT_THAT(status.ToString(), HasSubstr(BytewiseComparator()->Name()));
  EXPECT_THAT(status.ToString(), HasSubstr("test.backwards"));
}

TEST_F(ColumnFamiliesTest, OptionsOfDefaultMayBeGivenLikeThoseOfOthers) {
  options_.families["default"].merge_operator = std::make_shared<test::AppendOperator>();
  Open();
  CAMBIUM_ASSERT_OK(db_->Merge("k", "a"));
  CAMBIUM_ASSERT_OK(db_->Merge(*db_->DefaultColumnFamily(), "k", "b"));
  EXPECT_EQ(*db_->Get("k"), "a,b");
  CAMBIUM_EXPECT_CODE(db_->Merge(*Make("f"), "k", "a"), kFailedPrecondition);
}

// An edit of the manifest that fails leaves the set of families as it was.
TEST_F(ColumnFamiliesTest, FailedChangesChangeNothing) {
  Make("f");
  const std::vector<std::function<absl::Status()>> changes = {
      [&] { return db_->CreateColumnFamily("new").status(); },
      [&] { return db_->DropColumnFamily("f"); },
      [&] { return db_->RenameColumnFamily("f", "g"); }};
  for (const auto& change : changes) {
    env::FaultRule rule;
    rule.kind = env::OperationKind::kSync;
    rule.path_part = "MANIFEST";
    faults_->AddRule(rule);
    EXPECT_FALSE(change().ok());
    CAMBIUM_ASSERT_OK(db_->Resume());
    EXPECT_THAT(db_->ListColumnFamilies(), ElementsAre("default", "f"));
    CAMBIUM_EXPECT_OK(db_->Put(*Find("f"), "k", "v"));
    KillAndOpen();
    EXPECT_THAT(db_->ListColumnFamilies(), ElementsAre("default", "f"));
    EXPECT_EQ(*db_->Get(*Find("f"), "k"), "v");
  }
}

// The contents of all families, by name.
using Everything = std::map<std::string, Contents>;

// Steps that change families and, in batches, their contents. Each is durable when it returns.
class FamilyStepsTest : public ColumnFamiliesTest {
 protected:
  void Step(const std::function<absl::Status(Everything*)>& action) {
    Everything next = states_.back();
    CAMBIUM_ASSERT_OK(action(&next));
    states_.push_back(std::move(next));
  }
  void Create(const std::string& name) {
    Step([&](Everything* next) {
      (*next)[name] = {};
      return db_->CreateColumnFamily(name).status();
    });
  }
  void Drop(const std::string& name) {
    Step([&](Everything* next) {
      next->erase(name);
      return db_->DropColumnFamily(name);
    });
  }
  void Rename(const std::string& from, const std::string& to) {
    Step([&](Everything* next) {
      (*next)[to] = std::exchange((*next)[from], {});
      next->erase(from);
      return db_->RenameColumnFamily(from, to);
    });
  }
  void Write(const std::vector<std::string>& names) {
    Step([&](Everything* next) {
      WriteBatch batch;
      const std::string value = absl::StrCat("step ", states_.size());
      for (const std::string& name : names) {
        for (const std::string& key : {std::string("k"), value}) {
          batch.Put(*Find(name), key, value);
          (*next)[name][key] = value;
        }
      }
      return db_->Write(batch, {.sync = true});
    });
  }
  void RunAll() {
    Create("a");
    Write({"default", "a"});
    Create("b");
    Write({"b", "a"});
    Step([&](Everything*) { return db_->Flush(); });
    Rename("a", "c");
    Write({"b", "c", "default"});
    Drop("b");
    Write({"default"});
    Create("b");
    Create("a");
    Write({"a", "b", "c"});
    Step([&](Everything*) { return db_->CompactRange(*Find("c")); });
    Drop("c");
    Rename("b", "c");
    Write({"a", "c"});
    Drop("a");
    Drop("c");
  }

  std::vector<Everything> states_ = {{{"default", {}}}};  // before each step, and at the end
};

// What is found is the state before or after the step in which the power was cut.
TEST_F(FamilyStepsTest, PowerCutAtAnyOperationFindsTheStateBeforeOrAfterAStep) {
  struct Cut {
    std::shared_ptr<env::MemFileSystem> image;
    size_t step;
  };
  options_.executor = std::make_shared<env::InlineExecutor>(1);
  Open();
  std::vector<Cut> cuts;
  faults_->SetObserver([&](const env::Operation&) {
    for (const env::CrashPolicy policy :
         {env::CrashPolicy::kSyncedOnly, env::CrashPolicy::kPrefix,
          env::CrashPolicy::kRandomEntries, env::CrashPolicy::kGarbageTail,
          env::CrashPolicy::kEverything}) {
      cuts.push_back({disk_->CrashClone(policy, cuts.size()), states_.size() - 1});
    }
  });
  RunAll();
  faults_->SetObserver(nullptr);
  db_ = nullptr;
  ASSERT_EQ(states_.size(), 19u);
  ASSERT_GT(cuts.size(), 400u);
  for (const Cut& cut : cuts) {
    UseDisk(cut.image);
    Open();
    Everything found;
    for (const std::string& name : db_->ListColumnFamilies()) found[name] = Scan(*Find(name));
    const Everything& after = states_[std::min(cut.step + 1, states_.size() - 1)];
    ASSERT_TRUE(found == states_[cut.step] || found == after)
        << "step " << cut.step << ": " << testing::PrintToString(found);
    CAMBIUM_ASSERT_OK(db_->Verify());
  }
}

TEST_F(ColumnFamiliesTest, TenThousandAreFineAndAnIdleOneHoldsNothingBack) {
#if defined(__SANITIZE_THREAD__)
  constexpr int kFamilies = 1000;  // each flush looks at all of them
#else
  constexpr int kFamilies = 10'000;
#endif
  const auto micros = [start = std::chrono::steady_clock::now()] {
    return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() -
                                                                 start)
        .count();
  };
  std::vector<Family> families;
  for (int i = 0; i < kFamilies; ++i) families.push_back(Make(absl::StrCat("family", i)));
  const auto made = micros();
  for (int i = 0; i < kFamilies; i += 100) {
    CAMBIUM_ASSERT_OK(db_->Put(*families[static_cast<size_t>(i)], "k", absl::StrCat(i)));
  }
  const std::string value(1000, 'v');
  for (int i = 0; i < 3000; ++i) CAMBIUM_ASSERT_OK(db_->Put(*families[1], Key(i), value));
  families.clear();
  CAMBIUM_ASSERT_OK(db_->Close());
  const auto closed = micros();
  Open();
  const auto opened = micros();
  EXPECT_EQ(db_->ListColumnFamilies().size(), kFamilies + 1u);
  for (int i = 0; i < kFamilies; i += 100) {
    EXPECT_EQ(*db_->Get(*Find(absl::StrCat("family", i)), "k"), absl::StrCat(i));
  }
  RecordProperty("create_ms", static_cast<int>(made));
  RecordProperty("open_ms", static_cast<int>(opened - closed));
  std::printf("created in %d ms, opened in %d ms\n", static_cast<int>(made),
              static_cast<int>(opened - closed));
}

// Threads create, write, read, flush and drop families while others do the same.
TEST_F(ColumnFamiliesTest, ManyThreadsMakeAndDropFamilies) {
  std::vector<std::thread> threads;
  std::atomic<int> dropped{0};
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      std::mt19937 random(static_cast<uint32_t>(t));
      for (int round = 0; round < 40; ++round) {
        const std::string name = absl::StrCat("t", t, "r", round);
        const Family family = Make(name);
        ASSERT_NE(family, nullptr);
        Contents expected;
        for (int i = 0; i < 200; ++i) {
          const std::string key = Key(static_cast<int>(random() % 100));
          WriteBatch batch;
          batch.Put(*family, key, std::string(500, 'a' + char(i % 26)));
          batch.Put(absl::StrCat(t), absl::StrCat(round, " ", i));
          CAMBIUM_ASSERT_OK(db_->Write(batch));
          expected[key] = std::string(500, 'a' + char(i % 26));
        }
        if (round % 3 == 0) {
          CAMBIUM_ASSERT_OK(db_->Flush(*family));
        }
        EXPECT_EQ(Scan(*family), expected);
        const std::string new_name = name + "n";
        if (round % 4 == 1) {
          CAMBIUM_ASSERT_OK(db_->RenameColumnFamily(name, new_name));
        }
        if (round % 2 == 1) {
          CAMBIUM_ASSERT_OK(db_->DropColumnFamily(round % 4 == 1 ? new_name : name));
          CAMBIUM_EXPECT_CODE(db_->Put(*family, "k", "v"), kFailedPrecondition);
          ++dropped;
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(dropped, 80);
  EXPECT_EQ(db_->GetHealth().state, Health::State::kHealthy) << db_->GetHealth().cause;
  EXPECT_EQ(db_->ListColumnFamilies().size(), 81u);
  CAMBIUM_EXPECT_OK(db_->Verify());
  KillAndOpen();
  EXPECT_EQ(db_->ListColumnFamilies().size(), 81u);
  for (int t = 0; t < 4; ++t) EXPECT_EQ(*db_->Get(absl::StrCat(t)), "39 199");
}

// A writer whose family is dropped under it is refused or done; the others are not disturbed.
TEST_F(ColumnFamiliesTest, DropWhileOthersWriteToTheFamily) {
  for (int round = 0; round < 20; ++round) {
    const Family family = Make("f");
    std::atomic<int> refused{0};
    std::vector<std::thread> writers;
    for (int t = 0; t < 3; ++t) {
      writers.emplace_back([&, t] {
        for (int i = 0;; ++i) {
          const absl::Status status =
              db_->Put(*family, absl::StrCat(t, " ", i), std::string(2000, 'v'));
          if (status.ok()) continue;
          CAMBIUM_EXPECT_CODE(status, kFailedPrecondition);
          ++refused;
          return;
        }
      });
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(round));
    CAMBIUM_EXPECT_OK(db_->DropColumnFamily("f"));
    for (std::thread& writer : writers) writer.join();
    EXPECT_EQ(refused, 3);
    CAMBIUM_EXPECT_OK(db_->Put("k", absl::StrCat(round)));
  }
  CAMBIUM_ASSERT_OK(db_->WaitForIdle());
  EXPECT_EQ(db_->GetHealth().state, Health::State::kHealthy) << db_->GetHealth().cause;
  size_t live = 0;  // of the default family
  for (const LevelStats& level : db_->GetStats().levels) live += level.files;
  EXPECT_EQ(FilesThatEndIn(".sst"), live) << disk_->DebugString();
}

}  // namespace
}  // namespace cambium
