// What transactions are isolated from: each anomaly by its name in Elle (Kingsbury and Alvaro,
// "Elle: Inferring Isolation Anomalies", 2020) and Adya's thesis, for both levels and both kinds.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "cambium/db.h"
#include "env/testing/mem_file_system.h"
#include "tests/support/status_test.h"

namespace cambium {
namespace {

using ::testing::HasSubstr;
using Level = std::tuple<Isolation, Concurrency>;

class IsolationTest : public testing::TestWithParam<Level> {
 protected:
  void SetUp() override {
    Options options;
    options.memory_budget = size_t{4} << 20;
    options.memtable_size = size_t{256} << 10;
    options.target_file_size = uint64_t{64} << 10;
    options.background_threads = 2;
    options.file_system = std::make_shared<env::MemFileSystem>();
    auto db = DB::Open(options, "db");
    CAMBIUM_ASSERT_OK(db);
    db_ = *std::move(db);
    CAMBIUM_ASSERT_OK(db_->Put("x", "0"));
    CAMBIUM_ASSERT_OK(db_->Put("y", "0"));
  }
  TransactionOptions How() const {
    return {.isolation = std::get<0>(GetParam()),
            .concurrency = std::get<1>(GetParam()),
            .lock_timeout = std::chrono::milliseconds(5)};
  }
  std::unique_ptr<Transaction> Begin() { return db_->BeginTransaction(How()); }
  bool serializable() const { return std::get<0>(GetParam()) == Isolation::kSerializable; }
  bool pessimistic() const { return std::get<1>(GetParam()) == Concurrency::kPessimistic; }
  static std::string Read(Transaction* t, std::string_view key) {
    return t->Get(key).value_or("none");
  }

