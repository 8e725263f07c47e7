#include "engine/batch_request.h"

#include <algorithm>
#include <cassert>
#include <cstdint>
#include <span>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/limits.h"
#include "engine/write/batch_expiry.h"
#include "util/status_macros.h"

namespace cambium::engine {
namespace {

absl::Status CheckBatch(const WriteBatch& batch) {
  if (!batch.WithinLimits()) {
    return absl::InvalidArgumentError(absl::StrCat("the batch holds a key over ", kMaxKeySize,
                                                   " bytes or a value over ", kMaxValueSize));
  }
  if (batch.HasNegativeTtl()) {
    return absl::InvalidArgumentError("the batch has a negative TTL");
  }
  if (batch.ByteSize() > kMaxBatchSize) {
    return absl::InvalidArgumentError(
        absl::StrCat("a batch of ", batch.ByteSize(), " bytes: the limit is ", kMaxBatchSize));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckMergeable(const Tree& tree) {
  if (tree.options().merge_operator != nullptr) return absl::OkStatus();
  RETURN_IF_ERROR(tree.Check());
  return absl::FailedPreconditionError("merge: the column family has no merge_operator");
}

absl::StatusOr<Tree*> BatchRequest::TreeOfPart(Database* database, const WriteBatch::Part& part) {
  Tree* tree = database->default_tree;
  if (part.family != tree->id()) {
    trees_.push_back(database->trees.Find(part.family));
    tree = trees_.back().get();
  }
  if (tree == nullptr) {
    return absl::FailedPreconditionError(
        absl::StrCat("the batch writes to column family ", part.family, ", which was dropped"));
  }
  if (part.has_merges) RETURN_IF_ERROR(CheckMergeable(*tree));
  return tree;
}

absl::Status BatchRequest::ResolveTtls(Database* database, const WriteBatch& batch,
                                       std::span<TreeShare> shares) {
  encoded_ = batch.Encoded();
  const bool expires =
      batch.HasTtls() || std::any_of(shares.begin(), shares.end(), [](const TreeShare& share) {
        return share.tree->options().default_ttl.count() != 0;
      });
  if (!expires) return absl::OkStatus();
  ASSIGN_OR_RETURN(resolved_, engine::ResolveTtls(encoded_, shares, database->TimeOfWrite()));
  encoded_ = resolved_;
  for (size_t i = 0; i < shares.size(); ++i) {
    shares[i].memtable_bytes += batch.Parts()[i].count * kExpiryGrowth;
  }
  return absl::OkStatus();
}

absl::Status BatchRequest::Prepare(Database* database, const WriteBatch& batch) {
  RETURN_IF_ERROR(CheckBatch(batch));
  if (batch.Database() != 0 && batch.Database() != database->serial) {
    return absl::InvalidArgumentError("the column family is of another database");
  }
  const std::span<const WriteBatch::Part> parts = batch.Parts();
  assert(!parts.empty());
  if (parts.size() > 1) several_.resize(parts.size());
  const std::span<TreeShare> shares = several_.empty() ? std::span(&one_, 1) : std::span(several_);
  for (size_t i = 0; i < parts.size(); ++i) {
    ASSIGN_OR_RETURN(Tree* const tree, TreeOfPart(database, parts[i]));
    shares[i] = {tree, MemTableBytes(parts[i].bytes, parts[i].count, parts[i].range_deletes)};
  }
  RETURN_IF_ERROR(ResolveTtls(database, batch, shares));
  request_.pieces = {&encoded_, 1};
  request_.payload_size = encoded_.size();
  request_.count = static_cast<uint32_t>(batch.Count());
  request_.shares = shares;
  return absl::OkStatus();
}

}  // namespace cambium::engine
