#include "wal/log_reader.h"

#include <algorithm>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "util/status_macros.h"
#include "wal/segment_scanner.h"

namespace cambium::wal {
namespace {

std::string Text(LogPosition position) {
  return absl::StrCat("offset ", position.offset, " of segment ", position.segment);
}

// How to open the database with what stands before the damage.
std::string Salvage(const std::string& path, LogPosition at) {
  return absl::StrCat(
      "To open it with the writes before that, and lose those behind: truncate "
      "--size=",
      at.offset, " '", path, "', and remove the log segments with higher numbers");
}

// Where the valid prefix stopped short, for the message. Plain data.
struct Stop {
  std::string path;
  LogPosition at;
  std::string found;
  std::string expected;
  bool is_bad = false;     // a record stands there that does not check
  bool is_header = false;  // no record at all: a segment's header
};

// One reading of a log. Confined to ReadLog.
class Reading {
 public:
  Reading(const LogReadOptions& options, const RecordCallback& callback)
      : options_(options), callback_(callback) {}

  absl::StatusOr<LogReplay> Run();

 private:
  // A segment file that may count, with its header where that checks.
  struct Candidate {
    uint64_t number = 0;
    std::optional<SegmentHeader> header;
  };

  absl::StatusOr<std::unique_ptr<SegmentScanner>> Open(uint64_t number) const {
    return SegmentScanner::Open(options_.file_system, options_.segment_path(number), number);
  }
  std::string Path(uint64_t number) const { return options_.segment_path(number); }

  absl::Status ReadHeaders();
  absl::Status ChooseChain();
  absl::Status FollowChainDown(std::map<uint64_t, Candidate>::iterator top, bool* complete);
  absl::Status ReplayChain();
  absl::Status ReplaySegment(const Candidate& segment, uint64_t limit, bool last);
  absl::Status Deliver(const SegmentScanner& scanner, uint64_t offset, const ScannedRecord& record);
  absl::Status CheckPromises();
  absl::Status Damaged(const Promise& promise) const;

  const LogReadOptions& options_;
  const RecordCallback& callback_;
  std::map<uint64_t, Candidate> candidates_;
  std::vector<Candidate> chain_;     // newest first
  std::vector<Candidate> suspects_;  // void, unless one of them says otherwise
  std::optional<Stop> stop_;         // why the prefix does not go on; unset at a clean end
  LogReplay replay_;
};

absl::StatusOr<LogReplay> Reading::Run() {
  RETURN_IF_ERROR(ReadHeaders());
  RETURN_IF_ERROR(ChooseChain());
  RETURN_IF_ERROR(ReplayChain());
  RETURN_IF_ERROR(CheckPromises());
  const std::set<uint64_t> needed(replay_.chain.begin(), replay_.chain.end());
  std::set<uint64_t> obsolete(options_.segments.begin(), options_.segments.end());
  std::erase_if(obsolete, [&](uint64_t number) { return needed.contains(number); });
  replay_.obsolete.assign(obsolete.begin(), obsolete.end());
  return std::move(replay_);
}

absl::Status Reading::ReadHeaders() {
  for (const uint64_t number : options_.segments) {
    if (number < options_.oldest_needed) continue;
    ASSIGN_OR_RETURN(const std::unique_ptr<SegmentScanner> scanner, Open(number));
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
        return absl::DataLossError(absl::StrCat("log segment ", scanner->path(),
                                                ": offset 24: found the UUID of another database, "
                                                "expected this one's"));
      }
      candidate.header = decoded.header;
    }
    candidates_.emplace(number, std::move(candidate));
  }
  return absl::OkStatus();
}

// Downwards from the newest segment whose header checks. Where a link leads to a header that does
// not check, all above it hangs in the air: that is suspect, and the next one below is tried.
absl::Status Reading::ChooseChain() {
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
    // The broken link's target goes to the suspects with what hung on it.
    below = chain_.back().header->previous_end.segment;
    suspects_.push_back(candidates_.at(below));
    suspects_.insert(suspects_.end(), chain_.begin(), chain_.end());
    chain_.clear();
  }
  return absl::OkStatus();
}