  std::unique_ptr<DB> db_;
};

INSTANTIATE_TEST_SUITE_P(
    , IsolationTest,
    testing::Combine(testing::Values(Isolation::kSnapshot, Isolation::kSerializable),
                     testing::Values(Concurrency::kOptimistic, Concurrency::kPessimistic)),
    [](const auto& param_info) {
      return absl::StrCat(
          std::get<0>(param_info.param) == Isolation::kSnapshot ? "Snapshot" : "Serializable",
          std::get<1>(param_info.param) == Concurrency::kOptimistic ? "Optimistic" : "Pessimistic");
    });

TEST_P(IsolationTest, G0DirtyWrite) {
  const auto first = Begin(), second = Begin();
  CAMBIUM_ASSERT_OK(first->Put("x", "1"));
  const absl::Status late = second->Put("x", "2");
  if (pessimistic()) {
    CAMBIUM_EXPECT_CODE(late, kDeadlineExceeded);
    CAMBIUM_EXPECT_OK(second->Put("z", "2")) << "it remains usable";
  } else {
    CAMBIUM_EXPECT_OK(late);
  }
  CAMBIUM_ASSERT_OK(first->Put("y", "1"));
  CAMBIUM_EXPECT_OK(first->Commit());
  if (!pessimistic()) {
    CAMBIUM_EXPECT_CODE(second->Commit(), kAborted);
  }
  EXPECT_EQ(*db_->Get("x"), "1");
  EXPECT_EQ(*db_->Get("y"), "1");
}

TEST_P(IsolationTest, G1aAbortedRead) {
  const auto writer = Begin(), reader = Begin();
  CAMBIUM_ASSERT_OK(writer->Put("x", "1"));
  EXPECT_EQ(Read(reader.get(), "x"), "0");
  EXPECT_EQ(*db_->Get("x"), "0");
  writer->Rollback();
  EXPECT_EQ(Read(reader.get(), "x"), "0");
  CAMBIUM_EXPECT_OK(reader->Commit());
}

TEST_P(IsolationTest, G1bIntermediateRead) {
  const auto writer = Begin();
  CAMBIUM_ASSERT_OK(writer->Put("x", "1"));
  EXPECT_EQ(*db_->Get("x"), "0");
  CAMBIUM_ASSERT_OK(writer->Put("x", "2"));
  CAMBIUM_EXPECT_OK(writer->Commit());
  EXPECT_EQ(Read(Begin().get(), "x"), "2");
}

TEST_P(IsolationTest, G1cCyclicInformationFlow) {
  const auto first = Begin(), second = Begin();
  CAMBIUM_ASSERT_OK(first->Put("x", "1"));
  CAMBIUM_ASSERT_OK(second->Put("y", "1"));
  EXPECT_EQ(Read(first.get(), "y"), "0");
  EXPECT_EQ(Read(second.get(), "x"), "0");
}

TEST_P(IsolationTest, GSingleReadSkew) {
  const auto reader = Begin();
  EXPECT_EQ(Read(reader.get(), "x"), "0");
  const auto writer = Begin();
  CAMBIUM_ASSERT_OK(writer->Put("x", "1"));
  CAMBIUM_ASSERT_OK(writer->Put("y", "1"));
  CAMBIUM_ASSERT_OK(writer->Commit());
  EXPECT_EQ(Read(reader.get(), "y"), "0");
  CAMBIUM_EXPECT_OK(reader->Commit()) << "it wrote nothing, so it takes effect at its begin";
}

TEST_P(IsolationTest, LostUpdate) {
  const auto first = Begin(), second = Begin();
  EXPECT_EQ(Read(first.get(), "x"), "0");
  EXPECT_EQ(Read(second.get(), "x"), "0");
  CAMBIUM_ASSERT_OK(first->Put("x", "1"));
  CAMBIUM_ASSERT_OK(first->Commit());
  const absl::Status written = second->Put("x", "1");
  CAMBIUM_EXPECT_CODE(written.ok() ? second->Commit() : written, kAborted);
  EXPECT_TRUE(second->HadConflict());
}

TEST_P(IsolationTest, LostUpdateByAPlainWrite) {
  const std::vector<std::function<absl::Status()>> writes = {
      [&] { return db_->Put("x", "plain"); }, [&] { return db_->Delete("x"); },
      [&] { return db_->CompareAndSet("x", "0", "swapped"); },
      [&] {
        WriteBatch batch;
        for (int i = 0; i < 5000; ++i) batch.Put(absl::StrCat("b", i), "v");
        batch.Put("x", "batch");
        return db_->Write(batch);
      }};
  for (const auto& write : writes) {
    CAMBIUM_ASSERT_OK(db_->Put("x", "0"));
    const auto t = Begin();
    EXPECT_EQ(Read(t.get(), "x"), "0");
    CAMBIUM_ASSERT_OK(t->Put("x", "1"));
    CAMBIUM_ASSERT_OK(write());
    const absl::Status committed = t->Commit();
    CAMBIUM_EXPECT_CODE(committed, kAborted);
    EXPECT_THAT(committed.message(), HasSubstr("\"x\""));
    EXPECT_NE(db_->Get("x").value_or("none"), "1");
  }
}

// A write of another key never is a conflict, though it may have the same slot.
TEST_P(IsolationTest, OtherWritesAreNoConflict) {
  const auto t = Begin();
  EXPECT_EQ(Read(t.get(), "x"), "0");
  CAMBIUM_ASSERT_OK(t->Put("x", "1"));
  for (int i = 0; i < 40'000; ++i) CAMBIUM_ASSERT_OK(db_->Put(absl::StrCat("other", i), "v"));
  CAMBIUM_EXPECT_OK(t->Commit());
}

TEST_P(IsolationTest, G2ItemWriteSkew) {
  const auto first = Begin(), second = Begin();
  EXPECT_EQ(Read(first.get(), "y"), "0");
  EXPECT_EQ(Read(second.get(), "x"), "0");
  CAMBIUM_ASSERT_OK(first->Put("x", "1"));
  CAMBIUM_ASSERT_OK(second->Put("y", "1"));
  CAMBIUM_EXPECT_OK(first->Commit());
  EXPECT_EQ(second->Commit().code(),
            serializable() ? absl::StatusCode::kAborted : absl::StatusCode::kOk);
}

TEST_P(IsolationTest, GetForUpdatePreventsWriteSkew) {
  const auto first = Begin(), second = Begin();
  PinnedValue value;
  CAMBIUM_ASSERT_OK(first->GetForUpdate("y", &value));
  CAMBIUM_ASSERT_OK(second->GetForUpdate("x", &value));
  const absl::Status one = first->Put("x", "1"), two = second->Put("y", "1");
  if (pessimistic()) {
    CAMBIUM_EXPECT_CODE(one, kDeadlineExceeded);
    CAMBIUM_EXPECT_CODE(two, kDeadlineExceeded);
    return;
  }
  CAMBIUM_EXPECT_OK(first->Commit());
  CAMBIUM_EXPECT_CODE(second->Commit(), kAborted);
}

TEST_P(IsolationTest, GetForUpdateAloneIsValidated) {
  const auto t = Begin();
  PinnedValue value;
  CAMBIUM_ASSERT_OK(t->GetForUpdate("x", &value));
  CAMBIUM_EXPECT_CODE(t->GetForUpdate("absent", &value), kNotFound);
  CAMBIUM_ASSERT_OK(db_->Put("absent", "v"));
  CAMBIUM_EXPECT_CODE(t->Commit(), kAborted);
}

// Each of two transactions scans a range and inserts a key that the other one would have seen.
TEST_P(IsolationTest, G2Phantom) {
  for (const bool backward : {false, true}) {
    const auto first = Begin(), second = Begin();
    for (Transaction* t : {first.get(), second.get()}) {
      ReadOptions bounds;
      bounds.lower_bound = "p";
      bounds.upper_bound = "q";
      const auto it = t->NewIterator(bounds);
      size_t seen = 0;
      if (backward) {
        for (it->SeekToLast(); it->Valid(); it->Prev()) ++seen;
      } else {
        for (it->SeekToFirst(); it->Valid(); it->Next()) ++seen;
      }
      EXPECT_EQ(seen, backward ? (serializable() ? 1u : 2u) : 0u);
    }
    CAMBIUM_ASSERT_OK(first->Put(absl::StrCat("p1", backward), "v"));
    CAMBIUM_ASSERT_OK(second->Put(absl::StrCat("p2", backward), "v"));
    CAMBIUM_EXPECT_OK(first->Commit());
    const absl::Status committed = second->Commit();
    EXPECT_EQ(committed.code(),
              serializable() ? absl::StatusCode::kAborted : absl::StatusCode::kOk);
  }
}

// Only what was read counts, not all that the iterator could have read.
TEST_P(IsolationTest, ScanOfAPartDependsOnThatPart) {
  for (const char* key : {"p1", "p3", "p5", "p7"}) CAMBIUM_ASSERT_OK(db_->Put(key, "v"));
  const auto scan = [&](Transaction* t) {
    const auto it = t->NewIterator();
    it->Seek("p2");
    EXPECT_EQ(it->key(), "p3");
    it->Next();
    EXPECT_EQ(it->key(), "p5");
    CAMBIUM_EXPECT_OK(t->Put("result", "v"));
  };
  for (const auto& [key, inside] :
       {std::pair("p1", false), std::pair("p2", true), std::pair("p4", true), std::pair("p5", true),
        std::pair("p6", false)}) {
    const auto t = Begin();
    scan(t.get());
    CAMBIUM_ASSERT_OK(db_->Put(key, "w"));
    const bool conflict = inside && serializable();
    EXPECT_EQ(t->Commit().code(), conflict ? absl::StatusCode::kAborted : absl::StatusCode::kOk)
        << key;
    CAMBIUM_ASSERT_OK(db_->Delete(key));
    for (const char* again : {"p1", "p3", "p5", "p7"}) CAMBIUM_ASSERT_OK(db_->Put(again, "v"));
  }
}

// Two readers must not see two independent writes in different orders.
TEST_P(IsolationTest, LongFork) {
  const auto first = Begin();
  CAMBIUM_ASSERT_OK(db_->Put("x", "1"));
  const auto second = Begin();
  CAMBIUM_ASSERT_OK(db_->Put("y", "1"));
  const auto third = Begin();
  const std::vector<std::string> seen = {Read(first.get(), "x") + Read(first.get(), "y"),
                                         Read(second.get(), "x") + Read(second.get(), "y"),
                                         Read(third.get(), "x") + Read(third.get(), "y")};
  EXPECT_EQ(seen, (std::vector<std::string>{"00", "10", "11"}));
}

TEST_P(IsolationTest, DeadlockIsFoundAtOnce) {
  if (!pessimistic()) GTEST_SKIP() << "nothing waits";
  TransactionOptions how = How();
  how.lock_timeout = std::chrono::seconds(60);
  const auto first = db_->BeginTransaction(how), second = db_->BeginTransaction(how);
  CAMBIUM_ASSERT_OK(first->Put("x", "1"));
  CAMBIUM_ASSERT_OK(second->Put("y", "1"));
  std::atomic<bool> refused{false};
  std::thread waiter([&] {
    const absl::Status status = second->Put("x", "2");
    if (absl::IsAborted(status)) {
      refused = true;
      second->Rollback();
    }
  });
  const absl::Status status = first->Put("y", "2");
  if (absl::IsAborted(status)) {
    EXPECT_THAT(status.message(), HasSubstr("deadlock"));
    EXPECT_TRUE(first->HadConflict());
    first->Rollback();
  }
  waiter.join();
  EXPECT_NE(absl::IsAborted(status), refused);
}

TEST_P(IsolationTest, KeyChangedSinceTheBeginCannotBeLocked) {
  if (!pessimistic()) GTEST_SKIP() << "found at the commit";
  const auto t = Begin();
  CAMBIUM_ASSERT_OK(db_->Put("x", "1"));
  PinnedValue value;
  CAMBIUM_EXPECT_CODE(t->GetForUpdate("x", &value), kAborted);
  CAMBIUM_EXPECT_CODE(t->Put("x", "2"), kAborted);
  const auto other = Begin();
  CAMBIUM_EXPECT_OK(other->Put("x", "3")) << "the refused one did not keep the lock";
  CAMBIUM_EXPECT_OK(t->Put("y", "1")) << "it may go on";
  CAMBIUM_EXPECT_OK(t->Commit());
  CAMBIUM_EXPECT_OK(other->Commit());
}

// Transfers between accounts, plain writes beside them, and readers that sum up: money is neither
// made nor lost, at any moment.
TEST_P(IsolationTest, BankTransfersKeepTheSum) {
  constexpr int kAccounts = 8, kEach = 100;
  const auto account = [](int i) { return absl::StrCat("account", i); };
  for (int i = 0; i < kAccounts; ++i) CAMBIUM_ASSERT_OK(db_->Put(account(i), absl::StrCat(kEach)));
  const auto balance = [](Transaction& t, const std::string& key) -> absl::StatusOr<int> {
    absl::StatusOr<std::string> text = t.Get(key);
    if (!text.ok()) return text.status();
    int value = 0;
    EXPECT_TRUE(absl::SimpleAtoi(*text, &value));
    return value;
  };
  TransactionOptions how = How();
  how.lock_timeout = std::chrono::seconds(10);
  std::atomic<int> moved{0};
  std::atomic<bool> done{false};
  std::vector<std::thread> threads;
  for (uint32_t t = 0; t < 3; ++t) {
    threads.emplace_back([&, t] {
      std::mt19937 random(t);
      for (int round = 0; round < 300; ++round) {
        const std::string from = account(int(random() % kAccounts));
        const std::string to = account(int(random() % kAccounts));
        const absl::Status status = db_->Transact(
            [&](Transaction& transfer) -> absl::Status {
              const absl::StatusOr<int> have = balance(transfer, from);
              if (!have.ok()) return have.status();
              if (*have == 0 || from == to) return absl::OkStatus();
              if (absl::Status put = transfer.Put(from, absl::StrCat(*have - 1)); !put.ok()) {
                return put;
              }
              const absl::StatusOr<int> had = balance(transfer, to);
              if (!had.ok()) return had.status();
              return transfer.Put(to, absl::StrCat(*had + 1));
            },
            how);
        if (status.ok()) ++moved;
        EXPECT_TRUE(status.ok() || absl::IsAborted(status)) << status;
      }
    });
  }
  std::thread noise([&] {
    for (int i = 0; !done; ++i) {
      CAMBIUM_EXPECT_OK(db_->Put(absl::StrCat("noise", i % 1000), std::string(200, 'v')));
      if (i % 5000 != 0) continue;
      CAMBIUM_EXPECT_OK(db_->Flush());
    }
  });
  std::thread auditor([&] {
    while (!done) {
      const auto t = Begin();
      int sum = 0;
      for (int i = 0; i < kAccounts; ++i) sum += balance(*t, account(i)).value_or(-1'000'000);
      EXPECT_EQ(sum, kAccounts * kEach);
      CAMBIUM_EXPECT_OK(t->Commit());
    }
  });
  for (std::thread& thread : threads) thread.join();
  done = true;
  noise.join();
  auditor.join();
  EXPECT_GT(moved, 300);
  int sum = 0;
  const auto t = Begin();
  for (int i = 0; i < kAccounts; ++i) sum += *balance(*t, account(i));
  EXPECT_EQ(sum, kAccounts * kEach);
}

// Each transaction counts the keys of a range, and inserts one whose value is that count. If the
// result is that of a serial order, every count occurs once.
TEST_P(IsolationTest, SerializableScansCountWithoutGapsOrRepetitions) {
  if (!serializable()) GTEST_SKIP() << "phantoms are allowed";
  std::vector<std::thread> threads;
  std::atomic<bool> done{false};
  std::thread noise([&] {
    for (int i = 0; !done; ++i) CAMBIUM_EXPECT_OK(db_->Put(absl::StrCat("noise", i % 100), "v"));
  });
  std::atomic<int> committed{0};
  for (int thread = 0; thread < 3; ++thread) {
    threads.emplace_back([&, thread] {
      for (int round = 0; round < 30; ++round) {
        const absl::Status status = db_->Transact(
            [&](Transaction& t) -> absl::Status {
              ReadOptions bounds;
              bounds.lower_bound = "c";
              bounds.upper_bound = "d";
              int count = 0;
              const auto it = t.NewIterator(bounds);
              for (it->SeekToFirst(); it->Valid(); it->Next()) ++count;
              if (!it->status().ok()) return it->status();
              return t.Put(absl::StrCat("c", thread, "-", round), absl::StrCat(count));
            },
            How());
        if (status.ok()) ++committed;
        EXPECT_TRUE(status.ok() || absl::IsAborted(status)) << status;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  done = true;
  noise.join();
  std::vector<bool> seen(static_cast<size_t>(committed));
  const auto it = db_->NewIterator();
  for (it->Seek("c"); it->Valid() && it->key() < "d"; it->Next()) {
    size_t count = 0;
    ASSERT_TRUE(absl::SimpleAtoi(std::string(it->value()), &count));
    ASSERT_LT(count, seen.size());
    EXPECT_FALSE(seen[count]) << count;
    seen[count] = true;
  }
  EXPECT_GT(committed, 30);
}

// An order in which different bytes may be equal, so that all keys share one slot of the recent
// writes. It lets another thread write whenever the committing one compares.
class OvertakingOrder final : public Comparator {
 public:
  int Compare(std::string_view a, std::string_view b) const override {
    if (std::this_thread::get_id() == committer && armed) Overtake();
    return a.compare(b);
  }
  const char* Name() const override { return "test.overtaking"; }

  std::thread::id committer;
  std::function<void()> write;
  mutable bool armed = false;
  mutable int overtaken = 0;
  mutable bool blocked = false;  // the other thread could not write
  mutable std::vector<std::thread> threads;

 private:
  void Overtake() const {
    const auto written = std::make_shared<std::atomic<bool>>(false);
    threads.emplace_back([this, written] {
      write();
      *written = true;
    });
    for (int i = 0; i < 300 && !*written; ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    blocked = !*written;
    if (blocked || ++overtaken == 200) armed = false;
  }
};

// It would be overtaken forever, if all others did not have to wait after a few attempts.
TEST_P(IsolationTest, CommitThatIsAlwaysOvertakenLetsTheOthersWait) {
  static OvertakingOrder order;
  ColumnFamilyOptions options;
  options.comparator = &order;
  const auto family = *db_->CreateColumnFamily("f", options);
  CAMBIUM_ASSERT_OK(db_->Put(*family, "k", "old"));
  // Between "k" and "other", so that the writes do not disturb the search itself.
  for (int i = 0; i < 1000; ++i) CAMBIUM_ASSERT_OK(db_->Put(*family, absl::StrCat("m", i), "v"));
  order.committer = std::this_thread::get_id();
  order.write = [&] { CAMBIUM_EXPECT_OK(db_->Put(*family, "other", "v")); };
  order.overtaken = 0;
  const auto t = Begin();
  CAMBIUM_ASSERT_OK(t->Put(*family, "k", "new"));
  CAMBIUM_ASSERT_OK(db_->Put(*family, "other", "v"));
  order.armed = true;
  CAMBIUM_EXPECT_OK(t->Commit());
  order.armed = false;
  for (std::thread& thread : std::exchange(order.threads, {})) thread.join();
  EXPECT_TRUE(order.blocked) << "overtaken " << order.overtaken << " times";
  EXPECT_EQ(*db_->Get(*family, "k"), "new");
  EXPECT_EQ(*db_->Get(*family, "other"), "v");
}

// Transactions that depend on many keys, beside a writer that never pauses, commit: after a few
// attempts that were overtaken, the writer waits.
TEST_P(IsolationTest, LargeTransactionCommitsBesideAFastWriter) {
  std::atomic<bool> done{false};
  std::vector<std::thread> writers;
  for (int t = 0; t < 2; ++t) {
    writers.emplace_back([&, t] {
      for (int i = 0; !done; ++i) CAMBIUM_EXPECT_OK(db_->Put(absl::StrCat("w", t, i % 5000), "v"));
    });
  }
  for (int round = 0; round < 5; ++round) {
    const auto t = Begin();
    for (int i = 0; i < 20'000; ++i) CAMBIUM_ASSERT_OK(t->Put(absl::StrCat("large", i), "v"));
    CAMBIUM_EXPECT_OK(t->Commit());
  }
  done = true;
  for (std::thread& writer : writers) writer.join();
}

}  // namespace
}  // namespace cambium
