#include "engine/write/log_and_memtables.h"

#include <algorithm>
#include <cassert>

#include "util/file_status.h"
#include "util/out_of_memory.h"
#include "util/status_macros.h"

namespace cambium::engine {
namespace {

// A failed record or sync stops the log, for any reason. A lack of descriptors, which elsewhere
// means that nothing was done and nothing changes, is no exception.
absl::Status LogError(absl::Status status) {
  if (!IsOutOfDescriptors(status)) return status;
  return NoThrowStatus(absl::StatusCode::kUnavailable, status.message());
}

absl::Status InsertBatch(const CommitRequest& request, SequenceNumber sequence) {
  BatchReader reader(request.pieces.front());
  BatchOp op;
  const TreeShare* share = request.shares.data();  // of the operation before
  for (; reader.Next(&op); ++sequence) {
    if (share->tree->id() != op.column_family) {
      share = FindShare(request.shares, op.column_family);
      if (share == nullptr) {
        return absl::InternalError(
            "write: the batch writes to a column family that was not announced");
      }
    }
    share->memtable->Insert(op, sequence);
  }
  return reader.status();
}

}  // namespace

const TreeShare* FindShare(std::span<const TreeShare> shares, ColumnFamilyId family) {
  const auto share =
      std::lower_bound(shares.begin(), shares.end(), family,
                       [](const TreeShare& one, ColumnFamilyId id) { return one.tree->id() < id; });
  return share == shares.end() || share->tree->id() != family ? nullptr : &*share;
}

bool LogAndMemTables::Reserve(const CommitRequest& request, CommitSlot* slot) {
  assert(request.count > 0 && !request.shares.empty());
  if (!memtables_->HasRoom(request.shares)) return false;
  const bool logged = request.logging == Logging::kLogged;
  if (logged && !world_.log->TryReserve(request.payload_size, &slot->log)) return false;
  memtables_->Reserve(request.shares,
                      logged ? slot->log.segment_number : world_.log->ReservedEnd().segment);
  return true;
}

absl::Status LogAndMemTables::MakeRoom(const CommitRequest& request) {
  const WriteEpoch epoch = world_.errors->epoch();
  RETURN_IF_ERROR(world_.errors->WriteStatus());
  for (const TreeShare& share : request.shares) RETURN_IF_ERROR(share.tree->Check());
  bool made = false;
  RETURN_IF_ERROR(memtables_->MakeRoom(request.shares, &made));
  if (made || request.logging == Logging::kUnlogged) return absl::OkStatus();
  absl::Status status = world_.log->MakeRoom(request.payload_size);
  if (status.ok() || absl::IsInvalidArgument(status)) return status;
  // While a recovery or Close() keeps the pipeline stopped, it owns the log and its errors.
  RETURN_IF_ERROR(world_.pipeline->status());
  world_.errors->NoteWriteError(status, epoch);
  return status;
}

absl::Status LogAndMemTables::WriteLog(const CommitRequest& request, const CommitSlot& slot) {
  const WriteEpoch epoch = world_.errors->epoch();
  absl::Status status =
      LogError(world_.log->Fill(slot.log, slot.first, request.pieces, request.durability));
  if (!status.ok()) world_.errors->NoteWriteError(status, epoch);
  world_.stats->Add(Counter::kLogBytes, wal::RecordSize(request.payload_size));
  return status;
}

absl::Status LogAndMemTables::Apply(const CommitRequest& request, const CommitSlot& slot) {
  const WriteEpoch epoch = world_.errors->epoch();
  if (request.logging == Logging::kUnlogged) {
    has_unlogged_writes_.store(true, std::memory_order_relaxed);
  }
  const absl::Status status = CatchBadAlloc([&] {
    if (request.single == nullptr) return InsertBatch(request, slot.first);
    assert(request.shares.size() == 1);
    const TreeShare& share = request.shares.front();
    const SingleOp& op = *request.single;
    share.memtable->Insert({op.tag(), share.tree->id(), op.key(), op.value(), op.value_head()},
                           slot.first, request.key_hash);
    return absl::OkStatus();
  });
  if (!status.ok()) world_.errors->NoteWriteError(status, epoch);
  return status;
}

absl::Status LogAndMemTables::SyncTo(wal::LogPosition position) {
  const uint64_t start = world_.storage->clock->NowMicros();
  const WriteEpoch epoch = world_.errors->epoch();
  absl::Status status = LogError(world_.log->SyncTo(position));
  world_.stats->AddSync(world_.storage->clock->NowMicros() - start);
  // The log accepts no more records then. This commit is published, so a recovery may have happened
  // in the meantime: the epoch shows this.
  if (!status.ok()) world_.errors->NoteWriteError(status, epoch);
  return status;
}

}  // namespace cambium::engine
