// Resumption: makes a database writable again after a write error, and ends its writes. Both
// require that the write path is idle.
//
//            Resume()                                 Close()
//   writing ──────────▶ stopping ─▶ repairing         writing ─▶ stopping ─▶ flushing ─▶ ended
//      ▲                    │            │                                  unlogged writes
//      │                    │            ├─ failed ─▶ stopped, until the next Resume()
//      └─────── cleared ◀───┴────────────┘
//
//   stopping   the pipeline rejects commits; running commits and a running flush have ended
//   repairing  a new manifest and a new log segment; if failed commits left entries in memtables
//              or the log lost records, all memtables are flushed without those entries
//   cleared    a new epoch of errors begins, then the pipeline accepts commits
#ifndef CAMBIUM_ENGINE_WRITE_RESUMPTION_H_
#define CAMBIUM_ENGINE_WRITE_RESUMPTION_H_

#include <vector>

#include "absl/status/status.h"
#include "engine/write/log_and_memtables.h"
#include "engine/write/memtable_switch.h"
#include "engine/write/write_world.h"
#include "util/mutex.h"

namespace cambium::engine {

// The log up to a position below which every record is written, for reading it while others write.
// The pin keeps the segments. Plain data.
struct FilledLog {
  wal::LogSet::Pin pin;
  std::vector<uint64_t> segments;
  wal::LogPosition end;
};

// Thread-safe.
class Resumption {
 public:
  Resumption(const WriteWorld& world, MemTableSwitch* memtables, const LogAndMemTables* target)
      : world_(world), memtables_(memtables), target_(target) {}
  Resumption(const Resumption&) = delete;
  Resumption& operator=(const Resumption&) = delete;

  // Tries to allow writes again after an error. Returns FailedPrecondition after Close().
  absl::Status Resume() ABSL_LOCKS_EXCLUDED(resume_mu_);
  // Rejects writes from now on, and ends the log. Returns ok if everything written is synced.
  // Flushes unlogged writes first. Call it once.
  absl::Status Close() ABSL_LOCKS_EXCLUDED(resume_mu_);

  FilledLog PinLog() ABSL_LOCKS_EXCLUDED(resume_mu_);

 private:
  // Rejects commits with `cause`, and returns when no commit and no flush is running.
  void StopWriting(const absl::Status& cause) ABSL_EXCLUSIVE_LOCKS_REQUIRED(resume_mu_);
  // Makes the manifest and the log writable after an error. Requires StopWriting().
  absl::Status Repair() ABSL_EXCLUSIVE_LOCKS_REQUIRED(resume_mu_);
  // Flushes all memtables without the entries of failed commits. Requires StopWriting().
  absl::Status FlushStopped() ABSL_EXCLUSIVE_LOCKS_REQUIRED(resume_mu_);
  absl::Status FlushFrozen(SequenceNumber newest) ABSL_EXCLUSIVE_LOCKS_REQUIRED(resume_mu_);
  SequenceNumber LastAllocated() const;

  const WriteWorld world_;
  MemTableSwitch* const memtables_;
  const LogAndMemTables* const target_;
  Mutex resume_mu_{LockRank::kResume};  // held during I/O
  bool closed_ ABSL_GUARDED_BY(resume_mu_) = false;
};

}  // namespace cambium::engine

#endif  // CAMBIUM_ENGINE_WRITE_RESUMPTION_H_
