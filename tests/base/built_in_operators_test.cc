#include "base/built_in_operators.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cambium/merge_operators.h"
#include "util/coding.h"

namespace cambium {
namespace {

using Views = std::vector<std::string_view>;

std::string Number(int64_t value) {
  std::string bytes(sizeof value, '\0');
  StoreFixed64(bytes.data(), static_cast<uint64_t>(value));
  return bytes;
}

std::optional<std::string> Full(const MergeOperator& merge,
                                std::optional<std::string_view> existing, const Views& operands) {
  std::string result;
  if (!merge.FullMerge("k", existing, operands, &result)) return std::nullopt;
  return result;
}

std::optional<std::string> Partial(const MergeOperator& merge, std::string_view older,
                                   std::string_view newer) {
  std::string result;
  if (!merge.PartialMerge("k", older, newer, &result)) return std::nullopt;
  return result;
}

TEST(BuiltInOperators, AreFoundByTheirNames) {
  for (const auto& merge : {Int64AddOperator(), MaxOperator(), MinOperator(), AppendOperator(""),
                            AppendOperator(", "), AppendOperator(std::string("\0\xff:\n", 4))}) {
    const auto found = FindBuiltInOperator(merge->Name());
    ASSERT_NE(found, nullptr) << merge->Name();
    EXPECT_STREQ(found->Name(), merge->Name());
    EXPECT_EQ(Full(*found, Number(3), {Number(4), Number(5)}),
              Full(*merge, Number(3), {Number(4), Number(5)}));
  }
  for (const char* name :
       {"", "test.append", "cambium.", "cambium.max2", "cambium.append", "cambium.append:2",
        "cambium.append:2C", "cambium.append:g0", "cambium.append: 2"}) {
    EXPECT_EQ(FindBuiltInOperator(name), nullptr) << name;
  }
}

TEST(BuiltInOperators, NamesAreThoseInFiles) {
  EXPECT_STREQ(Int64AddOperator()->Name(), "cambium.int64add");
  EXPECT_STREQ(MaxOperator()->Name(), "cambium.max");
  EXPECT_STREQ(MinOperator()->Name(), "cambium.min");
  EXPECT_STREQ(AppendOperator("")->Name(), "cambium.append:");
  EXPECT_STREQ(AppendOperator(", ")->Name(), "cambium.append:2c20");
  EXPECT_STREQ(AppendOperator(std::string("\0", 1))->Name(), "cambium.append:00");
}

TEST(Int64Add, AddsAndWraps) {
  const auto add = Int64AddOperator();
  EXPECT_EQ(Full(*add, std::nullopt, {Number(5)}), Number(5));
  EXPECT_EQ(Full(*add, Number(-7), {Number(5), Number(1)}), Number(-1));
  EXPECT_EQ(Full(*add, Number(1), {Number(256)}), std::string("\1\1\0\0\0\0\0\0", 8));
  constexpr int64_t kMax = std::numeric_limits<int64_t>::max();
  constexpr int64_t kMin = std::numeric_limits<int64_t>::min();
  EXPECT_EQ(Full(*add, Number(kMax), {Number(1)}), Number(kMin));
  EXPECT_EQ(Full(*add, Number(kMin), {Number(-1)}), Number(kMax));
  EXPECT_EQ(Partial(*add, Number(kMin), Number(kMin)), Number(0));
  EXPECT_EQ(Partial(*add, Number(2), Number(3)), Number(5));
}

TEST(Int64Add, RefusesEveryOtherLength) {
  const auto add = Int64AddOperator();
  for (const std::string& bad : {std::string(), std::string(7, '\0'), std::string(9, '\0')}) {
    EXPECT_EQ(Full(*add, bad, {Number(1)}), std::nullopt);
    EXPECT_EQ(Full(*add, Number(1), {Number(1), bad}), std::nullopt);
    EXPECT_EQ(Full(*add, std::nullopt, {bad}), std::nullopt);
    EXPECT_EQ(Partial(*add, bad, Number(1)), std::nullopt);
    EXPECT_EQ(Partial(*add, Number(1), bad), std::nullopt);
  }
}

TEST(Extremes, CompareBytes) {
  const auto max = MaxOperator(), min = MinOperator();
  EXPECT_EQ(Full(*max, std::nullopt, {"b", "\xff", "ba"}), "\xff");
  EXPECT_EQ(Full(*min, std::nullopt, {"b", "\xff", "ba"}), "b");
  EXPECT_EQ(Full(*max, "c", {"b", "ba"}), "c");
  EXPECT_EQ(Full(*min, "", {"b", "ba"}), "");
  EXPECT_EQ(Full(*max, "", {""}), "");
  EXPECT_EQ(Partial(*max, "10", "9"), "9");
  EXPECT_EQ(Partial(*min, "10", "9"), "10");
}

TEST(Append, PutsTheSeparatorBetweenAnyTwoParts) {
  const auto append = AppendOperator(", ");
  EXPECT_EQ(Full(*append, std::nullopt, {"a"}), "a");
  EXPECT_EQ(Full(*append, std::nullopt, {"a", "", "b"}), "a, , b");
  EXPECT_EQ(Full(*append, "", {"a"}), ", a");
  EXPECT_EQ(Full(*append, std::nullopt, {"", ""}), ", ");
  EXPECT_EQ(Full(*append, "v", {"", "a"}), "v, , a");
  EXPECT_EQ(Partial(*append, "", ""), ", ");
  EXPECT_EQ(Partial(*append, "a", "b"), "a, b");
  EXPECT_EQ(Full(*AppendOperator(""), "v", {"", "a", "b"}), "vab");
}

}  // namespace
}  // namespace cambium
