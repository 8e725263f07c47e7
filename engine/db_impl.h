// DB::Impl: the parts of one open database, in the order of their making.
#ifndef CAMBIUM_ENGINE_DB_IMPL_H_
#define CAMBIUM_ENGINE_DB_IMPL_H_

#include <memory>
#include <string>

#include "cambium/db.h"
#include "engine/context.h"
#include "engine/recovery.h"
#include "engine/state/open_state.h"
#include "engine/tree/tree.h"
#include "engine/tree/version_store.h"
#include "engine/write/write_path.h"
#include "util/mutex.h"

namespace cambium {

// What one read looks at. Plain data.
struct ReadMoment {
  const std::shared_ptr<const engine::ReadView>* view = nullptr;
  SequenceNumber sequence = 0;
};

// Thread-safe. Parts are destroyed in reverse: the write path, which stops the jobs, first.
class DB::Impl {
 public:
  // Finds or makes the database. It keeps to the directory that `path` leads to now: whatever
  // becomes of the working directory, of the path and of what stands there.
  static absl::StatusOr<std::unique_ptr<Impl>> Open(Options options, const std::string& path);

  Impl(const Options& options, const std::string& path)
      : context(options, path), open_state(path), own_threads_(options.executor == nullptr) {}
  ~Impl();

  // Releases files, threads and the lock; memory goes with the object. All callers get the one
  // outcome, after closing has ended.
  absl::Status Close() ABSL_LOCKS_EXCLUDED(close_mu_);
  // Returns ok if the database takes writes.
  absl::Status CheckWritable() const;
  // Returns ok if it takes operands.
  absl::Status CheckMergeable() const;
  // Returns what a read that starts now looks at. The caller holds an EpochGuard for as long as it
  // uses the view, or copies it. InvalidArgument if the snapshot is of another database.
  absl::StatusOr<ReadMoment> BeginRead(const ReadOptions& read_options) const;

  engine::Context context;
  engine::OpenState open_state;
  std::unique_ptr<FileLock> lock;
  engine::Tree tree{&context.tables, &context.reaper, &context.epochs};
  engine::VersionStore versions{&context, &tree};
  std::unique_ptr<engine::WritePath> writes;

 private:
  absl::Status Recover();
  absl::Status Start(engine::Recovered recovered);

  absl::Status CloseParts();

  const bool own_threads_;  // the executor is a pool that was made for this database
  Mutex close_mu_;          // held while the database closes
  bool closed_ ABSL_GUARDED_BY(close_mu_) = false;
  absl::Status close_status_ ABSL_GUARDED_BY(close_mu_);
};

}  // namespace cambium

#endif  // CAMBIUM_ENGINE_DB_IMPL_H_
