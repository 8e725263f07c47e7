// Segment: one file of the log while it is written.
//
// LogSet allocates the bytes; this class writes them, in parallel and each range once. With a
// mapping, a record is copied into memory, the checksum last. Without one, or if a sync will follow
// (a mapped store makes the sync more expensive), it is written by one positional write. Both go to
// the same page cache.
//
//   open ──Fail / failed write or sync──▶ failed ──Abandon──▶ abandoned     (Close ends each state)
//
// failed: nothing more is written or synced (D10). abandoned: also, the log continues in another
// segment.
#ifndef CAMBIUM_WAL_SEGMENT_H_
#define CAMBIUM_WAL_SEGMENT_H_

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cambium/file_system.h"
#include "util/mutex.h"
#include "wal/log_format.h"
#include "wal/log_set.h"

namespace cambium::wal {

// Thread-safe, except as noted.
class Segment : public std::enable_shared_from_this<Segment> {
 public:
  // Creates the file. The caller must sync its directory entry.
  static absl::StatusOr<std::shared_ptr<Segment>> Create(const LogSetOptions& options,
                                                         uint64_t number, uint64_t size);

  uint64_t number() const { return number_; }
  uint64_t size() const { return size_; }
  const std::string& path() const { return path_; }
  bool mapped() const { return mapping_ != nullptr; }

  // The segment's place in the log. Set before the segment, or for `end` the next one, is used; may
  // be read by callers that know that this happened.
  struct Place {
    LogPosition previous_end;     // as in the header
    uint64_t first_sequence = 0;  // as in the header
    uint64_t end = 0;             // end of its records, after another segment has followed
  };
  Place& place() { return place_; }

  // Both write bytes that were reserved for the caller. A failed write fails the segment; on a
  // failed segment nothing is written and the first error is returned.
  [[nodiscard]] absl::Status WriteHeader(const SegmentHeader& header);
  [[nodiscard]] absl::Status WriteRecord(uint64_t offset, const RecordHeader& header,
                                         std::span<const std::string_view> pieces,
                                         Durability durability);

  // Returns ok if everything written before survives a power cut. Also returns ok after Close: then
  // the segment was synced, or its data is no longer needed. A failed sync fails the segment.
  [[nodiscard]] absl::Status Sync();

  // Prefaults memory up to `offset`; each byte once.
  void PopulateTo(uint64_t offset);

  // Releases the file and the mapping, and truncates the file to `final_size`. No write may run
  // during the call or afterwards. Idempotent.
  [[nodiscard]] absl::Status Close(uint64_t final_size);

  bool failed() const { return failed_.load(std::memory_order_acquire); }
  absl::Status failure() const;
  // Fails the segment because of an error elsewhere. `offset` is that of a record which is not
  // written because of it, or size() if there is none.
  void Fail(uint64_t offset, const absl::Status& cause);

  bool abandoned() const { return abandoned_.load(); }
  // Returns true for the first call.
  bool Abandon() { return !abandoned_.exchange(true); }
  // Returns the offset of the first record that was not written; size() if none is missing.
  uint64_t first_missing() const;

 private:
  struct MappedFile {
    std::unique_ptr<LogFile> file;
    char* mapping;  // null: every byte goes through WriteAt
  };
  Segment(std::string path, uint64_t number, uint64_t size, MappedFile mapped);

  absl::Status Write(uint64_t offset, std::string_view bytes);

  const std::string path_;
  const uint64_t number_;
  const uint64_t size_;
  char* const mapping_;
  const std::atomic<bool>* const lost_;  // set when bytes of the mapping were lost; may be null
  Place place_;
  std::atomic<bool> failed_{false};
  std::atomic<bool> abandoned_{false};

  // Order: file_mu_, then populate_mu_. Writes take neither: they end before Close begins.
  Mutex file_mu_{LockRank::kLogFile};       // held during a sync
  Mutex populate_mu_{LockRank::kLogPages};  // held during a populate
  std::unique_ptr<LogFile> file_;           // null once closed; replaced under both
  uint64_t populated_ ABSL_GUARDED_BY(populate_mu_) = 0;