absl::Status Reading::FollowChainDown(std::map<uint64_t, Candidate>::iterator top, bool* complete) {
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
    // Its directory entry was synced before the one above it was used, so no power cut took it.
    if (next == candidates_.end() || previous.segment >= at->first) {
      return absl::DataLossError(
          absl::StrCat("log segment ", Path(previous.segment),
                       ": found no such file, expected the segment that ", Path(at->first),
                       " follows, of ", previous.offset,
                       " bytes. To open the database with the writes before that, "
                       "and lose those behind: remove the log segments with higher numbers"));
    }
    if (!next->second.header.has_value()) return absl::OkStatus();
    at = next;
  }
}

absl::Status Reading::ReplayChain() {
  while (!chain_.empty() && !stop_.has_value()) {
    const Candidate segment = chain_.back();
    chain_.pop_back();
    const bool last = chain_.empty();
    const uint64_t limit =
        last ? std::numeric_limits<uint64_t>::max() : chain_.back().header->previous_end.offset;
    replay_.chain.push_back(segment.number);
    RETURN_IF_ERROR(ReplaySegment(segment, limit, last));
  }
  suspects_.insert(suspects_.end(), chain_.begin(), chain_.end());
  chain_.clear();
  return absl::OkStatus();
}

absl::Status Reading::ReplaySegment(const Candidate& segment, uint64_t limit, bool last) {
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
  // What follows in this very file.
  ASSIGN_OR_RETURN(const std::optional<Promise> promise, scanner->FindPromise(offset, replay_.end));
  if (promise.has_value()) return Damaged(*promise);
  if (record.state != ScannedRecord::State::kEnd) {
    replay_.dropped_bytes += scanner->nonzero_end() - offset;
  }
  return absl::OkStatus();
}

absl::Status Reading::Deliver(const SegmentScanner& scanner, uint64_t offset,
                              const ScannedRecord& record) {
  const uint64_t first_sequence = record.header.first_sequence;
  if (first_sequence <= replay_.last_first_sequence) {
    return absl::DataLossError(absl::StrCat("log segment ", scanner.path(), ": offset ", offset,
                                            ": found sequence number ", first_sequence,
                                            ", expected more than ", replay_.last_first_sequence));
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

absl::Status Reading::CheckPromises() {
  // What was promised of segments that nobody needs any more is no loss.
  const LogPosition end = std::max(replay_.end, LogPosition{options_.oldest_needed, 0});
  for (const Candidate& suspect : suspects_) {
    ASSIGN_OR_RETURN(const std::unique_ptr<SegmentScanner> scanner, Open(suspect.number));
    if (suspect.header.has_value() && suspect.header->synced_up_to > end) {
      return Damaged({{suspect.number, 0}, suspect.header->synced_up_to});
    }
    ASSIGN_OR_RETURN(const std::optional<Promise> promise, scanner->FindPromise(0, end));
    if (promise.has_value()) return Damaged(*promise);
    replay_.dropped_bytes += scanner->nonzero_end();
  }
  return absl::OkStatus();
}

// Which bytes are to blame: the record at which reading stopped, or, where it stopped at nothing
// bad, the header that kept the next segment out of the chain.
absl::Status Reading::Damaged(const Promise& promise) const {
  Stop blame = stop_.value_or(Stop());
  for (const Candidate& suspect : suspects_) {
    if (suspect.header.has_value() || suspect.number <= replay_.end.segment) continue;
    if (suspect.number > promise.synced_up_to.segment || blame.is_bad) continue;
    if (blame.is_header && blame.at.segment < suspect.number) continue;
    blame.path = Path(suspect.number);
    blame.at = {suspect.number, 0};
    blame.found = "a header that does not check";
    blame.expected = "a segment header";
    blame.is_header = true;
  }
  return absl::DataLossError(absl::StrCat(
      "log segment ", blame.path, ": offset ", blame.at.offset, ": found ", blame.found,
      ", expected ", blame.expected, "; ", Text(promise.at), " says that the log was synced up to ",
      Text(promise.synced_up_to), ". ", Salvage(blame.path, blame.at)));
}

}  // namespace

absl::StatusOr<LogReplay> ReadLog(const LogReadOptions& options, const RecordCallback& callback) {
  return Reading(options, callback).Run();
}

}  // namespace cambium::wal
