#include "engine/transaction/lock_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cctype>
#include <chrono>
#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "engine/context.h"
#include "env/testing/inline_executor.h"
#include "env/testing/mem_file_system.h"
#include "tests/support/status_test.h"

namespace cambium::engine {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr uint64_t kLong = 60'000;  // milliseconds

// Keys that differ only in case are equal.
class IgnoreCase final : public Comparator {
 public:
  int Compare(std::string_view a, std::string_view b) const override {
    return Lower(a).compare(Lower(b));
  }
  const char* Name() const override { return "test.ignore-case"; }

 private:
  static std::string Lower(std::string_view key) {
    std::string lower(key);
    for (char& c : lower) c = static_cast<char>(std::tolower(c));
    return lower;
  }
};

class LockTableTest : public testing::Test {
 protected:
  static Options SmallOptions(const Comparator* comparator) {
    Options options;
    options.comparator = comparator;
    options.memory_budget = size_t{1} << 20;
    options.file_system = std::make_shared<env::MemFileSystem>();
    options.executor = std::make_shared<env::InlineExecutor>(1);
    return options;
  }
  TreeRef NewTree(ColumnFamilyId id, const Comparator* comparator = BytewiseComparator()) {
    contexts_.push_back(std::make_unique<Context>(SmallOptions(comparator), "db"));
    Context& context = *contexts_.back();
    return std::make_shared<Tree>(
        id, TreeOptions(context.options),
        TreeWorld{&context.storage, &context.memory, &context.epochs, &context.errors});
  }
  absl::Status Lock(LockTable::Holder* holder, std::string_view key, uint64_t timeout = 0) {
    bool is_new = false;
    return table_.Acquire(holder, tree_, key, timeout, &is_new);
  }

