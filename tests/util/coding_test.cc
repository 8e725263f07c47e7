#include "util/coding.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "util/byte_reader.h"
#include "util/random.h"

namespace cambium {
namespace {

std::vector<uint64_t> InterestingNumbers() {
  std::vector<uint64_t> numbers = {0, UINT64_MAX};
  for (int bit = 0; bit < 64; ++bit) {
    const uint64_t power = uint64_t{1} << bit;
    numbers.insert(numbers.end(), {power - 1, power, power + 1});
  }
  Random random(1);
  for (int i = 0; i < 1000; ++i) numbers.push_back(random.Next() >> random.Uniform(64));
  return numbers;
}

TEST(Coding, FixedIsLittleEndianAndRoundTrips) {
  std::string bytes;
  AppendFixed16(&bytes, 0x0102);
  AppendFixed32(&bytes, 0x03040506);
  AppendFixed64(&bytes, 0x0708090a0b0c0d0e);
  EXPECT_EQ(bytes, std::string("\x02\x01\x06\x05\x04\x03\x0e\x0d\x0c\x0b\x0a\x09\x08\x07", 14));
  EXPECT_EQ(LoadFixed<uint16_t>(bytes.data()), 0x0102);
  EXPECT_EQ(LoadFixed32(bytes.data() + 2), 0x03040506u);
  EXPECT_EQ(LoadFixed64(bytes.data() + 6), 0x0708090a0b0c0d0eu);
}

TEST(Coding, VarintRoundTripsInTheSizeForetold) {
  for (const uint64_t number : InterestingNumbers()) {
    std::string bytes;
    AppendVarint64(&bytes, number);
    EXPECT_EQ(bytes.size(), VarintSize(number));
    ByteReader reader(bytes);
    EXPECT_EQ(reader.ReadVarint64(), number);
    EXPECT_TRUE(reader.Finished());
    for (size_t cut = 0; cut < bytes.size(); ++cut) {
      ByteReader shorter(std::string_view(bytes).substr(0, cut));
      EXPECT_EQ(shorter.ReadVarint64(), 0u);
      EXPECT_FALSE(shorter.ok());
    }
  }
}

TEST(Coding, AbbreviatedKeysOrderAsKeysThatDiffer) {
  Random random(2);
  std::vector<std::string> keys = {"", std::string(1, '\0'), "a", "abcdefgh", "abcdefghi"};
  for (int i = 0; i < 300; ++i) {
    std::string key;
    const uint64_t size = random.Uniform(12);
    for (uint64_t j = 0; j < size; ++j) key.push_back(static_cast<char>(random.Uniform(3) * 127));
    keys.push_back(key);
  }
  for (const std::string& a : keys) {
    for (const std::string& b : keys) {
      if (AbbreviateKey(a) < AbbreviateKey(b)) {
        EXPECT_LT(a, b);
      }
      if (AbbreviateKey(a) > AbbreviateKey(b)) {
        EXPECT_GT(a, b);
      }
    }
  }
  EXPECT_EQ(AbbreviateKey("\x01\x02\x03\x04\x05\x06\x07\x08 and more"), 0x0102030405060708u);
}

TEST(ByteReader, ReadsInOrder) {
  std::string bytes("\x07", 1);
  AppendFixed16(&bytes, 8);
  AppendFixed32(&bytes, 9);
  AppendFixed64(&bytes, 10);
  AppendLengthPrefixed(&bytes, "eleven");
  ByteReader reader(bytes);
  EXPECT_EQ(reader.ReadFixed8(), 7);
  EXPECT_EQ(reader.ReadFixed16(), 8);
  EXPECT_EQ(reader.ReadFixed32(), 9u);
  EXPECT_EQ(reader.ReadFixed64(), 10u);
  EXPECT_EQ(reader.offset(), 15u);
  EXPECT_EQ(reader.ReadLengthPrefixed(), "eleven");
  EXPECT_TRUE(reader.Finished());
  EXPECT_EQ(reader.ReadBytes(0), "");
  EXPECT_TRUE(reader.ok());
}

TEST(ByteReader, ErrorIsStickyPastTheEnd) {
  ByteReader reader(std::string_view("\x01\x02\x03", 3));
  EXPECT_EQ(reader.ReadFixed32(), 0u);
  EXPECT_FALSE(reader.ok());
  EXPECT_EQ(reader.ReadFixed8(), 0);
  EXPECT_EQ(reader.ReadBytes(1), "");
  EXPECT_EQ(reader.ReadVarint64(), 0u);
  EXPECT_FALSE(reader.ok());
  EXPECT_FALSE(reader.Finished());
  EXPECT_EQ(reader.remaining(), 0u);
}

TEST(ByteReader, HugeLengthIsRefusedBeforeAnythingIsRead) {
  for (const uint64_t length : {uint64_t{4}, uint64_t{1} << 32, UINT64_MAX, UINT64_MAX - 5}) {
    std::string bytes;
    AppendVarint64(&bytes, length);
    bytes += "abc";
    ByteReader reader(bytes);
    EXPECT_EQ(reader.ReadLengthPrefixed(), "");
    EXPECT_FALSE(reader.ok());
  }
}

TEST(ByteReader, VarintThatIsTooLongOrTooLargeIsRefused) {
  const std::string hostile[] = {
      std::string("\x80\x00", 2),                                // 0 in two bytes
      std::string("\xff\x80\x00", 3),                            // 127 in three
      std::string("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"),   // 65 bits
      std::string("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x81\1")  // eleven bytes
  };
  for (const std::string& bytes : hostile) {
    ByteReader reader(bytes);
    EXPECT_EQ(reader.ReadVarint64(), 0u);
    EXPECT_FALSE(reader.ok());
  }
}

TEST(ByteReader, Varint32RefusesMoreThan32Bits) {
  std::string bytes;
  AppendVarint64(&bytes, UINT32_MAX);
  AppendVarint64(&bytes, uint64_t{UINT32_MAX} + 1);
  ByteReader reader(bytes);
  EXPECT_EQ(reader.ReadVarint32(), UINT32_MAX);
  EXPECT_EQ(reader.ReadVarint32(), 0u);
  EXPECT_FALSE(reader.ok());
}

TEST(ByteReader, EmptyInputIsFinished) {
  ByteReader reader({});
  EXPECT_TRUE(reader.Finished());
  EXPECT_EQ(reader.ReadBytes(0), "");
  EXPECT_TRUE(reader.ok());
  EXPECT_EQ(reader.ReadFixed8(), 0);
  EXPECT_FALSE(reader.ok());
}

// For any bytes: results are inside of them, and reading ends.
TEST(ByteReader, RandomBytesNeverLeadOutOfBounds) {
  Random random(3);
  for (int round = 0; round < 20000; ++round) {
    std::string bytes;
    const uint64_t size = random.Uniform(24);
    for (uint64_t i = 0; i < size; ++i) bytes.push_back(static_cast<char>(random.Next()));
    ByteReader reader(bytes);
    while (reader.ok() && !reader.AtEnd()) {
      const size_t before = reader.offset();
      switch (random.Uniform(5)) {
        case 0:
          reader.ReadFixed16();
          break;
        case 1:
          reader.ReadFixed64();
          break;
        case 2:
          reader.ReadVarint32();
          break;
        case 3:
          reader.ReadVarint64();
          break;
        default: {
          const std::string_view view = reader.ReadLengthPrefixed();
          if (reader.ok() && !view.empty()) {
            ASSERT_GE(view.data(), bytes.data());
            ASSERT_LE(view.data() + view.size(), bytes.data() + bytes.size());
          }
        }
      }
      ASSERT_GT(reader.offset(), before);
      ASSERT_LE(reader.offset(), bytes.size());
    }
  }
}

}  // namespace
}  // namespace cambium
