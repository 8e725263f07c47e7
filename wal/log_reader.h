// Reading the log back at Open: every record of the valid prefix, and where that prefix ends.
//
// Which segments. Each header names the segment before it and where that one ends. The newest
// segment with a valid header, what it names, and so on down to `oldest_needed`, is the chain; it
// is read oldest first, each segment up to where its successor says it ends. A segment outside the
// chain is void: prepared and never used, or cut off by an earlier recovery. A segment that names
// none replaces all older ones: it begins with what was still needed of them.
//
// Where it ends (D9). At the first record that does not check, at position p, the log is either
// torn there (it was written and never synced, and a power cut took it) or damaged. Each record and
// header carries how far the log was synced when it was written; so if anything valid behind p says
// "synced beyond p", bytes that were promised are gone: DataLoss. If nothing does, what lies behind
// p was never promised: it is dropped, and the log ends at p. What the registry says of the log
// counts like a record. A segment of the chain that is
// missing, or whose header does not check, is treated as a bad record where its predecessor ends.
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
  kRecover,    // at Open; an error says how to open the database with what stands before it
  kCheckAll,   // the same of a log that nobody writes, without such advice
  kCheckUpTo,  // while the log is written: exactly up to LogReadOptions::reach, where a record ends
};

struct LogReadOptions {
  LogReading reading = LogReading::kRecover;
  FileSystem* file_system = nullptr;
  std::function<std::string(uint64_t segment)> segment_path;
  Uuid uuid = {};
  // Numbers of all segment files in the directory, in any order.
  std::vector<uint64_t> segments;
  // Segments with lower numbers are not looked at. A bound: no segment of that number need exist.
  uint64_t oldest_needed = 0;
  // What the registry says of the log (LogRegistry::RecordReach); segment 0: nothing. Ignored if
  // the segment is below oldest_needed.
  LogPosition reach;
};

struct LogReplay {
  LogPosition end;                   // of the valid prefix: LogStart::previous_end of what follows
  uint64_t records = 0;              // handed to the callback
  uint64_t last_first_sequence = 0;  // first sequence number of the last of them, 0: none
  std::vector<uint64_t> chain;       // segments that hold the prefix, oldest first
  // Segments that hold nothing needed. They may be removed once the log that goes on behind `end`
  // has been begun (LogSet::Create), and not before: one of them may name another.
  std::vector<uint64_t> obsolete;
  uint64_t dropped_bytes = 0;  // written behind `end` and dropped as torn, at most
  std::string end_payload;     // of the end record, if the log was closed and has not lost it
};

// Called for each record, in the order of their sequence numbers; `payload` lives until it returns.
// Its error ends the reading, and is answered.
using RecordCallback =
    std::function<absl::Status(uint64_t first_sequence, std::string_view payload)>;

// Changes nothing on disk. Memory: the largest record, and 1 MiB. DataLoss names file, offset, what
// was found and what was expected; Unimplemented for a log of a newer format; the file system's
// errors as they are.
absl::StatusOr<LogReplay> ReadLog(const LogReadOptions& options, const RecordCallback& callback);

}  // namespace cambium::wal

#endif  // CAMBIUM_WAL_LOG_READER_H_
