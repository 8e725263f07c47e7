// The block cache: its bound, its clock, and readers under eviction.
#include "sstable/cache/block_cache.h"

#include <atomic>
#include <thread>

#include "tests/sstable/table_support.h"

namespace cambium::sstable {
namespace {

constexpr size_t kFrameSize = 1000;

// A cached frame of no particular content; the cache looks at none.
Frame* NewFrame(BlockCache* cache, BlockKind kind = BlockKind::kData) {
  return Frame::New(cache, kind, kFrameSize);
}

// Slots as a table has them. Emptied at the end.
class Slots {
 public:
  Slots(BlockCache* cache, size_t count) : cache_(cache), slots_(count) {}
  ~Slots() { cache_->Erase(slots_); }

  FrameSlot* operator[](size_t i) { return &slots_[i]; }
  void Insert(size_t i, BlockKind kind = BlockKind::kData) {
    cache_->Insert(&slots_[i], NewFrame(cache_, kind))->Unref();
  }
  bool Holds(size_t i) const { return slots_[i].load() != nullptr; }
  size_t CountHeld() const {
    return static_cast<size_t>(
        std::count_if(slots_.begin(), slots_.end(),
                      [](const FrameSlot& slot) { return slot.load() != nullptr; }));
  }

 private:
  BlockCache* const cache_;
  std::vector<FrameSlot> slots_;
};

TEST(BlockCache, KeepsWithinItsCapacity) {
  EpochDomain epochs;
  BlockCache cache(20'000, &epochs);
  Slots slots(&cache, 100);
  for (size_t i = 0; i < 100; ++i) {
    slots.Insert(i);
    EXPECT_TRUE(slots.Holds(i));
    EXPECT_LE(cache.Stats().resident, 20'000u);
  }
  EXPECT_EQ(cache.Stats().frames, slots.CountHeld());
  EXPECT_EQ(cache.Stats().evictions, 100u - slots.CountHeld());
  EXPECT_GE(slots.CountHeld(), 10u);
  epochs.Drain();
  EXPECT_EQ(cache.Usage(), cache.Stats().resident);
}

TEST(BlockCache, EvictsWhatIsNotUsedFirst) {
  EpochDomain epochs;
  BlockCache cache(22'000, &epochs);
  Slots slots(&cache, 200);
  slots.Insert(0);
  slots.Insert(1);
  for (size_t i = 2; i < 200; ++i) {
    slots.Insert(i);
    ASSERT_TRUE(slots.Holds(0)) << i;
    (*slots[0]).load()->MarkUsed();
  }
  EXPECT_FALSE(slots.Holds(1));
}

TEST(BlockCache, KeepsIndexesLongerThanData) {
  EpochDomain epochs;
  BlockCache cache(22'000, &epochs);
  Slots slots(&cache, 22);
  slots.Insert(0, BlockKind::kIndex);
  for (size_t i = 1; i < 22; ++i) slots.Insert(i);
  EXPECT_TRUE(slots.Holds(0));
  EXPECT_FALSE(slots.Holds(1));
  EXPECT_GT(cache.Stats().table_memory, kFrameSize);
}

TEST(BlockCache, LeavesOutsideWhatDoesNotFit) {
  EpochDomain epochs;
  BlockCache cache(kFrameSize, &epochs);
  Slots slots(&cache, 1);
  Frame* const frame = NewFrame(&cache);
  EXPECT_EQ(cache.Insert(slots[0], frame), frame);
  EXPECT_FALSE(slots.Holds(0));
  EXPECT_EQ(cache.Stats().detached, frame->charge());
  frame->Unref();
  EXPECT_EQ(cache.Usage(), 0u);
}

TEST(BlockCache, GivesTheFrameOfTheQuickerOne) {
  EpochDomain epochs;
  BlockCache cache(1 << 20, &epochs);
  Slots slots(&cache, 1);
  Frame* const first = NewFrame(&cache);
  EXPECT_EQ(cache.Insert(slots[0], first), first);
  EXPECT_EQ(cache.Insert(slots[0], NewFrame(&cache)), first);
  EXPECT_EQ(cache.Usage(), first->charge());
  first->Unref();
  first->Unref();
  EXPECT_TRUE(slots.Holds(0));
}

TEST(BlockCache, KeepsAPinnedFrameAliveAfterItsEviction) {
  EpochDomain epochs;
  BlockCache cache(1 << 20, &epochs);
  Slots slots(&cache, 1);
  Frame* const frame = NewFrame(&cache);
  std::fill_n(frame->buffer(), kFrameSize, 'x');
  cache.Insert(slots[0], frame);
  cache.SetCapacity(0);
  EXPECT_FALSE(slots.Holds(0));
  epochs.Drain();
  EXPECT_EQ(std::string(frame->buffer(), kFrameSize), std::string(kFrameSize, 'x'));
  EXPECT_EQ(cache.Usage(), frame->charge());
  frame->Unref();
  EXPECT_EQ(cache.Usage(), 0u);
}

TEST(BlockCache, MakesRoomForWhatTablesReserve) {
  EpochDomain epochs;
  BlockCache cache(40'000, &epochs);
  Slots slots(&cache, 30);
  for (size_t i = 0; i < 30; ++i) slots.Insert(i);
  EXPECT_EQ(slots.CountHeld(), 30u);
  cache.Reserve(30'000);
  EXPECT_LE(cache.Stats().resident, 10'000u);
  epochs.Drain();
  EXPECT_LE(cache.Usage(), 40'000u);
  cache.Unreserve(30'000);
}

// A guard that stays open holds back what is evicted. New frames then stay with their readers, so
// that the memory of all frames stays within the bound; the resident ones stay.
TEST(BlockCache, InsertsNothingWhileTooMuchIsRetired) {
  constexpr size_t kCapacity = 100'000;
  EpochDomain epochs;
  BlockCache cache(kCapacity, &epochs);
  Slots slots(&cache, 1000);
  std::atomic<bool> open{false}, close{false};
  std::thread reader([&] {
    const EpochGuard guard(&epochs);
    open.store(true);
    while (!close.load()) std::this_thread::yield();
  });
  while (!open.load()) std::this_thread::yield();
  for (size_t i = 0; i < 999; ++i) {
    slots.Insert(i);
    // The last insertions before the stop free nothing yet.
    EXPECT_LE(cache.Usage(), kCapacity + kCapacity / 16) << i;
  }
  EXPECT_FALSE(slots.Holds(998));
  EXPECT_GT(cache.Stats().retired, kCapacity / 8);
  EXPECT_GT(cache.Stats().resident, kCapacity / 2);
  close.store(true);
  reader.join();
  slots.Insert(998);  // refused for the last time: it frees what was retired
  EXPECT_EQ(cache.Stats().retired, 0u);
  slots.Insert(999);
  EXPECT_TRUE(slots.Holds(999));
}

// What open tables reserve may exceed the capacity; the most used blocks are cached even then.
TEST(BlockCache, KeepsAQuarterOfItsCapacityForBlocks) {
  EpochDomain epochs;
  BlockCache cache(40'000, &epochs);
  Slots slots(&cache, 30);
  cache.Reserve(1'000'000);
  for (size_t i = 0; i < 30; ++i) slots.Insert(i);
  EXPECT_TRUE(slots.Holds(29));
  EXPECT_GT(cache.Stats().resident, 5'000u);
  EXPECT_LE(cache.Stats().resident, 10'000u);
  cache.Unreserve(1'000'000);
}

TEST(BlockCache, ServesReadersWhileItEvicts) {
  TestTable table(30'000);
  table.options().block_size = 1000;
  const std::vector<OwnedEntry> entries =
      RandomEntries({.count = 3000, .keys = 3000, .key_size = 16, .value_size = 60}, table.order());
  ASSERT_TRUE(table.Write(entries).ok());
  auto opened = table.Open();
  ASSERT_TRUE(opened.ok()) << opened.status();
  const TableReader& reader = **opened;
  std::atomic<int> wrong{0};
  const auto read = [&](uint64_t seed) {
    std::mt19937_64 random(seed);
    for (int i = 0; i < 3000; ++i) {
      // Half of the reads meet in one corner, so that threads race for one slot.
      const size_t at = random() % (random() % 2 == 0 ? entries.size() : 200);
      const auto found = FindInTable(reader, table.order(), entries[at].key, kMaxSequenceNumber);
      const Found expected =
          FindInEntries(entries, table.order(), entries[at].key, kMaxSequenceNumber);
      if (!found.ok() || *found != expected) ++wrong;
    }
  };
  const auto walk = [&] {
    for (int round = 0; round < 3; ++round) {
      const auto iterator = reader.NewIterator({});
      size_t index = 0;
      for (iterator->SeekToFirst(); iterator->Valid(); iterator->Next(), ++index) {
        if (!StandsAt(*iterator, entries, index)) ++wrong;
      }
      if (index != entries.size()) ++wrong;
    }
  };
  std::vector<std::thread> threads;
  for (uint64_t seed = 0; seed < 4; ++seed) threads.emplace_back(read, seed);
  threads.emplace_back(walk);
  threads.emplace_back([&] {
    for (int i = 0; i < 200; ++i) table.cache().SetCapacity(i % 2 == 0 ? 5'000 : 30'000);
  });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_GT(table.cache().Stats().evictions, 100u);
}

}  // namespace
}  // namespace cambium::sstable
