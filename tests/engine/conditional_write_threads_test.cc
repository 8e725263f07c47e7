// Conditional writes by many threads at once, beside every other kind of write, memtable switches,
// flushes, compactions, and errors: no update is lost, and the calls on a key are linearizable.
//
// Environment: CAMBIUM_CONCURRENT_OPS, operations of each thread (default 4,000).
#include <gtest/gtest.h>

#include <atomic>
#include <charconv>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "cambium/db.h"
#include "env/testing/fault_file_system.h"
#include "env/testing/mem_file_system.h"
#include "tests/support/append_operator.h"
#include "tests/support/model.h"
#include "tests/support/register_history.h"
#include "tests/support/status_test.h"
#include "util/absl_view.h"

namespace cambium {
namespace {

using test::RegisterCall;
using test::RegisterValue;
using Value = std::optional<std::string_view>;

int Operations() { return static_cast<int>(test::FromEnvironment("CAMBIUM_CONCURRENT_OPS", 4000)); }

// A number, made long so that memtables fill.
std::string Encode(uint64_t number) { return absl::StrCat(number, std::string(300, ' ')); }
uint64_t Decode(Value text) {
  uint64_t number = 0;
  if (text.has_value()) std::from_chars(text->data(), text->data() + text->size(), number);
  return number;
}

class ConditionalThreadsTest : public testing::Test {
 protected:
  void SetUp() override {
    Options options;
    options.file_system = files_;
    options.memory_budget = size_t{1} << 20;
    options.memtable_size = size_t{64} << 10;
    options.target_file_size = uint64_t{64} << 10;
    options.background_threads = 2;
    options.merge_operator = std::make_shared<test::AppendOperator>();
    auto db = DB::Open(options, "db");
    CAMBIUM_ASSERT_OK(db);
    db_ = *std::move(db);
  }

