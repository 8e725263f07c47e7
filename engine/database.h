// Database: the parts of one open database, in the order of their construction.
#ifndef CAMBIUM_ENGINE_DATABASE_H_
#define CAMBIUM_ENGINE_DATABASE_H_

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "cambium/db.h"
#include "engine/context.h"
#include "engine/family_catalog.h"
#include "engine/jobs/scheduler.h"
#include "engine/recovery.h"
#include "engine/state/open_state.h"
#include "engine/transaction/lock_table.h"
#include "engine/tree/trees.h"
#include "engine/tree/version_store.h"
#include "engine/write/write_path.h"
#include "util/mutex.h"

namespace cambium::engine {

// The view and the sequence number that one read uses. Plain data.
struct ReadMoment {
  const std::shared_ptr<const ReadView>& shared() const { return pinned ? pinned : *view; }

  const std::shared_ptr<const ReadView>* view = nullptr;
  std::shared_ptr<const ReadView> pinned;  // set instead of `view` if the family was dropped
  SequenceNumber sequence = 0;
};

// Thread-safe. Parts are destroyed in reverse order.
class Database {
 public:
  // Opens or creates the database. The database keeps the directory that `path` refers to now, even
  // if the working directory, the path, or the directory entry changes later.
  static absl::StatusOr<std::unique_ptr<Database>> Open(Options options, const std::string& path);

  Database(const Options& options, const std::string& path);
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  // Releases files, threads, and the lock; the destructor frees memory. All callers receive the
  // same status, after closing has ended.
  absl::Status Close() ABSL_LOCKS_EXCLUDED(close_mu_);
  // Returns ok if the database accepts writes.
  absl::Status CheckWritable() const;
  // Returns the time of a write that will expire. The first call starts the jobs' looking at it.
  uint64_t TimeOfWrite();
  // Returns when a value expires that is put now with that TTL, or, without one, with the family's:
  // 0 if never. Returns InvalidArgument if the TTL is negative.
  absl::StatusOr<uint64_t> ExpiryFor(const Tree& tree,
                                     const std::optional<std::chrono::milliseconds>& ttl);
  // Returns the view and the sequence number for a read of `tree` that starts now. The caller must
  // hold an EpochGuard as long as it uses the view, or copy the view. Returns InvalidArgument if
  // the snapshot belongs to another database, and FailedPrecondition if the family cannot be used,
  // or was dropped and the snapshot is not older.
  absl::StatusOr<ReadMoment> BeginRead(const Tree& tree, const ReadOptions& read_options) const;

  const uint64_t serial;  // of this open database in this process; above 0
  Context context;
  OpenState open_state;
  std::unique_ptr<FileLock> lock;
  Trees trees;
  VersionStore versions;
  JobScheduler jobs;
  std::unique_ptr<WritePath> writes;
  FamilyCatalog families;
  LockTable locks;               // of pessimistic transactions
  Tree* default_tree = nullptr;  // used by calls of the public API without a column family

 private:
  // The same for a view that refuses reads, except by snapshots from before a drop.
  absl::StatusOr<ReadMoment> BeginRefusedRead(const ReadView& view,
                                              const ReadOptions& read_options) const;
  absl::StatusOr<Recovered> RecoverOrCreate();
  absl::Status Start(Recovered recovered);
  JobWorld MakeJobWorld();

  absl::Status CloseParts();

  const bool own_threads_;            // true if the executor is a pool made for this database
  Mutex close_mu_{LockRank::kClose};  // held while the database closes
  bool closed_ ABSL_GUARDED_BY(close_mu_) = false;
  absl::Status close_status_ ABSL_GUARDED_BY(close_mu_);
};

}  // namespace cambium::engine

#endif  // CAMBIUM_ENGINE_DATABASE_H_
