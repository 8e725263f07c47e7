#include "wal/segment_preparer.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "util/status_macros.h"

namespace cambium::wal {
namespace {

// A segment made for one large batch ends on a page.
constexpr uint64_t kSizeGranule = 4096;

}  // namespace

void SegmentPreparer::PrepareSoon() {
  {
    MutexLock lock(&mu_);
    if (state_ != State::kIdle) return;
    state_ = State::kScheduled;
  }
  // The writers' lane: they wait for this next.
  options_.executor->Schedule(Lane::kFlush, [self = shared_from_this()] { self->RunScheduled(); });
}

void SegmentPreparer::RunScheduled() {
  {
    MutexLock lock(&mu_);
    if (state_ != State::kScheduled) return;
    state_ = State::kMaking;
  }
  absl::StatusOr<std::shared_ptr<Segment>> made = Make(options_.segment_size);
  if (made.ok()) (*made)->PopulateTo(kPopulateAheadBytes);
  Keep(std::move(made)).IgnoreError();  // MakeReady meets it again
}

absl::Status SegmentPreparer::Keep(absl::StatusOr<std::shared_ptr<Segment>> made) {
  MutexLock lock(&mu_);
  state_ = made.ok() ? State::kReady : State::kIdle;
  if (made.ok()) ready_ = *std::move(made);
  changed_.SignalAll();
  return made.status();
}

std::shared_ptr<Segment> SegmentPreparer::TakeReady(uint64_t size) {
  MutexLock lock(&mu_);
  if (state_ != State::kReady || ready_->size() < size) return nullptr;
  state_ = State::kIdle;
  return std::move(ready_);
}

absl::Status SegmentPreparer::MakeReady(uint64_t size) {
  std::shared_ptr<Segment> too_small;
  {
    MutexLock lock(&mu_);
    while (state_ == State::kMaking) changed_.Wait(&mu_);
    if (state_ == State::kShutdown) return absl::FailedPreconditionError("the log is closed");
    if (state_ == State::kReady && ready_->size() >= size) return absl::OkStatus();
    too_small = std::move(ready_);
    state_ = State::kMaking;
  }
  const absl::Status discarded = too_small == nullptr ? absl::OkStatus() : Discard(too_small.get());
  if (!discarded.ok()) return Keep(discarded);
  return Keep(Make(std::max(size, options_.segment_size)));
}

absl::Status SegmentPreparer::Shutdown() {
  std::shared_ptr<Segment> unused;
  {
    MutexLock lock(&mu_);
    while (state_ == State::kMaking) changed_.Wait(&mu_);
    state_ = State::kShutdown;
    unused = std::move(ready_);
  }
  return unused == nullptr ? absl::OkStatus() : Discard(unused.get());
}

absl::StatusOr<std::shared_ptr<Segment>> SegmentPreparer::Make(uint64_t size) {
  const uint64_t number = options_.next_segment();
  if (number == 0 || number > kMaxSegmentNumber) {
    return absl::ResourceExhaustedError(absl::StrCat("create log segment: number ", number,
                                                     " is outside 1 to ", kMaxSegmentNumber));
  }
  size = (size + kSizeGranule - 1) / kSizeGranule * kSizeGranule;
  ASSIGN_OR_RETURN(std::shared_ptr<Segment> segment,
                   Segment::Create(options_.file_system, options_.segment_path(number), number,
                                   std::min(size, kMaxSegmentSize)));
  absl::Status status = options_.file_system->SyncDirectory(options_.directory);
  if (!status.ok()) {
    // A directory sync that is repeated would lie: the next attempt is a new file. What cannot be
    // removed here holds nothing, and recovery removes it.
    Discard(segment.get()).IgnoreError();
    return status;
  }
  return segment;
}

absl::Status SegmentPreparer::Discard(Segment* segment) const {
  RETURN_IF_ERROR(segment->Close(segment->size()));
  absl::Status status = options_.file_system->Remove(segment->path());
  return absl::IsNotFound(status) ? absl::OkStatus() : status;
}

}  // namespace cambium::wal
