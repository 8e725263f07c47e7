#include "base/range_tombstones.h"

#include <algorithm>
#include <deque>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cambium {
namespace {

class Reverse final : public Comparator {
 public:
  int Compare(std::string_view a, std::string_view b) const override { return b.compare(a); }
  const char* Name() const override { return "test.reverse"; }
};
const Reverse kReverse;

// Tombstones, and the bytes of their keys.
class Tombstones {
 public:
  explicit Tombstones(KeyOrder order) : order_(order) {}

  KeyCut Before(std::string key) { return KeyCut::Before(Keep(std::move(key))); }
  KeyCut After(std::string key) { return KeyCut::After(Keep(std::move(key))); }
  void Add(const KeyCut& begin, const KeyCut& end, SequenceNumber sequence) {
    all_.push_back({begin, end, sequence});
  }
  const std::vector<RangeTombstone>& all() const { return all_; }

  // Compares each one with the key.
  SequenceNumber NewestOver(std::string_view key, SequenceNumber at_most) const {
    SequenceNumber newest = 0;
    for (const RangeTombstone& one : all_) {
      if (one.sequence > at_most || !IsAfterCut(order_, key, one.begin)) continue;
      if (!IsAfterCut(order_, key, one.end)) newest = std::max(newest, one.sequence);
    }
    return newest;
  }

 private:
  std::string_view Keep(std::string key) { return keys_.emplace_back(std::move(key)); }

