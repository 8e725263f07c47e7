// Writers and readers at the same few nodes of one small skiplist, over and over: what goes wrong
// between two steps of one of them has a chance to be seen.
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "memtable/skip_list.h"
#include "util/chunk_pool.h"
#include "util/random.h"

namespace cambium::memtable {
namespace {

// Two threads that begin each round at the same moment. Thread-safe.
class StartLine {
 public:
  // Returns when both have come here for this round.
  void Wait(int round) {
    arrived_.fetch_add(1, std::memory_order_acq_rel);
    while (arrived_.load(std::memory_order_acquire) < 2 * (round + 1)) std::this_thread::yield();
  }

 private:
  std::atomic<int> arrived_{0};
};

struct Round {
  explicit Round(ChunkPool* pool) : arena(pool), list(KeyOrder(BytewiseComparator()), &arena) {}

  void Insert(std::string_view key, Trailer trailer) {
    list.Insert(Entry::Make(&arena, key, trailer, ""), [] {});
  }
  // Whether a search for the entry comes out right behind it.
  bool Finds(std::string_view key, Trailer trailer) const {
    LeafCopy leaf;
    const size_t position = list.Find({key, trailer}, Bias::kAtOrBelow, &leaf);
    return position > 0 && leaf.entries[position - 1]->trailer() == trailer &&
           leaf.entries[position - 1]->key() == key;
  }
  size_t Size() const {
    size_t size = 0;
    LeafCopy leaf;
    list.CopyFirst(&leaf);
    do {
      size += leaf.count;
    } while (list.CopyNext(&leaf));
    return size;
  }

  Arena arena;
  SkipList list;
  std::atomic<uint64_t> inserted{0};
};

std::string KeyOf(uint64_t round, uint64_t i) {
  std::string key(8, '\0');
  StoreFixed64(key.data(), MixBits(round << 32 | i));
  return key;
}

// Runs `first` and `second` at once, in as many rounds, each on a list of its own.
template <typename First, typename Second>
void RunRounds(int rounds, First first, Second second) {
  ChunkPool pool(1 << 16, 1 << 20);
  StartLine line;
  std::vector<std::unique_ptr<Round>> lists;
  for (int i = 0; i < rounds; ++i) lists.push_back(std::make_unique<Round>(&pool));
  std::thread other([&] {
    for (int i = 0; i < rounds; ++i) {
      line.Wait(i);
      second(static_cast<uint64_t>(i), lists[static_cast<size_t>(i)].get());
    }
  });
  for (int i = 0; i < rounds; ++i) {
    line.Wait(i);
    first(static_cast<uint64_t>(i), lists[static_cast<size_t>(i)].get());
  }
  other.join();
  for (const auto& list : lists) EXPECT_EQ(list->Size(), list->inserted.load());
}

TEST(SkipListContention, TwoWritersAtTheSameNodesLoseNothing) {
  constexpr uint64_t kEach = 400;
  constexpr int kRounds = 250;
  const auto write = [](uint64_t parity) {
    return [parity](uint64_t round, Round* on) {
      for (uint64_t i = 0; i < kEach; ++i) on->Insert(KeyOf(round, 2 * i + parity), 1);
      for (uint64_t i = 0; i < kEach; ++i) {
        ASSERT_TRUE(on->Finds(KeyOf(round, 2 * i + parity), 1));
      }
      on->inserted.fetch_add(kEach);
    };
  };
  RunRounds(kRounds, write(0), write(1));
}

TEST(SkipListContention, AReaderAtTheWritersNodesFindsWhatIsThere) {
  constexpr uint64_t kEntries = 500;
  const auto write = [](uint64_t round, Round* on) {
    for (uint64_t i = 0; i < kEntries; ++i) {
      on->Insert(KeyOf(round, i), 1);
      on->inserted.store(i + 1, std::memory_order_release);
    }
  };
  const auto read = [](uint64_t round, Round* on) {
    Random random(round + 1);
    for (uint64_t seen = 0; seen < kEntries;) {
      seen = on->inserted.load(std::memory_order_acquire);
      if (seen == 0) continue;
      ASSERT_TRUE(on->Finds(KeyOf(round, random.Uniform(seen)), 1));
    }
  };
  RunRounds(150, write, read);
}

}  // namespace
}  // namespace cambium::memtable
