// The memtable against std::map, by one thread.
#include "memtable/memtable.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "memtable_test_util.h"

namespace cambium::memtable {
namespace {

constexpr SequenceNumber kNow = kMaxSequenceNumber;

TEST(MemTable, FindsNothingWhenEmpty) {
  Checked checked;
  EXPECT_EQ(checked.Get("a", kNow), "?");
  EXPECT_EQ(checked.Get("", kNow), "?");
  EXPECT_FALSE(checked.memtable().MayContain(HashKey("a")));
  checked.CheckWalks();
  checked.CheckSeeks("a", SeekTrailer(kNow));
}

TEST(MemTable, AnswersAsOfASequenceNumber) {
  Checked checked;
  checked.Put("k", "one");
  checked.Put("other", "x");
  checked.Put("k", "three");
  checked.Delete("k");
  checked.Put("k", "five");
  EXPECT_EQ(checked.Get("k", 0), "?");
  EXPECT_EQ(checked.Get("k", 1), "one");
  EXPECT_EQ(checked.Get("k", 2), "one");
  EXPECT_EQ(checked.Get("k", 3), "three");
  EXPECT_EQ(checked.Get("k", 4), "-");
  EXPECT_EQ(checked.Get("k", 5), "five");
  EXPECT_EQ(checked.Get("k", kNow), "five");
  EXPECT_EQ(checked.Get("ot", kNow), "?");
  checked.CheckWalks();
}

TEST(MemTable, SaysUnsupportedWhenTheKindIsUnknown) {
  Checked checked;
  checked.Add("k", MakeTrailer(7, Kind::kMerge), "operand");
  const KeyOrder order(BytewiseComparator());
  const LookupKey lookup("k", kNow, order);
  KeyFold fold(lookup.sequence);
  EXPECT_EQ(checked.memtable().Get(lookup, &fold), KeyFold::State::kUnsupported);
}

TEST(MemTable, HoldsEmptyAndLongKeysAndValues) {
  Checked checked;
  checked.Put("", "");
  checked.Put(std::string(64 << 10, 'k'), "long key");
  checked.Put(std::string((64 << 10) - 1, 'k'), "a byte less");
  checked.Put("long value", std::string(3 << 20, 'v'));
  checked.Put(std::string(1, '\0'), "zero");
  EXPECT_EQ(checked.Get("", kNow), "");
  EXPECT_EQ(checked.Get(std::string(64 << 10, 'k'), kNow), "long key");
  EXPECT_EQ(checked.Get("long value", kNow).size(), size_t{3} << 20);
  EXPECT_EQ(checked.Get(std::string_view("\0", 1), kNow), "zero");
  checked.CheckWalks();
}

TEST(MemTable, EqualsTheModelWhenKeysAscend) {
  Checked checked;
  for (int i = 0; i < 5000; ++i) checked.Put(ShapedKey(4, static_cast<uint64_t>(i)), "v");
  checked.CheckWalks();
  for (uint64_t i = 0; i < 5001; i += 7) {
    EXPECT_EQ(checked.Get(ShapedKey(4, i), kNow), checked.ModelGet(ShapedKey(4, i), kNow));
    checked.CheckSeeks(ShapedKey(4, i), SeekTrailer(kNow));
  }
}

TEST(MemTable, EqualsTheModelWhenKeysDescend) {
  Checked checked;
  for (uint64_t i = 5000; i > 0; --i) checked.Put(ShapedKey(4, i), "v");
  checked.CheckWalks();
  for (uint64_t i = 0; i < 5001; i += 7) checked.CheckSeeks(ShapedKey(4, i), SeekTrailer(kNow));
}

TEST(MemTable, AscendingAndDescendingKeysFillNodes) {
  const size_t entry_size = MemTable::ApproximateEntrySize(16, 0);
  Checked ascending(BytewiseComparator(), 4 << 20);
  Checked descending(BytewiseComparator(), 4 << 20);
  const size_t empty = ascending.memtable().MemoryUsage();
  for (uint64_t i = 0; i < 20'000; ++i) {
    ascending.Put(ShapedKey(4, i), "");
    descending.Put(ShapedKey(4, 20'000 - i), "");
  }
  EXPECT_LT(ascending.memtable().MemoryUsage() - empty, 20'000 * entry_size);
  EXPECT_LT(descending.memtable().MemoryUsage() - empty, 20'000 * (entry_size + 10));
}

TEST(MemTable, EqualsTheModelWhenOneKeyHasManyVersions) {
  Checked checked;
  for (int i = 0; i < 3000; ++i) {
    checked.Put("hot", std::to_string(i));
    if (i % 10 == 0) checked.Put("cold" + std::to_string(i), "c");
    if (i % 7 == 0) checked.Delete("hot");
  }
  for (SequenceNumber sequence = 0; sequence <= checked.sequence() + 1; sequence += 13) {
    ASSERT_EQ(checked.Get("hot", sequence), checked.ModelGet("hot", sequence)) << sequence;
    ASSERT_EQ(checked.Get("cold100", sequence), checked.ModelGet("cold100", sequence));
    checked.CheckSeeks("hot", SeekTrailer(sequence));
  }
  checked.CheckWalks();
}

TEST(MemTable, EqualsTheModelWhenTrailersDescend) {
  Checked checked;
  for (SequenceNumber sequence = 2000; sequence > 0; --sequence) {
    checked.Add("hot", MakeTrailer(sequence, Kind::kValue), std::to_string(sequence));
    checked.Add("k" + std::to_string(sequence % 50), MakeTrailer(sequence, Kind::kValue), "v");
  }
  for (SequenceNumber sequence = 0; sequence <= 2001; sequence += 9) {
    ASSERT_EQ(checked.Get("hot", sequence), checked.ModelGet("hot", sequence)) << sequence;
    ASSERT_EQ(checked.Get("k7", sequence), checked.ModelGet("k7", sequence)) << sequence;
  }
  checked.CheckWalks();
}

// One bucket or so for everything: every chain is long, and most overflow.
TEST(MemTable, EqualsTheModelWhenFarOverCapacity) {
  Checked checked(BytewiseComparator(), 1);
  Random random(3);
  for (int i = 0; i < 20'000; ++i) {
    checked.Put(ShapedKey(4, random.Uniform(7'000)), std::to_string(i));
  }
  for (uint64_t i = 0; i < 7'001; ++i) {
    const SequenceNumber sequence = random.Uniform(20'000);
    ASSERT_EQ(checked.Get(ShapedKey(4, i), sequence), checked.ModelGet(ShapedKey(4, i), sequence));
  }
}

void CheckRandomly(const Comparator* comparator, uint64_t seed, int operations) {
  Checked checked(comparator);
  Random random(seed);
  const uint64_t shapes = 1 + random.Uniform(kKeyShapes);
  const uint64_t range = 1 + (random.Next() >> (52 + random.Uniform(12)));
  const auto draw = [&] { return ShapedKey(random.Uniform(shapes), random.Uniform(range)); };
  for (int i = 0; i < operations; ++i) {
    const std::string key = draw();
    if (random.Uniform(5) == 0) {
      checked.Delete(key);
    } else {
      checked.Put(key, std::string(random.Uniform(uint64_t{1} << random.Uniform(10)), 'v') +
                           std::to_string(i));
    }
    if (i % 4 == 0) {
      const std::string other = draw();
      const SequenceNumber sequence = random.Uniform(checked.sequence() + 2);
      ASSERT_EQ(checked.Get(other, sequence), checked.ModelGet(other, sequence)) << seed;
    }
    if (i % 16 == 0) {
      const Trailer trailer =
          random.Uniform(4) == 0 ? 0 : SeekTrailer(random.Uniform(checked.sequence() + 2));
      ASSERT_NO_FATAL_FAILURE(checked.CheckSeeks(draw(), trailer)) << seed;
    }
  }
  ASSERT_NO_FATAL_FAILURE(checked.CheckWalks()) << seed;
}

TEST(MemTable, EqualsTheModelUnderRandomOperations) {
  for (uint64_t seed = 1; seed <= 16; ++seed) CheckRandomly(BytewiseComparator(), seed, 3000);
}

TEST(MemTable, EqualsTheModelWhenTheOrderIsReversed) {
  const ReverseComparator reverse;
  for (uint64_t seed = 1; seed <= 8; ++seed) CheckRandomly(&reverse, seed, 2000);
}

TEST(MemTable, EqualsTheModelWhenDifferentSpellingsAreEqual) {
  const CaselessComparator caseless;
  for (uint64_t seed = 1; seed <= 8; ++seed) CheckRandomly(&caseless, seed, 2000);
  Checked checked(&caseless);
  checked.Put("Key", "one");
  checked.Put("kEY", "two");
  EXPECT_EQ(checked.Get("KEY", kNow), "two");
  EXPECT_EQ(checked.Get("KEY", 1), "one");
  EXPECT_TRUE(checked.memtable().MayContain(0));
}

TEST(MemTable, IteratorSeesWhatIsAddedBeforeItsSeek) {
  Checked checked;
  const auto iterator = checked.memtable().NewIterator();
  iterator->SeekToFirst();
  EXPECT_FALSE(iterator->Valid());
  checked.Put("b", "1");
  iterator->SeekToFirst();
  ASSERT_TRUE(iterator->Valid());
  checked.Put("a", "2");
  checked.Put("c", "3");
  EXPECT_EQ(iterator->key(), "b");
  iterator->Seek("a", SeekTrailer(kNow));
  EXPECT_EQ(iterator->key(), "a");
  iterator->Next();
  iterator->Next();
  EXPECT_EQ(iterator->key(), "c");
}

TEST(MemTable, UsesLittleMemoryWhenSmall) {
  Checked checked(BytewiseComparator(), 64 << 10);
  EXPECT_LE(checked.memtable().MemoryUsage(), size_t{16} << 10);
  EXPECT_EQ(checked.memtable().MemoryUsage(), checked.pool().bytes_in_use());
}

TEST(MemTable, UsesAboutTheMemoryItSays) {
  Checked checked(BytewiseComparator(), 4 << 20);
  const size_t empty = checked.memtable().MemoryUsage();
  Random random(5);
  size_t said = 0;
  for (int i = 0; i < 20'000; ++i) {
    const std::string key = ShapedKey(4, random.Next());
    const std::string value(random.Uniform(200), 'v');
    checked.Put(key, value);
    said += MemTable::ApproximateEntrySize(key.size(), value.size());
  }
  const size_t used = checked.memtable().MemoryUsage() - empty;
  EXPECT_NEAR(static_cast<double>(used), static_cast<double>(said),
              0.1 * static_cast<double>(said));
  EXPECT_EQ(checked.memtable().MemoryUsage(), checked.pool().bytes_in_use());
}

TEST(MemTable, GivesItsChunksBack) {
  constexpr size_t kCapacity = size_t{1} << 20;
  ChunkPool pool(MemTable::ChunkBytesFor(kCapacity), 16 * kCapacity);
  const KeyOrder order(BytewiseComparator());
  size_t used = 0;
  for (int round = 0; round < 3; ++round) {
    MemTable memtable(order, &pool, kCapacity);
    for (uint64_t i = 0; i < 5000; ++i) {
      const std::string key = ShapedKey(0, i) + std::to_string(i);
      memtable.Add(key, MakeTrailer(i + 1, Kind::kValue), "value", HashKey(key));
    }
    used = memtable.MemoryUsage();
    EXPECT_EQ(pool.bytes_in_use(), used);
    EXPECT_EQ(pool.bytes_retained(), 0U);  // each round takes the chunks of the one before
  }
  EXPECT_EQ(pool.bytes_in_use(), 0U);
  EXPECT_EQ(pool.bytes_retained(), used);
}

}  // namespace
}  // namespace cambium::memtable
