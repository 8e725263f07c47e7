#include "cambium/comparator.h"

#include <gtest/gtest.h>

#include <string>

#include "util/random.h"

namespace cambium {
namespace {

std::string Separator(std::string start, std::string_view limit) {
  BytewiseComparator()->FindShortestSeparator(&start, limit);
  return start;
}
std::string Successor(std::string key) {
  BytewiseComparator()->FindShortSuccessor(&key);
  return key;
}

TEST(BytewiseComparator, OrdersAsUnsignedBytes) {
  const Comparator* const comparator = BytewiseComparator();
  EXPECT_LT(comparator->Compare("", "a"), 0);
  EXPECT_LT(comparator->Compare("a", "ab"), 0);
  EXPECT_LT(comparator->Compare("\x7f", "\x80"), 0);
  EXPECT_LT(comparator->Compare(std::string_view("a\0", 2), "a\x01"), 0);
  EXPECT_EQ(comparator->Compare("same", "same"), 0);
  EXPECT_GT(comparator->Compare("b", "aaa"), 0);
  EXPECT_TRUE(comparator->EqualMeansIdentical());
  EXPECT_STREQ(comparator->Name(), "cambium.BytewiseComparator");
  EXPECT_EQ(comparator, BytewiseComparator());
}

TEST(BytewiseComparator, SeparatorIsShortWhereThereIsRoom) {
  EXPECT_EQ(Separator("helloworld", "hellozoo"), "hellox");
  EXPECT_EQ(Separator("abc1xyz", "abc9"), "abc2");
  // No room between the first bytes that differ, or one is a prefix of the other.
  EXPECT_EQ(Separator("abc1xyz", "abc2"), "abc1xyz");
  EXPECT_EQ(Separator("abc", "abcdef"), "abc");
  EXPECT_EQ(Separator("", "a"), "");
  EXPECT_EQ(Separator("a\xff", "b"), "a\xff");
  EXPECT_EQ(Separator("a\xfe\x01", "a\xff\x01"), "a\xfe\x01");
}

TEST(BytewiseComparator, SuccessorIsShort) {
  EXPECT_EQ(Successor("abc"), "b");
  EXPECT_EQ(Successor("\xff\xff"
                      "a"),
            "\xff\xff"
            "b");
  EXPECT_EQ(Successor("\xff\xff"), "\xff\xff");
  EXPECT_EQ(Successor(""), "");
}

TEST(BytewiseComparator, SeparatorsAndSuccessorsLieWhereTheyMust) {
  Random random(1);
  const auto draw = [&random] {
    std::string key;
    const uint64_t size = random.Uniform(6);
    for (uint64_t i = 0; i < size; ++i) {
      key.push_back("\x00\x01\x7f\x80\xfe\xff"[random.Uniform(6)]);
    }
    return key;
  };
  for (int i = 0; i < 20000; ++i) {
    const std::string a = draw(), b = draw();
    EXPECT_GE(Successor(a), a);
    EXPECT_LE(Successor(a).size(), a.size());
    if (a < b) {
      const std::string separator = Separator(a, b);
      EXPECT_GE(separator, a);
      EXPECT_LT(separator, b);
      EXPECT_LE(separator.size(), a.size());
    }
  }
}

TEST(Comparator, DefaultsAreTheSafeOnes) {
  class Plain final : public Comparator {
   public:
    int Compare(std::string_view a, std::string_view b) const override { return a.compare(b); }
    const char* Name() const override { return "plain"; }
  } plain;
  EXPECT_FALSE(plain.EqualMeansIdentical());
  std::string key = "abc";
  plain.FindShortestSeparator(&key, "xyz");
  plain.FindShortSuccessor(&key);
  EXPECT_EQ(key, "abc");
}

}  // namespace
}  // namespace cambium
