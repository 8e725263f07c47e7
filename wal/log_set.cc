#include "wal/log_set.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "absl/strings/str_cat.h"
#include "util/out_of_memory.h"
#include "util/status_macros.h"
#include "wal/log_registry.h"
#include "wal/segment.h"

namespace cambium::wal {
namespace {

// Reserved in each segment for its end record.
constexpr uint64_t kEndRoom = RecordSize(kMaxEndPayload);

// Returns the segment size that a record needs: with a header, and room for an end record.
uint64_t SegmentSizeFor(uint64_t record_size) {
  return kSegmentHeaderSize + record_size + kEndRoom;
}

// Writes `records` from the first position of `segment` on and syncs them. They have no synced
// watermark: while the segment has no header they must not count as evidence of damage in older
// ones.
absl::Status WriteAgain(std::span<const LogRecord> records, Segment* segment) {
  uint64_t offset = kSegmentHeaderSize;
  for (const LogRecord& record : records) {
    RecordHeader header;
    header.payload_size = static_cast<uint32_t>(record.payload.size());
    header.first_sequence = record.first_sequence;
    const std::string_view payload = record.payload;
    RETURN_IF_ERROR(segment->WriteRecord(offset, header, {&payload, 1}, Durability::kProcess));
    offset += RecordSize(payload.size());
  }
  return records.empty() ? absl::OkStatus() : segment->Sync();
}

}  // namespace

absl::StatusOr<std::unique_ptr<LogSet>> LogSet::Create(LogSetOptions options, LogStart start) {
  assert(start.records.empty() ||
         (start.previous_end.segment == 0 && start.previous_segments.empty()));
  std::unique_ptr<LogSet> log(new LogSet(std::move(options), std::move(start.previous_segments)));
  RETURN_IF_ERROR(log->Begin(
      start.records.empty() ? start.first_sequence : start.records.front().first_sequence,
      start.previous_end, start.records));
  // A segment that continues an older one abandons segments that an earlier process began after it.
  // Its header must exist before any of those is removed: otherwise a later recovery would follow
  // links to missing files. A segment that replaces the older ones must be valid before any of them
  // is removed, and later records must state that its first records are synced. There may be older
  // files even if none of them is needed.
  RETURN_IF_ERROR(start.records.empty() ? log->Active()->Sync() : log->SyncTo(log->ReservedEnd()));
  return log;
}

LogSet::LogSet(LogSetOptions options, std::vector<uint64_t> previous_segments)
    : options_(std::move(options)),
      preparer_(std::make_shared<SegmentPreparer>(options_)),
      sync_queue_([this](LogPosition position) { return SyncSegments(position); }) {
  previous_ = std::move(previous_segments);
}

LogSet::~LogSet() {
  // Leaves the files as a crash would: a failure here changes nothing that was acknowledged.
  const std::shared_ptr<Segment> unused = preparer_->Shutdown();
  const auto close = [](Segment* segment) {
    CatchBadAlloc([segment] { return segment->Close(segment->size()); }).IgnoreError();
  };
  if (unused != nullptr) close(unused.get());
  std::vector<std::shared_ptr<Segment>> live;
  {
    MutexLock lock(&mu_);
    live.swap(segments_);
  }
  for (const auto& segment : live) close(segment.get());
}

absl::Status LogSet::Begin(uint64_t first_sequence, LogPosition previous_end,
                           std::span<const LogRecord> records) {
  uint64_t tail = kSegmentHeaderSize;
  for (const LogRecord& record : records) tail += RecordSize(record.payload.size());
  const uint64_t size = SegmentSizeFor(tail - kSegmentHeaderSize);
  ReserveRoomForOne();
  std::shared_ptr<Segment> segment;
  while (segment == nullptr) {
    // A writer that found no room may take it in the meantime, for a segment of another size.
    RETURN_IF_ERROR(preparer_->MakeReady(size, previous_end.segment));
    segment = preparer_->TakeReady(size);
  }
  segment->place().previous_end = previous_end;
  const absl::Status status = CatchBadAlloc([&] {
    RETURN_IF_ERROR(WriteAgain(records, segment.get()));
    return WriteHeader(segment.get(), first_sequence);
  });
  if (!status.ok()) {
    // It is not needed; if it cannot be removed now, recovery removes it.
    preparer_->Discard(segment.get(), previous_end.segment).IgnoreError();
    return status;
  }
  Activate(std::move(segment), tail);
  return absl::OkStatus();
}

void LogSet::ReserveRoomForOne() {
  MutexLock lock(&mu_);
  segments_.reserve(segments_.size() + 1);
}

void LogSet::Activate(std::shared_ptr<Segment> segment, uint64_t tail) {
  assert(tail >= kSegmentHeaderSize && tail + kEndRoom <= segment->size());
  active_ = segment.get();
  tail_ = tail;
  populate_at_ = 0;
  prepare_asked_ = false;
  MutexLock lock(&mu_);
  segments_.push_back(std::move(segment));
}

absl::Status LogSet::WriteHeader(Segment* segment, uint64_t first_sequence) const {
  segment->place().first_sequence = first_sequence;
  SegmentHeader header;
  header.uuid = options_.uuid;
  header.segment = segment->number();
  header.first_sequence = first_sequence;
  header.previous_end = segment->place().previous_end;
  header.synced_up_to = SyncedUpTo();
  return segment->WriteHeader(header);
}

bool LogSet::TryReserve(size_t payload_size, LogReservation* reservation) {
  const uint64_t record_size = RecordSize(payload_size);
  *reservation = LogReservation();
  reservation->payload_size = payload_size;
  if (active_->failed()) return false;
  const bool fits = tail_ + record_size + kEndRoom <= active_->size();
  if (!fits && !Rotate(record_size, reservation)) return false;
  reservation->segment = active_;
  reservation->segment_number = active_->number();
  reservation->offset = tail_;
  tail_ += record_size;
  assert(tail_ % kRecordAlignment == 0 && tail_ + kEndRoom <= active_->size());
  NoteChores(reservation);
  return true;
}

bool LogSet::Rotate(uint64_t record_size, LogReservation* reservation) {
  ReserveRoomForOne();
  std::shared_ptr<Segment> next = preparer_->TakeReady(SegmentSizeFor(record_size));
  if (next == nullptr) return false;
  assert(next->number() > active_->number());
  active_->place().end = tail_;
  next->place().previous_end = {active_->number(), tail_};
  reservation->ended = active_;
  Activate(std::move(next), kSegmentHeaderSize);
  return true;
}

void LogSet::NoteChores(LogReservation* reservation) {
  if (tail_ >= populate_at_ && active_->mapped()) {
    reservation->populate_ahead = true;
    populate_at_ = tail_ + kPopulateStepBytes;
  }
  if (!prepare_asked_ && tail_ >= active_->size() / 2) {
    reservation->prepare_next = true;
    prepare_asked_ = true;
  }
}

void LogSet::RunChores(const LogReservation& reservation) {
  if (reservation.prepare_next) preparer_->PrepareSoon();
  if (reservation.populate_ahead) {
    const uint64_t to = reservation.end().offset + kPopulateAheadBytes;
    // Pages that are not resident only cost the writers time.
    IfMemoryAllows([&] {
      options_.executor->Schedule(Lane::kFlush, [segment = reservation.segment->shared_from_this(),
                                                 to] { segment->PopulateTo(to); });
    });
  }
}

absl::Status LogSet::MakeRoom(size_t payload_size) {
  const uint64_t needed = SegmentSizeFor(RecordSize(payload_size));
  if (payload_size > UINT32_MAX || needed > kMaxSegmentSize) {
    return absl::InvalidArgumentError(absl::StrCat("write to the log: a batch of ", payload_size,
                                                   " bytes exceeds what a segment can hold, ",
                                                   kMaxSegmentSize));
  }
  const std::shared_ptr<Segment> active = Active();
  if (active->failed()) return active->failure();
  return preparer_->MakeReady(needed, active->number());
}

void LogSet::FinishPreparation() { preparer_->FinishScheduled(); }

absl::Status LogSet::Fill(const LogReservation& reservation, uint64_t first_sequence,
                          std::span<const std::string_view> pieces, Durability durability) {
  RunChores(reservation);
  const absl::Status status = CatchBadAlloc([&] {
    if (reservation.ended != nullptr) RETURN_IF_ERROR(OpenSegment(reservation, first_sequence));
    RecordHeader header;
    header.payload_size = static_cast<uint32_t>(reservation.payload_size);
    header.first_sequence = first_sequence;
    header.synced_up_to = SyncedUpTo();
    return reservation.segment->WriteRecord(reservation.offset, header, pieces, durability);
  });
  if (!status.ok()) {
    reservation.segment->Fail(reservation.offset, status);
    // Fails the later segments, too: recovery would not reach their records.
    FailAll(status);
  }
  return status;
}

absl::Status LogSet::OpenSegment(const LogReservation& reservation, uint64_t first_sequence) {
  RecordHeader end;
  end.kind = RecordKind::kEnd;
  end.synced_up_to = SyncedUpTo();
  RETURN_IF_ERROR(reservation.ended->WriteRecord(reservation.ended->place().end, end, {},
                                                 Durability::kProcess));
  return WriteHeader(reservation.segment, first_sequence);
}

absl::Status LogSet::SyncTo(LogPosition position) {
  if (SyncedUpTo() >= position) return absl::OkStatus();
  // Read before abandoned_count_: a thread that gets the current generation's number also sees
  // there what Recover() left. With an older number, the queue returns an error.
  const uint64_t generation = sync_queue_.generation();
  if (abandoned_count_.load() > 0) {
    return absl::FailedPreconditionError(
        "sync the log: a segment that failed earlier holds records which only a flush can make "
        "durable; it has not been retired yet");
  }
  return sync_queue_.SyncTo(position, generation);
}

absl::Status LogSet::SyncSegments(LogPosition position) {
  absl::Status status = SyncPrevious();
  const std::vector<std::shared_ptr<Segment>> segments = Segments();
  for (const auto& segment : segments) {
    if (!status.ok() || segment->number() > position.segment) break;
    status = segment->Sync();
    if (status.ok() && segment->number() < position.segment) {
      // Nothing is written there any more. If it cannot be truncated it keeps its size.
      segment->Close(segment->place().end + kRecordHeaderSize).IgnoreError();
    }
  }
  if (status.ok()) return status;
  // No record may be acknowledged after bytes that may be lost: the writers stop.
  FailAll(status);
  return status;
}

absl::Status LogSet::SyncPrevious() {
  std::vector<uint64_t> unsynced;
  {
    MutexLock lock(&mu_);
    if (!previous_synced_) unsynced = previous_;
  }
  for (const uint64_t number : unsynced) {
    absl::Status status = options_.file_system->SyncFile(options_.segment_path(number));
    if (status.ok()) continue;
    MutexLock lock(&mu_);
    // A segment that was retired in the meantime need not be synced any more.
    if (std::find(previous_.begin(), previous_.end(), number) != previous_.end()) return status;
  }
  MutexLock lock(&mu_);
  previous_synced_ = true;
  return absl::OkStatus();
}

std::shared_ptr<Segment> LogSet::Active() const {
  MutexLock lock(&mu_);
  assert(!segments_.empty());
  return segments_.back();
}

std::vector<std::shared_ptr<Segment>> LogSet::Segments() const {
  MutexLock lock(&mu_);
  return segments_;
}

LogPosition LogSet::ReservedEnd() const { return {active_->number(), tail_}; }

absl::Status LogSet::RetireBefore(LogPosition position) {
  std::vector<ObsoleteFile> obsolete;
  bool pinned = false;
  {
    MutexLock lock(&mu_);
    pinned = pins_ > 0;
    // Reserves room for all at once, so that nothing fails in the middle.
    obsolete.reserve(obsolete_.size() + previous_.size() + segments_.size());
    obsolete_.reserve(obsolete.capacity());
    std::swap(obsolete, obsolete_);
    std::erase_if(previous_, [&](uint64_t number) {
      if (number >= position.segment) return false;
      obsolete.push_back({number, nullptr});
      return true;
    });
    while (segments_.size() > 1 && segments_.front()->number() < position.segment) {
      if (segments_.front()->abandoned()) abandoned_count_.fetch_sub(1);
      obsolete.push_back({segments_.front()->number(), std::move(segments_.front())});
      segments_.erase(segments_.begin());
    }
    if (pinned) obsolete_ = obsolete;
  }
  for (const ObsoleteFile& file : obsolete) {
    if (file.segment == nullptr) continue;
    file.segment->Close(file.segment->size()).IgnoreError();  // about to be removed
  }
  return pinned ? absl::OkStatus() : RemoveFiles(obsolete);
}

absl::Status LogSet::RemoveFiles(std::span<const ObsoleteFile> files) {
  absl::Status result;
  for (const ObsoleteFile& file : files) {
    const absl::Status status = CatchBadAlloc(
        [&] { return options_.file_system->Remove(options_.segment_path(file.number)); });
    if (status.ok() || absl::IsNotFound(status)) continue;
    result.Update(status);
    // The next Open removes a file that is not recorded here.
    IfMemoryAllows([&] {
      MutexLock lock(&mu_);
      obsolete_.push_back(file);
    });
  }
  return result;
}

LogSet::Pin LogSet::PinSegments() {
  MutexLock lock(&mu_);
  ++pins_;
  return Pin(this);
}

void LogSet::ReleasePin() {
  {
    MutexLock lock(&mu_);
    assert(pins_ > 0);
    if (--pins_ > 0) return;
  }
  // The next retirement retries files that could not be removed now.
  CatchBadAlloc([this] { return RetireBefore({}); }).IgnoreError();
}

std::vector<uint64_t> LogSet::LiveSegments() const {
  MutexLock lock(&mu_);
  std::vector<uint64_t> numbers = previous_;
  for (const auto& segment : segments_) numbers.push_back(segment->number());
  return numbers;
}

uint64_t LogSet::LiveBytes() const {
  uint64_t bytes = 0;
  for (const auto& segment : Segments()) bytes += segment->size();
  return bytes;
}

absl::Status LogSet::Recover() {
  const std::vector<std::shared_ptr<Segment>> segments = Segments();
  const auto failed = std::find_if(segments.begin(), segments.end(), [](const auto& segment) {
    return segment->failed() && !segment->abandoned();
  });
  const absl::Status cause = failed != segments.end() ? (*failed)->failure() : sync_queue_.status();
  if (cause.ok()) return absl::OkStatus();
  // No sync runs from here on: a sync that fails now would also fail the new segment.
  sync_queue_.Fail(cause);
  // A segment whose creation began before is not trusted: a program that truncated a segment may
  // have truncated it, too.
  if (const std::shared_ptr<Segment> stale = preparer_->Withdraw(); stale != nullptr) {
    RETURN_IF_ERROR(preparer_->Discard(stale.get(), active_->number()));
  }
  // A valid bound: sequence numbers only increase.
  RETURN_IF_ERROR(Begin(active_->place().first_sequence, LastKnownGood(segments), {}));
  for (const auto& segment : segments) {
    segment->Fail(segment->size(), cause);
    if (segment->Abandon()) abandoned_count_.fetch_add(1);
  }
  sync_queue_.Reset();
  return absl::OkStatus();
}

// Returns the position of the first missing record; the end of all records if none is missing.
LogPosition LogSet::LastKnownGood(std::span<const std::shared_ptr<Segment>> segments) const {
  for (const auto& segment : segments) {
    const uint64_t end = segment.get() == active_ ? tail_ : segment->place().end;
    const uint64_t missing = segment->first_missing();
    if (segment->abandoned() || missing >= end) continue;
    // If its first record is missing, its header may be missing, too: the log continues after the
    // previous segment.
    if (missing <= kSegmentHeaderSize) return segment->place().previous_end;
    return {segment->number(), missing};
  }
  return {active_->number(), tail_};
}

void LogSet::FailAll(const absl::Status& cause) {
  MutexLock lock(&mu_);
  for (const auto& segment : segments_) segment->Fail(segment->size(), cause);
}

absl::Status LogSet::Close() {
  std::shared_ptr<Segment> active = Active();
  {
    MutexLock lock(&mu_);
    if (std::exchange(closed_, true)) return absl::OkStatus();
  }
  const std::shared_ptr<Segment> unused = preparer_->Shutdown();
  absl::Status status = CatchBadAlloc([&] {
    RETURN_IF_ERROR(SyncTo(ReservedEnd()));
    RETURN_IF_ERROR(active->failure());
    return EndLog(active.get(), unused.get());
  });
  // After a failure the registry may refer to it: it stays, and recovery removes it.
  const auto close = [&status](Segment* segment) {
    status.Update(CatchBadAlloc([segment] { return segment->Close(segment->size()); }));
  };
  if (unused != nullptr) close(unused.get());
  for (const auto& segment : Segments()) close(segment.get());
  return status;
}

// Ends a log that is synced up to its tail.
absl::Status LogSet::EndLog(Segment* active, Segment* unused) {
  std::string payload;
  if (options_.registry != nullptr) {
    RETURN_IF_ERROR(options_.registry->RecordReach(ReservedEnd()));
    payload = options_.registry->EndPayload();
  }
  assert(payload.size() <= kMaxEndPayload);
  // Records that everything before it was synced, so that a later loss of any of it is detected.
  RecordHeader end;
  end.kind = RecordKind::kEnd;
  end.payload_size = static_cast<uint32_t>(payload.size());
  end.synced_up_to = SyncedUpTo();
  const std::string_view piece = payload;
  RETURN_IF_ERROR(active->WriteRecord(tail_, end, {&piece, 1}, Durability::kMachine));
  RETURN_IF_ERROR(active->Sync());
  RETURN_IF_ERROR(active->Close(tail_ + RecordSize(payload.size())));
  return unused == nullptr ? absl::OkStatus() : preparer_->Remove(unused);
}

}  // namespace cambium::wal
