// WritePath: the path of a write into the database, and the parts on it.
//
//   Write ─▶ Admission ─▶ CommitPipeline ─▶ LogAndMemTables ─▶ log
//            how fast      order, publish     MemTableSwitch ─▶ memtables of the trees
//
//   Resumption restarts all parts after an error, and ends them.
#ifndef CAMBIUM_ENGINE_WRITE_WRITE_PATH_H_
#define CAMBIUM_ENGINE_WRITE_WRITE_PATH_H_

#include <memory>
#include <optional>
#include <span>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cambium/options.h"
#include "engine/write/admission.h"
#include "engine/write/commit_pipeline.h"
#include "engine/write/log_and_memtables.h"
#include "engine/write/memtable_switch.h"
#include "engine/write/resumption.h"
#include "engine/write/write_world.h"

namespace cambium::engine {

// Thread-safe.
class WritePath {
 public:
  // The trees must have been started, the jobs not yet. `log` is null in a read-only database.
  // `last_sequence` is the last number in use. The log, pipeline, and admission of `world` are not
  // set yet.
  WritePath(WriteWorld world, std::unique_ptr<wal::LogSet> log, SequenceNumber last_sequence);
  WritePath(const WritePath&) = delete;
  WritePath& operator=(const WritePath&) = delete;

  // Commits the batch of `request`; sets in it what `options` determine, and the hashes.
  absl::Status Write(CommitRequest* request, const WriteOptions& options);

  // Call it before a range delete is written: if it covers many entries of the tree's memtable, a
  // new memtable accepts the range delete. Then iterators seek over the covered entries, as they do
  // in all older memtables and files, instead of stepping over them.
  absl::Status PrepareRangeDelete(Tree* tree, const RangeTombstone& range,
                                  const WriteOptions& options);

  // A conditional write: watch, read as of a number >= watch.since(), then WriteIfUnchanged; see
  // RecentWrites.
  using Watch = CommitPipeline::Watch;
  Watch BeginWatch() { return Watch(&pipeline_); }
  // See CommitPipeline::Exclusive.
  using Exclusive = CommitPipeline::Exclusive;
  void BeginExclusive(std::optional<Exclusive>* exclusive) { exclusive->emplace(&pipeline_); }
  absl::Status WaitUntilPublished(SequenceNumber sequence) {
    return pipeline_.WaitUntilPublished(sequence);
  }
  // Does the same as Write() if no commit after request->read_at may have written one of its keys.
  // Otherwise does nothing, returns ok, and sets *newer: read again as of that number or a newer
  // one.
  absl::Status WriteIfUnchanged(CommitRequest* request, const WriteOptions& options,
                                std::optional<SequenceNumber>* newer);
  // Returns ok if the database accepts writes with `options` now. Tries to recover from a full disk
  // from time to time.
  absl::Status CheckAccepts(const WriteOptions& options);
  // Returns true if everything visible is as durable as `options` demand of a write.
  bool EverythingIsAsDurableAs(const WriteOptions& options) const {
    return options.disable_wal || (!options.sync && !target_.has_unlogged_writes());
  }

  // Returns the sequence number that readers use.
  SequenceNumber visible() const { return pipeline_.visible(); }

  // Returns when every earlier write to these trees is in tables.
  absl::Status Flush(std::span<const TreeRef> trees);
  // See MemTableSwitch::Drop.
  std::shared_ptr<const ReadView> Drop(Tree* tree, Tree::Ending ending) {
    return memtables_.Drop(tree, std::move(ending));
  }
  // Returns when no log segment is being created in the background.
  void FinishPreparation() { log_->FinishPreparation(); }
  // See Resumption.
  absl::Status Resume() { return resumption_.Resume(); }
  absl::Status Close() { return resumption_.Close(); }
  FilledLog PinLog() { return resumption_.PinLog(); }

  // Used by the jobs; see JobWorld.
  uint64_t LogEnd();
  absl::StatusOr<uint64_t> AwaitWrites();
  absl::Status RetireLog(uint64_t segment) { return log_->RetireBefore({segment, 0}); }
  void UpdateLoad() { admission_.UpdateLoad(); }

  // Returns the size of the log's files in bytes.
  uint64_t LogBytes() const { return log_->LiveBytes(); }

 private:
  const std::unique_ptr<wal::LogSet> log_;
  const WriteWorld world_;
  Admission admission_;
  MemTableSwitch memtables_;
  LogAndMemTables target_;
  CommitPipeline pipeline_;
  Resumption resumption_;
};

}  // namespace cambium::engine

#endif  // CAMBIUM_ENGINE_WRITE_WRITE_PATH_H_
