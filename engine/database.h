// Database: the parts of one open database, in the order of their making.
#ifndef CAMBIUM_ENGINE_DATABASE_H_
#define CAMBIUM_ENGINE_DATABASE_H_

#include <memory>
#include <optional>
#include <string>

#include "cambium/db.h"
#include "engine/context.h"
#include "engine/jobs/scheduler.h"
#include "engine/recovery.h"
#include "engine/state/open_state.h"
#include "engine/tree/trees.h"
#include "engine/tree/version_store.h"
#include "engine/write/write_path.h"
#include "util/mutex.h"

namespace cambium::engine {

// What one read looks at. Plain data.
struct ReadMoment {
  const std::shared_ptr<const ReadView>* view = nullptr;
  SequenceNumber sequence = 0;
};

// Thread-safe. Parts are destroyed in reverse.
class Database {
 public:
  // Finds or makes the database. It keeps to the directory that `path` leads to now: whatever
  // becomes of the working directory, of the path and of what stands there.
  static absl::StatusOr<std::unique_ptr<Database>> Open(Options options, const std::string& path);

  Database(const Options& options, const std::string& path);
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  // Releases files, threads and the lock; memory goes with the object. All callers get the one
  // outcome, after closing has ended.
  absl::Status Close() ABSL_LOCKS_EXCLUDED(close_mu_);
  // Returns ok if the database takes writes.
  absl::Status CheckWritable() const;
  // Returns what a read of `tree` that starts now looks at. The caller holds an EpochGuard for as
  // long as it uses the view, or copies it. InvalidArgument if the snapshot is of another database.
  absl::StatusOr<ReadMoment> BeginRead(const Tree& tree, const ReadOptions& read_options) const;

  Context context;
  OpenState open_state;
  std::unique_ptr<FileLock> lock;
  Trees trees;
  VersionStore versions;
  JobScheduler jobs;
  std::unique_ptr<WritePath> writes;
  Tree* default_tree = nullptr;  // what the public API's calls without a column family go to

 private:
  absl::StatusOr<Recovered> RecoverOrCreate();
  absl::Status Start(Recovered recovered);
  JobWorld MakeJobWorld();

  absl::Status CloseParts();

  const bool own_threads_;            // the executor is a pool that was made for this database
  Mutex close_mu_{LockRank::kClose};  // held while the database closes
  bool closed_ ABSL_GUARDED_BY(close_mu_) = false;
  absl::Status close_status_ ABSL_GUARDED_BY(close_mu_);
};

}  // namespace cambium::engine

#endif  // CAMBIUM_ENGINE_DATABASE_H_