  // Runs `work(index)` on `threads` threads, and each of `beside` on one until they have ended.
  void Run(int threads, const std::function<void(int)>& work,
           const std::vector<std::function<void()>>& beside) {
    std::atomic<bool> over{false};
    std::vector<std::thread> workers, others;
    for (const auto& loop : beside) {
      others.emplace_back([&] {
        while (!over.load(std::memory_order_relaxed)) loop();
      });
    }
    for (int t = 0; t < threads; ++t) workers.emplace_back(work, t);
    for (std::thread& worker : workers) worker.join();
    over.store(true, std::memory_order_relaxed);
    for (std::thread& other : others) other.join();
  }
  void Upkeep() {
    CAMBIUM_EXPECT_OK(db_->Flush());
    CAMBIUM_EXPECT_OK(db_->CompactRange());
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  void PutOthers() {
    for (int i = 0; i < 100; ++i) {
      CAMBIUM_EXPECT_OK(db_->Put(absl::StrCat("other", i), Encode(1)));
    }
  }

  const std::shared_ptr<env::FaultFileSystem> files_ =
      std::make_shared<env::FaultFileSystem>(std::make_shared<env::MemFileSystem>(
          env::MemOptions{env::MemOptions::LogMapping::kWriteAtOnly}));
  std::unique_ptr<DB> db_;
};

// --- No lost update
// -------------------------------------------------------------------------------

TEST_F(ConditionalThreadsTest, CountersCountEveryUpdate) {
  constexpr int kThreads = 8, kCounters = 3;
  const auto counter = [](int i) { return absl::StrCat("counter", i); };
  Run(kThreads,
      [&](int t) {
        for (int i = 0; i < Operations(); ++i) {
          const WriteOptions options = {.sync = i % 500 == 0, .disable_wal = i % 2 == 1};
          CAMBIUM_ASSERT_OK(db_->Update(
              counter((t + i) % kCounters),
              [](Value current) { return std::optional(Encode(Decode(current) + 1)); }, options));
        }
      },
      {[&] { PutOthers(); }, [&] { PutOthers(); }, [&] { Upkeep(); }});
  uint64_t sum = 0;
  for (int i = 0; i < kCounters; ++i) sum += Decode(db_->Get(counter(i)).value_or(""));
  EXPECT_EQ(sum, static_cast<uint64_t>(kThreads) * static_cast<uint64_t>(Operations()));
}

// A batch starts a new epoch of the counter at 0. Within an epoch, the updates write 1, 2, 3, …,
// each once: a number that two updates wrote is a lost one.
TEST_F(ConditionalThreadsTest, BatchesAndPutsOfTheKeyAreNotLostToUpdates) {
  constexpr int kThreads = 6;
  constexpr uint64_t kEpoch = uint64_t{1} << 32;
  std::vector<std::vector<uint64_t>> written(kThreads);
  uint64_t epoch = 0;  // of the only thread that writes plainly
  Run(kThreads,
      [&](int t) {
        auto& mine = written[static_cast<size_t>(t)];
        for (int i = 0; i < Operations(); ++i) {
          uint64_t next = 0;
          CAMBIUM_ASSERT_OK(db_->Update("counter", [&](Value current) {
            next = Decode(current) + 1;
            return std::optional(Encode(next));
          }));
          mine.push_back(next);
        }
      },
      {[&] {
         const std::string start = Encode(++epoch * kEpoch);
         WriteBatch batch;
         batch.Put("other", "1");
         batch.Put("counter", start);
         // Some are larger than what is recorded key by key.
         for (int i = 0; epoch % 7 == 0 && i < 2000; ++i) batch.Delete(absl::StrCat("x", i));
         CAMBIUM_EXPECT_OK(epoch % 3 == 0 ? db_->Put("counter", start) : db_->Write(batch));
         std::this_thread::sleep_for(std::chrono::microseconds(50));
       },
       [&] { Upkeep(); }});
  std::map<uint64_t, std::set<uint64_t>> by_epoch;
  for (const auto& mine : written) {
    for (const uint64_t number : mine) {
      EXPECT_TRUE(by_epoch[number / kEpoch].insert(number % kEpoch).second)
          << "two updates wrote " << number % kEpoch << " in epoch " << number / kEpoch;
    }
  }
  for (const auto& [number, counts] : by_epoch) {
    EXPECT_EQ(*counts.begin(), 1u) << "epoch " << number;
    EXPECT_EQ(*counts.rbegin(), counts.size()) << "epoch " << number;
  }
  EXPECT_GT(by_epoch.size(), 3u);
}

TEST_F(ConditionalThreadsTest, OperandsAreNotLostToUpdates) {
  constexpr int kThreads = 4;
  const int each = Operations() / 20;
  Run(kThreads,
      [&](int t) {
        for (int i = 0; i < each; ++i) {
          const std::string token = absl::StrCat(t, "/", i);
          if (t % 2 == 0) {
            CAMBIUM_ASSERT_OK(db_->Merge("list", token));
            continue;
          }
          CAMBIUM_ASSERT_OK(db_->Update("list", [&](Value current) {
            return std::optional(current.has_value() ? absl::StrCat(ToAbsl(*current), ",", token)
                                                     : token);
          }));
        }
      },
      {[&] { Upkeep(); }});
  const std::string list = db_->Get("list").value_or("");
  std::multiset<std::string> tokens;
  for (const auto token : absl::StrSplit(list, ',')) tokens.emplace(token);
  EXPECT_EQ(tokens.size(), static_cast<size_t>(kThreads * each));
  for (int t = 0; t < kThreads; ++t) {
    for (int i = 0; i < each; ++i) EXPECT_EQ(tokens.count(absl::StrCat(t, "/", i)), 1u);
  }
}

TEST_F(ConditionalThreadsTest, PutIfAbsentIsALock) {
  constexpr int kThreads = 8;
  const int each = Operations() / 8;
  std::atomic<int> inside{0};
  Run(kThreads,
      [&](int t) {
        const std::string owner = absl::StrCat(t);
        for (int i = 0; i < each; ++i) {
          for (;;) {
            const absl::Status locked = db_->PutIfAbsent("lock", owner);
            if (locked.ok()) break;
            CAMBIUM_ASSERT_OK(absl::IsAlreadyExists(locked) ? absl::OkStatus() : locked);
            std::this_thread::yield();
          }
          EXPECT_EQ(inside.fetch_add(1, std::memory_order_relaxed), 0);
          // Not atomic: the lock makes it so.
          CAMBIUM_EXPECT_OK(db_->Put("count", Encode(Decode(db_->Get("count").value_or("")) + 1)));
          inside.fetch_sub(1, std::memory_order_relaxed);
          if (i % 2 == 0) {
            CAMBIUM_ASSERT_OK(db_->Delete("lock"));
          } else {
            EXPECT_EQ(db_->GetAndDelete("lock").value_or("(none)"), owner);
          }
        }
      },
      {[&] { PutOthers(); }, [&] { Upkeep(); }});
  EXPECT_EQ(Decode(db_->Get("count").value_or("")),
            static_cast<uint64_t>(kThreads) * static_cast<uint64_t>(each));
}

// Each token is taken by one thread.
TEST_F(ConditionalThreadsTest, GetAndDeleteTakesEachValueOnce) {
  constexpr int kThreads = 8;
  const int tokens = Operations() / 2;
  std::vector<std::vector<uint64_t>> taken(kThreads);
  for (int i = 0; i < tokens; ++i) {
    CAMBIUM_ASSERT_OK(db_->Put(absl::StrCat("token", i), Encode(static_cast<uint64_t>(i) + 1)));
  }
  Run(kThreads,
      [&](int t) {
        for (int i = 0; i < tokens; ++i) {
          const auto value = db_->GetAndDelete(absl::StrCat("token", i));
          if (value.ok()) taken[static_cast<size_t>(t)].push_back(Decode(*value));
        }
      },
      {[&] { Upkeep(); }});
  std::set<uint64_t> all;
  for (const auto& mine : taken) {
    for (const uint64_t token : mine) EXPECT_TRUE(all.insert(token).second) << token;
  }
  EXPECT_EQ(all.size(), static_cast<size_t>(tokens));
}

// --- Linearizability
// ------------------------------------------------------------------------------

uint64_t Now() {
  return static_cast<uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count());
}

// The calls of one thread, by key. Confined to its thread.
class Client {
 public:
  static constexpr int kKeys = 3;

