#include "cambium/write_batch.h"

#include <cassert>

#include "base/batch_codec.h"
#include "base/limits.h"
#include "util/coding.h"

namespace cambium {
namespace {

// Resets to an empty batch. A moved-from WriteBatch has fewer bytes: every method treats that as
// empty.
void Reinitialise(std::string* rep) { rep->assign(kBatchHeaderSize, '\0'); }

void AddToCount(std::string* rep, size_t count) {
  assert(rep->size() >= kBatchHeaderSize && count <= UINT32_MAX - LoadFixed32(rep->data()));
  StoreFixed32(rep->data(), LoadFixed32(rep->data()) + static_cast<uint32_t>(count));
}

// Returns false if a limit is exceeded: of one entry, which is then omitted, or of the batch.
bool AppendOp(BatchOpTag tag, std::string_view key, std::string_view value, std::string* rep) {
  if (rep->size() < kBatchHeaderSize) Reinitialise(rep);
  if (!EntryWithinLimits(key, value)) return false;
  const SingleOp op(tag, key, value);
  rep->append(op.pieces()[0].substr(kBatchHeaderSize));
  for (const std::string_view piece : op.pieces().subspan(1)) rep->append(piece);
  AddToCount(rep, 1);
  return rep->size() <= kMaxBatchSize;
}

}  // namespace

WriteBatch::WriteBatch() { Reinitialise(&rep_); }

void WriteBatch::Put(std::string_view key, std::string_view value) {
  if (!AppendOp(BatchOpTag::kPut, key, value, &rep_)) within_limits_ = false;
}

void WriteBatch::Delete(std::string_view key) {
  if (!AppendOp(BatchOpTag::kDelete, key, {}, &rep_)) within_limits_ = false;
}

void WriteBatch::Merge(std::string_view key, std::string_view operand) {
  if (!AppendOp(BatchOpTag::kMerge, key, operand, &rep_)) within_limits_ = false;
  has_merges_ = true;
}

void WriteBatch::Clear() {
  Reinitialise(&rep_);
  within_limits_ = true;
  has_merges_ = false;
}

size_t WriteBatch::Count() const {
  return rep_.size() < kBatchHeaderSize ? 0 : LoadFixed32(rep_.data());
}

void WriteBatch::Append(const WriteBatch& other) {
  if (rep_.size() < kBatchHeaderSize) Reinitialise(&rep_);
  // Counted first: `other` may be this batch.
  const size_t count = other.Count();
  const size_t size = other.rep_.size();
  if (size > kBatchHeaderSize) {
    rep_.append(other.rep_, kBatchHeaderSize, size - kBatchHeaderSize);
    AddToCount(&rep_, count);
  }
  has_merges_ = has_merges_ || other.has_merges_;
  within_limits_ = within_limits_ && other.within_limits_ && rep_.size() <= kMaxBatchSize;
}

}  // namespace cambium
