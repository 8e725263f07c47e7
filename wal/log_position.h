// LogPosition: a place in the log, and so a moment in the order of writes.
//
// A position stands between two bytes: it means everything before it. "Synced up to p" says that
// all of every older segment and the bytes [0, p.offset) of p.segment survive a power cut; "the end
// of a record" is the position behind its padding. Positions of one database are totally ordered,
// because segments take rising numbers.
#ifndef CAMBIUM_WAL_LOG_POSITION_H_
#define CAMBIUM_WAL_LOG_POSITION_H_

#include <compare>
#include <cstdint>

namespace cambium::wal {

// A segment's number and an offset in its file each fit 32 bits, so that a position is one word in
// a record header and one atomic in memory. At a new file a second the numbers last 136 years.
inline constexpr uint64_t kMaxSegmentNumber = UINT32_MAX;
inline constexpr uint64_t kMaxSegmentSize = UINT32_MAX & ~uint64_t{7};

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

}  // namespace cambium::wal

#endif  // CAMBIUM_WAL_LOG_POSITION_H_
