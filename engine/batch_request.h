// BatchRequest: the commit of a WriteBatch, at the time at which it is prepared: TTLs count from
// it.
#ifndef CAMBIUM_ENGINE_BATCH_REQUEST_H_
#define CAMBIUM_ENGINE_BATCH_REQUEST_H_

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "cambium/write_batch.h"
#include "engine/database.h"
#include "engine/write/commit_pipeline.h"

namespace cambium::engine {

// Returns FailedPrecondition if the tree has no merge operator, or cannot be used.
absl::Status CheckMergeable(const Tree& tree);

// Confined to its thread.
class BatchRequest {
 public:
  BatchRequest() = default;
  BatchRequest(const BatchRequest&) = delete;
  BatchRequest& operator=(const BatchRequest&) = delete;

  // Prepares the commit of `batch`, which is not empty and outlives the request. Returns the error
  // of a batch that cannot be written: one that is too large, or of another database.
  absl::Status Prepare(Database* database, const WriteBatch& batch);
  // Refers to this object and to the batch.
  CommitRequest* request() { return &request_; }

 private:
  // Sets encoded_ to the batch with an expiry for each put that has a TTL.
  absl::Status ResolveTtls(Database* database, const WriteBatch& batch,
                           std::span<TreeShare> shares);
  // Returns the tree of a part of the batch, which trees_ keeps alive.
  absl::StatusOr<Tree*> TreeOfPart(Database* database, const WriteBatch::Part& part);

  std::string resolved_;      // empty if the batch is written as it is
  std::string_view encoded_;  // of the batch or resolved_
  TreeShare one_;
  std::vector<TreeShare> several_;  // instead of `one_`
  std::vector<TreeRef> trees_;
  CommitRequest request_;
};

}  // namespace cambium::engine

#endif  // CAMBIUM_ENGINE_BATCH_REQUEST_H_
