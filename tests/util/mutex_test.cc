// The lock order, which asserts check at run time.
#include "util/mutex.h"

#include <gtest/gtest.h>

#include <thread>

namespace cambium {
namespace {

TEST(Mutex, TakesRanksInAscendingOrderAgainAndAgain) {
  Mutex manifest(LockRank::kManifest), tree(LockRank::kTree), leaf;
  for (int i = 0; i < 300; ++i) {  // more often than a counter of 8 bits could miscount
    MutexLock first(&manifest);
    MutexLock second(&tree);
    MutexLock third(&leaf);
    manifest.AssertHeld();
    leaf.AssertHeld();
  }
}

TEST(Mutex, LocksOfOtherThreadsDoNotCount) {
  Mutex tree(LockRank::kTree), manifest(LockRank::kManifest);
  MutexLock lock(&tree);
  std::thread([&manifest] { MutexLock other(&manifest); }).join();
}

TEST(Mutex, WaiterHoldsItAgainAfterTheWait) {
  Mutex mutex;
  CondVar changed;
  bool ready = false;
  std::thread other([&] {
    MutexLock lock(&mutex);
    ready = true;
    changed.SignalAll();
  });
  {
    MutexLock lock(&mutex);
    while (!ready) changed.Wait(&mutex);
    mutex.AssertHeld();
    changed.WaitFor(&mutex, 1);
    mutex.AssertHeld();
  }
  other.join();
}

#ifndef NDEBUG
TEST(MutexDeathTest, LowerRankUnderAHigherOneIsCaught) {
  Mutex manifest(LockRank::kManifest), tree(LockRank::kTree);
  EXPECT_DEATH(
      {
        MutexLock first(&tree);
        MutexLock second(&manifest);
      },
      "MayTake");
}

TEST(MutexDeathTest, TwoLeavesAreCaught) {
  Mutex one, two;
  EXPECT_DEATH(
      {
        MutexLock first(&one);
        MutexLock second(&two);
      },
      "MayTake");
}

TEST(MutexDeathTest, AssertHeldCatchesWhoDoesNotHoldIt) {
  Mutex mutex;
  EXPECT_DEATH(mutex.AssertHeld(), "owner_");
  MutexLock lock(&mutex);
  EXPECT_DEATH(std::thread([&mutex] { mutex.AssertHeld(); }).join(), "owner_");
}
#endif

}  // namespace
}  // namespace cambium
