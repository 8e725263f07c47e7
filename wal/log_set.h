// LogSet: the write side of the log: the segments of one database, from preparation to retirement.
//
// A write goes through in three steps, so that only a few instructions are serial:
//
//   TryReserve   the caller's commit mutex is held: takes the next bytes of the active segment
//   Fill         no lock, in parallel: copies the record into the mapped segment, or writes it
//   SyncTo       no lock: waits for an fdatasync shared with others
//
// Rotation costs no I/O under the mutex either: TryReserve that finds the active segment full takes
// the one prepared ahead and gives its own reservation the duty to write the old segment's end
// record and the new one's header. A record is acked only after all records before it were filled
// (the commit pipeline's rule), so nothing in the new segment is acked before its header stands.
//
// Invariants
//   · a record lies in one segment; a batch too large for one gets a segment of its own size
//   · a segment's directory entry is synced before the segment is used, so before any ack from it
//     (D4)
//   · segments are synced oldest first, so a synced position has no hole below it (D2)
//   · a segment with a failed write or sync takes no more records and is never synced again (D10)
//
// What the log cannot tell of itself, LogRegistry keeps: that a segment was made, before it is
// used, and where the log ended when it was closed. A segment that the registry names is not
// removed.
//
// Errors. A failed Fill or SyncTo makes all live segments failed: TryReserve answers false and
// MakeRoom the first error, until Recover(). A failed MakeRoom (no space to make a segment, D13)
// leaves no trace: the next one tries again.
#ifndef CAMBIUM_WAL_LOG_SET_H_
#define CAMBIUM_WAL_LOG_SET_H_

#include <atomic>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cambium/executor.h"
#include "cambium/file_system.h"
#include "util/mutex.h"
#include "wal/log_format.h"
#include "wal/sync_queue.h"

namespace cambium::wal {

class LogRegistry;
class Segment;
class SegmentPreparer;

struct LogSetOptions {
  FileSystem* file_system = nullptr;  // outlives the LogSet
  Executor* executor = nullptr;       // outlives the LogSet; prepares segments ahead
  std::string directory;
  std::function<std::string(uint64_t segment)> segment_path;  // a file inside `directory`
  std::function<uint64_t()> next_segment;  // a file number never given before; any thread, no lock
  LogRegistry* registry = nullptr;         // null: none; outlives the LogSet
  Uuid uuid = {};
  // Size of the first segment; each later one is twice as large, up to segment_size. So a database
  // that is hardly written stays small, and eight rotations reach the full size.
  uint64_t first_segment_size = uint64_t{256} << 10;
  uint64_t segment_size = uint64_t{64} << 20;
  bool mapped = true;  // write through memory where the file system maps a log
};

// A record of an older segment that is written again.
struct LogRecord {
  uint64_t first_sequence = 0;
  std::string payload;
};

// Where a log begins: a new database's at the defaults, a recovered one's behind what was replayed,
// or with all of what was replayed written again.
struct LogStart {
  uint64_t first_sequence = 1;  // of the next record
  LogPosition previous_end;     // LogReplay::end; segment 0: none
  // Segments that were replayed and are still needed, oldest first. Their files are synced before
  // the first sync is acked, and removed by RetireBefore.
  std::vector<uint64_t> previous_segments;
  // What the first segment begins with, durable before its header is written: until then the older
  // segments count, from then on this one replaces them all. Only with no previous segments.
  std::vector<LogRecord> records;
};

// What a write must survive when Fill's caller goes on to ack it.
enum class Durability {
  kProcess,  // a crash of the process: the record is in the page cache
  kMachine,  // a power cut: SyncTo(end) will follow, and the record is written the way that suits
             // it
};

// A record's place in the log. A plain value; good until its Fill has returned.
struct LogReservation {
  Segment* segment = nullptr;
  uint64_t segment_number = 0;
  uint64_t offset = 0;
  uint64_t payload_size = 0;
  Segment* ended = nullptr;     // first in its segment: Fill ends that one and writes the header
  bool populate_ahead = false;  // Fill has memory ahead made resident
  bool prepare_next = false;    // Fill has the next segment prepared

  LogPosition end() const { return {segment_number, offset + RecordSize(payload_size)}; }
};

// Thread-safe, but for what says otherwise.
class LogSet {
 public:
  // Makes the first segment, with its header, synced: then files of older segments may go.
  static absl::StatusOr<std::unique_ptr<LogSet>> Create(LogSetOptions options, LogStart start);
  // Leaves the files as they are, as a crash of the process would; Close() first for a clean end.
  ~LogSet();

  // Takes the bytes of a record; a few instructions, no I/O. The caller serialises calls (commit
  // mutex). False where there is no room: release the mutex, MakeRoom, try again.
  [[nodiscard]] bool TryReserve(size_t payload_size, LogReservation* reservation);

  // Returns ok when the next TryReserve of that size may succeed: a segment with room was made
  // ready. Under no lock. ResourceExhausted and other errors of making a file, or the sticky error
  // of a failed segment; InvalidArgument for a payload that no segment can hold.
  [[nodiscard]] absl::Status MakeRoom(size_t payload_size);

