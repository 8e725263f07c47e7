// Segment: one file of the log while it is written.
//
// Bytes are handed out by LogSet; here they are written, in parallel and each range once. With a
// mapping, a record is copied into memory, the checksum last; without one, and where a sync will
// follow (a mapped store makes the sync dearer), it is written by one positional write. Both reach
// the same page cache.
//
//   open ──Fail / failed write or sync──▶ failed ──Abandon──▶ abandoned      Close ends each of
//   them
//
// failed: nothing more is written or synced (D10). abandoned: and the log goes on in another
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

// Thread-safe, but for what says otherwise.
class Segment : public std::enable_shared_from_this<Segment> {
 public:
  // Makes the file. Its directory entry is the caller's to sync.
  static absl::StatusOr<std::shared_ptr<Segment>> Create(const LogSetOptions& options,
                                                         uint64_t number, uint64_t size);

  uint64_t number() const { return number_; }
  uint64_t size() const { return size_; }
  const std::string& path() const { return path_; }
  bool mapped() const { return mapping_ != nullptr; }

  // Where it stands in the log. Set before the segment, or for `end` the one after it, is used;
  // read by who knows that this happened.
  struct Place {
    LogPosition previous_end;     // as in the header
    uint64_t first_sequence = 0;  // as in the header
    uint64_t end = 0;             // of its records, once another segment has followed
  };
  Place& place() { return place_; }

  // Both write bytes that were handed out to the caller alone. A failed write fails the segment;
  // in a failed segment nothing is written and the first error is answered.
  [[nodiscard]] absl::Status WriteHeader(const SegmentHeader& header);
  [[nodiscard]] absl::Status WriteRecord(uint64_t offset, const RecordHeader& header,
                                         std::span<const std::string_view> pieces,
                                         Durability durability);

  // Everything written before survives a power cut on ok. Ok also once closed: who closes has
  // synced it or made it needless. A failed sync fails the segment.
  [[nodiscard]] absl::Status Sync();

  // Has memory up to `offset` made resident; each byte once.
  void PopulateTo(uint64_t offset);

  // Releases file and mapping, and cuts the file to `final_size`. No write is under way and none
  // follows. Idempotent.
  [[nodiscard]] absl::Status Close(uint64_t final_size);

  bool failed() const { return failed_.load(std::memory_order_acquire); }
  absl::Status failure() const;
  // Fails it for a cause elsewhere. `offset` is that of a record which is not written because of
  // it, or size() where there is none.
  void Fail(uint64_t offset, const absl::Status& cause);

  bool abandoned() const { return abandoned_.load(); }
  // True the first time.
  bool Abandon() { return !abandoned_.exchange(true); }
  // Where the first record begins that was not written; size() where none is missing.
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

  mutable Mutex failure_mu_;  // a leaf
  absl::Status failure_ ABSL_GUARDED_BY(failure_mu_);
  uint64_t first_missing_ ABSL_GUARDED_BY(failure_mu_);
};

// Makes segments, ahead of their use where it can. It holds at most one segment ready. Making one
// is I/O (create, allocate, sync the directory, make the first memory resident), so it runs on the
// executor, asked for when the active segment is half full; who needs one before that happened
// makes it himself.
//
// Segments grow with use: each is twice as large as the one before, from first_segment_size up to
// segment_size, so that a database that is hardly written takes little space. If there is no space
// for one, smaller ones are tried, down to what the next record needs.
//
//        PrepareSoon            starts           made
//   idle ───────────▶ scheduled ──────▶ making ────────▶ ready ──TakeReady──▶ idle
//     └───────────────MakeReady───────────▲
//
// In "scheduled" MakeReady does not wait for the executor, which may be busy or run tasks only when
// lent a thread: it makes the segment, and the task finds nothing left to do. Thread-safe.
class SegmentPreparer : public std::enable_shared_from_this<SegmentPreparer> {
 public:
  explicit SegmentPreparer(LogSetOptions options)
      : options_(std::move(options)),
        next_size_(std::min(options_.first_segment_size, options_.segment_size)) {}

  // Has a segment of the usual size made ready some time; nothing where one is or soon will be. An
  // error is forgotten here: MakeReady meets it again and answers it.
  void PrepareSoon();

  // The ready segment, which leaves; null where there is none of at least `size` bytes. No I/O.
  std::shared_ptr<Segment> TakeReady(uint64_t size);

  // Returns ok when a segment of at least `size` bytes is ready. Its directory entry is synced.
  // One that is ready and too small is discarded; the newest that remains then is `survivor`.
  [[nodiscard]] absl::Status MakeReady(uint64_t size, uint64_t survivor);

  // Removes the file of a segment that holds nothing needed, after the registry has been told of
  // the newest segment that remains; 0: none.
  [[nodiscard]] absl::Status Discard(Segment* segment, uint64_t survivor) const;
  // The same for a segment that the registry does not name.
  [[nodiscard]] absl::Status Remove(Segment* segment) const;

  // Makes nothing any more, and returns the segment that was ready, or null. Waits for what is
  // being made.
  [[nodiscard]] std::shared_ptr<Segment> Shutdown();

 private:
  enum class State { kIdle, kScheduled, kMaking, kReady, kShutdown };

  void RunScheduled();
  // Makes a segment of the usual size, or a smaller one of at least `least` bytes if there is no
  // space for more.
  absl::StatusOr<std::shared_ptr<Segment>> Make(uint64_t least);
  absl::StatusOr<std::shared_ptr<Segment>> CreateFile(uint64_t size) const;
  // Ends "making", with what came of it.
  absl::Status Keep(absl::StatusOr<std::shared_ptr<Segment>> made);

  const LogSetOptions options_;

  Mutex mu_;  // a leaf: no I/O under it
  CondVar changed_;
  State state_ ABSL_GUARDED_BY(mu_) = State::kIdle;
  uint64_t next_size_ ABSL_GUARDED_BY(mu_);              // usual size of the next segment
  std::shared_ptr<Segment> ready_ ABSL_GUARDED_BY(mu_);  // in kReady alone
};

// How much memory ahead of the last record is kept resident, and in which steps. A step is 16 ms of
// writing at 128 MB/s; more of it would only be dirty pages for the next sync to carry.
inline constexpr uint64_t kPopulateAheadBytes = uint64_t{4} << 20;
inline constexpr uint64_t kPopulateStepBytes = uint64_t{2} << 20;

}  // namespace cambium::wal

#endif  // CAMBIUM_WAL_SEGMENT_H_
