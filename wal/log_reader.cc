#include "wal/log_reader.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "util/coding.h"
#include "util/file_status.h"
#include "util/status_macros.h"

namespace cambium::wal {
namespace {

constexpr uint64_t kPageBytes = 4096;
constexpr char kZeroPage[kPageBytes] = {};

bool AllZeros(std::string_view bytes) {
  return std::memcmp(bytes.data(), kZeroPage, bytes.size()) == 0;
}

std::string Hex(uint32_t value) { return absl::StrCat("0x", absl::Hex(value, absl::kZeroPad8)); }

// The content at an offset of a segment.
struct ScannedRecord {
  enum class State {
    kRecord,     // `header` and `payload` are set
    kEnd,        // the end record: no record follows
    kAtLimit,    // not even a header fits before the limit
    kZeros,      // a header of zeros: nothing was written here
    kBad,        // see `found` and `expected`
    kNewFormat,  // valid, but of a kind reserved for newer programs
  };
  State state = State::kBad;
  RecordHeader header;
  std::string_view payload;  // valid until the scanner's next call
  std::string found;
  std::string expected;
};

// A synced watermark, and where it was read.
struct SyncedWatermark {
  LogPosition at;
  LogPosition synced_up_to;
};

// Reads one segment file record by record, and searches it for synced watermarks. Trusts nothing
// that it reads: a length is checked against the file before it is used. Thread-compatible.
class SegmentScanner {
 public:
  // `number` is the number in the file's name, which seeds the checksums.
  static absl::StatusOr<std::unique_ptr<SegmentScanner>> Open(FileSystem* file_system,
                                                              std::string path, uint64_t number) {
    absl::StatusOr<std::unique_ptr<RandomAccessFile>> file = file_system->OpenRandomAccess(path);
    if (!file.ok()) return ReadError(file.status());
    const absl::StatusOr<uint64_t> size = (*file)->Size();
    if (!size.ok()) return ReadError(size.status());
    if (*size > UINT32_MAX) {
      return absl::OutOfRangeError(absl::StrCat("log segment ", path, ": found ", *size,
                                                " bytes, expected at most ", UINT32_MAX));
    }
    return std::unique_ptr<SegmentScanner>(
        new SegmentScanner(std::move(path), number, *size, *std::move(file)));
  }

  const std::string& path() const { return path_; }

  absl::StatusOr<DecodedSegmentHeader> ReadHeader() {
    ASSIGN_OR_RETURN(const std::string_view bytes,
                     View(0, std::min<uint64_t>(size_, kSegmentHeaderSize)));
    return DecodeSegmentHeader(bytes, number_);
  }

