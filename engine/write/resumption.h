// Resumption: bringing a database back after an error of the write side, and ending its writes.
// Both need everything on the write side to hold still.
//
//            Resume()                                 Close()
//   writing ──────────▶ stopping ─▶ repairing         writing ─▶ stopping ─▶ flushing ─▶ ended
//      ▲                    │            │                                  what is in no log
//      │                    │            ├─ failed ─▶ stopped, until the next Resume()
//      └─────── cleared ◀───┴────────────┘
//
//   stopping   the pipeline refuses commits; those under way, and a flush, have ended
//   repairing  a fresh manifest, a fresh log segment; if failed commits left entries in memtables,
//   or
//              the log gave up records, all memtables are flushed without the former
//   cleared    a new epoch of errors begins, then the pipeline lets commits in
#ifndef CAMBIUM_ENGINE_WRITE_RESUMPTION_H_
#define CAMBIUM_ENGINE_WRITE_RESUMPTION_H_

#include <vector>

#include "absl/status/status.h"
#include "engine/write/log_and_memtables.h"
#include "engine/write/memtable_switch.h"
#include "engine/write/write_world.h"
#include "util/mutex.h"

namespace cambium::engine {

// The log up to a position below which every record is written, for reading it while others write;
// the segments stay while the pin lives. Plain data.
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

  // Tries to let writes in again after an error. FailedPrecondition after Close().
  absl::Status Resume() ABSL_LOCKS_EXCLUDED(resume_mu_);
  // Refuses writes from now on, and ends the log: ok if everything written is synced. Unlogged
  // writes are flushed first. To be called once.
  absl::Status Close() ABSL_LOCKS_EXCLUDED(resume_mu_);

  FilledLog PinLog() ABSL_LOCKS_EXCLUDED(resume_mu_);

 private:
  // Refuses commits with `cause`, and returns when no commit and no flush is under way.
  void StopWriting(const absl::Status& cause) ABSL_EXCLUSIVE_LOCKS_REQUIRED(resume_mu_);
  // Makes manifest and log fit for writing after an error. Requires StopWriting().
  absl::Status Repair() ABSL_EXCLUSIVE_LOCKS_REQUIRED(resume_mu_);
  // Flushes all memtables, without what failed commits left in them. Requires StopWriting().
  absl::Status FlushStopped() ABSL_EXCLUSIVE_LOCKS_REQUIRED(resume_mu_);
  absl::Status FlushFrozen(SequenceNumber newest) ABSL_EXCLUSIVE_LOCKS_REQUIRED(resume_mu_);
  SequenceNumber LastAllocated() const;

  const WriteWorld world_;
  MemTableSwitch* const memtables_;
  const LogAndMemTables* const target_;
  Mutex resume_mu_{LockRank::kResume};  // held across I/O
  bool closed_ ABSL_GUARDED_BY(resume_mu_) = false;
};

}  // namespace cambium::engine

#endif  // CAMBIUM_ENGINE_WRITE_RESUMPTION_H_