  const KeyOrder order_;
  std::deque<std::string> keys_;
  std::vector<RangeTombstone> all_;
};

TEST(KeyCut, OrdersThePlacesAroundAKey) {
  const KeyOrder order(BytewiseComparator());
  const std::vector<KeyCut> ascending = {
      KeyCut::Start(),    KeyCut::Before(""),  KeyCut::After(""), KeyCut::Before("a"),
      KeyCut::After("a"), KeyCut::Before("b"), KeyCut::End()};
  for (size_t i = 0; i < ascending.size(); ++i) {
    for (size_t j = 0; j < ascending.size(); ++j) {
      const int compared = CompareCuts(order, ascending[i], ascending[j]);
      EXPECT_EQ(compared < 0, i < j) << i << " " << j;
      EXPECT_EQ(compared == 0, i == j) << i << " " << j;
    }
  }
  EXPECT_TRUE(IsAfterCut(order, "a", KeyCut::Before("a")));
  EXPECT_FALSE(IsAfterCut(order, "a", KeyCut::After("a")));
  EXPECT_TRUE(IsAfterCut(order, "", KeyCut::Start()));
  EXPECT_FALSE(IsAfterCut(order, "zzz", KeyCut::End()));
}

TEST(TombstoneIndex, WithoutTombstonesCoversNothing) {
  const TombstoneIndex index(KeyOrder(BytewiseComparator()), {});
  EXPECT_EQ(index.segment_count(), 1u);
  EXPECT_EQ(index.NewestOver("a", kMaxSequenceNumber), 0u);
  EXPECT_EQ(index.largest_sequence(), 0u);
}

TEST(TombstoneIndex, FindsTheSegmentsOfTheExample) {
  const std::vector<RangeTombstone> tombstones = {{KeyCut::Before("a"), KeyCut::Before("m"), 10},
                                                  {KeyCut::Before("c"), KeyCut::Before("p"), 20},
                                                  {KeyCut::Before("x"), KeyCut::Before("b"), 30}};
  const TombstoneIndex index(KeyOrder(BytewiseComparator()), tombstones);
  EXPECT_EQ(index.tombstones().size(), 2u) << "the third is over an empty range";
  ASSERT_EQ(index.segment_count(), 5u);
  std::vector<SequenceNumber> newest, newest_at_15, newest_at_5;
  for (size_t i = 0; i < 5; ++i) {
    newest.push_back(index.Newest(i, kMaxSequenceNumber));
    newest_at_15.push_back(index.Newest(i, 15));
    newest_at_5.push_back(index.Newest(i, 5));
  }
  EXPECT_THAT(newest, testing::ElementsAre(0, 10, 20, 20, 0));
  EXPECT_THAT(newest_at_15, testing::ElementsAre(0, 10, 10, 0, 0));
  EXPECT_THAT(newest_at_5, testing::Each(0));
  EXPECT_EQ(index.Find("c"), 2u);
  EXPECT_EQ(index.FindAfter(KeyCut::Before("c")), 2u);
  EXPECT_EQ(index.FindBefore(KeyCut::Before("c")), 1u);
  EXPECT_EQ(index.FindAfter(KeyCut::After("c")), 2u);
  EXPECT_EQ(index.FindBefore(KeyCut::After("c")), 2u);
}

void CompareWithEach(const KeyOrder& order, const std::string& prefix, uint64_t seed) {
  std::mt19937_64 random(seed);
  Tombstones tombstones(order);
  const auto key = [&] {
    std::string text = prefix;
    for (uint64_t size = random() % 11; size > 0; --size) {
      text.push_back(static_cast<char>(random() % 3 == 0 ? 0xff : random() % 3));
    }
    return text;
  };
  const auto cut = [&] {
    return random() % 2 == 0 ? tombstones.Before(key()) : tombstones.After(key());
  };
  const uint64_t count = 1 + random() % 60;
  for (uint64_t i = 1; i <= count; ++i) {
    const bool from_start = random() % 12 == 0, to_end = random() % 12 == 0;
    KeyCut begin = from_start ? KeyCut::Start() : cut();
    KeyCut end = to_end ? KeyCut::End() : cut();
    if (CompareCuts(order, end, begin) < 0 && random() % 8 != 0) std::swap(begin, end);
    tombstones.Add(begin, end, i);
  }
  const TombstoneIndex index(order, tombstones.all());
  for (int i = 0; i < 300; ++i) {
    std::string at = i % 20 == 0 ? key().substr(0, random() % (prefix.size() + 1)) : key();
    if (i % 31 == 0) at = "\xff\xff";
    for (const SequenceNumber sequence : {kMaxSequenceNumber, random() % (count + 2)}) {
      ASSERT_EQ(index.NewestOver(at, sequence), tombstones.NewestOver(at, sequence))
          << "seed " << seed;
    }
    const size_t segment = index.Find(at);
    ASSERT_TRUE(IsAfterCut(order, at, index.begin(segment)));
    ASSERT_FALSE(IsAfterCut(order, at, index.end(segment)));
    ASSERT_EQ(index.FindAfter(KeyCut::Before(at)), segment);
  }
}

TEST(TombstoneIndex, FindsWhatComparingWithEachTombstoneFinds) {
  for (uint64_t seed = 1; seed <= 150; ++seed) {
    CompareWithEach(KeyOrder(BytewiseComparator()), "", seed);
    CompareWithEach(KeyOrder(BytewiseComparator()), "a long common prefix ", seed);
    CompareWithEach(KeyOrder(&kReverse), "", seed);
  }
}

// A consumer deletes everything before its position again and again: each segment has as many
// tombstones as there are behind it.
TEST(TombstoneIndex, TakesLittleMemoryForNestedRanges) {
  constexpr uint64_t kCount = 20'000;
  Tombstones tombstones{KeyOrder(BytewiseComparator())};
  for (uint64_t i = 1; i <= kCount; ++i) {
    tombstones.Add(tombstones.Before(""), tombstones.Before(absl::StrFormat("%08d", i)), i);
  }
  const TombstoneIndex index(KeyOrder(BytewiseComparator()), tombstones.all());
  EXPECT_LT(index.MemoryUsage(), kCount * 500);
  EXPECT_EQ(index.NewestOver(absl::StrFormat("%08d", 5'000), kMaxSequenceNumber), kCount);
  EXPECT_EQ(index.NewestOver(absl::StrFormat("%08d", 5'000), 9'000), 9'000u);
  EXPECT_EQ(index.NewestOver(absl::StrFormat("%08d", 5'000), 5'000), 0u);
}

}  // namespace
}  // namespace cambium
