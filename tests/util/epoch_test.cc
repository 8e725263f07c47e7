#include "util/epoch.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <memory>
#include <thread>
#include <vector>

namespace cambium {
namespace {

// Counts its living instances.
class Counted {
 public:
  explicit Counted(std::atomic<int>* living) : living_(living) { living_->fetch_add(1); }
  ~Counted() { living_->fetch_sub(1); }

 private:
  std::atomic<int>* const living_;
};

// `delete object`, when it may be.
template <typename T>
void RetireDeleted(EpochDomain* domain, T* object) {
  struct Retired {
    EpochLink link;
    T* object;
  };
  auto* const retired = new Retired{{}, object};
  domain->Retire(&retired->link, retired, [](void* given) {
    const std::unique_ptr<Retired> owned(static_cast<Retired*>(given));
    delete owned->object;
  });
}

// Opens a guard in a thread of its own, until Close().
class GuardInThread {
 public:
  explicit GuardInThread(EpochDomain* domain) : domain_(domain), thread_([this] { Run(); }) {
    while (!open_.load()) std::this_thread::yield();
  }
  ~GuardInThread() { Close(); }
  void Close() {
    close_.store(true);
    if (thread_.joinable()) thread_.join();
  }

 private:
  void Run() {
    EpochGuard guard(domain_);
    open_.store(true);
    while (!close_.load()) std::this_thread::yield();
  }

