#include "memtable/skip_list.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "util/chunk_pool.h"
#include "util/random.h"

namespace cambium::memtable {
namespace {

// A list over entries of its own. Confined to one test.
class List {
 public:
  List() : pool_(65536, 0), arena_(&pool_), list_(KeyOrder(BytewiseComparator()), &arena_) {}

  void Insert(std::string_view key, Trailer trailer = 1) {
    list_.Insert(Entry::Make(&arena_, key, trailer, ""), [] {});
  }
  std::vector<size_t> LeafSizes() const {
    std::vector<size_t> sizes;
    LeafCopy leaf;
    list_.CopyFirst(&leaf);
    do {
      sizes.push_back(leaf.count);
    } while (list_.CopyNext(&leaf));
    return sizes;
  }
  const SkipList& list() const { return list_; }

 private:
  ChunkPool pool_;
  Arena arena_;
  SkipList list_;
};

std::string Digits(int number) {
  std::string digits = std::to_string(number);
  return std::string(8 - digits.size(), '0') + digits;
}

TEST(SkipList, FindCountsWhatIsBeforeTheTarget) {
  List list;
  for (const char* key : {"b", "d", "f"}) list.Insert(key, 5);
  LeafCopy leaf;
  EXPECT_EQ(list.list().Find({"a", 5}, Bias::kBelow, &leaf), 0U);
  EXPECT_EQ(list.list().Find({"d", 5}, Bias::kBelow, &leaf), 1U);
  EXPECT_EQ(list.list().Find({"d", 5}, Bias::kAtOrBelow, &leaf), 2U);
  EXPECT_EQ(list.list().Find({"d", 6}, Bias::kAtOrBelow, &leaf), 1U);  // newer: before it
  EXPECT_EQ(list.list().Find({"d", 4}, Bias::kBelow, &leaf), 2U);
  EXPECT_EQ(list.list().Find({"z", 1}, Bias::kBelow, &leaf), 3U);
  EXPECT_EQ(leaf.count, 3U);
  EXPECT_EQ(leaf.next, nullptr);
}

TEST(SkipList, SplitsAFullLeafInHalf) {
  List list;
  for (int i = 0; i < 64; ++i) list.Insert(Digits(2 * i));
  EXPECT_EQ(list.LeafSizes(), std::vector<size_t>{64});
  list.Insert(Digits(1));
  EXPECT_EQ(list.LeafSizes(), (std::vector<size_t>{33, 32}));
}

TEST(SkipList, FillsLeavesToTheBrimWhenKeysAscend) {
  List list;
  for (int i = 0; i < 150; ++i) list.Insert(Digits(i));
  EXPECT_EQ(list.LeafSizes(), (std::vector<size_t>{64, 64, 22}));
}

TEST(SkipList, FillsLeavesToTheBrimWhenKeysDescend) {
  List list;
  for (int i = 150; i > 0; --i) list.Insert(Digits(i));
  EXPECT_EQ(list.LeafSizes(), (std::vector<size_t>{22, 64, 64}));
}

// A stream that descends into a gap between two keys must not make leaves of one entry each.
TEST(SkipList, KeepsLeavesHalfFullWhenKeysDescendIntoAGap) {
  List list;
  for (int i = 0; i < 64; ++i) list.Insert(Digits(i));
  list.Insert(Digits(1'000'000));
  for (int i = 0; i < 5000; ++i) list.Insert(Digits(900'000 - i));
  const std::vector<size_t> sizes = list.LeafSizes();
  for (size_t i = 0; i + 1 < sizes.size(); ++i) EXPECT_GE(sizes[i], 32U) << i;
}

// Common prefixes of every length up to long ones, below which keys differ by a byte or by length.
TEST(SkipList, FindsKeysThatDifferFarBehind) {
  for (const size_t length : {0, 3, 8, 20, 300}) {
    List list;
    Random random(length + 1);
    std::vector<std::string> keys;
    for (int i = 0; i < 4000; ++i) {
      std::string key = std::string(length + random.Uniform(3), 'p');
      for (uint64_t n = random.Uniform(12); n > 0; --n) {
        key.push_back(static_cast<char>(random.Uniform(2) * 255));
      }
      keys.push_back(key);
      list.Insert(key, static_cast<Trailer>(i) + 1);
    }
    for (size_t i = 0; i < keys.size(); ++i) {
      LeafCopy leaf;
      const size_t position = list.list().Find({keys[i], i + 1}, Bias::kAtOrBelow, &leaf);
      ASSERT_GT(position, 0U);
      ASSERT_EQ(leaf.entries[position - 1]->key(), keys[i]);
      ASSERT_EQ(leaf.entries[position - 1]->trailer(), i + 1);
    }
  }
}

}  // namespace
}  // namespace cambium::memtable