  std::vector<std::unique_ptr<Context>> contexts_;
  const TreeRef tree_ = NewTree(1);
  LockTable table_;
};

TEST_F(LockTableTest, OneHolderPerKeyAndFamily) {
  LockTable::Holder a, b;
  bool is_new = false;
  CAMBIUM_ASSERT_OK(table_.Acquire(&a, tree_, "k", 0, &is_new));
  EXPECT_TRUE(is_new);
  CAMBIUM_ASSERT_OK(table_.Acquire(&a, tree_, "k", 0, &is_new));
  EXPECT_FALSE(is_new) << "it has the lock already";
  const absl::Status refused = Lock(&b, "k");
  CAMBIUM_EXPECT_CODE(refused, kDeadlineExceeded);
  EXPECT_THAT(refused.message(), HasSubstr("\"k\""));
  CAMBIUM_EXPECT_OK(Lock(&b, "other"));
  CAMBIUM_EXPECT_OK(table_.Acquire(&b, NewTree(2), "k", 0, &is_new));
  table_.ReleaseAll(&a);
  CAMBIUM_EXPECT_OK(Lock(&b, "k"));
  table_.ReleaseLast(&b);
  CAMBIUM_EXPECT_OK(Lock(&a, "k"));
  CAMBIUM_EXPECT_CODE(Lock(&a, "other"), kDeadlineExceeded);
  table_.ReleaseAll(&a);
  table_.ReleaseAll(&b);
}

TEST_F(LockTableTest, EqualKeysOfAnOrderAreOneLock) {
  const IgnoreCase order;
  const TreeRef tree = NewTree(3, &order);
  LockTable::Holder a, b;
  bool is_new = false;
  CAMBIUM_ASSERT_OK(table_.Acquire(&a, tree, "Key", 0, &is_new));
  CAMBIUM_EXPECT_CODE(table_.Acquire(&b, tree, "kEY", 0, &is_new), kDeadlineExceeded);
  table_.ReleaseAll(&a);
}

TEST_F(LockTableTest, WaitingEndsAfterTheTimeoutAndLeavesNothingBehind) {
  LockTable::Holder a, b;
  CAMBIUM_ASSERT_OK(Lock(&a, "k"));
  const auto start = std::chrono::steady_clock::now();
  CAMBIUM_EXPECT_CODE(Lock(&b, "k", 50), kDeadlineExceeded);
  EXPECT_GE(std::chrono::steady_clock::now() - start, std::chrono::milliseconds(50));
  table_.ReleaseAll(&a);
  LockTable::Holder c;
  CAMBIUM_EXPECT_OK(Lock(&c, "k"));
  table_.ReleaseAll(&c);
}

TEST_F(LockTableTest, LocksAreHandedOverInTheOrderOfRequests) {
  LockTable::Holder first;
  CAMBIUM_ASSERT_OK(Lock(&first, "k"));
  std::vector<std::unique_ptr<LockTable::Holder>> holders;
  std::vector<std::thread> threads;
  std::vector<int> order;
  for (int i = 0; i < 5; ++i) {
    LockTable::Holder* const holder =
        holders.emplace_back(std::make_unique<LockTable::Holder>()).get();
    threads.emplace_back([&, holder, i] {
      CAMBIUM_EXPECT_OK(Lock(holder, "k", kLong));
      order.push_back(i);  // the lock protects it
      table_.ReleaseAll(holder);
    });
    std::this_thread::sleep_for(
        std::chrono::milliseconds(200));  // it waits, on a busy machine, too
  }
  table_.ReleaseAll(&first);
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(order, (std::vector<int>{0, 1, 2, 3, 4}));
}

// The one that closes the cycle is refused, at once; the others go on.
TEST_F(LockTableTest, CyclesOfAnyLengthAreFound) {
  constexpr int kLength = 5;
  std::vector<LockTable::Holder> holders(kLength);
  for (int i = 0; i < kLength; ++i) {
    CAMBIUM_ASSERT_OK(Lock(&holders[size_t(i)], std::to_string(i)));
  }
  std::vector<std::thread> threads;
  for (int i = 0; i + 1 < kLength; ++i) {
    threads.emplace_back([&, i] {
      CAMBIUM_EXPECT_OK(Lock(&holders[size_t(i)], std::to_string(i + 1), kLong));
      table_.ReleaseAll(&holders[size_t(i)]);
    });
    std::this_thread::sleep_for(std::chrono::milliseconds(200));  // it waits
  }
  const absl::Status refused = Lock(&holders[kLength - 1], "0", kLong);
  CAMBIUM_EXPECT_CODE(refused, kAborted);
  EXPECT_THAT(refused.message(),
              AllOf(HasSubstr("deadlock"), HasSubstr("\"0\""), HasSubstr("\"4\"")));
  table_.ReleaseAll(&holders[kLength - 1]);
  for (std::thread& thread : threads) thread.join();
}

TEST_F(LockTableTest, CloseEndsWaits) {
  LockTable::Holder a, b;
  CAMBIUM_ASSERT_OK(Lock(&a, "k"));
  std::thread waiter([&] { CAMBIUM_EXPECT_CODE(Lock(&b, "k", kLong), kFailedPrecondition); });
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  table_.Close();
  waiter.join();
  CAMBIUM_EXPECT_CODE(Lock(&b, "other"), kFailedPrecondition);
  table_.ReleaseAll(&a);
}

// Random locks of many threads: each critical section is alone, and all ends.
TEST_F(LockTableTest, ManyThreadsExcludeEachOther) {
  constexpr int kKeys = 4;
  std::array<int, kKeys> inside{};
  std::vector<std::thread> threads;
  for (uint32_t t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      std::mt19937 random(t);
      for (int round = 0; round < 2000; ++round) {
        LockTable::Holder holder;
        std::vector<size_t> held;
        for (int i = 0; i < 3; ++i) {
          const size_t key = random() % kKeys;
          bool is_new = false;
          const absl::Status status =
              table_.Acquire(&holder, tree_, std::to_string(key), random() % 2 * 5, &is_new);
          if (!status.ok()) break;
          if (!is_new) continue;
          EXPECT_EQ(++inside[key], 1);
          held.push_back(key);
        }
        for (const size_t key : held) --inside[key];
        table_.ReleaseAll(&holder);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace cambium::engine