  Client(DB* db, int index, int round)
      : db_(db), random_(static_cast<uint64_t>(round) * 100 + index) {
    next_value_ = static_cast<uint64_t>(index) * 1'000'000 + 1;
  }

  void Step() {
    const size_t key = random_() % kKeys;
    const std::string name = absl::StrCat("key", key);
    RegisterCall call;
    call.value = next_value_++;
    call.start = Now();
    absl::Status status;
    switch (random_() % 8) {
      case 0:
      case 1:
      case 2:
        status = Get(name, &call);
        break;
      case 3:
        call.kind = RegisterCall::Kind::kWrite;
        status = db_->Put(name, Encode(call.value));
        break;
      case 4:
        status = WriteSomehow(name, &call);
        break;
      default:
        status = Swap(name, seen_[key], &call);
    }
    call.end = Now();
    if (!status.ok()) {
      // A read that failed has no result. A write that was rejected did not happen.
      std::this_thread::sleep_for(std::chrono::microseconds(200));
      if (call.kind == RegisterCall::Kind::kRead || absl::IsFailedPrecondition(status) ||
          absl::IsResourceExhausted(status)) {
        return;
      }
      call.end = RegisterCall::kUnknown;
    } else if (call.kind != RegisterCall::Kind::kMismatch) {
      seen_[key] = call.value;
    } else {
      seen_[key] = 0;
    }
    calls_[key].push_back(call);
  }

  const std::vector<RegisterCall>& calls(size_t key) const { return calls_[key]; }

