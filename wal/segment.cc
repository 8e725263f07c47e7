#include "wal/segment.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <cstring>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "util/coding.h"
#include "util/out_of_memory.h"
#include "util/status_copy.h"
#include "util/status_macros.h"
#include "wal/log_registry.h"

namespace cambium::wal {
namespace {

// Records of this size or more always go through the mapping: the copy that one positional write
// needs costs more than the mapping's pages.
constexpr uint64_t kLargeRecord = uint64_t{256} << 10;

// The largest record that is assembled on the stack for one write.
constexpr size_t kStackRecord = 4096;

// A segment for one large batch ends on a page boundary.
constexpr uint64_t kSizeGranule = 4096;

// The smallest segment that is prepared ahead, when the size of the next record is unknown.
constexpr uint64_t kSmallestAhead = uint64_t{16} << 10;

// Writes a whole record, RecordSize() bytes, to `to`.
void AssembleRecord(const RecordHeader& header, std::span<const std::string_view> pieces,
                    LogPosition at, char* to) {
  EncodeRecordHeader(header, to);
  char* end = to + kRecordHeaderSize;
  for (const std::string_view piece : pieces) {
    if (piece.empty()) continue;  // its data may be null
    std::memcpy(end, piece.data(), piece.size());
    end += piece.size();
  }
  const std::string_view record(to, static_cast<size_t>(end - to));
  const uint32_t checksum = RecordChecksum(record, at);
  // The word that completes the record is written last: a process killed before leaves no valid
  // record. A compiler barrier is sufficient, because only a killed process matters: the kernel
  // sees a killed thread's stores up to one instruction.
  std::atomic_signal_fence(std::memory_order_release);
  StoreFixed32(to, checksum);
}

}  // namespace

absl::StatusOr<std::shared_ptr<Segment>> Segment::Create(const LogSetOptions& options,
                                                         uint64_t number, uint64_t size) {
  std::string path = options.segment_path(number);
  ASSIGN_OR_RETURN(std::unique_ptr<LogFile> file, options.file_system->CreateLog(path, size));
  char* const mapping = options.mapped ? file->Mapping() : nullptr;
  return std::shared_ptr<Segment>(
      new Segment(std::move(path), number, size, {std::move(file), mapping}));
}

Segment::Segment(std::string path, uint64_t number, uint64_t size, MappedFile mapped)
    : path_(std::move(path)),
      number_(number),
      size_(size),
      mapping_(mapped.mapping),
      lost_(mapped.file->MappingLost()),
      file_(std::move(mapped.file)),
      first_missing_(size) {}

absl::Status Segment::Write(uint64_t offset, std::string_view bytes) {
  absl::Status status = file_->WriteAt(offset, bytes);
  if (!status.ok()) Fail(offset, status);
  return status;
}

absl::Status Segment::WriteHeader(const SegmentHeader& header) {
  if (failed()) return failure();
  const std::array<char, kSegmentHeaderSize> bytes = EncodeSegmentHeader(header);
  return Write(0, {bytes.data(), bytes.size()});
}

absl::Status Segment::WriteRecord(uint64_t offset, const RecordHeader& header,
                                  std::span<const std::string_view> pieces, Durability durability) {
  const LogPosition at{number_, offset};
  assert(offset >= kSegmentHeaderSize && offset % kRecordAlignment == 0);
  assert(offset + RecordSize(header.payload_size) <= size_);
  if (failed()) {
    absl::Status cause = failure();
    Fail(offset, cause);
    return cause;
  }
  const uint64_t size = RecordSize(header.payload_size);
  if (mapping_ != nullptr && (durability == Durability::kProcess || size >= kLargeRecord)) {
    AssembleRecord(header, pieces, at, mapping_ + offset);
    if (lost_ == nullptr || !lost_->load(std::memory_order_relaxed)) [[likely]]
      return absl::OkStatus();
    absl::Status status = absl::DataLossError(
        absl::StrCat("log file ", path_, ": write at offset ", offset,
                     " found the file cut short: another process has cut it while it was in use"));
    Fail(offset, status);
    return status;
  }
  if (size <= kStackRecord) {
    alignas(kRecordAlignment) std::array<char, kStackRecord> record;
    std::memset(record.data() + size - kRecordAlignment, 0, kRecordAlignment);
    AssembleRecord(header, pieces, at, record.data());
    return Write(offset, {record.data(), size});
  }
  std::string record(size, '\0');
  AssembleRecord(header, pieces, at, record.data());
  return Write(offset, record);
}

absl::Status Segment::Sync() {
  MutexLock lock(&file_mu_);
  if (file_ == nullptr) return absl::OkStatus();
  if (failed()) return failure();
  absl::Status status = file_->Sync();
  if (!status.ok()) Fail(size_, status);
  return status;
}

void Segment::PopulateTo(uint64_t offset) {
  MutexLock lock(&populate_mu_);
  offset = std::min(offset, size_);
  if (file_ == nullptr || offset <= populated_) return;
  file_->Populate(populated_, offset - populated_);
  populated_ = offset;
}

absl::Status Segment::Close(uint64_t final_size) {
  MutexLock file_lock(&file_mu_);
  MutexLock populate_lock(&populate_mu_);
  if (file_ == nullptr) return absl::OkStatus();
  assert(final_size <= size_);
  absl::Status status = file_->Close(final_size);
  file_ = nullptr;
  return status;
}

absl::Status Segment::failure() const {
  MutexLock lock(&failure_mu_);
  return CopyStatus(failure_);
}

void Segment::Fail(uint64_t offset, const absl::Status& cause) {
  assert(!cause.ok());
  MutexLock lock(&failure_mu_);
  if (failure_.ok()) failure_ = CopyStatus(cause);
  first_missing_ = std::min(first_missing_, offset);
  failed_.store(true, std::memory_order_release);
}

uint64_t Segment::first_missing() const {
  MutexLock lock(&failure_mu_);
  return first_missing_;
}

void SegmentPreparer::PrepareSoon() {
  {
    MutexLock lock(&mu_);
    if (state_ != State::kIdle) return;
    state_ = State::kScheduled;
  }
  // The writers' lane: they will wait for this.
  const bool scheduled = IfMemoryAllows([this] {
    options_.executor->Schedule(Lane::kFlush,
                                [self = shared_from_this()] { self->RunScheduled(); });
  });
  if (scheduled) return;
  // MakeReady() creates it if necessary.
  MutexLock lock(&mu_);
  if (state_ == State::kScheduled) state_ = State::kIdle;
}

void SegmentPreparer::RunScheduled() {
  {
    MutexLock lock(&mu_);
    if (state_ != State::kScheduled) return;
    state_ = State::kMaking;
  }
  absl::StatusOr<std::shared_ptr<Segment>> made =
      CatchBadAlloc([this] { return Make(kSmallestAhead); });
  if (made.ok()) (*made)->PopulateTo(kPopulateAheadBytes);
  Keep(std::move(made)).IgnoreError();  // MakeReady meets it again
}

void SegmentPreparer::FinishScheduled() {
  RunScheduled();
  MutexLock lock(&mu_);
  while (state_ == State::kMaking) changed_.Wait(&mu_);
}

absl::Status SegmentPreparer::Keep(absl::StatusOr<std::shared_ptr<Segment>> made) {
  MutexLock lock(&mu_);
  assert(state_ == State::kMaking && ready_ == nullptr);
  state_ = made.ok() ? State::kReady : State::kIdle;
  if (made.ok()) {
    ready_ = *std::move(made);
    next_size_ = std::min(2 * ready_->size(), options_.segment_size);
  }
  changed_.SignalAll();
  return made.status();
}

std::shared_ptr<Segment> SegmentPreparer::TakeReady(uint64_t size) {
  MutexLock lock(&mu_);
  assert((state_ == State::kReady) == (ready_ != nullptr));
  if (state_ != State::kReady || ready_->size() < size) return nullptr;
  state_ = State::kIdle;
  return std::move(ready_);
}

absl::Status SegmentPreparer::MakeReady(uint64_t size, uint64_t survivor) {
  std::shared_ptr<Segment> too_small;
  {
    MutexLock lock(&mu_);
    while (state_ == State::kMaking) changed_.Wait(&mu_);
    if (state_ == State::kShutdown) return absl::FailedPreconditionError("the log is closed");
    if (state_ == State::kReady && ready_->size() >= size) return absl::OkStatus();
    too_small = std::move(ready_);
    state_ = State::kMaking;
  }
  return Keep(CatchBadAlloc([&]() -> absl::StatusOr<std::shared_ptr<Segment>> {
    if (too_small != nullptr) RETURN_IF_ERROR(Discard(too_small.get(), survivor));
    return Make(size);
  }));
}

std::shared_ptr<Segment> SegmentPreparer::TakeAll(State next) {
  MutexLock lock(&mu_);
  while (state_ == State::kMaking) changed_.Wait(&mu_);
  assert(next == State::kShutdown || state_ != State::kShutdown);
  state_ = next;
  return std::move(ready_);
}

absl::StatusOr<std::shared_ptr<Segment>> SegmentPreparer::Make(uint64_t least) {
  uint64_t size = least;
  {
    MutexLock lock(&mu_);
    size = std::max(least, next_size_);
  }
  absl::StatusOr<std::shared_ptr<Segment>> made = CreateFile(size);
  while (absl::IsResourceExhausted(made.status()) && size > least) {
    size = std::max(least, size / 2);
    made = CreateFile(size);
  }
  RETURN_IF_ERROR(made.status());
  absl::Status status = options_.file_system->SyncDirectory(options_.directory);
  if (!status.ok()) {
    // A repeated directory sync could return a false success: the next attempt uses a new file. A
    // file that cannot be removed here has no records, and recovery removes it.
    Remove(made->get()).IgnoreError();
    return status;
  }
  if (options_.registry == nullptr) return made;
  status = options_.registry->RecordReach({(*made)->number(), 0});
  if (status.ok()) return made;
  // The registry may refer to it, so it stays, empty; recovery removes it.
  (*made)->Close(0).IgnoreError();
  return status;
}

absl::StatusOr<std::shared_ptr<Segment>> SegmentPreparer::CreateFile(uint64_t size) const {
  size = std::min((size + kSizeGranule - 1) / kSizeGranule * kSizeGranule, kMaxSegmentSize);
  absl::StatusOr<std::shared_ptr<Segment>> made;
  do {
    // An existing file with this name is not ours: it stays, and the next number is allocated.
    const uint64_t number = options_.next_segment();
    if (number == 0 || number > kMaxSegmentNumber) {
      return absl::ResourceExhaustedError(absl::StrCat("create log segment: number ", number,
                                                       " is outside 1 to ", kMaxSegmentNumber));
    }
    made = Segment::Create(options_, number, size);
  } while (absl::IsAlreadyExists(made.status()));
  return made;
}

absl::Status SegmentPreparer::Discard(Segment* segment, uint64_t survivor) const {
  if (options_.registry != nullptr) {
    RETURN_IF_ERROR(options_.registry->RecordReach({survivor, 0}));
  }
  return Remove(segment);
}

absl::Status SegmentPreparer::Remove(Segment* segment) const {
  segment->Close(segment->size()).IgnoreError();  // about to be removed
  absl::Status status = options_.file_system->Remove(segment->path());
  return absl::IsNotFound(status) ? absl::OkStatus() : status;
}

}  // namespace cambium::wal
