#include "tools/cambium/text.h"

#include <gtest/gtest.h>

#include <string>

#include "tools/words/nearest.h"

namespace cambium::tool {
namespace {

std::string AllBytes() {
  std::string bytes;
  for (int byte = 0; byte < 256; ++byte) bytes.push_back(static_cast<char>(byte));
  return bytes;
}

TEST(Duration, IsANumberAndAUnit) {
  using std::chrono::milliseconds;
  EXPECT_EQ(ParseDuration("15ms"), milliseconds(15));
  EXPECT_EQ(ParseDuration("0s"), milliseconds(0));
  EXPECT_EQ(ParseDuration("2m"), milliseconds(120'000));
  EXPECT_EQ(ParseDuration("3h"), milliseconds(3 * 3'600'000));
  EXPECT_EQ(ParseDuration("4d"), milliseconds(4 * 86'400'000));
  EXPECT_EQ(ParseDuration("9223372036854775807ms"), milliseconds::max());
  for (const char* bad :
       {"", "5", "s", "-1s", "+1s", "1.5s", "1 s", "1S", "1w", "9223372036854775808ms",
        "99999999999999999s", "18446744073709551616ms"}) {
    EXPECT_EQ(ParseDuration(bad), std::nullopt) << bad;
  }
}

TEST(Utf8, TakesWellFormedCharacters) {
  EXPECT_EQ(Utf8CharacterSize("a"), 1u);
  EXPECT_EQ(Utf8CharacterSize("\xc3\xa9"), 2u);
  EXPECT_EQ(Utf8CharacterSize("\xe2\x82\xac"), 3u);
  EXPECT_EQ(Utf8CharacterSize("\xf0\x9f\x8c\xb3"), 4u);
}

TEST(Utf8, RefusesOverlongSurrogatesAndWhatIsPastTheLastCharacter) {
  for (const char* bad :
       {"\x80", "\xc0\x80", "\xc1\xbf", "\xe0\x9f\xbf", "\xed\xa0\x80", "\xf0\x8f\xbf\xbf",
        "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xc3", "\xe2\x82", "\xe2\x28\xa1"}) {
    EXPECT_EQ(Utf8CharacterSize(bad), 0u) << ToHex(bad);
    EXPECT_FALSE(IsUtf8(bad)) << ToHex(bad);
  }
}

TEST(Hex, GoesThereAndBack) {
  EXPECT_EQ(FromHex(ToHex(AllBytes())), AllBytes());
  EXPECT_EQ(FromHex("0aFF"), std::string("\x0a\xff"));
  EXPECT_FALSE(FromHex("0").has_value());
  EXPECT_FALSE(FromHex("0g").has_value());
  EXPECT_FALSE(FromHex(" 0").has_value());
}

TEST(Base64, GoesThereAndBackAndTakesOneSpellingOnly) {
  EXPECT_EQ(ToBase64("\xff"), "/w==");
  EXPECT_EQ(FromBase64(ToBase64(AllBytes())), AllBytes());
  EXPECT_FALSE(FromBase64("/x==").has_value());
  EXPECT_FALSE(FromBase64("/w").has_value());
  EXPECT_FALSE(FromBase64("/w= =").has_value());
}

TEST(Tsv, EscapesAndUnescapesEveryByte) {
  EXPECT_EQ(EscapeTsv("a\tb\nc\rd\\e\xff"), "a\\tb\\nc\\rd\\\\e\\xff");
  EXPECT_EQ(UnescapeTsv(EscapeTsv(AllBytes())), AllBytes());
  for (const char* bad : {"\\", "\\q", "\\x", "\\x1", "\\xzz"}) {
    EXPECT_FALSE(UnescapeTsv(bad).has_value()) << bad;
  }
}

TEST(Terminal, ShowsNoControlCharacter) {
  EXPECT_EQ(EscapeForTerminal("caf\xc3\xa9"), "caf\xc3\xa9");
  EXPECT_EQ(EscapeForTerminal("\x1b[2J"), "\\x1b[2J");
  EXPECT_EQ(EscapeForTerminal("\xc2\x9b"), "\\xc2\\x9b");
  EXPECT_EQ(EscapeForTerminal("\xff\x7f"), "\\xff\\x7f");
}

TEST(EditDistance, CountsChanges) {
  EXPECT_EQ(words::EditDistance("scan", "scan"), 0u);
  EXPECT_EQ(words::EditDistance("scna", "scan"), 2u);
  EXPECT_EQ(words::EditDistance("", "get"), 3u);
}

TEST(Nearest, IsTheFirstOfTheLeastDistant) {
  EXPECT_EQ(words::Nearest({"stat", "scan", "get"}, "scna"), "scan");
  EXPECT_EQ(words::Nearest({"b", "a"}, "c"), "a");
  EXPECT_EQ(words::Nearest({}, "c"), "");
}

}  // namespace
}  // namespace cambium::tool