  EpochDomain* const domain_;
  std::atomic<bool> open_{false};
  std::atomic<bool> close_{false};
  std::thread thread_;
};

TEST(Epoch, CollectDeletesWhenNoGuardIsOpen) {
  EpochDomain domain;
  std::atomic<int> living{0};
  RetireDeleted(&domain, new Counted(&living));
  EXPECT_EQ(living.load(), 1);
  domain.Collect();
  EXPECT_EQ(living.load(), 0);
}

TEST(Epoch, GuardOpenAtTheCallHoldsBackDeletion) {
  EpochDomain domain;
  std::atomic<int> living{0};
  GuardInThread guard(&domain);
  RetireDeleted(&domain, new Counted(&living));
  domain.Collect();
  EXPECT_EQ(living.load(), 1);
  guard.Close();
  domain.Collect();
  EXPECT_EQ(living.load(), 0);
}

TEST(Epoch, GuardOpenedLaterDoesNotHoldBackWhatWasStampedBefore) {
  EpochDomain domain;
  std::atomic<int> living{0};
  {
    GuardInThread first(&domain);
    RetireDeleted(&domain, new Counted(&living));
    domain.Collect();  // stamps it
    GuardInThread second(&domain);
    first.Close();
    domain.Collect();
    EXPECT_EQ(living.load(), 0);
  }
}

TEST(Epoch, GuardOfAnotherDomainHoldsNothingBack) {
  EpochDomain domain, other;
  std::atomic<int> living{0};
  GuardInThread guard(&other);
  RetireDeleted(&domain, new Counted(&living));
  domain.Collect();
  EXPECT_EQ(living.load(), 0);
  RetireDeleted(&domain, new Counted(&living));
  domain.Drain();
  EXPECT_EQ(living.load(), 0);
}

TEST(Epoch, OwnGuardHoldsBackAndNests) {
  EpochDomain domain;
  std::atomic<int> living{0};
  std::atomic<bool> retired{false};
  std::thread writer;
  {
    EpochGuard outer(&domain);
    {
      EpochGuard inner(&domain);
      writer = std::thread([&] {
        RetireDeleted(&domain, new Counted(&living));
        retired.store(true);
      });
      while (!retired.load()) std::this_thread::yield();
    }
    std::thread([&] { domain.Collect(); }).join();
    EXPECT_EQ(living.load(), 1);
  }
  domain.Collect();
  EXPECT_EQ(living.load(), 0);
  writer.join();
}

TEST(Epoch, CloseEndsAGuardOnce) {
  EpochDomain domain;
  std::atomic<int> living{0};
  EpochGuard guard(&domain);
  guard.Close();
  AssertNoEpochGuard();
  RetireDeleted(&domain, new Counted(&living));
  domain.Drain();
  EXPECT_EQ(living.load(), 0);
  guard.Close();
  EpochGuard next(&domain);  // would be open for ever if the first had been closed twice
  next.Close();
  domain.Drain();
}

#if GTEST_HAS_DEATH_TEST && !defined(NDEBUG)
TEST(EpochDeathTest, LockInsideAGuardIsCaught) {
  EpochDomain domain;
  Mutex mutex;
  EXPECT_DEATH(
      {
        EpochGuard guard(&domain);
        MutexLock lock(&mutex);
      },
      "open_guards");
}
#endif

TEST(Epoch, ManyRetiredObjectsAreCollectedByRetire) {
  EpochDomain domain;
  std::atomic<int> living{0};
  for (int i = 0; i < 1000; ++i) RetireDeleted(&domain, new Counted(&living));
  EXPECT_LT(living.load(), 100);
  domain.Drain();
  EXPECT_EQ(living.load(), 0);
}

// Batches are bounded: while a guard stays open, later ones join the newest.
TEST(Epoch, BatchesThatWaitForAGuardAreJoined) {
  EpochDomain domain;
  std::atomic<int> living{0};
  {
    GuardInThread guard(&domain);
    for (int i = 0; i < 100; ++i) {
      RetireDeleted(&domain, new Counted(&living));
      domain.Collect();
    }
    EXPECT_EQ(living.load(), 100);
  }
  domain.Drain();
  EXPECT_EQ(living.load(), 0);
}

TEST(Epoch, DestructionDeletesWhatIsRetired) {
  std::atomic<int> living{0};
  {
    EpochDomain domain;
    RetireDeleted(&domain, new Counted(&living));
  }
  EXPECT_EQ(living.load(), 0);
}

TEST(Epoch, DrainWaitsForGuard) {
  EpochDomain domain;
  std::atomic<int> living{0};
  GuardInThread guard(&domain);
  RetireDeleted(&domain, new Counted(&living));
  std::atomic<bool> closing{false};
  std::thread closer([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    closing.store(true);
    guard.Close();
  });
  domain.Drain();
  EXPECT_TRUE(closing.load());
  EXPECT_EQ(living.load(), 0);
  closer.join();
}

TEST(Epoch, DrainDeletesWhatOtherThreadsRetired) {
  EpochDomain domain;
  std::atomic<int> living{0};
  std::atomic<bool> retired{false};
  std::atomic<bool> stop{false};
  std::thread running([&] {
    RetireDeleted(&domain, new Counted(&living));
    retired.store(true);
    while (!stop.load()) std::this_thread::yield();
  });
  std::thread([&] { RetireDeleted(&domain, new Counted(&living)); }).join();
  while (!retired.load()) std::this_thread::yield();
  domain.Drain();
  EXPECT_EQ(living.load(), 0);
  stop.store(true);
  running.join();
}

// What one thread retires, any other may delete: nothing waits for a thread that ended.
TEST(Epoch, ThreadsThatEndLeaveNothingBehind) {
  EpochDomain domain;
  std::atomic<int> living{0};
  for (int i = 0; i < 50; ++i) {
    std::thread([&] { RetireDeleted(&domain, new Counted(&living)); }).join();
  }
  domain.Collect();
  EXPECT_EQ(living.load(), 0);
}

// More threads at once than the domain has slots of its own.
TEST(Epoch, GuardsOfManyThreadsHoldBack) {
  EpochDomain domain;
  std::atomic<int> living{0};
  std::vector<std::unique_ptr<GuardInThread>> guards;
  for (int i = 0; i < 150; ++i) guards.push_back(std::make_unique<GuardInThread>(&domain));
  RetireDeleted(&domain, new Counted(&living));
  while (!guards.empty()) {
    domain.Collect();
    ASSERT_EQ(living.load(), 1) << guards.size();
    guards.pop_back();
  }
  domain.Collect();
  EXPECT_EQ(living.load(), 0);
}

// Nested deletions are done one after the other, not one inside the other: no stack is deep enough.
TEST(Epoch, DeleterMayRetire) {
  constexpr int kLength = 50000;
  static std::atomic<int> deleted{0};
  static EpochDomain* retires_to = nullptr;
  deleted.store(0);
  EpochDomain domain;
  retires_to = &domain;
  struct Chain {
    int left;
    EpochLink link;

    static void Delete(void* object) {
      ++deleted;
      auto* const chain = static_cast<Chain*>(object);
      if (--chain->left == 0) {
        delete chain;
      } else {
        retires_to->Retire(&chain->link, chain, Delete);
        retires_to->Collect();
      }
    }
  };
  auto* const chain = new Chain{kLength, {}};
  domain.Retire(&chain->link, chain, Chain::Delete);
  while (deleted.load() < kLength) domain.Drain();
  EXPECT_EQ(deleted.load(), kLength);
}

#if !defined(__SANITIZE_THREAD__)  // which starts no threads in the child of a process of many
// In a child of fork(), a domain that is new does not wait for guards that threads of the parent
// had open, and threads of the child get numbers.
TEST(Epoch, ChildOfForkDoesNotWaitForThreadsOfTheParent) {
  EpochDomain domain;
  GuardInThread guard(&domain);
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    alarm(20);
    std::atomic<int> living{0};
    {
      EpochDomain fresh;
      { const EpochGuard own(&fresh); }
      std::thread([&] { const EpochGuard own(&fresh); }).join();
      RetireDeleted(&fresh, new Counted(&living));
      fresh.Drain();
    }
    _exit(living.load() == 0 ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
}
#endif

// Readers check a number that the deleter overwrites; threads come and go, so that slots are
// reused.
TEST(Epoch, ReadersNeverSeeADeletedObject) {
  constexpr uint64_t kAlive = 0x600d600d600d600d;
  struct Node {
    std::atomic<uint64_t> state{kAlive};
    ~Node() { state.store(0xdeaddeaddeaddead); }
  };
  EpochDomain domain;
  std::array<std::atomic<Node*>, 8> shared;
  for (auto& cell : shared) cell.store(new Node);
  std::atomic<uint64_t> bad{0}, reads{0};
  std::atomic<bool> stop{false};

  const auto reader = [&] {
    size_t i = 0;
    while (!stop.load(std::memory_order_relaxed)) {
      EpochGuard guard(&domain);
      const Node* const node = shared[++i % shared.size()].load(std::memory_order_acquire);
      for (int look = 0; look < 4; ++look) {
        if (node->state.load(std::memory_order_relaxed) != kAlive) bad.fetch_add(1);
      }
      if (i % 1024 == 0) reads.fetch_add(1024, std::memory_order_relaxed);
    }
  };
  const auto writer = [&](int count) {
    for (int i = 0; i < count; ++i) {
      RetireDeleted(&domain, shared[static_cast<size_t>(i) % shared.size()].exchange(new Node));
    }
  };
  std::vector<std::thread> readers;
  for (int i = 0; i < 3; ++i) readers.emplace_back(reader);
  for (int round = 0; round < 20; ++round) {
    std::thread first(writer, 500), second(writer, 500);
    first.join();
    second.join();
  }
  while (reads.load() == 0) std::this_thread::yield();
  stop.store(true);
  for (std::thread& thread : readers) thread.join();
  EXPECT_EQ(bad.load(), 0u);
  for (auto& cell : shared) RetireDeleted(&domain, cell.exchange(nullptr));
  domain.Drain();
}

}  // namespace
}  // namespace cambium
