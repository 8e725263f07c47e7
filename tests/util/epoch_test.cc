#include "util/epoch.h"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <chrono>
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
void EpochDelete(T* object, size_t bytes = sizeof(T)) {
  EpochRetire(
      object, [](void* retired) { delete static_cast<T*>(retired); }, bytes);
}

// Retires so much that the thread's list becomes a batch at once, and what may go is deleted.
void Collect() { EpochDelete(new int(0), size_t{1} << 20); }

// Opens a guard in a thread of its own, until Close().
class GuardInThread {
 public:
  GuardInThread() : thread_([this] { Run(); }) {
    while (!open_.load()) std::this_thread::yield();
  }
  ~GuardInThread() { Close(); }
  void Close() {
    close_.store(true);
    if (thread_.joinable()) thread_.join();
  }

 private:
  void Run() {
    EpochGuard guard;
    open_.store(true);
    while (!close_.load()) std::this_thread::yield();
  }

  std::atomic<bool> open_{false};
  std::atomic<bool> close_{false};
  std::thread thread_;
};

TEST(Epoch, CollectDeletesWhenNoGuardIsOpen) {
  std::atomic<int> living{0};
  EpochDelete(new Counted(&living));
  Collect();
  EXPECT_EQ(living.load(), 0);
}

TEST(Epoch, GuardOpenAtTheCallHoldsBackDeletion) {
  std::atomic<int> living{0};
  GuardInThread guard;
  EpochDelete(new Counted(&living));
  Collect();
  EXPECT_EQ(living.load(), 1);
  guard.Close();
  Collect();
  EXPECT_EQ(living.load(), 0);
}

TEST(Epoch, GuardOpenedLaterDoesNotHoldBackWhatWasStampedBefore) {
  std::atomic<int> living{0};
  {
    GuardInThread first;
    EpochDelete(new Counted(&living));
    Collect();  // stamps it
    GuardInThread second;
    first.Close();
    Collect();
    EXPECT_EQ(living.load(), 0);
  }
}

TEST(Epoch, OwnGuardHoldsBackAndNests) {
  std::atomic<int> living{0};
  {
    EpochGuard outer;
    {
      EpochGuard inner;
      EpochDelete(new Counted(&living));
    }
    Collect();
    EXPECT_EQ(living.load(), 1);
  }
  Collect();
  EXPECT_EQ(living.load(), 0);
}

TEST(Epoch, ManyRetiredObjectsAreCollectedByRetire) {
  std::atomic<int> living{0};
  for (int i = 0; i < 1000; ++i) EpochDelete(new Counted(&living));
  EXPECT_LT(living.load(), 100);
  EpochDrain();
  EXPECT_EQ(living.load(), 0);
}

TEST(Epoch, ManyRetiredBytesAreCollectedAtOnce) {
  std::atomic<int> living{0};
  EpochDelete(new Counted(&living), size_t{16} << 20);
  EXPECT_EQ(living.load(), 0);
}

TEST(Epoch, DrainWaitsForGuard) {
  std::atomic<int> living{0};
  GuardInThread guard;
  EpochDelete(new Counted(&living));
  std::atomic<bool> closing{false};
  std::thread closer([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    closing.store(true);
    guard.Close();
  });
  EpochDrain();
  EXPECT_TRUE(closing.load());
  EXPECT_EQ(living.load(), 0);
  closer.join();
}

TEST(Epoch, DrainDeletesWhatOtherThreadsRetired) {
  std::atomic<int> living{0};
  std::atomic<bool> retired{false};
  std::atomic<bool> stop{false};
  std::thread running([&] {
    EpochDelete(new Counted(&living));
    retired.store(true);
    while (!stop.load()) std::this_thread::yield();
  });
  std::thread([&] { EpochDelete(new Counted(&living)); }).join();
  while (!retired.load()) std::this_thread::yield();
  EpochDrain();
  EXPECT_EQ(living.load(), 0);
  stop.store(true);
  running.join();
}

// Nested deletions are done one after the other, not one inside the other: no stack is deep enough.
TEST(Epoch, DeleterMayRetire) {
  constexpr int kLength = 50000;
  static std::atomic<int> deleted{0};
  deleted.store(0);
  struct Chain {
    static void Delete(void* object) {
      ++deleted;
      int* const left = static_cast<int*>(object);
      if (--*left == 0) {
        delete left;
      } else {
        EpochRetire(left, Delete, size_t{2} << 20);
      }
    }
  };
  EpochRetire(new int(kLength), Chain::Delete);
  while (deleted.load() < kLength) EpochDrain();
  EXPECT_EQ(deleted.load(), kLength);
}

// Readers check a number that the deleter overwrites; threads come and go, so that slots are
// reused.
TEST(Epoch, ReadersNeverSeeADeletedObject) {
  constexpr uint64_t kAlive = 0x600d600d600d600d;
  struct Node {
    std::atomic<uint64_t> state{kAlive};
    ~Node() { state.store(0xdeaddeaddeaddead); }
  };
  std::array<std::atomic<Node*>, 8> shared;
  for (auto& cell : shared) cell.store(new Node);
  std::atomic<uint64_t> bad{0}, reads{0};
  std::atomic<bool> stop{false};

  const auto reader = [&] {
    size_t i = 0;
    while (!stop.load(std::memory_order_relaxed)) {
      EpochGuard guard;
      const Node* const node = shared[++i % shared.size()].load(std::memory_order_acquire);
      for (int look = 0; look < 4; ++look) {
        if (node->state.load(std::memory_order_relaxed) != kAlive) bad.fetch_add(1);
      }
      if (i % 1024 == 0) reads.fetch_add(1024, std::memory_order_relaxed);
    }
  };
  const auto writer = [&](int count) {
    for (int i = 0; i < count; ++i) {
      EpochDelete(shared[static_cast<size_t>(i) % shared.size()].exchange(new Node));
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
  for (auto& cell : shared) EpochDelete(cell.exchange(nullptr));
  EpochDrain();
}

}  // namespace
}  // namespace cambium
