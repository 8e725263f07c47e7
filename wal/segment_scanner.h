// SegmentScanner: one segment file read back, record by record, and searched for promises.
//
// Nothing that it reads is trusted: a length is checked against the file before it is used.
#ifndef CAMBIUM_WAL_SEGMENT_SCANNER_H_
#define CAMBIUM_WAL_SEGMENT_SCANNER_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "cambium/file_system.h"
#include "wal/log_format.h"
#include "wal/log_position.h"

namespace cambium::wal {

// What stands at an offset of a segment.
struct ScannedRecord {
  enum class State {
    kRecord,     // `header` and `payload` hold
    kEnd,        // the end record: nothing follows
    kAtLimit,    // not even a header fits before the limit
    kZeros,      // a header of zeros: nothing was written here
    kBad,        // `found` and `expected` say why
    kNewFormat,  // it checks, but is of a kind reserved for newer programs
  };
  State state = State::kBad;
  RecordHeader header;
  std::string_view payload;  // until the scanner's next call
  std::string found;
  std::string expected;
};

// "The log is synced up to here", and where that was said.
struct Promise {
  LogPosition at;
  LogPosition synced_up_to;
};

// Thread-compatible.
class SegmentScanner {
 public:
  // `number` is that of the file's name: what the checksums are seeded with.
  static absl::StatusOr<std::unique_ptr<SegmentScanner>> Open(FileSystem* file_system,
                                                              std::string path, uint64_t number);

  const std::string& path() const { return path_; }
  uint64_t number() const { return number_; }
  uint64_t size() const { return size_; }

  absl::StatusOr<DecodedSegmentHeader> ReadHeader();

  // The record at `offset` (a multiple of 8), which must end at or before `limit` and the file's
  // end.
  absl::StatusOr<ScannedRecord> ReadRecord(uint64_t offset, uint64_t limit);

  // Looks at every place from `offset` on where a record could begin, and returns the first valid
  // record which says that the log was synced beyond `beyond`. Time is bounded: where so much looks
  // like a record that checking all of it would take hashing kMaxHashing times the file, the answer
  // is an error (only bytes made for that do).
  absl::StatusOr<std::optional<Promise>> FindPromise(uint64_t offset, LogPosition beyond);

  // The last byte that is not zero in what FindPromise has looked at, up to its chunk's end.
  uint64_t nonzero_end() const { return nonzero_end_; }

 private:
  static constexpr uint64_t kChunkBytes = uint64_t{1} << 20;
  static constexpr uint64_t kMaxHashing = 64;

  SegmentScanner(std::string path, uint64_t number, uint64_t size,
                 std::unique_ptr<RandomAccessFile> file);

  absl::StatusOr<std::string_view> View(uint64_t offset, uint64_t size);
  absl::StatusOr<std::optional<Promise>> FindInPage(uint64_t begin, uint64_t end,
                                                    LogPosition beyond);
  absl::StatusOr<bool> Checks(uint64_t offset, const RecordHeader& header);

  const std::string path_;
  const uint64_t number_;
  const uint64_t size_;
  const std::unique_ptr<RandomAccessFile> file_;
  std::string buffer_;  // holds [buffer_offset_, buffer_offset_ + buffer_filled_) of the file
  uint64_t buffer_offset_ = 0;
  uint64_t buffer_filled_ = 0;
  uint64_t nonzero_end_ = 0;
  uint64_t hashed_ = 0;
};

}  // namespace cambium::wal

#endif  // CAMBIUM_WAL_SEGMENT_SCANNER_H_
