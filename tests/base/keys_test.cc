#include "base/keys.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/key_fold.h"
#include "base/limits.h"
#include "util/checksum.h"

namespace cambium {
namespace {

using Answer = KeyFold::Answer;

// Longer keys first, then bytewise: an order that is not bytewise.
class ByLength final : public Comparator {
 public:
  int Compare(std::string_view a, std::string_view b) const override {
    if (a.size() != b.size()) return a.size() > b.size() ? -1 : 1;
    return a.compare(b);
  }
  const char* Name() const override { return "by-length"; }
};

TEST(Tag, PacksSequenceAndKind) {
  const Tag tag = MakeTag(kMaxSequenceNumber, Kind::kWideColumns);
  EXPECT_EQ(TagSequence(tag), kMaxSequenceNumber);
  EXPECT_EQ(TagKind(tag), Kind::kWideColumns);
  EXPECT_EQ(MakeTag(5, Kind::kValue), 0x501u);
  for (uint8_t kind = 0; kind < kKindCount; ++kind) {
    EXPECT_LT(MakeTag(5, static_cast<Kind>(kind)), SeekTag(5));
    EXPECT_GT(MakeTag(6, static_cast<Kind>(kind)), SeekTag(5));
  }
}

TEST(KeyOrder, OrdersKeysUpAndTagsDown) {
  const KeyOrder order(BytewiseComparator());
  EXPECT_TRUE(order.bytewise());
  EXPECT_LT(order.CompareEntries("a", 1, "b", 9), 0);
  EXPECT_LT(order.CompareEntries("a", 9, "a", 1), 0);
  EXPECT_GT(order.CompareEntries("a", 1, "a", 9), 0);
  EXPECT_EQ(order.CompareEntries("a", 1, "a", 1), 0);
  EXPECT_TRUE(order.Less("a", "b"));
  EXPECT_TRUE(order.Equal("a", "a"));
  EXPECT_FALSE(order.Equal("a", "aa"));
  EXPECT_EQ(order.Head("abcdefgh!"), KeyHead("abcdefgh"));
}

TEST(KeyOrder, AsksACustomComparator) {
  const ByLength by_length;
  const KeyOrder order(&by_length);
  EXPECT_FALSE(order.bytewise());
  EXPECT_FALSE(order.comparator_identical());
  EXPECT_LT(order.Compare("zz", "a"), 0);
  EXPECT_TRUE(order.Equal("x", "x"));
  EXPECT_EQ(order.Head("abcdefgh"), 0u);
  EXPECT_EQ(order.comparator(), &by_length);
}

TEST(LookupKey, HashesOnlyWhereEqualKeysAreIdentical) {
  const ByLength by_length;
  const LookupKey bytewise("key", 7, KeyOrder(BytewiseComparator()));
  EXPECT_EQ(bytewise.hash, HashKey("key"));
  EXPECT_EQ(bytewise.head, KeyHead("key"));
  EXPECT_EQ(bytewise.sequence, 7u);
  EXPECT_EQ(LookupKey("key", 7, KeyOrder(&by_length)).hash, 0u);
}

TEST(KeyFold, NewestVisibleVersionDecides) {
  struct Case {
    SequenceNumber seen_at;
    std::vector<Tag> versions;  // newest first
    Answer answer;
    size_t fed;
  };
  const auto put = [](SequenceNumber sequence) { return MakeTag(sequence, Kind::kValue); };
  const auto del = [](SequenceNumber sequence) { return MakeTag(sequence, Kind::kDelete); };
  const std::vector<Case> cases = {
      {30, {}, Answer::kMore, 0},
      {30, {put(40)}, Answer::kMore, 1},
      {30, {put(40), put(25)}, Answer::kValue, 2},
      {30, {put(30), put(25)}, Answer::kValue, 1},
      {30, {put(31), del(30), put(1)}, Answer::kDeleted, 2},
      {20, {put(40), del(25), put(20)}, Answer::kValue, 3},
      {20, {MakeTag(15, Kind::kSingleDelete)}, Answer::kDeleted, 1},
      {20, {MakeTag(15, Kind::kMerge)}, Answer::kUnsupported, 1},
      {20, {MakeTag(21, Kind::kMerge), put(3)}, Answer::kValue, 2},
      {20, {MakeTag(15, Kind::kRangeDelete)}, Answer::kUnsupported, 1},
      {20, {MakeTag(15, Kind::kValuePointer)}, Answer::kUnsupported, 1},
      {20, {MakeTag(15, Kind::kValueWithExpiry)}, Answer::kUnsupported, 1},
      {20, {MakeTag(15, static_cast<Kind>(200))}, Answer::kUnsupported, 1},
      {0, {put(1), put(0)}, Answer::kValue, 2},
      {kMaxSequenceNumber, {put(kMaxSequenceNumber)}, Answer::kValue, 1},
  };
  for (const Case& c : cases) {
    KeyFold fold(c.seen_at);
    size_t fed = 0;
    while (!fold.decided() && fed < c.versions.size()) {
      const Answer answer = fold.Feed(c.versions[fed]);
      EXPECT_EQ(answer, fold.answer());
      ++fed;
    }
    EXPECT_EQ(fold.answer(), c.answer);
    EXPECT_EQ(fed, c.fed);
  }
}

}  // namespace
}  // namespace cambium
