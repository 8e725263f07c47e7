// ThreadPool and InlineExecutor: lanes, order, and the guarantees at the end of their lives.
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <numeric>
#include <set>
#include <vector>

#include "env/testing/inline_executor.h"
#include "env/thread_pool.h"
#include "tests/env/env_test_util.h"

namespace cambium::env {
namespace {

// A door that tasks wait at. Thread-safe.
class Gate {
 public:
  void Open() {
    const std::lock_guard lock(mu_);
    open_ = true;
    changed_.notify_all();
  }
  void Wait() {
    std::unique_lock lock(mu_);
    changed_.wait(lock, [this] { return open_; });
  }

 private:
  std::mutex mu_;
  std::condition_variable changed_;
  bool open_ = false;
};

TEST(ThreadPool, RunsEverythingBeforeItEnds) {
  std::atomic<int> ran = 0;
  {
    ThreadPool pool(3);
    for (int i = 0; i < 300; ++i) {
      pool.Schedule(static_cast<Lane>(i % kLaneCount), [&] { ++ran; });
    }
  }
  EXPECT_EQ(ran, 300);
}

TEST(ThreadPool, RunsWhatTasksScheduleWhileItEnds) {
  for (const int threads : {1, 2, 4}) {
    std::atomic<int> ran = 0;
    Gate gate;
    {
      ThreadPool pool(threads);
      pool.Schedule(Lane::kCompaction, [&] {
        gate.Wait();
        pool.Schedule(Lane::kFlush, [&] {
          pool.Schedule(Lane::kMaintenance, [&] { ++ran; });
          ++ran;
        });
        ++ran;
      });
      gate.Open();
    }
    EXPECT_EQ(ran, 3) << threads << " threads";
  }
}

TEST(ThreadPool, ThreadsStayWhileAFlushMayScheduleCompactions) {
  std::atomic<int> ran = 0;
  {
    ThreadPool pool(2);
    Gate started;
    pool.Schedule(Lane::kFlush, [&] {
      started.Open();
      ::usleep(20'000);  // the pool is stopped in the meantime
      pool.Schedule(Lane::kCompaction, [&] { ++ran; });
    });
    started.Wait();
  }
  EXPECT_EQ(ran, 1);
}

TEST(ThreadPool, ThreadsAreItsOwn) {
  ThreadPool pool(2);
  EXPECT_FALSE(pool.RunOne());
  EXPECT_EQ(pool.Concurrency(), 2);
  EXPECT_EQ(ThreadPool(0).Concurrency(), 1);
}

TEST(ThreadPool, UpperLanesStartFirstAndLanesKeepTheirOrder) {
  std::vector<int> order;
  Gate gate;
  {
    ThreadPool pool(1);
    pool.Schedule(Lane::kCompaction, [&] { gate.Wait(); });
    pool.Schedule(Lane::kMaintenance, [&] { order.push_back(5); });
    pool.Schedule(Lane::kCompaction, [&] { order.push_back(3); });
    pool.Schedule(Lane::kCompaction, [&] { order.push_back(4); });
    pool.Schedule(Lane::kFlush, [&] { order.push_back(1); });
    pool.Schedule(Lane::kFlush, [&] { order.push_back(2); });
    gate.Open();
  }
  EXPECT_EQ(order, (std::vector<int>{1, 2, 3, 4, 5}));
}

TEST(ThreadPool, FlushRunsWhileCompactionsFillTheRest) {
  for (const int threads : {2, 3}) {
    Gate compactions;
    ThreadPool pool(threads);
    for (int i = 0; i < 10; ++i) pool.Schedule(Lane::kCompaction, [&] { compactions.Wait(); });
    for (int i = 0; i < 10; ++i) pool.Schedule(Lane::kMaintenance, [&] { compactions.Wait(); });
    for (int i = 0; i < 10; ++i) {
      Gate flushed;
      pool.Schedule(Lane::kFlush, [&] { flushed.Open(); });
      flushed.Wait();   // for ever, if compactions could take every thread
      ::usleep(1'000);  // long enough for that
    }
    compactions.Open();
  }
}

TEST(ThreadPool, FlushesRunSideBySideWhereThreadsAreIdle) {
  Gate all_there;
  std::atomic<int> waiting = 0;
  ThreadPool pool(3);
  for (int i = 0; i < 3; ++i) {
    pool.Schedule(Lane::kFlush, [&] {
      if (++waiting == 3) all_there.Open();
      all_there.Wait();
    });
  }
  all_there.Wait();
}

TEST(ThreadPool, CompactionsRunAtLowerPriorityThanTheCaller) {
  const auto nice_of_this_thread = [] {
    return ::getpriority(PRIO_PROCESS, static_cast<id_t>(::syscall(SYS_gettid)));
  };
  const int ours = nice_of_this_thread();
  std::atomic<int> compaction = -100, flush = -100;
  Gate started, flushed;
  {
    ThreadPool pool(2);
    pool.Schedule(Lane::kCompaction, [&] {
      compaction = nice_of_this_thread();
      started.Open();
      flushed.Wait();
    });
    started.Wait();
    pool.Schedule(Lane::kFlush, [&] {
      flush = nice_of_this_thread();
      flushed.Open();
    });
  }
  EXPECT_EQ(compaction, std::min(ours + 5, 19));
  EXPECT_EQ(flush, ours);
}

std::vector<int> OrderOf(uint64_t seed) {
  std::vector<int> order;
  InlineExecutor executor(seed);
  for (int i = 0; i < 20; ++i) {
    executor.Schedule(static_cast<Lane>(i % kLaneCount), [&order, i] { order.push_back(i); });
  }
  EXPECT_EQ(executor.WaitingCount(), 20u);
  EXPECT_TRUE(order.empty()) << "never inside Schedule";
  while (executor.RunOne()) {
  }
  return order;
}

TEST(ThreadPool, RunsDelayedTasksInTheOrderOfTheirTimes) {
  for (const int threads : {1, 3}) {
    ThreadPool pool(threads);
    std::mutex mu;
    std::vector<int> order;
    Gate all_ran;
    const auto started = std::chrono::steady_clock::now();
    for (const int turn : {2, 0, 1}) {
      EXPECT_TRUE(pool.ScheduleAfter(static_cast<uint64_t>(30'000 * (1 + turn)), [&, turn] {
        const std::lock_guard lock(mu);
        order.push_back(turn);
        if (order.size() == 3) all_ran.Open();
      }));
    }
    all_ran.Wait();
    EXPECT_GE(std::chrono::steady_clock::now() - started, std::chrono::milliseconds(90));
    EXPECT_EQ(order, (std::vector<int>{0, 1, 2}));
  }
}

TEST(ThreadPool, DelayedTaskThatStillWaitsAtTheEndDoesNotRun) {
  std::atomic<int> ran = 0;
  {
    ThreadPool pool(2);
    EXPECT_TRUE(pool.ScheduleAfter(3'600'000'000, [&] { ++ran; }));
    pool.Schedule(Lane::kCompaction, [&] { ++ran; });
  }
  EXPECT_EQ(ran, 1);
}

TEST(InlineExecutor, HasNoTimer) {
  InlineExecutor executor(1);
  EXPECT_FALSE(executor.ScheduleAfter(1, [] {}));
  EXPECT_FALSE(executor.RunOne());
}

TEST(InlineExecutor, OrderIsAFunctionOfTheSeed) {
  std::set<std::vector<int>> orders;
  for (uint64_t seed = 0; seed < 20; ++seed) {
    const std::vector<int> order = OrderOf(seed);
    EXPECT_EQ(order, OrderOf(seed));
    orders.insert(order);
    std::vector<int> sorted = order;
    std::sort(sorted.begin(), sorted.end());
    std::vector<int> all(20);
    std::iota(all.begin(), all.end(), 0);
    EXPECT_EQ(sorted, all);
  }
  EXPECT_EQ(orders.size(), 20u);
}

TEST(InlineExecutor, RunOneSaysWhetherItRan) {
  InlineExecutor executor(1);
  EXPECT_EQ(executor.Concurrency(), 1);
  EXPECT_FALSE(executor.RunOne());
  int ran = 0;
  executor.Schedule(Lane::kFlush, [&] { ++ran; });
  EXPECT_TRUE(executor.RunOne());
  EXPECT_EQ(ran, 1);
  EXPECT_FALSE(executor.RunOne());
}

TEST(InlineExecutor, TasksMayScheduleAndRunTasks) {
  int ran = 0;
  {
    InlineExecutor executor(1);
    executor.Schedule(Lane::kCompaction, [&] {
      executor.Schedule(Lane::kFlush, [&] { ++ran; });
      EXPECT_TRUE(executor.RunOne());
      EXPECT_EQ(ran, 1);
      executor.Schedule(Lane::kFlush, [&] { ++ran; });
    });
  }
  EXPECT_EQ(ran, 2) << "the end runs what waits";
}

}  // namespace
}  // namespace cambium::env
