#include "wal/log_format.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "util/coding.h"

namespace cambium::wal {
namespace {

SegmentHeader SampleHeader() {
  SegmentHeader header;
  for (size_t i = 0; i < header.uuid.size(); ++i) header.uuid[i] = static_cast<uint8_t>(0xa0 + i);
  header.segment = 7;
  header.first_sequence = 1000;
  header.previous_end = {5, 4096};
  header.synced_up_to = {5, 88};
  return header;
}

std::string Hex(std::string_view bytes) {
  std::string hex;
  for (const char byte : bytes) {
    hex.push_back("0123456789abcdef"[static_cast<uint8_t>(byte) >> 4]);
    hex.push_back("0123456789abcdef"[static_cast<uint8_t>(byte) & 15]);
  }
  return hex;
}

TEST(LogPosition, PacksInItsOrder) {
  const LogPosition a{1, UINT32_MAX};
  const LogPosition b{2, 0};
  EXPECT_LT(a, b);
  EXPECT_LT(PackPosition(a), PackPosition(b));
  EXPECT_EQ(UnpackPosition(PackPosition(a)), a);
  EXPECT_EQ(UnpackPosition(PackPosition({kMaxSegmentNumber, kMaxSegmentSize})),
            (LogPosition{kMaxSegmentNumber, kMaxSegmentSize}));
}

TEST(LogFormat, HeaderComesBack) {
  const auto bytes = EncodeSegmentHeader(SampleHeader());
  const DecodedSegmentHeader decoded = DecodeSegmentHeader({bytes.data(), bytes.size()}, 7);
  ASSERT_EQ(decoded.state, DecodedSegmentHeader::State::kValid);
  EXPECT_EQ(decoded.header.uuid, SampleHeader().uuid);
  EXPECT_EQ(decoded.header.segment, 7u);
  EXPECT_EQ(decoded.header.first_sequence, 1000u);
  EXPECT_EQ(decoded.header.previous_end, (LogPosition{5, 4096}));
  EXPECT_EQ(decoded.header.synced_up_to, (LogPosition{5, 88}));
}

// These bytes are version 1: a change here is a change of the format.
TEST(LogFormat, BytesAreThoseOfVersionOne) {
  const auto bytes = EncodeSegmentHeader(SampleHeader());
  EXPECT_EQ(Hex({bytes.data(), 80}),
            "434d424d4c4f4731"  // magic
            "01000000"
            "00000000"
            "00000000"
            "00000000"
            "a0a1a2a3a4a5a6a7a8a9aaabacadaeaf"  // UUID
            "0700000000000000"
            "e803000000000000"
            "0500000000000000"
            "0010000000000000"
            "5800000005000000");
  EXPECT_EQ(Hex({bytes.data() + 80, 8}), "fb878f829e2f8ec2");

  std::string record(kRecordHeaderSize, '\0');
  EncodeRecordHeader({3, RecordKind::kFull, 1000, {5, 88}}, record.data());
  record += "abc";
  StoreFixed32(record.data(), RecordChecksum(record, {7, 88}));
  EXPECT_EQ(Hex(record.substr(4)),
            "03000000"
            "e803000000000001"
            "5800000005000000"
            "616263");
  EXPECT_EQ(Hex(record.substr(0, 4)), "84e4f10c");
}

TEST(LogFormat, HeaderWithAnyBitFlippedDoesNotCheck) {
  const auto good = EncodeSegmentHeader(SampleHeader());
  for (size_t bit = 0; bit < good.size() * 8; ++bit) {
    auto bytes = good;
    bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << (bit % 8)));
    EXPECT_EQ(DecodeSegmentHeader({bytes.data(), bytes.size()}, 7).state,
              DecodedSegmentHeader::State::kDamaged)
        << bit;
  }
  for (size_t size = 0; size < good.size(); ++size) {
    EXPECT_EQ(DecodeSegmentHeader({good.data(), size}, 7).state,
              DecodedSegmentHeader::State::kDamaged);
  }
}

TEST(LogFormat, HeaderInAnotherFileDoesNotCheck) {
  const auto bytes = EncodeSegmentHeader(SampleHeader());
  EXPECT_EQ(DecodeSegmentHeader({bytes.data(), bytes.size()}, 8).state,
            DecodedSegmentHeader::State::kDamaged);
}

TEST(LogFormat, FeatureToUnderstandIsNewFormat) {
  SegmentHeader header = SampleHeader();
  header.must_understand = 4;
  const auto bytes = EncodeSegmentHeader(header);
  const auto decoded = DecodeSegmentHeader({bytes.data(), bytes.size()}, 7);
  EXPECT_EQ(decoded.state, DecodedSegmentHeader::State::kNewFormat);
  EXPECT_EQ(decoded.header.must_understand, 4u);

  header.must_understand = 0;
  header.may_ignore = 4;
  const auto ignorable = EncodeSegmentHeader(header);
  EXPECT_EQ(DecodeSegmentHeader({ignorable.data(), ignorable.size()}, 7).state,
            DecodedSegmentHeader::State::kValid);
}

TEST(LogFormat, RecordChecksumBindsToItsPlace) {
  std::string record(kRecordHeaderSize, '\0');
  EncodeRecordHeader({0, RecordKind::kFull, 1, {}}, record.data());
  EXPECT_NE(RecordChecksum(record, {7, 88}), RecordChecksum(record, {7, 96}));
  EXPECT_NE(RecordChecksum(record, {7, 88}), RecordChecksum(record, {8, 88}));
}

TEST(LogFormat, RecordSizesAreAligned) {
  EXPECT_EQ(RecordSize(0), 24u);
  EXPECT_EQ(RecordSize(1), 32u);
  EXPECT_EQ(RecordSize(8), 32u);
  EXPECT_EQ(RecordSize(9), 40u);
  EXPECT_EQ(RecordSize(uint64_t{3} << 30), (uint64_t{3} << 30) + 24);
}

TEST(LogFormat, UnknownKindIsNoRecord) {
  std::string record(kRecordHeaderSize, '\0');
  EXPECT_FALSE(DecodeRecordHeader(record.data()).has_value());
  record[15] = 7;
  EXPECT_FALSE(DecodeRecordHeader(record.data()).has_value());
  record[15] = 6;
  ASSERT_TRUE(DecodeRecordHeader(record.data()).has_value());
  EXPECT_EQ(DecodeRecordHeader(record.data())->kind, RecordKind::kEnd);
}

}  // namespace
}  // namespace cambium::wal
