#include "wal/log_format.h"

#include <cstring>

#include "util/byte_reader.h"
#include "util/checksum.h"
#include "util/coding.h"

namespace cambium::wal {
namespace {

constexpr size_t kHeaderChecksumOffset = kSegmentHeaderSize - 8;

bool IsRecordKind(uint64_t kind) {
  return kind >= static_cast<uint64_t>(RecordKind::kFull) &&
         kind <= static_cast<uint64_t>(RecordKind::kEnd);
}

}  // namespace

std::array<char, kSegmentHeaderSize> EncodeSegmentHeader(const SegmentHeader& header) {
  std::array<char, kSegmentHeaderSize> bytes{};
  char* const to = bytes.data();
  StoreFixed64(to, kSegmentMagic);
  StoreFixed32(to + 8, kFormatVersion);
  StoreFixed32(to + 12, header.must_understand);
  StoreFixed32(to + 16, header.may_ignore);
  std::memcpy(to + 24, header.uuid.data(), header.uuid.size());
  StoreFixed64(to + 40, header.segment);
  StoreFixed64(to + 48, header.first_sequence);
  StoreFixed64(to + 56, header.previous_end.segment);
  StoreFixed64(to + 64, header.previous_end.offset);
  StoreFixed64(to + 72, PackPosition(header.synced_up_to));
  StoreFixed64(to + kHeaderChecksumOffset,
               Checksum64({to, kHeaderChecksumOffset}, header.segment, 0));
  return bytes;
}

DecodedSegmentHeader DecodeSegmentHeader(std::string_view bytes, uint64_t segment) {
  DecodedSegmentHeader decoded;
  ByteReader reader(bytes);
  const uint64_t magic = reader.ReadFixed64();
  decoded.format_version = reader.ReadFixed32();
  SegmentHeader& header = decoded.header;
  header.must_understand = reader.ReadFixed32();
  header.may_ignore = reader.ReadFixed32();
  reader.ReadFixed32();
  const std::string_view uuid = reader.ReadBytes(header.uuid.size());
  header.segment = reader.ReadFixed64();
  header.first_sequence = reader.ReadFixed64();
  header.previous_end.segment = reader.ReadFixed64();
  header.previous_end.offset = reader.ReadFixed64();
  header.synced_up_to = UnpackPosition(reader.ReadFixed64());
  const uint64_t checksum = reader.ReadFixed64();
  if (!reader.ok() || magic != kSegmentMagic || header.segment != segment ||
      checksum != Checksum64(bytes.substr(0, kHeaderChecksumOffset), segment, 0)) {
    return decoded;
  }
  std::memcpy(header.uuid.data(), uuid.data(), uuid.size());
  decoded.state = decoded.format_version == kFormatVersion && header.must_understand == 0
                      ? DecodedSegmentHeader::State::kValid
                      : DecodedSegmentHeader::State::kNewFormat;
  return decoded;
}

void EncodeRecordHeader(const RecordHeader& header, char* record) {
  StoreFixed32(record + 4, header.payload_size);
  StoreFixed64(record + 8, static_cast<uint64_t>(header.kind) << 56 | header.first_sequence);
  StoreFixed64(record + 16, PackPosition(header.synced_up_to));
}

std::optional<RecordHeader> DecodeRecordHeader(const char* record) {
  const uint64_t kind_and_sequence = LoadFixed64(record + 8);
  if (!IsRecordKind(kind_and_sequence >> 56)) return std::nullopt;
  RecordHeader header;
  header.payload_size = LoadFixed32(record + 4);
  header.kind = static_cast<RecordKind>(kind_and_sequence >> 56);
  header.first_sequence = kind_and_sequence & kMaxRecordSequence;
  header.synced_up_to = UnpackPosition(LoadFixed64(record + 16));
  return header;
}

uint32_t RecordChecksum(std::string_view record, LogPosition at) {
  return Checksum32(record.substr(4), at.segment, at.offset);
}

}  // namespace cambium::wal
