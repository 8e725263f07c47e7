// The encoding of a log segment; docs/format/log.md specifies every byte.
//
// A segment is a file of fixed size; unwritten bytes are zeros:
//
//   header | record | record | … | [end record] | zeros
//
// The checksum is stored last: an incomplete record has an invalid checksum.
#ifndef CAMBIUM_WAL_LOG_FORMAT_H_
#define CAMBIUM_WAL_LOG_FORMAT_H_

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace cambium::wal {

// A segment's number and an offset in its file each fit 32 bits, so a position is one word in a
// record header and one atomic in memory. At one new file per second the numbers last 136 years.
inline constexpr uint64_t kMaxSegmentNumber = UINT32_MAX;
inline constexpr uint64_t kMaxSegmentSize = UINT32_MAX & ~uint64_t{7};

// A position in the log, and therefore a point in the order of writes.
//
// A position is between two bytes and refers to everything before it. "Synced up to p" means that
// all of every older segment and the bytes [0, p.offset) of p.segment survive a power cut; "the end
// of a record" is the position after its padding. Positions of one database are totally ordered,
// because segment numbers increase.
struct LogPosition {
  uint64_t segment = 0;  // the file's number; 0: before the first segment
  uint64_t offset = 0;   // bytes from the start of the file

  friend auto operator<=>(const LogPosition&, const LogPosition&) = default;
};

constexpr uint64_t PackPosition(LogPosition position) {
  return position.segment << 32 | position.offset;
}
constexpr LogPosition UnpackPosition(uint64_t packed) {
  return {packed >> 32, packed & UINT32_MAX};
}

using Uuid = std::array<uint8_t, 16>;

inline constexpr uint64_t kSegmentMagic = 0x31474f4c4d424d43;  // "CMBMLOG1" in the file
inline constexpr uint32_t kFormatVersion = 1;

inline constexpr size_t kSegmentHeaderSize = 88;
inline constexpr size_t kRecordHeaderSize = 24;
inline constexpr size_t kRecordAlignment = 8;
static_assert(kSegmentHeaderSize % kRecordAlignment == 0);

// The maximum size of the payload of an end record.
inline constexpr size_t kMaxEndPayload = 16;

inline constexpr uint64_t kMaxRecordSequence = (uint64_t{1} << 56) - 1;

// Version 1 writes kFull and kEnd. The others are reserved for records that span segments and for
// gaps; a reader returns Unimplemented for them. (A batch larger than a segment gets a larger
// segment instead.)
enum class RecordKind : uint8_t {
  kFull = 1,
  kFirst = 2,
  kMiddle = 3,
  kLast = 4,
  kPad = 5,
  kEnd = 6,  // the end of this segment
};

struct SegmentHeader {
  uint32_t must_understand = 0;
  uint32_t may_ignore = 0;
  Uuid uuid = {};
  uint64_t segment = 0;
  uint64_t first_sequence = 0;
  LogPosition previous_end;  // segment 0: none
  LogPosition synced_up_to;
};

struct RecordHeader {
  uint32_t payload_size = 0;
  RecordKind kind = RecordKind::kFull;
  uint64_t first_sequence = 0;
  LogPosition synced_up_to;
};

// Returns the size of a record in its segment.
constexpr uint64_t RecordSize(uint64_t payload_size) {
  return (kRecordHeaderSize + payload_size + kRecordAlignment - 1) &
         ~uint64_t{kRecordAlignment - 1};
}

std::array<char, kSegmentHeaderSize> EncodeSegmentHeader(const SegmentHeader& header);

// The decoded start of a segment's file.
struct DecodedSegmentHeader {
  enum class State {
    kValid,      // `header` is set
    kDamaged,    // too short, or wrong magic or checksum: torn, damaged, or never written
    kNewFormat,  // valid, but of a format or with features that are unknown
  };
  State state = State::kDamaged;
  uint32_t format_version = 0;
  SegmentHeader header;
};
// `segment` is the number in the file's name.
DecodedSegmentHeader DecodeSegmentHeader(std::string_view bytes, uint64_t segment);

// Writes bytes 4…23 of a record to `record` (the start of its 24 header bytes), without the
// checksum.
void EncodeRecordHeader(const RecordHeader& header, char* record);

// Decodes the header without checks, except for its kind: returns nullopt if that is invalid.
// `record` has kRecordHeaderSize bytes.
std::optional<RecordHeader> DecodeRecordHeader(const char* record);

// Returns the checksum for the start of `record`: of its header bytes and payload, without padding.
uint32_t RecordChecksum(std::string_view record, LogPosition at);

}  // namespace cambium::wal

#endif  // CAMBIUM_WAL_LOG_FORMAT_H_
