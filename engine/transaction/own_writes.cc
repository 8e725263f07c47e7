#include "engine/transaction/own_writes.h"

#include <cassert>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/limits.h"
#include "util/out_of_memory.h"
#include "util/process.h"

namespace cambium::engine {
namespace {

struct ReleaseTable {
  void operator()(OwnTable* table) const {
    std::unique_ptr<OwnTable> owner(table);
    if (made_in != ProcessGeneration()) Abandon(std::move(owner));  // it belongs to the parent
  }
  uint32_t made_in = ProcessGeneration();
};

// An upper bound of the bytes of an operation's tag, family, lengths, and TTL.
constexpr size_t kOpOverhead = 32;

void Append(const BatchOp& op, const ColumnFamily* family,
            std::optional<std::chrono::milliseconds> ttl, WriteBatch* batch) {
  const std::string_view key = op.key, value = op.value;
  switch (op.tag) {
    case BatchOpTag::kPut:
      return family == nullptr ? batch->Put(key, value, ttl) : batch->Put(*family, key, value, ttl);
    case BatchOpTag::kMerge:
      return family == nullptr ? batch->Merge(key, value) : batch->Merge(*family, key, value);
    default:
      assert(op.tag == BatchOpTag::kDelete);
      return family == nullptr ? batch->Delete(key) : batch->Delete(*family, key);
  }
}

}  // namespace

absl::Status OwnWrites::Add(const FamilyRef& family, const BatchOp& op,
                            std::optional<std::chrono::milliseconds> ttl) {
  assert(op.column_family == family.tree->id() && (!ttl || op.tag == BatchOpTag::kPut));
  if (batch_.ByteSize() + op.key.size() + op.value.size() + kOpOverhead > kMaxBatchSize) {
    return absl::InvalidArgumentError(absl::StrCat(
        "a transaction of more than ", kMaxBatchSize - kOpOverhead, " bytes of writes"));
  }
  trees_.try_emplace(op.column_family, family.tree);
  Append(op, family.handle, ttl, &batch_);
  if (!indexed_) return absl::OkStatus();
  // An index that is not complete is built again when it is needed.
  indexed_ = IfMemoryAllows([&] { AddToIndex(op, batch_.Count()); });
  return absl::OkStatus();
}

std::shared_ptr<const OwnTable> OwnWrites::Find(const TreeRef& tree) {
  if (!trees_.contains(tree->id())) return nullptr;
  if (!indexed_) BuildIndex();
  const auto place = index_.find(tree->id());
  return place == index_.end() ? nullptr : place->second;
}

void OwnWrites::Clear() {
  indexed_ = false;
  index_.clear();
  trees_.clear();
  savepoints_.clear();
  batch_ = WriteBatch();
}

void OwnWrites::BuildIndex() {
  index_.clear();
  BatchReader reader(batch_.Encoded());
  BatchOp op;
  for (uint64_t number = 1; reader.Next(&op); ++number) {
    if (op.tag == BatchOpTag::kPutWithExpiry) {
      op.tag = BatchOpTag::kPut;
      op.value.remove_prefix(kExpirySize);
    }
    AddToIndex(op, number);
  }
  assert(reader.status().ok());
  indexed_ = true;
}

void OwnWrites::AddToIndex(const BatchOp& op, uint64_t number) {
  assert(op.tag != BatchOpTag::kPutWithExpiry && op.tag != BatchOpTag::kRangeDelete);
  std::shared_ptr<OwnTable>& table = index_[op.column_family];
  if (table == nullptr) {
    auto made = std::make_unique<OwnTable>(tree(op.column_family), chunks_);
    table = std::shared_ptr<OwnTable>(made.release(), ReleaseTable{});
  }
  table->entries.Add(op.key, MakeTrailer(number, KindOf(op.tag)), op.value,
                     table->tree->order().Hash(op.key));
}

bool OwnWrites::RollbackToSavepoint() {
  if (savepoints_.empty()) return false;
  batch_.RollbackTo(std::move(savepoints_.back()));
  savepoints_.pop_back();
  // Iterators keep the old tables.
  indexed_ = false;
  return true;
}

bool OwnWrites::ReleaseSavepoint() {
  if (savepoints_.empty()) return false;
  savepoints_.pop_back();
  return true;
}

}  // namespace cambium::engine
