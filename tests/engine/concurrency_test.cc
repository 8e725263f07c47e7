// Many threads use one database: every snapshot and scan sees whole batches, registers never go
// back, and concurrent maintenance disturbs no thread.
//
// Environment: CAMBIUM_CONCURRENT_OPS, operations of each writer (default 4,000).
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <charconv>
#include <functional>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "cambium/db.h"
#include "env/testing/mem_file_system.h"
#include "tests/support/model.h"
#include "tests/support/status_test.h"

namespace cambium {
namespace {

constexpr int kAccounts = 40;
constexpr int64_t kEach = 1000;

int64_t ToNumber(std::string_view text) {
  int64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

std::string Account(uint64_t n) { return absl::StrCat("account", absl::Dec(n, absl::kZeroPad3)); }

// A balance, made long so that memtables fill.
std::string Balance(int64_t amount) { return absl::StrCat(amount, std::string(120, ' ')); }

class ConcurrencyTest : public testing::Test {
 protected:
  void SetUp() override {
    Options options;
    options.file_system = std::make_shared<env::MemFileSystem>(
        env::MemOptions{env::MemOptions::LogMapping::kWriteAtOnly});
    options.memory_budget = size_t{1} << 20;
    options.memtable_size = size_t{64} << 10;
    options.target_file_size = uint64_t{64} << 10;
    options.background_threads = 2;
    auto db = DB::Open(options, "db");
    CAMBIUM_ASSERT_OK(db);
    db_ = *std::move(db);
  }

  // Runs `work(index)` on so many threads until `stop_`, beside `main_work`.
  void Beside(const std::vector<std::function<void()>>& until_stopped,
              const std::vector<std::function<void()>>& to_the_end) {
    std::vector<std::thread> loops, others;
    for (const auto& work : until_stopped) {
      loops.emplace_back([this, &work] {
        while (!stop_.load(std::memory_order_relaxed)) work();
      });
    }
    for (const auto& work : to_the_end) others.emplace_back(work);
    for (std::thread& thread : others) thread.join();
    stop_.store(true, std::memory_order_relaxed);
    for (std::thread& thread : loops) thread.join();
  }

  // Flushes and compacts now and then.
  void Upkeep() {
    CAMBIUM_EXPECT_OK(db_->Flush());
    CAMBIUM_EXPECT_OK(db_->CompactRange(Account(5), Account(30)));
    (void)db_->GetStats();
    (void)db_->GetProperty("cambium.stats");
    (void)db_->ApproximateSize("", "z");
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }

  // Transfers money among the accounts of one half, which no other thread reads.
  void Transfer(uint64_t half) {
    std::mt19937_64 random(half);
    for (uint64_t i = 0; i < operations_; ++i) {
      const std::string from = Account(random() % (kAccounts / 2) * 2 + half);
      const std::string to = Account(random() % (kAccounts / 2) * 2 + half);
      if (from == to) continue;
      const auto have = db_->Get(from);
      const auto had = db_->Get(to);
      ASSERT_TRUE(have.ok() && had.ok()) << have.status() << had.status();
      const auto amount = static_cast<int64_t>(random() % 50);
      WriteBatch batch;
      batch.Put(from, Balance(ToNumber(*have) - amount));
      batch.Put(to, Balance(ToNumber(*had) + amount));
      CAMBIUM_ASSERT_OK(db_->Write(batch, {.sync = i % 256 == 0}));
    }
  }

  const uint64_t operations_ = test::FromEnvironment("CAMBIUM_CONCURRENT_OPS", 4000);
  std::atomic<bool> stop_{false};
  std::unique_ptr<DB> db_;
};

// Each writer moves money among accounts of its own half, so that its reads are its own; the sum of
// all is constant at every moment.
TEST_F(ConcurrencyTest, EverySnapshotAndScanSeesTransfersWhole) {
  WriteBatch opening;
  for (uint64_t i = 0; i < kAccounts; ++i) opening.Put(Account(i), Balance(kEach));
  CAMBIUM_ASSERT_OK(db_->Write(opening));
  std::atomic<uint64_t> sums{0};

  const auto check_sum = [&](int64_t sum, const char* how) {
    EXPECT_EQ(sum, kAccounts * kEach) << how;
    sums.fetch_add(1, std::memory_order_relaxed);
  };
  const auto scan = [&](bool forward) {
    ReadOptions options;
    options.snapshot = db_->GetSnapshot();
    const auto it = db_->NewIterator(forward ? options : ReadOptions());
    int64_t sum = 0;
    if (forward) {
      for (it->SeekToFirst(); it->Valid(); it->Next()) sum += ToNumber(it->value());
    } else {
      for (it->SeekToLast(); it->Valid(); it->Prev()) sum += ToNumber(it->value());
    }
    CAMBIUM_EXPECT_OK(it->status());
    check_sum(sum, forward ? "scan of a snapshot" : "scan backward");
  };
  const auto multi_get = [&] {
    std::vector<std::string> names;
    for (uint64_t i = 0; i < kAccounts; ++i) names.push_back(Account(i));
    const std::vector<std::string_view> keys(names.begin(), names.end());
    std::vector<PinnedValue> values(keys.size());
    std::vector<absl::Status> statuses(keys.size());
    db_->MultiGet(keys, values, statuses);
    int64_t sum = 0;
    for (size_t i = 0; i < keys.size(); ++i) {
      CAMBIUM_EXPECT_OK(statuses[i]);
      sum += ToNumber(values[i].view());
    }
    check_sum(sum, "multi-get");
  };
  const auto snapshot_gets = [&] {
    ReadOptions options;
    options.snapshot = db_->GetSnapshot();
    int64_t sum = 0;
    for (uint64_t i = 0; i < kAccounts; ++i) {
      const auto value = db_->Get(Account(i), options);
      CAMBIUM_EXPECT_OK(value);
      if (value.ok()) sum += ToNumber(*value);
    }
    check_sum(sum, "gets at a snapshot");
  };
  Beside(
      {[&] { scan(true); }, [&] { scan(false); }, multi_get, snapshot_gets, [this] { Upkeep(); }},
      {[&] { Transfer(0); }, [&] { Transfer(1); }});
  EXPECT_GT(sums.load(), 0u);
  CAMBIUM_EXPECT_OK(db_->Verify());
  CAMBIUM_EXPECT_OK(db_->Close());
}

// A register is written by one thread with rising numbers: no reader ever sees it fall, and what
// was acked before a read began is seen by it.
TEST_F(ConcurrencyTest, RegistersNeverGoBack) {
  constexpr size_t kRegisters = 3;
  std::array<std::atomic<int64_t>, kRegisters> acked{};
  const auto name = [](size_t r) { return absl::StrCat("register", r); };
  const auto write = [&](size_t r) {
    for (uint64_t i = 1; i <= operations_; ++i) {
      CAMBIUM_ASSERT_OK(db_->Put(name(r), Balance(static_cast<int64_t>(i))));
      acked[r].store(static_cast<int64_t>(i), std::memory_order_release);
    }
  };
  const auto read = [&] {
    std::array<int64_t, kRegisters> seen{};
    for (int round = 0; round < 50; ++round) {
      for (size_t r = 0; r < kRegisters; ++r) {
        const int64_t before = acked[r].load(std::memory_order_acquire);
        const auto value = db_->Get(name(r));
        const int64_t now = value.ok() ? ToNumber(*value) : 0;
        EXPECT_GE(now, before) << "an acked write is not seen";
        EXPECT_GE(now, seen[r]) << "the register went back";
        seen[r] = now;
      }
    }
  };
  const auto scan = [&] {
    std::array<int64_t, kRegisters> before{};
    for (size_t r = 0; r < kRegisters; ++r) before[r] = acked[r].load(std::memory_order_acquire);
    const auto it = db_->NewIterator();
    for (it->SeekToFirst(); it->Valid(); it->Next()) {
      const auto r = static_cast<size_t>(it->key().back() - '0');
      EXPECT_GE(ToNumber(it->value()), before[r]);
    }
    CAMBIUM_EXPECT_OK(it->status());
  };
  Beside({read, read, scan, [this] { Upkeep(); }},
         {[&] { write(0); }, [&] { write(1); }, [&] { write(2); }});
  for (size_t r = 0; r < kRegisters; ++r) {
    const auto value = db_->Get(name(r));
    CAMBIUM_ASSERT_OK(value);
    EXPECT_EQ(ToNumber(*value), static_cast<int64_t>(operations_));
  }
}

// Two writers overwrite keys evenly while both background threads flush and compact: memtables and
// files are so small that a job ends every few milliseconds, beside another that looks for work.
TEST_F(ConcurrencyTest, OverwritesKeepTwoCompactionsBusy) {
  constexpr uint64_t kKeys = 20'000;
  const std::string value(100, 'v');
  const auto write = [&](uint64_t seed) {
    std::mt19937_64 random(seed);
    for (uint64_t i = 0; i < 10 * operations_; ++i) {
      CAMBIUM_ASSERT_OK(
          db_->Put(absl::StrCat("key", absl::Dec(random() % kKeys, absl::kZeroPad13)), value));
    }
  };
  Beside({}, {[&] { write(1); }, [&] { write(2); }});
  CAMBIUM_EXPECT_OK(db_->WaitForIdle());
  CAMBIUM_EXPECT_OK(db_->Verify());
  EXPECT_GT(db_->GetStats().compactions, 0u);
}

// Writers that insert keys of their own, with deletions: all is there at the end and after a
// reopen, in order.
TEST_F(ConcurrencyTest, WritersOfTheirOwnKeysLoseNothing) {
  constexpr uint64_t kWriters = 4;
  const auto key = [](uint64_t writer, uint64_t i) {
    return absl::StrCat("k", absl::Dec(i * 7919 % 100'003, absl::kZeroPad6), "/", writer);
  };
  const auto write = [&](uint64_t writer) {
    for (uint64_t i = 0; i < operations_; ++i) {
      CAMBIUM_ASSERT_OK(db_->Put(key(writer, i), Balance(static_cast<int64_t>(i))));
      if (i % 4 != 3) continue;
      CAMBIUM_ASSERT_OK(db_->Delete(key(writer, i - 2)));
    }
  };
  Beside({[this] { Upkeep(); }},
         {[&] { write(0); }, [&] { write(1); }, [&] { write(2); }, [&] { write(3); }});
  uint64_t count = 0;
  const auto it = db_->NewIterator();
  std::string last;
  for (it->SeekToFirst(); it->Valid(); it->Next(), ++count) {
    ASSERT_LT(last, it->key());
    last = it->key();
  }
  CAMBIUM_EXPECT_OK(it->status());
  EXPECT_EQ(count, kWriters * (operations_ - operations_ / 4));
  for (uint64_t writer = 0; writer < kWriters; ++writer) {
    for (uint64_t i = 0; i < operations_; ++i) {
      const bool deleted = i % 4 == 1 && i + 2 < operations_;
      const auto value = db_->Get(key(writer, i));
      ASSERT_TRUE(deleted ? absl::IsNotFound(value.status()) : value.ok()) << value.status();
    }
  }
}

}  // namespace
}  // namespace cambium