 private:
  absl::Status Get(const std::string& name, RegisterCall* call) {
    const absl::StatusOr<std::string> value = db_->Get(name);
    call->value = value.ok() ? Decode(*value) : 0;
    return absl::IsNotFound(value.status()) ? absl::OkStatus() : value.status();
  }
  // A swap of the value that this thread saw last.
  absl::Status Swap(const std::string& name, RegisterValue expected, RegisterCall* call) {
    call->kind = RegisterCall::Kind::kSwap;
    call->expected = expected;
    const std::string old = Encode(expected), desired = Encode(call->value);
    const absl::Status status =
        expected == 0 ? db_->PutIfAbsent(name, desired) : db_->CompareAndSet(name, old, desired);
    if (!absl::IsAborted(status) && !absl::IsAlreadyExists(status)) return status;
    call->kind = RegisterCall::Kind::kMismatch;
    return absl::OkStatus();
  }
  // A deletion, a batch, or a call that deletes what it reads.
  absl::Status WriteSomehow(const std::string& name, RegisterCall* call) {
    call->kind = RegisterCall::Kind::kWrite;
    switch (random_() % 3) {
      case 0:
        call->value = 0;
        return db_->Delete(name);
      case 1: {
        WriteBatch batch;
        batch.Put("other", Encode(1));
        batch.Put(name, Encode(call->value));
        return db_->Write(batch);
      }
      default: {
        call->kind = RegisterCall::Kind::kSwap;
        call->value = 0;
        const absl::StatusOr<std::string> deleted = db_->GetAndDelete(name);
        if (deleted.ok()) call->expected = Decode(*deleted);
        if (absl::IsNotFound(deleted.status())) call->kind = RegisterCall::Kind::kRead;
        if (deleted.ok() || absl::IsNotFound(deleted.status())) return absl::OkStatus();
        call->kind = RegisterCall::Kind::kWrite;  // if it happened, the key was deleted
        return deleted.status();
      }
    }
  }

  DB* const db_;
  std::mt19937_64 random_;
  uint64_t next_value_;
  RegisterValue seen_[kKeys] = {};
  std::vector<RegisterCall> calls_[kKeys];
};

class LinearizabilityTest : public ConditionalThreadsTest {
 protected:
  // One round: the threads make `calls` calls each, beside `beside`, and the histories are checked.
  void Round(int round, int calls, const std::vector<std::function<void()>>& beside) {
    constexpr int kThreads = 6;
    RegisterValue initial[Client::kKeys];
    for (size_t key = 0; key < Client::kKeys; ++key) {
      initial[key] = Decode(db_->Get(absl::StrCat("key", key)).value_or(""));
    }
    std::vector<std::unique_ptr<Client>> clients;
    for (int t = 0; t < kThreads; ++t) {
      clients.push_back(std::make_unique<Client>(db_.get(), round * kThreads + t, round));
    }
    Run(
        kThreads,
        [&](int t) {
          for (int i = 0; i < calls; ++i) clients[static_cast<size_t>(t)]->Step();
        },
        beside);
    for (size_t key = 0; key < Client::kKeys; ++key) {
      std::vector<RegisterCall> history;
      for (const auto& client : clients) {
        history.insert(history.end(), client->calls(key).begin(), client->calls(key).end());
      }
      for (const RegisterCall& call : history) {
        swaps_ += call.kind == RegisterCall::Kind::kSwap ? 1 : 0;
        unknown_ += call.end == RegisterCall::kUnknown ? 1 : 0;
      }
      ASSERT_EQ(test::FindNonLinearizable(initial[key], history), "")
          << "key " << key << " of round " << round;
    }
  }