  // Writes the record: `pieces` one behind the other are the payload, `payload_size` bytes in all.
  // Called once for each reservation, in parallel, under no lock. After an error whether the record
  // is in the log is unknown.
  [[nodiscard]] absl::Status Fill(const LogReservation& reservation, uint64_t first_sequence,
                                  std::span<const std::string_view> pieces, Durability durability);

  // Returns ok once everything below `position` survives a power cut. Every record below it has
  // been filled.
  [[nodiscard]] absl::Status SyncTo(LogPosition position);
  LogPosition SyncedUpTo() const { return sync_queue_.SyncedUpTo(); }

  // Where the next record will begin, or end a record that moves on to the next segment. The caller
  // holds the commit mutex.
  LogPosition ReservedEnd() const;

  // Removes the files of segments that lie wholly below `position`; never the active one. What they
  // hold is durable in tables, and the manifest says so (D4). Every record below has been filled.
  // After an error the rest was tried, and the next call tries again.
  [[nodiscard]] absl::Status RetireBefore(LogPosition position);

  // Keeps the files of all segments that are live now until the pin goes, so that they can be read
  // while others write. The pin goes before the LogSet.
  struct Unpin {
    void operator()(LogSet* log) const { log->ReleasePin(); }
  };
  using Pin = std::unique_ptr<LogSet, Unpin>;
  Pin PinSegments();

  // Segments whose files hold records, oldest first; the last one is active.
  std::vector<uint64_t> LiveSegments() const;
  // Bytes that the files of this process's live segments take.
  uint64_t LiveBytes() const;

  // Goes on after an error: abandons the failed segment and begins a fresh one, whose header cuts
  // off what stands behind the last record known good. The commit pipeline is drained and lets
  // nobody in, and nobody asks for ReservedEnd meanwhile. Until RetireBefore has passed the failed
  // segment, SyncTo answers FailedPrecondition, because its unsynced records can be made durable
  // only by a flush. Ok and nothing done where nothing failed.
  [[nodiscard]] absl::Status Recover();

  // Returns whether there are records that only a flush can make durable: in segments that
  // Recover() gave up and RetireBefore has not passed yet.
  bool NeedsFlush() const { return abandoned_count_.load() > 0; }

  // Ends the log: syncs it, has the registry record its end, writes the end record, cuts the file
  // to its size, and removes the segment that was made ahead. No Fill is under way
  // and none follows. After a failure of the segment: closes what can be closed, and answers that
  // failure.
  [[nodiscard]] absl::Status Close();

 private:
  LogSet(LogSetOptions options, std::vector<uint64_t> previous_segments);

  // Makes a segment active that follows `previous_end` and holds `records`.
  absl::Status Begin(uint64_t first_sequence, LogPosition previous_end,
                     std::span<const LogRecord> records);
  // Makes sure that Activate() needs no memory.
  void ReserveRoomForOne();
  void Activate(std::shared_ptr<Segment> segment, uint64_t tail);
  absl::Status EndLog(Segment* active, Segment* unused);
  void ReleasePin();
  absl::Status WriteHeader(Segment* segment, uint64_t first_sequence) const;
  bool Rotate(uint64_t record_size, LogReservation* reservation);
  void NoteChores(LogReservation* reservation);
  struct ObsoleteFile {
    uint64_t number = 0;
    std::shared_ptr<Segment> segment;  // null: of an earlier process
  };

  void RunChores(const LogReservation& reservation);
  absl::Status OpenSegment(const LogReservation& reservation, uint64_t first_sequence);
  absl::Status SyncSegments(LogPosition position);
  absl::Status SyncPrevious();
  // What cannot be removed now is tried again by the next retirement.
  absl::Status RemoveFiles(std::span<const ObsoleteFile> files);
  LogPosition LastKnownGood(std::span<const std::shared_ptr<Segment>> segments) const;
  void FailAll(const absl::Status& cause);
  std::shared_ptr<Segment> Active() const;
  std::vector<std::shared_ptr<Segment>> Segments() const;

  const LogSetOptions options_;
  const std::shared_ptr<SegmentPreparer> preparer_;
  SyncQueue sync_queue_;

  // Serialised by the caller's commit mutex.
  Segment* active_ = nullptr;
  uint64_t tail_ = 0;           // in the active segment
  uint64_t populate_at_ = 0;    // the tail at which more of it is to be made resident
  bool prepare_asked_ = false;  // for the segment after the active one

  mutable Mutex mu_{LockRank::kLog};  // no I/O under it
  // Live segments of an earlier process, oldest first, and whether all of them are synced.
  std::vector<uint64_t> previous_ ABSL_GUARDED_BY(mu_);
  bool previous_synced_ ABSL_GUARDED_BY(mu_) = false;
  std::vector<std::shared_ptr<Segment>> segments_ ABSL_GUARDED_BY(mu_);  // live, oldest first
  // Retired, their files not yet removed. Whoever removes a file closes it first: a sync that still
  // runs must not find its file removed.
  std::vector<ObsoleteFile> obsolete_ ABSL_GUARDED_BY(mu_);
  int pins_ ABSL_GUARDED_BY(mu_) = 0;  // while there are any, obsolete_ waits
  bool closed_ ABSL_GUARDED_BY(mu_) = false;
  std::atomic<int> abandoned_count_{0};  // live segments that are abandoned
};

}  // namespace cambium::wal

#endif  // CAMBIUM_WAL_LOG_SET_H_
