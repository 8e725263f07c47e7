// Reads the log at Open: every record of the valid prefix, and the end of that prefix.
//
// Segments. Each header contains the number and the end of the previous segment. The chain consists
// of the newest segment with a valid header, its predecessor, and so on, down to `oldest_needed`.
// It is read oldest first, each segment up to the end that its successor states. A segment outside
// the chain is abandoned: prepared and never used, or cut off by an earlier recovery. A segment
// without a predecessor replaces all older ones: it begins with the records of them that were still
// needed.
//
// The end (D9). At the first invalid record, at position p, the log is either torn (the record was
// written but not synced, and a power cut lost it) or damaged. Each record and header contains the
// synced watermark of the log when it was written. If any valid record or header after p has a
// watermark beyond p, synced bytes were lost: DataLoss. Otherwise everything after p was never
// acknowledged as synced: it is dropped, and the log ends at p. The registry's information about
// the log counts like a record. If a segment of the chain is missing, or its header is invalid,
// this is treated as a bad record at the end of its predecessor.
#ifndef CAMBIUM_WAL_LOG_READER_H_
#define CAMBIUM_WAL_LOG_READER_H_

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cambium/file_system.h"
#include "wal/log_format.h"

namespace cambium::wal {

enum class LogReading {
  kRecover,    // at Open; an error explains how to open the database with the valid prefix
  kCheckAll,   // like kRecover for a log that is not being written, without that explanation
  kCheckUpTo,  // while the log is written: exactly up to `reach`, the end of a record
};

struct LogReadOptions {
  LogReading reading = LogReading::kRecover;
  FileSystem* file_system = nullptr;
  std::function<std::string(uint64_t segment)> segment_path;
  Uuid uuid = {};
  // Numbers of all segment files in the directory, in any order.
  std::vector<uint64_t> segments;
  // Segments with lower numbers are ignored. A bound: a segment with that number need not exist.
  uint64_t oldest_needed = 0;
  // The registry's information about the log (LogRegistry::RecordReach); segment 0: none. Ignored
  // if the segment is below oldest_needed.
  LogPosition reach;
};

struct LogReplay {
  LogPosition end;                   // of the valid prefix: the next log's LogStart::previous_end
  uint64_t records = 0;              // passed to the callback
  uint64_t last_first_sequence = 0;  // first sequence number of the last of them, 0: none
  std::vector<uint64_t> chain;       // segments of the prefix, oldest first
  // Segments without needed records. They may be removed after the log that continues at `end` has
  // been started (LogSet::Create), and not before: one of them may refer to another.
  std::vector<uint64_t> obsolete;
  uint64_t dropped_bytes = 0;  // upper bound of the bytes written after `end` and dropped as torn
  std::string end_payload;     // of the end record, if the log was closed and still has it
};

// Called for each record, in the order of their sequence numbers; `payload` lives until it returns.
// If it returns an error, reading stops and the error is returned.
using RecordCallback =
    std::function<absl::Status(uint64_t first_sequence, std::string_view payload)>;

// Reads the log; changes nothing on disk. Memory: the largest record, and 1 MiB. Returns DataLoss
// with the file, the offset, and the found and expected values; Unimplemented for a log of a newer
// format; and the file system's errors unchanged.
absl::StatusOr<LogReplay> ReadLog(const LogReadOptions& options, const RecordCallback& callback);

}  // namespace cambium::wal

#endif  // CAMBIUM_WAL_LOG_READER_H_