  mutable Mutex failure_mu_;  // a leaf lock
  absl::Status failure_ ABSL_GUARDED_BY(failure_mu_);
  uint64_t first_missing_ ABSL_GUARDED_BY(failure_mu_);
};

// Creates segments, in advance if possible. It holds at most one segment ready. Creating one is I/O
// (create, allocate, sync the directory, prefault the first memory), so it runs on the executor,
// requested when the active segment is half full. A thread that needs one before that happened
// creates it itself.
//
// Segments grow with use: each is twice as large as the previous one, from first_segment_size up to
// segment_size, so a database with few writes takes little space. If there is no space for one,
// smaller sizes are tried, down to the size that the next record needs.
//
//        PrepareSoon            starts           made
//   idle ───────────▶ scheduled ──────▶ making ────────▶ ready ──TakeReady──▶ idle
//     └───────────────MakeReady───────────▲
//
// In "scheduled" MakeReady does not wait for the executor, which may be busy or run tasks only in
// the threads of callers: it creates the segment, and the task finds nothing left to do.
// Thread-safe.
class SegmentPreparer : public std::enable_shared_from_this<SegmentPreparer> {
 public:
  explicit SegmentPreparer(LogSetOptions options)
      : options_(std::move(options)),
        next_size_(std::min(options_.first_segment_size, options_.segment_size)) {}

  // Starts the creation of a segment of the usual size, unless one is ready or in preparation.
  // Ignores an error: MakeReady meets it again and returns it.
  void PrepareSoon();

  // Takes the ready segment; returns null if there is none of at least `size` bytes. No I/O.
  std::shared_ptr<Segment> TakeReady(uint64_t size);

  // Returns ok when a segment of at least `size` bytes is ready. Its directory entry is synced. A
  // ready segment that is too small is discarded; `survivor` is the newest one that then remains.
  [[nodiscard]] absl::Status MakeReady(uint64_t size, uint64_t survivor);

  // Removes the file of a segment without needed records, after it has recorded in the registry the
  // newest segment that remains; 0: none.
  [[nodiscard]] absl::Status Discard(Segment* segment, uint64_t survivor) const;
  // Does the same for a segment that the registry does not name.
  [[nodiscard]] absl::Status Remove(Segment* segment) const;

  // Returns when no creation is scheduled or in progress; creates a scheduled one itself.
  void FinishScheduled();

  // Returns the segment that is ready, or null, and cancels a scheduled creation; waits for one in
  // progress. Afterwards, only segments that were created later are ready.
  [[nodiscard]] std::shared_ptr<Segment> Withdraw() { return TakeAll(State::kIdle); }
  // Does the same, and stops creating segments.
  [[nodiscard]] std::shared_ptr<Segment> Shutdown() { return TakeAll(State::kShutdown); }

 private:
  enum class State { kIdle, kScheduled, kMaking, kReady, kShutdown };

  std::shared_ptr<Segment> TakeAll(State next);
  void RunScheduled();
  // Creates a segment of the usual size, or a smaller one of at least `least` bytes if there is no
  // space for more.
  absl::StatusOr<std::shared_ptr<Segment>> Make(uint64_t least);
  absl::StatusOr<std::shared_ptr<Segment>> CreateFile(uint64_t size) const;
  // Ends "making", with its result.
  absl::Status Keep(absl::StatusOr<std::shared_ptr<Segment>> made);

  const LogSetOptions options_;

  Mutex mu_;  // a leaf lock: no I/O under it
  CondVar changed_;
  State state_ ABSL_GUARDED_BY(mu_) = State::kIdle;
  uint64_t next_size_ ABSL_GUARDED_BY(mu_);              // usual size of the next segment
  std::shared_ptr<Segment> ready_ ABSL_GUARDED_BY(mu_);  // only in kReady
};

// The amount of memory that is kept prefaulted ahead of the last record, and the step size. A step
// is 16 ms of writing at 128 MB/s; a larger one would only add dirty pages to the next sync.
inline constexpr uint64_t kPopulateAheadBytes = uint64_t{4} << 20;
inline constexpr uint64_t kPopulateStepBytes = uint64_t{2} << 20;

}  // namespace cambium::wal

#endif  // CAMBIUM_WAL_SEGMENT_H_