  // Returns the record at `offset` (a multiple of 8), which must end at or before `limit` and the
  // file's end.
  absl::StatusOr<ScannedRecord> ReadRecord(uint64_t offset, uint64_t limit) {
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

  // Tries every place from `offset` on where a record could begin, and returns the first valid
  // record whose synced watermark is beyond `beyond`. The time is bounded: if so many places look
  // like a record that checking them would hash more than kMaxHashing times the file's size,
  // returns an error (only a malicious file does this).
  absl::StatusOr<std::optional<SyncedWatermark>> FindWatermark(uint64_t offset,
                                                               LogPosition beyond) {
    nonzero_end_ = offset;
    while (offset + kRecordHeaderSize <= size_) {
      const uint64_t next = std::min(offset / kPageBytes * kPageBytes + kPageBytes, size_);
      ASSIGN_OR_RETURN(const std::string_view page, View(offset, next - offset));
      if (!AllZeros(page)) {
        nonzero_end_ = next;
        ASSIGN_OR_RETURN(std::optional<SyncedWatermark> watermark,
                         FindInPage(offset, next, beyond));
        if (watermark.has_value()) return watermark;
      }
      offset = next;
    }
    return std::optional<SyncedWatermark>();
  }

  // Returns the end of the nonzero bytes that FindPromise has read, up to the end of its chunk.
  uint64_t nonzero_end() const { return nonzero_end_; }

 private:
  static constexpr uint64_t kChunkBytes = uint64_t{1} << 20;
  static constexpr uint64_t kMaxHashing = 64;

  SegmentScanner(std::string path, uint64_t number, uint64_t size,
                 std::unique_ptr<RandomAccessFile> file)
      : path_(std::move(path)), number_(number), size_(size), file_(std::move(file)) {}

  absl::StatusOr<std::string_view> View(uint64_t offset, uint64_t size) {
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
      RETURN_IF_ERROR(ReadError(request.status));
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

  absl::StatusOr<std::optional<SyncedWatermark>> FindInPage(uint64_t begin, uint64_t end,
                                                            LogPosition beyond) {
    const uint64_t least = PackPosition(beyond);
    // Includes the part of the header of the last record on the page that extends into the next
    // page.
    const uint64_t view_end = std::min(end + kRecordHeaderSize - kRecordAlignment, size_);
    ASSIGN_OR_RETURN(std::string_view bytes, View(begin, view_end - begin));
    for (uint64_t at = 0; at + kRecordHeaderSize <= bytes.size(); at += kRecordAlignment) {
      const uint64_t offset = begin + at;
      // The cheapest check first: nearly every place without a record fails here.
      const uint64_t synced_up_to = LoadFixed64(bytes.data() + at + 16);
      if (synced_up_to <= least || synced_up_to > PackPosition({number_, offset})) continue;
      const std::optional<RecordHeader> header = DecodeRecordHeader(bytes.data() + at);
      if (!header.has_value()) continue;
      ASSIGN_OR_RETURN(const bool checks, Checks(offset, *header));
      if (checks) return SyncedWatermark{{number_, offset}, header->synced_up_to};
      ASSIGN_OR_RETURN(bytes, View(begin, view_end - begin));  // Checks may have replaced it
    }
    return std::optional<SyncedWatermark>();
  }

  absl::StatusOr<bool> Checks(uint64_t offset, const RecordHeader& header) {
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

  const std::string path_;
  const uint64_t number_;
  const uint64_t size_;
  const std::unique_ptr<RandomAccessFile> file_;
  std::string buffer_;  // contains [buffer_offset_, buffer_offset_ + buffer_filled_) of the file
  uint64_t buffer_offset_ = 0;
  uint64_t buffer_filled_ = 0;
  uint64_t nonzero_end_ = 0;
  uint64_t hashed_ = 0;
};

std::string Text(LogPosition position) {
  return absl::StrCat("offset ", position.offset, " of segment ", position.segment);
}

// Explains how to open the database with the records before the damage.
std::string Salvage(const std::string& path, LogPosition at) {
  return absl::StrCat(
      "To open it with the writes before that, and lose those behind: truncate "
      "--size=",
      at.offset, " '", path, "', and truncate the log segments with higher numbers to 0 bytes");
}

// The place where the valid prefix ended early, for the message. Plain data.
struct Stop {
  std::string path;
  LogPosition at;
  std::string found;
  std::string expected;
  bool is_bad = false;     // there is an invalid record
  bool is_header = false;  // there is no record: a segment's header
};

// The state of one ReadLog call. Confined to it.
class Reading {
 public:
  Reading(const LogReadOptions& options, const RecordCallback& callback)
      : options_(options), callback_(callback) {}

  absl::StatusOr<LogReplay> Run() {
    RETURN_IF_ERROR(CheckReachExists());
    RETURN_IF_ERROR(ReadHeaders());
    RETURN_IF_ERROR(ChooseChain());
    RETURN_IF_ERROR(ReplayChain());
    RETURN_IF_ERROR(CheckWatermarks());
    if (ReachCounts() && options_.reach.offset != 0 && replay_.end < options_.reach) {
      const bool checking = options_.reading == LogReading::kCheckUpTo;
      return DamageError(options_.reach, checking
                                             ? "the log was written up to "
                                             : "the manifest says that the log was synced up to ");
    }
    const std::set<uint64_t> needed(replay_.chain.begin(), replay_.chain.end());
    std::set<uint64_t> obsolete(options_.segments.begin(), options_.segments.end());
    std::erase_if(obsolete, [&](uint64_t number) { return needed.contains(number); });
    replay_.obsolete.assign(obsolete.begin(), obsolete.end());
    return std::move(replay_);
  }

 private:
  // A segment file that may be part of the log, with its header if that is valid.
  struct Candidate {
    uint64_t number = 0;
    std::optional<SegmentHeader> header;
  };

  absl::StatusOr<std::unique_ptr<SegmentScanner>> Open(uint64_t number) const {
    return SegmentScanner::Open(options_.file_system, options_.segment_path(number), number);
  }
  std::string Path(uint64_t number) const { return options_.segment_path(number); }

  // Returns true if `number` is after the part to be checked, while others write.
  bool IsBeyond(uint64_t number) const {
    return options_.reading == LogReading::kCheckUpTo && number > options_.reach.segment;
  }
  bool ReachCounts() const {
    return options_.reach.segment != 0 && options_.reach.segment >= options_.oldest_needed;
  }

  absl::Status CheckReachExists() const {
    const uint64_t segment = options_.reach.segment;
    const std::vector<uint64_t>& found = options_.segments;
    if (!ReachCounts() || std::find(found.begin(), found.end(), segment) != found.end()) {
      return absl::OkStatus();
    }
    return absl::DataLossError(absl::StrCat("log segment ", Path(segment),
                                            ": found no such file, expected the segment that the "
                                            "manifest says was made"));
  }

  absl::Status ReadHeaders() {
    for (const uint64_t number : options_.segments) {
      if (number < options_.oldest_needed || IsBeyond(number)) continue;
      absl::StatusOr<std::unique_ptr<SegmentScanner>> opened = Open(number);
      if (absl::IsOutOfRange(opened.status())) continue;  // no segment is that large
      ASSIGN_OR_RETURN(const std::unique_ptr<SegmentScanner> scanner, std::move(opened));
      ASSIGN_OR_RETURN(const DecodedSegmentHeader decoded, scanner->ReadHeader());
      Candidate candidate{number, std::nullopt};
      if (decoded.state == DecodedSegmentHeader::State::kNewFormat) {
        return absl::UnimplementedError(absl::StrCat(
            "log segment ", scanner->path(), ": offset 8: found format ", decoded.format_version,
            " with features 0x", absl::Hex(decoded.header.must_understand), ", expected format ",
            kFormatVersion, " without: a newer program wrote it"));
      }
      if (decoded.state == DecodedSegmentHeader::State::kValid) {
        if (decoded.header.uuid != options_.uuid) {
          // Another database's file is ignored unless it replaces a segment of this one.
          if (!ReachCounts() || number != options_.reach.segment) continue;
          return absl::DataLossError(
              absl::StrCat("log segment ", scanner->path(),
                           ": offset 24: found the UUID of another database, "
                           "expected this one's"));
        }
        candidate.header = decoded.header;
      }
      candidates_.emplace(number, std::move(candidate));
    }
    return absl::OkStatus();
  }

  // Starts at the newest segment with a valid header. If a link leads to an invalid header, all
  // newer segments are disconnected: they are suspects, and the next lower segment is tried.
  absl::Status ChooseChain() {
    uint64_t below = std::numeric_limits<uint64_t>::max();
    bool complete = false;
    while (!complete) {
      auto top = candidates_.lower_bound(below);
      while (top != candidates_.begin()) {
        --top;
        if (top->second.header.has_value()) break;
        suspects_.push_back(top->second);
      }
      if (top == candidates_.end() || !top->second.header.has_value()) return absl::OkStatus();
      RETURN_IF_ERROR(FollowChainDown(top, &complete));
      if (complete) return absl::OkStatus();
      // The target of the broken link becomes a suspect, like the segments connected to it.
      below = chain_.back().header->previous_end.segment;
      suspects_.push_back(candidates_.at(below));
      suspects_.insert(suspects_.end(), chain_.begin(), chain_.end());
      chain_.clear();
    }
    return absl::OkStatus();
  }

  absl::Status FollowChainDown(std::map<uint64_t, Candidate>::iterator top, bool* complete) {
    *complete = false;
    auto at = top;
    while (true) {
      chain_.push_back(at->second);
      const LogPosition previous = at->second.header->previous_end;
      if (previous.segment == 0 || previous.segment < options_.oldest_needed) {
        *complete = true;
        return absl::OkStatus();
      }
      const auto next = candidates_.find(previous.segment);
      // Its directory entry was synced before the next segment was used, so no power cut removed
      // it.
      if (next == candidates_.end() || previous.segment >= at->first) {
        std::string text =
            absl::StrCat("log segment ", Path(previous.segment),
                         ": found no such file, expected the segment "
                         "that ",
                         Path(at->first), " follows, of ", previous.offset, " bytes");
        if (options_.reading == LogReading::kRecover) {
          absl::StrAppend(&text,
                          ". To open the database with the writes before that, and lose "
                          "those behind: truncate the log segments with higher numbers to "
                          "0 bytes");
        }
        return absl::DataLossError(text);
      }
      if (!next->second.header.has_value()) return absl::OkStatus();
      at = next;
    }
  }

  absl::Status ReplayChain() {
    while (!chain_.empty() && !stop_.has_value()) {
      const Candidate segment = chain_.back();
      chain_.pop_back();
      const bool last = chain_.empty() && options_.reading != LogReading::kCheckUpTo;
      const uint64_t limit = last             ? std::numeric_limits<uint64_t>::max()
                             : chain_.empty() ? options_.reach.offset
                                              : chain_.back().header->previous_end.offset;
      replay_.chain.push_back(segment.number);
      RETURN_IF_ERROR(ReplaySegment(segment, limit, last));
    }
    suspects_.insert(suspects_.end(), chain_.begin(), chain_.end());
    chain_.clear();
    return absl::OkStatus();
  }

  absl::Status ReplaySegment(const Candidate& segment, uint64_t limit, bool last) {
    ASSIGN_OR_RETURN(const std::unique_ptr<SegmentScanner> scanner, Open(segment.number));
    uint64_t offset = kSegmentHeaderSize;
    ScannedRecord record;
    while (last || offset < limit) {
      ASSIGN_OR_RETURN(record, scanner->ReadRecord(offset, limit));
      if (record.state != ScannedRecord::State::kRecord) break;
      if (record.header.first_sequence < segment.header->first_sequence) {
        return absl::DataLossError(absl::StrCat(
            "log segment ", scanner->path(), ": offset ", offset, ": found sequence number ",
            record.header.first_sequence, ", expected at least the segment's first, ",
            segment.header->first_sequence));
      }
      RETURN_IF_ERROR(Deliver(*scanner, offset, record));
      offset += RecordSize(record.header.payload_size);
    }
    replay_.end = {segment.number, offset};
    if (record.state == ScannedRecord::State::kEnd) replay_.end_payload = record.payload;
    if (!last && offset >= limit) return absl::OkStatus();
    if (record.state == ScannedRecord::State::kNewFormat) {
      return absl::UnimplementedError(absl::StrCat(
          "log segment ", scanner->path(), ": offset ", offset, ": found record kind ",
          static_cast<int>(record.header.kind), ", expected 1 or 6: a newer program wrote it"));
    }
    if (record.found.empty()) {
      record.found = "the end of the segment";
      record.expected = last ? "a record" : absl::StrCat("records up to offset ", limit);
    }
    stop_ = Stop{scanner->path(),
                 replay_.end,
                 std::move(record.found),
                 std::move(record.expected),
                 record.state == ScannedRecord::State::kBad,
                 false};
    // Searches the rest of this file.
    ASSIGN_OR_RETURN(const std::optional<SyncedWatermark> watermark,
                     scanner->FindWatermark(offset, replay_.end));
    if (watermark.has_value()) return DamageError(*watermark);
    if (record.state != ScannedRecord::State::kEnd) {
      replay_.dropped_bytes += scanner->nonzero_end() - offset;
    }
    return absl::OkStatus();
  }

  absl::Status Deliver(const SegmentScanner& scanner, uint64_t offset,
                       const ScannedRecord& record) {
    const uint64_t first_sequence = record.header.first_sequence;
    if (first_sequence <= replay_.last_first_sequence) {
      return absl::DataLossError(absl::StrCat(
          "log segment ", scanner.path(), ": offset ", offset, ": found sequence number ",
          first_sequence, ", expected more than ", replay_.last_first_sequence));
    }
    absl::Status status = callback_(first_sequence, record.payload);
    if (!status.ok()) {
      return absl::Status(status.code(), absl::StrCat("log segment ", scanner.path(), ": offset ",
                                                      offset, ": ", status.message()));
    }
    ++replay_.records;
    replay_.last_first_sequence = first_sequence;
    return absl::OkStatus();
  }

  absl::Status CheckWatermarks() {
    // Losing synced records of segments that are no longer needed is not data loss.
    const LogPosition end = std::max(replay_.end, LogPosition{options_.oldest_needed, 0});
    for (const Candidate& suspect : suspects_) {
      ASSIGN_OR_RETURN(const std::unique_ptr<SegmentScanner> scanner, Open(suspect.number));
      if (suspect.header.has_value() && suspect.header->synced_up_to > end) {
        return DamageError({{suspect.number, 0}, suspect.header->synced_up_to});
      }
      ASSIGN_OR_RETURN(const std::optional<SyncedWatermark> watermark,
                       scanner->FindWatermark(0, end));
      if (watermark.has_value()) return DamageError(*watermark);
      replay_.dropped_bytes += scanner->nonzero_end();
    }
    return absl::OkStatus();
  }

  // Determines the bytes to report: the record at which reading stopped, or, if that is not bad,
  // the header that excluded the next segment from the chain.
  absl::Status DamageError(const SyncedWatermark& watermark) const {
    return DamageError(watermark.synced_up_to,
                       absl::StrCat(Text(watermark.at), " says that the log was synced up to "));
  }
  absl::Status DamageError(LogPosition expected_end, const std::string& source) const {
    Stop blame = stop_.value_or(Stop());
    for (const Candidate& suspect : suspects_) {
      if (suspect.header.has_value() || suspect.number <= replay_.end.segment) continue;
      if (suspect.number > expected_end.segment || blame.is_bad) continue;
      if (blame.is_header && blame.at.segment < suspect.number) continue;
      blame.path = Path(suspect.number);
      blame.at = {suspect.number, 0};
      blame.found = "a header that does not check";
      blame.expected = "a segment header";
      blame.is_header = true;
    }
    std::string text =
        absl::StrCat("log segment ", blame.path, ": offset ", blame.at.offset, ": found ",
                     blame.found, ", expected ", blame.expected, "; ", source, Text(expected_end));
    // Records lost from a closed log must be restored from a copy.
    const bool vouched = ReachCounts() && options_.reach.offset != 0 && options_.reach > blame.at;
    if (options_.reading == LogReading::kRecover && !vouched) {
      absl::StrAppend(&text, ". ", Salvage(blame.path, blame.at));
    }
    return absl::DataLossError(text);
  }

  const LogReadOptions& options_;
  const RecordCallback& callback_;
  std::map<uint64_t, Candidate> candidates_;
  std::vector<Candidate> chain_;     // newest first
  std::vector<Candidate> suspects_;  // abandoned, unless one of them has a later watermark
  std::optional<Stop> stop_;         // why the prefix ended; unset at a clean end
  LogReplay replay_;
};

}  // namespace

absl::StatusOr<LogReplay> ReadLog(const LogReadOptions& options, const RecordCallback& callback) {
  return Reading(options, callback).Run();
}

}  // namespace cambium::wal
