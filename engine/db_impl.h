// DB::Impl: the parts of one open database, in the order of their making.
#ifndef CAMBIUM_ENGINE_DB_IMPL_H_
#define CAMBIUM_ENGINE_DB_IMPL_H_

#include <atomic>
#include <memory>
#include <string>

#include "cambium/db.h"
#include "engine/context.h"
#include "engine/recovery.h"
#include "engine/tree/tree.h"
#include "engine/tree/version_store.h"
#include "engine/write/write_path.h"

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

  Impl(const Options& options, const std::string& path) : context(options, path) {}
  ~Impl();

  absl::Status Close();
  // ok where the database takes writes.
  absl::Status CheckWritable() const;
  // Returns what a read that starts now looks at. The caller holds an EpochGuard for as long as it
  // uses the view, or copies it. InvalidArgument if the snapshot is of another database.
  absl::StatusOr<ReadMoment> BeginRead(const ReadOptions& read_options) const;

  engine::Context context;
  std::unique_ptr<FileLock> lock;
  engine::Tree tree{&context.tables, &context.reaper, &context.epochs};
  engine::VersionStore versions{&context, &tree};
  std::unique_ptr<engine::WritePath> writes;

 private:
  absl::Status Recover();
  absl::Status Start(engine::Recovered recovered);

  std::atomic<bool> closed_{false};
  absl::Status close_status_;
};

}  // namespace cambium

#endif  // CAMBIUM_ENGINE_DB_IMPL_H_
