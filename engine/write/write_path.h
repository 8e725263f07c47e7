// WritePath: the engine's side of the commit pipeline: admission, log, memtables, and coming back
// from errors.
//
//   Write ─▶ admit ─▶ CommitPipeline ─▶ Reserve   active memtable, log segment; commit lock
//                                    ─▶ MakeRoom  next memtable, next segment; no lock
//                                    ─▶ WriteLog, Apply                       in parallel
//
// A memtable that is full is replaced by whichever writer finds it so. Where too many wait for
// their flush, that writer waits.
//
// Lock order: switch_mu_ before the commit lock before tree_mu.
#ifndef CAMBIUM_ENGINE_WRITE_WRITE_PATH_H_
#define CAMBIUM_ENGINE_WRITE_WRITE_PATH_H_

#include <atomic>
#include <memory>

#include "absl/status/status.h"
#include "cambium/options.h"
#include "engine/context.h"
#include "engine/jobs/scheduler.h"
#include "engine/tree/tree.h"
#include "engine/tree/version_store.h"
#include "engine/write/commit_pipeline.h"
#include "engine/write/write_controller.h"
#include "util/mutex.h"
#include "wal/log_set.h"

namespace cambium::engine {

// Thread-safe.
class WritePath final : private CommitTarget {
 public:
  // The tree has been started; `log` is null in a read-only database. `last_sequence` is the last
  // number in use.
  WritePath(Context* context, Tree* tree, VersionStore* versions, std::unique_ptr<wal::LogSet> log,
            SequenceNumber last_sequence);
  ~WritePath() override;

  // Commits the batch of `request`, whose logging and durability are set from `options`.
  absl::Status Write(CommitRequest request, const WriteOptions& options);

  // What readers read at.
  SequenceNumber visible() const { return pipeline_.visible(); }

  // Every write so far is in tables on return.
  absl::Status Flush();
  // Tries to let writes in again after an error. FailedPrecondition after Close().
  absl::Status Resume();
  // Refuses writes from now on, and ends the log: ok where everything written is synced. Unlogged
  // writes are flushed first. To be called once.
  absl::Status Close();

  // The log up to a position below which every record is written, for reading it while others
  // write; the segments stay while the pin lives. Plain data.
  struct FilledLog {
    wal::LogSet::Pin pin;
    std::vector<uint64_t> segments;
    wal::LogPosition end;
  };
  FilledLog PinLog() ABSL_LOCKS_EXCLUDED(switch_mu_);

  JobScheduler* jobs() { return &jobs_; }

 private:
  bool Reserve(const CommitRequest& request, CommitSlot* slot) override;
  absl::Status MakeRoom(const CommitRequest& request) override;
  absl::Status WriteLog(const CommitRequest& request, const CommitSlot& slot) override;
  absl::Status Apply(const CommitRequest& request, const CommitSlot& slot) override;
  absl::Status SyncTo(wal::LogPosition position) override;

  absl::Status Admit(size_t bytes);
  // Waits, in short steps, until the write controller lets the write through; ends early with the
  // reason if writes no longer work.
  absl::Status AwaitTurn(WriteController::Ticket ticket);
  // Freezes the active memtable, unless another thread has done so since it was `expected`.
  absl::Status SwitchMemTable(const MemSlot* expected) ABSL_LOCKS_EXCLUDED(switch_mu_);
  void Switch() ABSL_EXCLUSIVE_LOCKS_REQUIRED(switch_mu_);
  // Tells the write controller how things stand. Whoever changes what it looks at calls it
  // afterwards; one call at a time, so that the last one to publish has seen every change.
  void UpdateLoad() ABSL_LOCKS_EXCLUDED(load_mu_);
  // Refuses commits with `cause`, and returns when no commit and no flush is under way.
  void StopWriting(const absl::Status& cause) ABSL_EXCLUSIVE_LOCKS_REQUIRED(switch_mu_);
  // Makes manifest and log fit for writing after an error. Requires StopWriting().
  absl::Status Repair() ABSL_EXCLUSIVE_LOCKS_REQUIRED(switch_mu_);
  // Flushes all memtables, without what failed commits left in them. Requires StopWriting().
  absl::Status FlushStopped() ABSL_EXCLUSIVE_LOCKS_REQUIRED(switch_mu_);

  Context* const context_;
  Tree* const tree_;
  VersionStore* const versions_;
  const std::unique_ptr<wal::LogSet> log_;
  CommitPipeline pipeline_;
  WriteController controller_;
  JobScheduler jobs_;
  // Read under the commit lock or switch_mu_, written under both.
  MemSlot* active_;
  std::atomic<bool> unlogged_writes_{false};
  Mutex switch_mu_;  // one memtable switch, or one recovery, at a time
  bool closed_ ABSL_GUARDED_BY(switch_mu_) = false;
  Mutex load_mu_;  // below the scheduler's lock; leaves are taken under it
};

}  // namespace cambium::engine

#endif  // CAMBIUM_ENGINE_WRITE_WRITE_PATH_H_