  uint64_t swaps_ = 0, unknown_ = 0;
};

TEST_F(LinearizabilityTest, CallsOnAKeyAreLinearizable) {
  const int rounds = Operations() / 200;
  for (int round = 0; round < rounds && !HasFatalFailure(); ++round) {
    Round(round, 200, {[&] { Upkeep(); }});
  }
  EXPECT_GT(swaps_, 100u);
  EXPECT_GT(db_->GetStats().flushes, 5u);
  EXPECT_GT(db_->GetStats().compactions, 2u);
}

TEST_F(LinearizabilityTest, CallsOnAKeyAreLinearizableWhileWritesFail) {
  const int rounds = Operations() / 200;
  // One write to the log fails, and with it the writes that are behind it.
  const auto fail = [&] {
    std::this_thread::sleep_for(std::chrono::microseconds(300));
    files_->AddRule({.kind = env::OperationKind::kWriteAt, .path_part = ".log", .calls = 1});
    // Mostly a client's write; after the end of the clients, this thread's own.
    for (int i = 0; db_->GetHealth().state == Health::State::kHealthy; ++i) {
      std::this_thread::sleep_for(std::chrono::microseconds(50));
      if (i >= 20) db_->Put("other", "1").IgnoreError();
    }
    files_->ClearRules();
    while (!db_->Resume().ok()) std::this_thread::yield();
  };
  for (int round = 0; round < rounds && !HasFatalFailure(); ++round) Round(round, 200, {fail});
  EXPECT_GT(unknown_, 0u);
  EXPECT_GT(swaps_, 100u);
}

// --- The checker
// ----------------------------------------------------------------------------------

using Calls = std::vector<RegisterCall>;
using Kind = RegisterCall::Kind;
constexpr uint64_t kUnknown = RegisterCall::kUnknown;

TEST(RegisterHistory, AcceptsCallsThatHaveAnOrder) {
  const Calls histories[] = {
      {},
      {{Kind::kRead, 0, 7, 1, 2}},
      {{Kind::kWrite, 0, 1, 1, 4}, {Kind::kRead, 0, 7, 2, 3}},
      {{Kind::kWrite, 0, 1, 1, 4}, {Kind::kRead, 0, 1, 2, 3}},
      {{Kind::kWrite, 0, 1, 1, 2}, {Kind::kWrite, 0, 2, 1, 2}, {Kind::kRead, 0, 1, 3, 4}},
      {{Kind::kSwap, 7, 1, 1, 2}, {Kind::kMismatch, 7, 0, 1, 2}, {Kind::kRead, 0, 1, 3, 4}},
      // An unknown write: never, or late.
      {{Kind::kWrite, 0, 1, 1, kUnknown}, {Kind::kRead, 0, 7, 3, 4}},
      {{Kind::kWrite, 0, 1, 1, kUnknown}, {Kind::kRead, 0, 7, 3, 4}, {Kind::kRead, 0, 1, 5, 6}},
      // The end of one call is the start of another.
      {{Kind::kRead, 0, 1, 1, 2}, {Kind::kWrite, 0, 1, 2, 3}},
  };
  for (const Calls& calls : histories) EXPECT_EQ(test::FindNonLinearizable(7, calls), "");
}

TEST(RegisterHistory, RejectsCallsThatHaveNone) {
  const Calls histories[] = {
      {{Kind::kRead, 0, 8, 1, 2}},
      {{Kind::kWrite, 0, 1, 1, 2}, {Kind::kRead, 0, 7, 3, 4}},
      {{Kind::kRead, 0, 1, 1, 2}, {Kind::kWrite, 0, 1, 3, 4}},
      {{Kind::kSwap, 7, 1, 1, 2}, {Kind::kSwap, 7, 2, 1, 2}},
      {{Kind::kSwap, 7, 1, 1, 2}, {Kind::kMismatch, 1, 0, 3, 4}},
      {{Kind::kMismatch, 7, 0, 1, 2}},
      // A value that comes back.
      {{Kind::kWrite, 0, 1, 1, 6}, {Kind::kRead, 0, 1, 2, 3}, {Kind::kRead, 0, 7, 4, 5}},
      // An unknown write takes effect once, and not before its start.
      {{Kind::kWrite, 0, 1, 1, kUnknown},
       {Kind::kRead, 0, 1, 2, 3},
       {Kind::kWrite, 0, 2, 4, 5},
       {Kind::kRead, 0, 1, 6, 7}},
      {{Kind::kRead, 0, 1, 1, 2}, {Kind::kWrite, 0, 1, 3, kUnknown}},
  };
  for (const Calls& calls : histories) EXPECT_NE(test::FindNonLinearizable(7, calls), "");
}

}  // namespace
}  // namespace cambium
