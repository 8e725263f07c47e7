// LogSet: the write side of the log: the segments of one database, from preparation to retirement.
//
// A write has three steps, so that only a few instructions are serial:
//
//   TryReserve   the caller's commit mutex is held: takes the next bytes of the active segment
//   Fill         no lock, in parallel: copies the record into the mapped segment, or writes it
//   SyncTo       no lock: waits for an fdatasync shared with others
//
// Rotation also does no I/O under the mutex: if the active segment is full, TryReserve takes the
// segment that was prepared ahead, and that reservation's Fill writes the old segment's end record
// and the new one's header. A record is acknowledged only after all records before it were filled
// (the commit pipeline ensures this), so no record in the new segment is acknowledged before its
// header is written.
//
// Invariants
//   · a record is in one segment; a batch too large for one gets a segment of its own size
//   · a segment's directory entry is synced before the segment is used, and so before any record in
//     it is acknowledged (D4)
//   · segments are synced oldest first, so a synced position has no hole below it (D2)
//   · after a failed write or sync of a segment, it accepts no more records and is never synced
//     again (D10)
//
// LogRegistry stores the facts that the log cannot detect itself: that a segment was created,
// before it is used, and the end of the log when it was closed. A segment that the registry names
// is not removed.
//
// Errors. After a failed Fill or SyncTo all live segments are failed: TryReserve returns false and
// MakeRoom returns the first error, until Recover(). A failed MakeRoom (no space for a segment,
// D13) has no effect: the next one tries again.
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
  Executor* executor = nullptr;       // outlives the LogSet; prepares segments in advance
  std::string directory;
  std::function<std::string(uint64_t segment)> segment_path;  // a file inside `directory`
  std::function<uint64_t()> next_segment;  // a new file number; any thread, without a lock
  LogRegistry* registry = nullptr;         // null: none; outlives the LogSet
  Uuid uuid = {};
  // Size of the first segment; each later one is twice as large, up to segment_size. Therefore a
  // database with few writes stays small, and eight rotations reach the full size.
  uint64_t first_segment_size = uint64_t{256} << 10;
  uint64_t segment_size = uint64_t{64} << 20;
  bool mapped = true;  // write through a mapping if the file system maps logs
};

// A record of an older segment to be written again.
struct LogRecord {
  uint64_t first_sequence = 0;
  std::string payload;
};

// The start of a log: the defaults for a new database; for a recovered one after the replayed
// records, or with all replayed records written again.
struct LogStart {
  uint64_t first_sequence = 1;  // of the next record
  LogPosition previous_end;     // LogReplay::end; segment 0: none
  // Replayed segments that are still needed, oldest first. Their files are synced before the first
  // sync is acknowledged, and removed by RetireBefore.
  std::vector<uint64_t> previous_segments;
  // The first records of the first segment, durable before its header is written: until then the
  // older segments are valid, and afterwards this one replaces all of them. Only without previous
  // segments.
  std::vector<LogRecord> records;
};

// The failure that a write must survive when the caller of Fill acknowledges it.
enum class Durability {
  kProcess,  // a process crash: the record is in the page cache
  kMachine,  // a power cut: SyncTo(end) will follow, and the record is written the way that suits
             // it
};

// The place of a record in the log. A plain value; valid until its Fill has returned.
struct LogReservation {
  Segment* segment = nullptr;
  uint64_t segment_number = 0;
  uint64_t offset = 0;
  uint64_t payload_size = 0;
  Segment* ended = nullptr;  // set if first in its segment: Fill ends `ended` and writes the header
  bool populate_ahead = false;  // Fill prefaults memory ahead
  bool prepare_next = false;    // Fill starts the preparation of the next segment

  LogPosition end() const { return {segment_number, offset + RecordSize(payload_size)}; }
};

// Thread-safe, except as noted.
class LogSet {
 public:
  // Creates the first segment, with its header, synced: then files of older segments may be
  // removed.
  static absl::StatusOr<std::unique_ptr<LogSet>> Create(LogSetOptions options, LogStart start);
  // Leaves the files as a process crash would; call Close() first for a clean end.
  ~LogSet();

  // Reserves the bytes of a record: a few instructions, no I/O. The caller serializes calls (commit
  // mutex). Returns false if there is no room: release the mutex, call MakeRoom, and try again.
  [[nodiscard]] bool TryReserve(size_t payload_size, LogReservation* reservation);

  // Returns ok when the next TryReserve of that size may succeed: a segment with room was prepared.
  // The caller must hold no lock. Returns ResourceExhausted and other errors of creating a file, or
  // the sticky error of a failed segment; InvalidArgument for a payload that no segment can hold.
  [[nodiscard]] absl::Status MakeRoom(size_t payload_size);

  // Returns when no segment is being created in the background. The caller must hold no lock.
  void FinishPreparation();

