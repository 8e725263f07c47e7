#include "engine/batch_request.h"

#include <cassert>
#include <cstdint>
#include <span>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/limits.h"
#include "util/status_macros.h"

namespace cambium::engine {
namespace {

absl::Status CheckBatch(const WriteBatch& batch) {
  if (!batch.WithinLimits()) {
    return absl::InvalidArgumentError(absl::StrCat("the batch holds a key over ", kMaxKeySize,
                                                   " bytes or a value over ", kMaxValueSize));
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

absl::Status BatchRequest::Prepare(Database* database, const WriteBatch& batch) {
  RETURN_IF_ERROR(CheckBatch(batch));
  if (batch.Database() != 0 && batch.Database() != database->serial) {
    return absl::InvalidArgumentError("the column family is of another database");
  }
  const std::span<const WriteBatch::Part> parts = batch.Parts();
  if (parts.size() > 1) several_.resize(parts.size());
  const std::span<TreeShare> shares = several_.empty() ? std::span(&one_, 1) : std::span(several_);
  for (size_t i = 0; i < parts.size(); ++i) {
    ASSIGN_OR_RETURN(Tree* const tree, TreeOfPart(database, parts[i]));
    shares[i] = {tree, MemTableBytes(parts[i].bytes, parts[i].count, parts[i].range_deletes)};
  }
  encoded_ = batch.Encoded();
  request_.pieces = {&encoded_, 1};
  request_.payload_size = encoded_.size();
  request_.count = static_cast<uint32_t>(batch.Count());
  request_.shares = shares;
  return absl::OkStatus();
}

}  // namespace cambium::engine
