#include "engine/write/write_path.h"

#include <cassert>
#include <memory>
#include <utility>

#include "util/status_macros.h"

namespace cambium::engine {
namespace {

WriteWorld Complete(WriteWorld world, wal::LogSet* log, CommitPipeline* pipeline,
                    Admission* admission) {
  world.log = log;
  world.pipeline = pipeline;
  world.admission = admission;
  return world;
}

// The slots of a batch's keys, request.count of them. Null for a batch that is so large that it
// would fill much of the table, or that deletes a range: it counts as a write of every key. Null
// also for a batch that Apply will not understand.
std::unique_ptr<uint32_t[]> SlotsOfBatch(const CommitRequest& request) {
  constexpr uint32_t kMostKeys = RecentWrites::kSlots / 16;
  if (request.count > kMostKeys) return nullptr;
  auto slots = std::make_unique<uint32_t[]>(request.count);
  BatchReader reader(request.pieces.front());
  BatchOp op;
  uint32_t found = 0;
  for (; reader.Next(&op); ++found) {
    const TreeShare* const share = FindShare(request.shares, op.column_family);
    if (share == nullptr || op.tag == BatchOpTag::kRangeDelete) return nullptr;
    assert(found < request.count);
    slots[found] = RecentWrites::SlotOf(op.column_family, share->tree->order().Hash(op.key));
  }
  return found == request.count ? std::move(slots) : nullptr;
}

// Returns true if the range contains so many entries of the memtable that a new memtable costs less
// than the reads that would step over them.
bool CoversMany(const MemSlot& slot, const RangeTombstone& range) {
  constexpr int kMany = 4096;
  if (!slot.takes_writes()) return false;
  const std::unique_ptr<InternalIterator> entry = slot.table.NewIterator();
  if (range.begin.has_key()) {
    entry->Seek(range.begin.key, ~Trailer{0});
  } else {
    entry->SeekToFirst();
  }
  int count = 0;
  for (; entry->Valid() && count < kMany; entry->Next()) {
    if (IsAfterCut(slot.order, entry->key(), range.end)) break;
    ++count;
  }
  return count == kMany;
}

}  // namespace

WritePath::WritePath(WriteWorld world, std::unique_ptr<wal::LogSet> log,
                     SequenceNumber last_sequence)
    : log_(std::move(log)),
      world_(Complete(world, log_.get(), &pipeline_, &admission_)),
      admission_(world_),
      memtables_(world_),
      target_(world_, &memtables_),
      pipeline_(&target_, last_sequence),
      resumption_(world_, &memtables_, &target_) {}

absl::Status WritePath::Write(CommitRequest* request, const WriteOptions& options) {
  assert(request->read_at == kMaxSequenceNumber);
  std::optional<SequenceNumber> newer;
  return WriteIfUnchanged(request, options, &newer);
}

absl::Status WritePath::WriteIfUnchanged(CommitRequest* request, const WriteOptions& options,
                                         std::optional<SequenceNumber>* newer) {
  RETURN_IF_ERROR(CheckAccepts(options));
  RETURN_IF_ERROR(admission_.Admit(request->payload_size));
  request->logging = options.disable_wal ? Logging::kUnlogged : Logging::kLogged;
  request->durability = options.sync ? wal::Durability::kMachine : wal::Durability::kProcess;
  uint32_t slot = 0;
  std::unique_ptr<uint32_t[]> slots;
  if (request->single != nullptr) {
    const Tree& tree = *request->shares.front().tree;
    request->key_hash = tree.order().Hash(request->single->key());
    slot = RecentWrites::SlotOf(tree.id(), request->key_hash);
    // A range delete counts as a write of every key.
    if (request->single->tag() != BatchOpTag::kRangeDelete) request->slots = {&slot, 1};
  } else if (pipeline_.has_watchers()) {
    slots = SlotsOfBatch(*request);
    if (slots != nullptr) request->slots = {slots.get(), request->count};
  }
  absl::Status status = pipeline_.CommitIfUnchanged(*request, newer);
  request->slots = {};  // they end here
  if (!status.ok() || newer->has_value()) return status;
  world_.stats->Add(Counter::kKeysWritten, request->count);
  world_.stats->Add(Counter::kBytesWritten, request->payload_size);
  return absl::OkStatus();
}

absl::Status WritePath::PrepareRangeDelete(Tree* tree, const RangeTombstone& range,
                                           const WriteOptions& options) {
  RETURN_IF_ERROR(CheckAccepts(options));
  RETURN_IF_ERROR(tree->Check());
  const std::shared_ptr<const ReadView> view = tree->Pin();
  if (!CoversMany(*view->active, range)) return absl::OkStatus();
  return memtables_.FreezeActive(tree->shared_from_this());
}

absl::Status WritePath::CheckAccepts(const WriteOptions& options) {
  if (options.sync && options.disable_wal) {
    return absl::InvalidArgumentError("a write can be synced or unlogged, not both");
  }
  if (!world_.errors->writable() &&
      world_.errors->ShouldProbe(world_.storage->clock->NowMicros())) {
    RETURN_IF_ERROR(Resume());
  }
  return world_.errors->WriteStatus();
}

absl::Status WritePath::Flush(std::span<const TreeRef> trees) {
  RETURN_IF_ERROR(world_.errors->WriteStatus());
  return memtables_.Flush(trees);
}

uint64_t WritePath::LogEnd() {
  uint64_t segment = 0;
  pipeline_.RunUnderCommitLock([&](SequenceNumber) { segment = log_->ReservedEnd().segment; });
  return segment;
}

absl::StatusOr<uint64_t> WritePath::AwaitWrites() {
  uint64_t segment = 0;
  SequenceNumber last = 0;
  pipeline_.RunUnderCommitLock([&](SequenceNumber last_allocated) {
    segment = log_->ReservedEnd().segment;
    last = last_allocated;
  });
  RETURN_IF_ERROR(pipeline_.WaitUntilPublished(last));
  return segment;
}

}  // namespace cambium::engine
