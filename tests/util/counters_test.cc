#include <gtest/gtest.h>

#include <atomic>
#include <set>
#include <thread>
#include <vector>

#include "util/epoch.h"
#include "util/sharded_counter.h"

namespace cambium {
namespace {

// Runs `body` in `count` threads that are all alive at once.
template <typename Body>
void InThreads(int count, Body body) {
  std::atomic<int> done{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < count; ++i) {
    threads.emplace_back([&, i] {
      body(i);
      done.fetch_add(1);
      while (done.load() < count) std::this_thread::yield();
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST(ThreadIndex, IsTheSameForOneThreadAndDistinctAmongTheLiving) {
  std::vector<uint32_t> indexes(16);
  InThreads(16, [&](int i) {
    indexes[static_cast<size_t>(i)] = ThreadIndex();
    EXPECT_EQ(ThreadIndex(), indexes[static_cast<size_t>(i)]);
  });
  EXPECT_EQ(std::set<uint32_t>(indexes.begin(), indexes.end()).size(), 16u);
}

TEST(ThreadIndex, IsGivenOutAgain) {
  ThreadIndex();
  uint32_t first = 0, second = 0;
  std::thread([&] { first = ThreadIndex(); }).join();
  std::thread([&] { second = ThreadIndex(); }).join();
  EXPECT_EQ(first, second);
  EXPECT_NE(first, ThreadIndex());
}

TEST(ShardedCounters, SumsExactlyOverMoreThreadsThanShards) {
  ShardedCounters<3> counters;
  constexpr int kThreads = 40;
  constexpr int kAdds = 500;
  InThreads(kThreads, [&](int) {
    for (int i = 0; i < kAdds; ++i) {
      counters.Add(0, 1);
      counters.Add(2, 5);
    }
  });
  EXPECT_EQ(counters.Sum(0), uint64_t{kThreads} * kAdds);
  EXPECT_EQ(counters.Sum(1), 0u);
  EXPECT_EQ(counters.Sum(2), uint64_t{kThreads} * kAdds * 5);
}

// A shard passes from a thread that ended to the next without losing what was added.
TEST(ShardedCounters, SurvivesTheReuseOfThreadIndexes) {
  ShardedCounters<1> counters;
  for (int i = 0; i < 50; ++i) std::thread([&] { counters.Add(0, 2); }).join();
  EXPECT_EQ(counters.Sum(0), 100u);
}

}  // namespace
}  // namespace cambium
