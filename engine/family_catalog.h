// FamilyCatalog: creates, drops, and renames column families.
//
//   create   make the tree ─▶ sync the manifest ─▶ other threads find the tree
//   drop     sync the manifest ─▶ no thread finds the tree ─▶ its view becomes an empty one, which
//            refuses reads and writes ─▶ the last view is released after the last older snapshot
//
// Each is one record of the manifest, for any number of families. The log may still contain writes
// to a dropped family; recovery ignores them, because ids are never used again.
#ifndef CAMBIUM_ENGINE_FAMILY_CATALOG_H_
#define CAMBIUM_ENGINE_FAMILY_CATALOG_H_

#include <memory>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cambium/column_family.h"
#include "engine/context.h"
#include "engine/jobs/scheduler.h"
#include "engine/state/open_state.h"
#include "engine/tree/trees.h"
#include "engine/tree/version_store.h"
#include "engine/write/write_path.h"
#include "util/mutex.h"

namespace cambium::engine {

// The parts of the engine that the catalog uses. Plain data; all of it outlives the catalog.
struct CatalogWorld {
  Context* context = nullptr;
  const OpenState* open_state = nullptr;
  Trees* trees = nullptr;
  VersionStore* versions = nullptr;
  JobScheduler* jobs = nullptr;
  const std::unique_ptr<WritePath>* writes = nullptr;  // made after the catalog
};

// Thread-safe. The database must accept writes.
class FamilyCatalog {
 public:
  static constexpr size_t kMaxNameSize = 1024;  // in bytes

  explicit FamilyCatalog(const CatalogWorld& world) : world_(world) {}
  FamilyCatalog(const FamilyCatalog&) = delete;
  FamilyCatalog& operator=(const FamilyCatalog&) = delete;

  // Returns AlreadyExists, or InvalidArgument for a name that is empty or too long.
  absl::StatusOr<TreeRef> Create(std::string_view name, const ColumnFamilyOptions& options)
      ABSL_LOCKS_EXCLUDED(mu_);
  // Return NotFound; InvalidArgument for the default family.
  absl::Status Drop(std::string_view name) ABSL_LOCKS_EXCLUDED(mu_);
  absl::Status Rename(std::string_view from, std::string_view to) ABSL_LOCKS_EXCLUDED(mu_);
  // Returns when no change is in progress. None begins after OpenState::Close().
  void AwaitChange() ABSL_LOCKS_EXCLUDED(mu_) { const MutexLock lock(&mu_); }

 private:
  // Returns ok if a change may begin.
  absl::Status Check() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const CatalogWorld world_;
  Mutex mu_{LockRank::kFamilies};  // one change at a time; held during I/O
  // Last views of dropped trees that failed commits may still use. Released with the database.
  std::vector<std::shared_ptr<const ReadView>> abandoned_ ABSL_GUARDED_BY(mu_);
};

}  // namespace cambium::engine

#endif  // CAMBIUM_ENGINE_FAMILY_CATALOG_H_
