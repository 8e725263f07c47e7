#include "engine/write/write_path.h"

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

absl::Status WritePath::Write(CommitRequest request, const WriteOptions& options) {
  if (options.sync && options.disable_wal) {
    return absl::InvalidArgumentError("a write can be synced or unlogged, not both");
  }
  request.logging = options.disable_wal ? Logging::kUnlogged : Logging::kLogged;
  request.durability = options.sync ? wal::Durability::kMachine : wal::Durability::kProcess;
  if (!world_.errors->writable() &&
      world_.errors->ShouldProbe(world_.storage->clock->NowMicros())) {
    RETURN_IF_ERROR(Resume());
  }
  RETURN_IF_ERROR(world_.errors->WriteStatus());
  RETURN_IF_ERROR(admission_.Admit(request.payload_size));
  RETURN_IF_ERROR(pipeline_.Commit(request));
  world_.stats->Add(Counter::kKeysWritten, request.count);
  world_.stats->Add(Counter::kBytesWritten, request.payload_size);
  return absl::OkStatus();
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
