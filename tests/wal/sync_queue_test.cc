#include "wal/sync_queue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

namespace cambium::wal {
namespace {

TEST(SyncQueue, SyncsOnceForAPositionAlreadyReached) {
  std::vector<LogPosition> syncs;
  SyncQueue queue([&](LogPosition position) {
    syncs.push_back(position);
    return absl::OkStatus();
  });
  EXPECT_TRUE(queue.SyncTo({1, 100}).ok());
  EXPECT_TRUE(queue.SyncTo({1, 50}).ok());
  EXPECT_TRUE(queue.SyncTo({1, 100}).ok());
  EXPECT_EQ(syncs, std::vector<LogPosition>({{1, 100}}));
  EXPECT_EQ(queue.SyncedUpTo(), (LogPosition{1, 100}));
  EXPECT_TRUE(queue.SyncTo({2, 8}).ok());
  EXPECT_EQ(queue.SyncedUpTo(), (LogPosition{2, 8}));
}

TEST(SyncQueue, FirstErrorIsStickyUntilReset) {
  int calls = 0;
  absl::Status answer = absl::OkStatus();
  SyncQueue queue([&](LogPosition) {
    ++calls;
    return answer;
  });
  ASSERT_TRUE(queue.SyncTo({1, 8}).ok());
  answer = absl::UnavailableError("disk gone");
  EXPECT_EQ(queue.SyncTo({1, 16}), answer);
  answer = absl::OkStatus();
  EXPECT_FALSE(queue.SyncTo({1, 24}).ok()) << "a sync was tried again after one failed";
  EXPECT_EQ(calls, 2);
  EXPECT_TRUE(queue.SyncTo({1, 8}).ok()) << "what was synced stays synced";
  queue.Fail(absl::InternalError("a later cause"));
  EXPECT_TRUE(absl::IsUnavailable(queue.status())) << "the first cause is kept";
  queue.Reset();
  EXPECT_TRUE(queue.status().ok());
  EXPECT_TRUE(queue.SyncTo({2, 8}).ok());
  EXPECT_EQ(calls, 3);
}

// A Reset() that comes before the waiters of a failed sync have woken takes their error from them.
// They must not go on to sync a log that was given up, over and over.
TEST(SyncQueue, WaiterOvertakenByAResetReturnsTheErrorAndRunsNoSync) {
  constexpr uint64_t kWaiters = 16;
  std::atomic<int> calls{0};
  std::atomic<bool> go{false};
  SyncQueue queue([&](LogPosition) {
    if (calls.fetch_add(1) > 0) return absl::OkStatus();
    while (!go.load()) std::this_thread::yield();
    return absl::UnavailableError("disk gone");
  });
  std::vector<std::thread> threads;
  std::atomic<int> failed{0};
  for (uint64_t i = 1; i <= kWaiters; ++i) {
    threads.emplace_back([&, i] { failed += absl::IsUnavailable(queue.SyncTo({1, i * 8}, 0)); });
    while (calls.load() == 0) std::this_thread::yield();
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(20));  // they fall asleep
  go = true;
  queue.Fail(absl::UnavailableError("recovery begins"));
  queue.Reset();
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(failed.load(), kWaiters);
  EXPECT_EQ(calls.load(), 1);
  EXPECT_EQ(queue.SyncedUpTo(), LogPosition());
}

TEST(SyncQueue, CallOfAnEarlierGenerationReturnsItsErrorAndRunsNoSync) {
  int calls = 0;
  SyncQueue queue([&](LogPosition) {
    ++calls;
    return absl::OkStatus();
  });
  const uint64_t before = queue.generation();
  queue.Fail(absl::UnavailableError("disk gone"));
  queue.Reset();
  EXPECT_TRUE(absl::IsUnavailable(queue.SyncTo({1, 8}, before)));
  EXPECT_EQ(calls, 0);
  EXPECT_TRUE(queue.SyncTo({2, 8}, queue.generation()).ok());
  EXPECT_TRUE(queue.SyncTo({1, 8}, before).ok()) << "what was synced meanwhile is ok for everybody";
}

TEST(SyncQueue, FailWaitsForTheSyncThatRuns) {
  std::atomic<bool> running{false};
  SyncQueue queue([&](LogPosition) {
    running = true;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    running = false;
    return absl::OkStatus();
  });
  std::thread syncer([&] { EXPECT_TRUE(queue.SyncTo({1, 8}).ok()) << "it succeeded"; });
  while (!running.load()) std::this_thread::yield();
  queue.Fail(absl::UnavailableError("recovery begins"));
  EXPECT_FALSE(running.load());
  EXPECT_FALSE(queue.SyncTo({1, 16}).ok());
  syncer.join();
}

TEST(SyncQueue, WaitersThatComeDuringASyncShareTheNext) {
  std::atomic<int> calls{0};
  std::atomic<int> arrived{0};
  std::atomic<bool> go{false};
  SyncQueue queue([&](LogPosition position) {
    if (calls.fetch_add(1) == 0) {
      EXPECT_EQ(position, (LogPosition{1, 8}));
      while (!go.load()) std::this_thread::yield();
    }
    return absl::OkStatus();
  });
  std::vector<std::thread> threads;
  threads.emplace_back([&] { EXPECT_TRUE(queue.SyncTo({1, 8}).ok()); });
  while (calls.load() == 0) std::this_thread::yield();
  for (uint64_t i = 2; i <= 8; ++i) {
    threads.emplace_back([&, i] {
      arrived.fetch_add(1);
      EXPECT_TRUE(queue.SyncTo({1, i * 8}).ok());
    });
  }
  while (arrived.load() < 7) std::this_thread::yield();
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  go = true;
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(queue.SyncedUpTo(), (LogPosition{1, 64}));
  // One for the first, one for all that came while it ran; more only if a thread was late.
  EXPECT_LT(calls.load(), 8);
}

TEST(SyncQueue, NeverRunsTwoSyncsAtOnceAndNeverGoesBack) {
  std::atomic<int> running{0};
  std::atomic<uint64_t> written{0};
  SyncQueue queue([&](LogPosition position) {
    EXPECT_EQ(running.fetch_add(1), 0);
    EXPECT_LE(position.offset, written.load());
    running.fetch_sub(1);
    return absl::OkStatus();
  });
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 2000; ++i) {
        const LogPosition end{1, written.fetch_add(8) + 8};
        ASSERT_TRUE(queue.SyncTo(end).ok());
        ASSERT_GE(queue.SyncedUpTo(), end);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(queue.SyncedUpTo(), (LogPosition{1, written.load()}));
}

}  // namespace
}  // namespace cambium::wal
