#include "cambium/write_batch.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "base/batch_codec.h"
#include "base/limits.h"
#include "util/coding.h"

namespace cambium {
namespace {

// Resets to an empty batch. A moved-from WriteBatch has fewer bytes: every method treats that as
// empty, and the next operation clears it.
void Reinitialise(std::string* rep) { rep->assign(kBatchHeaderSize, '\0'); }

void AddToCount(std::string* rep, size_t count) {
  assert(rep->size() >= kBatchHeaderSize && count <= UINT32_MAX - LoadFixed32(rep->data()));
  StoreFixed32(rep->data(), LoadFixed32(rep->data()) + static_cast<uint32_t>(count));
}

constexpr uint64_t kNoDatabase = 0, kSeveralDatabases = UINT64_MAX;

constexpr uint8_t ToByte(BatchOpTag tag) { return static_cast<uint8_t>(tag); }

}  // namespace

WriteBatch::WriteBatch() { Reinitialise(&rep_); }

void WriteBatch::Put(std::string_view key, std::string_view value,
                     std::optional<std::chrono::milliseconds> ttl) {
  AddPut(nullptr, key, value, ttl);
}
void WriteBatch::Put(const ColumnFamily& family, std::string_view key, std::string_view value,
                     std::optional<std::chrono::milliseconds> ttl) {
  AddPut(&family, key, value, ttl);
}
void WriteBatch::AddPut(const ColumnFamily* family, std::string_view key, std::string_view value,
                        std::optional<std::chrono::milliseconds> ttl) {
  if (!ttl.has_value()) return Add(ToByte(BatchOpTag::kPut), family, key, value);
  Add(ToByte(BatchOpTag::kPutWithExpiry), family, key, value, static_cast<uint64_t>(ttl->count()));
  has_ttls_ = true;
  has_negative_ttl_ = has_negative_ttl_ || ttl->count() < 0;
}
void WriteBatch::Delete(std::string_view key) {
  Add(ToByte(BatchOpTag::kDelete), nullptr, key, {});
}
void WriteBatch::Delete(const ColumnFamily& family, std::string_view key) {
  Add(ToByte(BatchOpTag::kDelete), &family, key, {});
}
void WriteBatch::Merge(std::string_view key, std::string_view operand) {
  Add(ToByte(BatchOpTag::kMerge), nullptr, key, operand);
}
void WriteBatch::Merge(const ColumnFamily& family, std::string_view key, std::string_view operand) {
  Add(ToByte(BatchOpTag::kMerge), &family, key, operand);
}

void WriteBatch::DeleteRange(std::string_view begin, std::string_view end) {
  AddRange(nullptr, begin, end);
}
void WriteBatch::DeleteRange(const ColumnFamily& family, std::string_view begin,
                             std::string_view end) {
  AddRange(&family, begin, end);
}
void WriteBatch::DeleteFrom(std::string_view begin) { AddRange(nullptr, begin, std::nullopt); }
void WriteBatch::DeleteFrom(const ColumnFamily& family, std::string_view begin) {
  AddRange(&family, begin, std::nullopt);
}

void WriteBatch::AddRange(const ColumnFamily* family, std::string_view begin,
                          std::optional<std::string_view> end) {
  if (end.has_value() && end->size() > kMaxKeySize) {
    within_limits_ = false;
    return;
  }
  const KeyCut cut = end.has_value() ? KeyCut::Before(*end) : KeyCut::End();
  Add(ToByte(BatchOpTag::kRangeDelete), family, begin, EncodeRangeEnd(KeyCut::Before(begin), cut));
}

void WriteBatch::Add(uint8_t tag, const ColumnFamily* family, std::string_view key,
                     std::string_view value, uint64_t expiry) {
  if (rep_.size() < kBatchHeaderSize) Clear();
  if (!EntryWithinLimits(key, value)) {
    within_limits_ = false;
    return;
  }
  const ColumnFamilyId id = family == nullptr ? 0 : family->id();
  const SingleOp op(BatchOpTag{tag}, key, value, id, expiry);
  rep_.append(op.pieces()[0].substr(kBatchHeaderSize));
  for (const std::string_view piece : op.pieces().subspan(1)) rep_.append(piece);
  AddToCount(&rep_, 1);
  within_limits_ = within_limits_ && rep_.size() <= kMaxBatchSize;
  AddPart({id, 1, op.ByteSize() - kBatchHeaderSize, BatchOpTag{tag} == BatchOpTag::kMerge,
           BatchOpTag{tag} == BatchOpTag::kRangeDelete ? 1U : 0U});
  if (family != nullptr) NoteDatabase(family->database());
}

void WriteBatch::AddPart(const Part& added) {
  auto part =
      std::lower_bound(parts_.begin(), parts_.end(), added.family,
                       [](const Part& one, uint32_t family) { return one.family < family; });
  if (part == parts_.end() || part->family != added.family) {
    part = parts_.insert(part, {added.family});
  }
  part->count += added.count;
  part->bytes += added.bytes;
  part->range_deletes += added.range_deletes;
  part->has_merges = part->has_merges || added.has_merges;
}

void WriteBatch::NoteDatabase(uint64_t database) {
  if (database == kNoDatabase || database == database_) return;
  database_ = database_ == kNoDatabase ? database : kSeveralDatabases;
}

void WriteBatch::Clear() {
  Reinitialise(&rep_);
  within_limits_ = true;
  has_ttls_ = has_negative_ttl_ = false;
  parts_.clear();
  database_ = kNoDatabase;
}

WriteBatch::Savepoint WriteBatch::MakeSavepoint() const {
  return {rep_.size(), Count(), parts_, database_, within_limits_, has_ttls_, has_negative_ttl_};
}

void WriteBatch::RollbackTo(Savepoint savepoint) {
  assert(savepoint.bytes <= rep_.size() && savepoint.count <= Count());
  rep_.resize(savepoint.bytes);
  if (rep_.size() >= kBatchHeaderSize) {
    StoreFixed32(rep_.data(), static_cast<uint32_t>(savepoint.count));
  }
  parts_ = std::move(savepoint.parts);
  database_ = savepoint.database;
  within_limits_ = savepoint.within_limits;
  has_ttls_ = savepoint.has_ttls;
  has_negative_ttl_ = savepoint.has_negative_ttl;
}

size_t WriteBatch::Count() const {
  return rep_.size() < kBatchHeaderSize ? 0 : LoadFixed32(rep_.data());
}

void WriteBatch::Append(const WriteBatch& other) {
  if (rep_.size() < kBatchHeaderSize) Clear();
  // Counted first: `other` may be this batch.
  const size_t count = other.Count();
  const size_t size = other.rep_.size();
  if (size > kBatchHeaderSize) {
    rep_.append(other.rep_, kBatchHeaderSize, size - kBatchHeaderSize);
    AddToCount(&rep_, count);
  }
  for (const Part& part : std::vector(other.parts_)) AddPart(part);
  NoteDatabase(other.database_);
  has_ttls_ = has_ttls_ || other.has_ttls_;
  has_negative_ttl_ = has_negative_ttl_ || other.has_negative_ttl_;
  within_limits_ = within_limits_ && other.within_limits_ && rep_.size() <= kMaxBatchSize;
}

}  // namespace cambium
