#include "wal/segment_scanner.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "util/coding.h"
#include "util/status_macros.h"

namespace cambium::wal {
namespace {

constexpr uint64_t kPageBytes = 4096;
constexpr char kZeroPage[kPageBytes] = {};

bool AllZeros(std::string_view bytes) {
  return std::memcmp(bytes.data(), kZeroPage, bytes.size()) == 0;
}

std::string Hex(uint32_t value) { return absl::StrCat("0x", absl::Hex(value, absl::kZeroPad8)); }

}  // namespace

absl::StatusOr<std::unique_ptr<SegmentScanner>> SegmentScanner::Open(FileSystem* file_system,
                                                                     std::string path,
                                                                     uint64_t number) {
  ASSIGN_OR_RETURN(std::unique_ptr<RandomAccessFile> file, file_system->OpenRandomAccess(path));
  ASSIGN_OR_RETURN(const uint64_t size, file->Size());
  if (size > UINT32_MAX) {
    return absl::DataLossError(absl::StrCat("log segment ", path, ": found ", size,
                                            " bytes, expected at most ", UINT32_MAX));
  }
  return std::unique_ptr<SegmentScanner>(
      new SegmentScanner(std::move(path), number, size, std::move(file)));
}

SegmentScanner::SegmentScanner(std::string path, uint64_t number, uint64_t size,
                               std::unique_ptr<RandomAccessFile> file)
    : path_(std::move(path)), number_(number), size_(size), file_(std::move(file)) {}

absl::StatusOr<std::string_view> SegmentScanner::View(uint64_t offset, uint64_t size) {
  if (offset < buffer_offset_ || offset + size > buffer_offset_ + buffer_filled_) {
    const uint64_t wanted = std::min(std::max(size, kChunkBytes), size_ - offset);
    if (buffer_.size() < wanted) {
      buffer_.clear();
      buffer_.resize(wanted);
    }
    buffer_filled_ = 0;
    ReadRequest request;
    request.offset = offset;
    request.buffer = buffer_.data();
    request.size = wanted;
    file_->Read({&request, 1});
    RETURN_IF_ERROR(request.status);
    if (request.bytes_read < size) {
      return absl::DataLossError(absl::StrCat("log segment ", path_, ": read at offset ", offset,
                                              " found ", request.bytes_read, " bytes, expected ",
                                              size));
    }
    buffer_offset_ = offset;
    buffer_filled_ = request.bytes_read;
  }
  return std::string_view(buffer_).substr(offset - buffer_offset_, size);
}

absl::StatusOr<DecodedSegmentHeader> SegmentScanner::ReadHeader() {
  ASSIGN_OR_RETURN(const std::string_view bytes,
                   View(0, std::min<uint64_t>(size_, kSegmentHeaderSize)));
  return DecodeSegmentHeader(bytes, number_);
}

absl::StatusOr<ScannedRecord> SegmentScanner::ReadRecord(uint64_t offset, uint64_t limit) {
  ScannedRecord result;
  limit = std::min(limit, size_);
  if (offset + kRecordHeaderSize > limit) {
    result.state = ScannedRecord::State::kAtLimit;
    return result;
  }
  ASSIGN_OR_RETURN(std::string_view bytes, View(offset, kRecordHeaderSize));
  if (AllZeros(bytes)) {
    result.state = ScannedRecord::State::kZeros;
    result.found = "zeros";
    result.expected = "a record";
    return result;
  }
  const std::optional<RecordHeader> header = DecodeRecordHeader(bytes.data());
  if (!header.has_value()) {
    result.found = absl::StrCat("record kind ", static_cast<uint8_t>(bytes[15]));
    result.expected = "a known kind";
    return result;
  }
  result.header = *header;
  const uint64_t size = kRecordHeaderSize + uint64_t{header->payload_size};
  if (size > limit - offset) {
    result.found = absl::StrCat("a record of ", size, " bytes");
    result.expected = absl::StrCat("at most ", limit - offset);
    return result;
  }
  ASSIGN_OR_RETURN(bytes, View(offset, size));
  const uint32_t stored = LoadFixed32(bytes.data());
  const uint32_t computed = RecordChecksum(bytes, {number_, offset});
  if (stored != computed) {
    result.found = absl::StrCat("checksum ", Hex(stored));
    result.expected = Hex(computed);
    return result;
  }
  result.payload = bytes.substr(kRecordHeaderSize);
  result.state = header->kind == RecordKind::kFull  ? ScannedRecord::State::kRecord
                 : header->kind == RecordKind::kEnd ? ScannedRecord::State::kEnd
                                                    : ScannedRecord::State::kNewFormat;
  return result;
}

absl::StatusOr<std::optional<Promise>> SegmentScanner::FindPromise(uint64_t offset,
                                                                   LogPosition beyond) {
  nonzero_end_ = offset;
  while (offset + kRecordHeaderSize <= size_) {
    const uint64_t next = std::min(offset / kPageBytes * kPageBytes + kPageBytes, size_);
    ASSIGN_OR_RETURN(const std::string_view page, View(offset, next - offset));
    if (!AllZeros(page)) {
      nonzero_end_ = next;
      ASSIGN_OR_RETURN(std::optional<Promise> promise, FindInPage(offset, next, beyond));
      if (promise.has_value()) return promise;
    }
    offset = next;
  }
  return std::optional<Promise>();
}

absl::StatusOr<std::optional<Promise>> SegmentScanner::FindInPage(uint64_t begin, uint64_t end,
                                                                  LogPosition beyond) {
  const uint64_t least = PackPosition(beyond);
  // With what the header of a record at the end of the page reaches into the next.
  const uint64_t view_end = std::min(end + kRecordHeaderSize - kRecordAlignment, size_);
  ASSIGN_OR_RETURN(std::string_view bytes, View(begin, view_end - begin));
  for (uint64_t at = 0; at + kRecordHeaderSize <= bytes.size(); at += kRecordAlignment) {
    const uint64_t offset = begin + at;
    // Cheapest first: nearly every place that is no record fails here.
    const uint64_t promised = LoadFixed64(bytes.data() + at + 16);
    if (promised <= least || promised > PackPosition({number_, offset})) continue;
    const std::optional<RecordHeader> header = DecodeRecordHeader(bytes.data() + at);
    if (!header.has_value()) continue;
    ASSIGN_OR_RETURN(const bool checks, Checks(offset, *header));
    if (checks) return Promise{{number_, offset}, header->synced_up_to};
    ASSIGN_OR_RETURN(bytes, View(begin, view_end - begin));  // Checks may have moved on
  }
  return std::optional<Promise>();
}

absl::StatusOr<bool> SegmentScanner::Checks(uint64_t offset, const RecordHeader& header) {
  const uint64_t size = kRecordHeaderSize + uint64_t{header.payload_size};
  if (size > size_ - offset) return false;
  hashed_ += size;
  if (hashed_ / kMaxHashing > size_) {
    return absl::DataLossError(absl::StrCat(
        "log segment ", path_, ": offset ", offset,
        ": found more false records than a torn tail can hold, expected the end of the log"));
  }
  ASSIGN_OR_RETURN(const std::string_view bytes, View(offset, size));
  return LoadFixed32(bytes.data()) == RecordChecksum(bytes, {number_, offset});
}

}  // namespace cambium::wal
