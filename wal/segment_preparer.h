// SegmentPreparer: makes segments, ahead of their use where it can.
//
// It holds at most one segment ready. Making one is I/O (create, allocate, sync the directory, make
// the first memory resident), so it runs on the executor, asked for when the active segment is half
// full; who needs one before that happened makes it himself.
//
//        PrepareSoon            starts           made
//   idle ───────────▶ scheduled ──────▶ making ────────▶ ready ──TakeReady──▶ idle
//     └───────────────MakeReady───────────▲
//
// In "scheduled" MakeReady does not wait for the executor, which may be busy or run tasks only when
// lent a thread: it makes the segment, and the task finds nothing left to do.
#ifndef CAMBIUM_WAL_SEGMENT_PREPARER_H_
#define CAMBIUM_WAL_SEGMENT_PREPARER_H_

#include <cstdint>
#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "util/mutex.h"
#include "wal/log_set.h"
#include "wal/segment.h"

namespace cambium::wal {

// Thread-safe.
class SegmentPreparer : public std::enable_shared_from_this<SegmentPreparer> {
 public:
  explicit SegmentPreparer(LogSetOptions options) : options_(std::move(options)) {}

  // Has a segment of the usual size made ready some time; nothing where one is or soon will be. An
  // error is forgotten here: MakeReady meets it again and answers it.
  void PrepareSoon();

  // The ready segment, which leaves; null where there is none of at least `size` bytes. No I/O.
  std::shared_ptr<Segment> TakeReady(uint64_t size);

  // Returns ok when a segment of at least `size` bytes is ready. Its directory entry is synced.
  [[nodiscard]] absl::Status MakeReady(uint64_t size);

  // Removes the file of a segment that holds nothing needed.
  [[nodiscard]] absl::Status Discard(Segment* segment) const;

  // Removes what is ready, and makes nothing any more. Waits for what is being made.
  [[nodiscard]] absl::Status Shutdown();

 private:
  enum class State { kIdle, kScheduled, kMaking, kReady, kShutdown };

  void RunScheduled();
  absl::StatusOr<std::shared_ptr<Segment>> Make(uint64_t size);
  // Ends "making", with what came of it.
  absl::Status Keep(absl::StatusOr<std::shared_ptr<Segment>> made);

  const LogSetOptions options_;

  Mutex mu_;  // a leaf: no I/O under it
  CondVar changed_;
  State state_ ABSL_GUARDED_BY(mu_) = State::kIdle;
  std::shared_ptr<Segment> ready_ ABSL_GUARDED_BY(mu_);  // in kReady alone
};

// How much memory ahead of the last record is kept resident, and in which steps. A step is 16 ms of
// writing at 128 MB/s; more of it would only be dirty pages for the next sync to carry.
inline constexpr uint64_t kPopulateAheadBytes = uint64_t{4} << 20;
inline constexpr uint64_t kPopulateStepBytes = uint64_t{2} << 20;

}  // namespace cambium::wal

#endif  // CAMBIUM_WAL_SEGMENT_PREPARER_H_
