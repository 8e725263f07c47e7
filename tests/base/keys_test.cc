#include "base/keys.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/limits.h"
#include "util/checksum.h"

namespace cambium {
namespace {

// Longer keys first, then bytewise: an order that is not bytewise.
class ByLength final : public Comparator {
 public:
  int Compare(std::string_view a, std::string_view b) const override {
    if (a.size() != b.size()) return a.size() > b.size() ? -1 : 1;
    return a.compare(b);
  }
  const char* Name() const override { return "by-length"; }
};

TEST(Trailer, PacksSequenceAndKind) {
  const Trailer trailer = MakeTrailer(kMaxSequenceNumber, Kind::kWideColumns);
  EXPECT_EQ(TrailerSequence(trailer), kMaxSequenceNumber);
  EXPECT_EQ(TrailerKind(trailer), Kind::kWideColumns);
  EXPECT_EQ(MakeTrailer(5, Kind::kValue), 0x501u);
  for (uint8_t kind = 0; kind < kKindCount; ++kind) {
    EXPECT_LT(MakeTrailer(5, static_cast<Kind>(kind)), SeekTrailer(5));
    EXPECT_GT(MakeTrailer(6, static_cast<Kind>(kind)), SeekTrailer(5));
  }
}

TEST(KeyOrder, OrdersKeysUpAndTrailersDown) {
  const KeyOrder order(BytewiseComparator());
  EXPECT_TRUE(order.bytewise());
  EXPECT_LT(order.CompareEntries("a", 1, "b", 9), 0);
  EXPECT_LT(order.CompareEntries("a", 9, "a", 1), 0);
  EXPECT_GT(order.CompareEntries("a", 1, "a", 9), 0);
  EXPECT_EQ(order.CompareEntries("a", 1, "a", 1), 0);
  EXPECT_TRUE(order.Less("a", "b"));
  EXPECT_TRUE(order.Equal("a", "a"));
  EXPECT_FALSE(order.Equal("a", "aa"));
  EXPECT_EQ(order.Abbreviate("abcdefgh!"), AbbreviateKey("abcdefgh"));
}

TEST(KeyOrder, AsksACustomComparator) {
  const ByLength by_length;
  const KeyOrder order(&by_length);
  EXPECT_FALSE(order.bytewise());
  EXPECT_FALSE(order.comparator_identical());
  EXPECT_LT(order.Compare("zz", "a"), 0);
  EXPECT_TRUE(order.Equal("x", "x"));
  EXPECT_EQ(order.Abbreviate("abcdefgh"), 0u);
  EXPECT_EQ(order.comparator(), &by_length);
}

TEST(LookupKey, HashesOnlyWhereEqualKeysAreIdentical) {
  const ByLength by_length;
  const LookupKey bytewise("key", 7, KeyOrder(BytewiseComparator()));
  EXPECT_EQ(bytewise.hash, HashKey("key"));
  EXPECT_EQ(bytewise.abbreviated, AbbreviateKey("key"));
  EXPECT_EQ(bytewise.sequence, 7u);
  EXPECT_EQ(LookupKey("key", 7, KeyOrder(&by_length)).hash, 0u);
}

}  // namespace
}  // namespace cambium