  // Writes the record: the concatenation of `pieces` is the payload, `payload_size` bytes in total.
  // Call it once per reservation, in parallel, under no lock. After an error it is unknown whether
  // the record is in the log.
  [[nodiscard]] absl::Status Fill(const LogReservation& reservation, uint64_t first_sequence,
                                  std::span<const std::string_view> pieces, Durability durability);

  // Returns ok when everything below `position` survives a power cut. Every record below it must
  // have been filled.
  [[nodiscard]] absl::Status SyncTo(LogPosition position);
  LogPosition SyncedUpTo() const { return sync_queue_.SyncedUpTo(); }

  // Returns the position of the next record, or of an end record if that one goes to the next
  // segment. The caller must hold the commit mutex.
  LogPosition ReservedEnd() const;

  // Removes the files of segments that are completely below `position`, except the active one.
  // Their records must be durable in tables, and the manifest must say so (D4). Every record below
  // must have been filled. After an error the other files were still tried, and the next call tries
  // again.
  [[nodiscard]] absl::Status RetireBefore(LogPosition position);

  // Keeps the files of all segments that are live now until the pin is destroyed, so that they can
  // be read while others write. The LogSet must outlive the pin.
  struct Unpin {
    void operator()(LogSet* log) const { log->ReleasePin(); }
  };
  using Pin = std::unique_ptr<LogSet, Unpin>;
  Pin PinSegments();

  // Returns the segments whose files contain records, oldest first; the last one is active.
  std::vector<uint64_t> LiveSegments() const;
  // Returns the size of the files of this process's live segments.
  uint64_t LiveBytes() const;

  // Continues after an error: abandons the failed segment and begins a new one, whose header cuts
  // off everything after the last record known to be good. The commit pipeline must be drained and
  // closed, and ReservedEnd must not be called during the call. Until RetireBefore has passed the
  // failed segment, SyncTo returns FailedPrecondition, because only a flush can make its unsynced
  // records durable. Does nothing and returns ok if nothing failed.
  [[nodiscard]] absl::Status Recover();

  // Returns true if there are records that only a flush can make durable: in segments that
  // Recover() abandoned and RetireBefore has not passed yet.
  bool NeedsFlush() const { return abandoned_count_.load() > 0; }

  // Ends the log: syncs it, makes the registry record its end, writes the end record, truncates the
  // file to its size, and removes the segment that was prepared ahead. No Fill may run during the
  // call or afterwards. After a failure of the segment: closes what can be closed, and returns that
  // failure.
  [[nodiscard]] absl::Status Close();

 private:
  LogSet(LogSetOptions options, std::vector<uint64_t> previous_segments);

  // Activates a segment that follows `previous_end` and contains `records`.
  absl::Status Begin(uint64_t first_sequence, LogPosition previous_end,
                     std::span<const LogRecord> records);
  // Ensures that Activate() allocates no memory.
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
  // The next retirement retries files that cannot be removed now.
  absl::Status RemoveFiles(std::span<const ObsoleteFile> files);
  LogPosition LastKnownGood(std::span<const std::shared_ptr<Segment>> segments) const;
  void FailAll(const absl::Status& cause);
  std::shared_ptr<Segment> Active() const;
  std::vector<std::shared_ptr<Segment>> Segments() const;

  const LogSetOptions options_;
  const std::shared_ptr<SegmentPreparer> preparer_;
  SyncQueue sync_queue_;

  // Serialized by the caller's commit mutex. On their own cache line, because every commit writes
  // them while other threads fill.
  alignas(64) Segment* active_ = nullptr;
  uint64_t tail_ = 0;           // in the active segment
  uint64_t populate_at_ = 0;    // the tail at which to prefault more of it
  bool prepare_asked_ = false;  // for the segment after the active one

  alignas(64) mutable Mutex mu_{LockRank::kLog};  // no I/O under it
  // Live segments of an earlier process, oldest first, and whether all of them are synced.
  std::vector<uint64_t> previous_ ABSL_GUARDED_BY(mu_);
  bool previous_synced_ ABSL_GUARDED_BY(mu_) = false;
  std::vector<std::shared_ptr<Segment>> segments_ ABSL_GUARDED_BY(mu_);  // live, oldest first
  // Retired segments whose files are not removed yet. A file must be closed before it is removed: a
  // sync that still runs must not find its file removed.
  std::vector<ObsoleteFile> obsolete_ ABSL_GUARDED_BY(mu_);
  int pins_ ABSL_GUARDED_BY(mu_) = 0;  // while there are any, obsolete_ waits
  bool closed_ ABSL_GUARDED_BY(mu_) = false;
  std::atomic<int> abandoned_count_{0};  // live segments that are abandoned
};

}  // namespace cambium::wal

#endif  // CAMBIUM_WAL_LOG_SET_H_
