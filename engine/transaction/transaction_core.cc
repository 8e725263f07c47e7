#include "engine/transaction/transaction_core.h"

#include <algorithm>
#include <cassert>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/key_fold.h"
#include "cambium/db.h"
#include "engine/batch_request.h"
#include "engine/read/view_iterator.h"
#include "engine/transaction/overlay_iterator.h"
#include "engine/write/single_write.h"
#include "util/out_of_memory.h"
#include "util/status_macros.h"

namespace cambium::engine {
namespace {

// After as many attempts that other commits have overtaken, all writers wait for this one: then it
// is the next.
constexpr int kAttempts = 4;

absl::Status NoSavepoint() {
  return absl::FailedPreconditionError("the transaction has no savepoint");
}

}  // namespace

TransactionCore::TransactionCore(DB* db, Database* database, const TransactionOptions& options)
    : db_(db),
      database_(database),
      options_(options),
      writes_(&database->context.memory.tiny_chunks) {
  error_ = CatchBadAlloc([this] { return Begin(); });
  if (!error_.ok()) End();
}

TransactionCore::~TransactionCore() { End(); }

absl::Status TransactionCore::Begin() {
  RETURN_IF_ERROR(database_->open_state.Check());
  if (options_.lock_timeout.count() < 0) {
    return absl::InvalidArgumentError(absl::StrCat("TransactionOptions::lock_timeout is ",
                                                   options_.lock_timeout.count(),
                                                   " ms, expected 0 or more"));
  }
  WritePath* const writes = database_->writes.get();
  watch_.reset(new WritePath::Watch(writes->BeginWatch()));
  // Usually that is true already. If earlier commits failed, the commit checks what it depends on.
  writes->WaitUntilPublished(watch_->since()).IgnoreError();
  snapshot_ = database_->context.snapshots->Take([writes] { return writes->visible(); });
  return absl::OkStatus();
}

void TransactionCore::End() {
  if (!locks_.held.empty()) database_->locks.ReleaseAll(&locks_);
  watch_.reset();
  snapshot_.reset();
  writes_.Clear();
}

absl::Status TransactionCore::Check() const {
  RETURN_IF_ERROR(error_);
  RETURN_IF_ERROR(database_->open_state.Check());
  if (watch_ != nullptr) return absl::OkStatus();
  return absl::FailedPreconditionError("the transaction is over");
}

absl::Status TransactionCore::Noted(absl::Status status) {
  had_conflict_ = had_conflict_ || absl::IsAborted(status);
  return status;
}

absl::StatusOr<TreeRef> TransactionCore::TreeOf(const ColumnFamily* family) const {
  if (family == nullptr) return database_->default_tree->shared_from_this();
  if (family->database() == database_->serial) return family->tree();
  return absl::InvalidArgumentError("the column family is of another database");
}

absl::Status TransactionCore::CheckReadOptions(const ReadOptions& options) const {
  RETURN_IF_ERROR(Check());
  if (options.snapshot == nullptr) return absl::OkStatus();
  return absl::InvalidArgumentError(
      "ReadOptions::snapshot is set: a transaction reads as of its begin");
}

absl::Status TransactionCore::GetCommitted(const ColumnFamily* family, std::string_view key,
                                           PinnedValue* value, const ReadOptions& options) {
  ReadOptions at = options;
  at.snapshot = snapshot_;
  return family == nullptr ? db_->Get(key, value, at) : db_->Get(*family, key, value, at);
}

absl::Status TransactionCore::GetWithOwn(const ColumnFamily* family, const TreeRef& tree,
                                         std::string_view key, PinnedValue* value,
                                         const ReadOptions& options) {
  const std::shared_ptr<const OwnTable> own = writes_.Find(tree);
  if (own == nullptr) return GetCommitted(family, key, value, options);
  KeyFold fold(kMaxSequenceNumber, tree->options().merge_operator.get());
  own->entries.Get(LookupKey(key, kMaxSequenceNumber, tree->order()), &fold);
  switch (fold.state()) {
    case KeyFold::State::kValue:
      value->Copy(fold.value());
      return absl::OkStatus();
    case KeyFold::State::kDeleted:
      return absl::Status(absl::StatusCode::kNotFound, "");
    default:
      break;
  }
  if (!fold.has_operands()) return GetCommitted(family, key, value, options);
  PinnedValue base;
  if (!fold.decided()) {
    const absl::Status read = GetCommitted(family, key, &base, options);
    if (!read.ok() && !absl::IsNotFound(read)) return read;
    if (read.ok()) fold.Step(MakeTrailer(0, Kind::kValue), base.view());
  }
  std::string merged;
  RETURN_IF_ERROR(fold.Merge(key, &merged));
  value->Copy(merged);
  return absl::OkStatus();
}

ReadSet& TransactionCore::reads() {
  if (reads_ == nullptr) reads_ = std::make_shared<ReadSet>();
  return *reads_;
}

void TransactionCore::NoteRead(const TreeRef& tree, std::string_view key) {
  if (options_.isolation == Isolation::kSerializable) reads().AddKey(tree, key);
}

absl::Status TransactionCore::Get(const ColumnFamily* family, std::string_view key,
                                  PinnedValue* value, const ReadOptions& options) {
  value->Reset();
  RETURN_IF_ERROR(CheckReadOptions(options));
  ASSIGN_OR_RETURN(const TreeRef tree, TreeOf(family));
  NoteRead(tree, key);
  return GetWithOwn(family, tree, key, value, options);
}

void TransactionCore::MultiGet(const ColumnFamily* family, const ManyReads& reads,
                               const ReadOptions& options) {
  for (PinnedValue& value : reads.values) value.Reset();
  const absl::Status status = CatchBadAlloc([&]() -> absl::Status {
    RETURN_IF_ERROR(CheckReadOptions(options));
    ASSIGN_OR_RETURN(const TreeRef tree, TreeOf(family));
    for (const std::string_view key : reads.keys) NoteRead(tree, key);
    if (reads.keys.size() == reads.values.size() && reads.keys.size() == reads.statuses.size() &&
        writes_.Find(tree) != nullptr) {
      for (size_t i = 0; i < reads.keys.size(); ++i) {
        reads.statuses[i] = GetWithOwn(family, tree, reads.keys[i], &reads.values[i], options);
      }
      return absl::OkStatus();
    }
    ReadOptions at = options;
    at.snapshot = snapshot_;
    family == nullptr ? db_->MultiGet(reads.keys, reads.values, reads.statuses, at)
                      : db_->MultiGet(*family, reads.keys, reads.values, reads.statuses, at);
    return absl::OkStatus();
  });
  if (!status.ok()) std::fill(reads.statuses.begin(), reads.statuses.end(), status);
}

absl::Status TransactionCore::GetForUpdate(const ColumnFamily* family, std::string_view key,
                                           PinnedValue* value) {
  value->Reset();
  RETURN_IF_ERROR(Check());
  ASSIGN_OR_RETURN(const TreeRef tree, TreeOf(family));
  RETURN_IF_ERROR(Noted(LockKey(tree, key)));
  for_update_.AddKey(tree, key);
  return GetWithOwn(family, tree, key, value, {});
}

std::unique_ptr<Iterator> TransactionCore::NewIterator(const ColumnFamily* family,
                                                       const ReadOptions& options) {
  if (absl::Status status = CheckReadOptions(options); !status.ok()) {
    return NewErrorIterator(std::move(status));
  }
  const absl::StatusOr<TreeRef> tree = TreeOf(family);
  if (!tree.ok()) return NewErrorIterator(tree.status());
  ReadOptions at = options;
  at.snapshot = snapshot_;
  std::unique_ptr<Iterator> iterator =
      family == nullptr ? db_->NewIterator(at) : db_->NewIterator(*family, at);
  if (std::shared_ptr<const OwnTable> own = writes_.Find(*tree); own != nullptr) {
    iterator = NewOverlayIterator(std::move(iterator), std::move(own), writes_.batch().Count(), at);
  }
  if (options_.isolation != Isolation::kSerializable) return iterator;
  reads();
  return NewRecordingIterator(std::move(iterator), *tree, reads_, at);
}

absl::Status TransactionCore::LockKey(const TreeRef& tree, std::string_view key) {
  if (options_.concurrency == Concurrency::kOptimistic) return absl::OkStatus();
  bool is_new = false;
  RETURN_IF_ERROR(database_->locks.Acquire(
      &locks_, tree, key, static_cast<uint64_t>(options_.lock_timeout.count()), &is_new));
  if (!is_new) return absl::OkStatus();
  absl::Status unchanged =
      CatchBadAlloc([&] { return ChangeFinder(tree, snapshot_->sequence()).CheckKey(key); });
  if (!unchanged.ok()) database_->locks.ReleaseLast(&locks_);
  return unchanged;
}

absl::Status TransactionCore::Put(const ColumnFamily* family, std::string_view key,
                                  std::string_view value,
                                  std::optional<std::chrono::milliseconds> ttl) {
  return AddWrite(family, BatchOpTag::kPut, key, value, ttl);
}

absl::Status TransactionCore::Write(const ColumnFamily* family, BatchOpTag tag,
                                    std::string_view key, std::string_view value) {
  assert(tag == BatchOpTag::kDelete || tag == BatchOpTag::kMerge);
  return AddWrite(family, tag, key, value, std::nullopt);
}

absl::Status TransactionCore::AddWrite(const ColumnFamily* family, BatchOpTag tag,
                                       std::string_view key, std::string_view value,
                                       std::optional<std::chrono::milliseconds> ttl) {
  RETURN_IF_ERROR(Check());
  RETURN_IF_ERROR(database_->CheckWritable());
  RETURN_IF_ERROR(CheckLimits(key, value));
  if (ttl.has_value() && ttl->count() < 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("put: a TTL of ", ttl->count(), " ms, expected 0 or more"));
  }
  ASSIGN_OR_RETURN(const TreeRef tree, TreeOf(family));
  RETURN_IF_ERROR(tree->Check());
  if (tag == BatchOpTag::kMerge) RETURN_IF_ERROR(CheckMergeable(*tree));
  RETURN_IF_ERROR(Noted(LockKey(tree, key)));
  return writes_.Add({tree, family}, {tag, tree->id(), key, value}, ttl);
}

void TransactionCore::SetSavepoint() {
  if (Check().ok()) writes_.SetSavepoint();
}

absl::Status TransactionCore::RollbackToSavepoint() {
  RETURN_IF_ERROR(Check());
  return writes_.RollbackToSavepoint() ? absl::OkStatus() : NoSavepoint();
}

absl::Status TransactionCore::ReleaseSavepoint() {
  RETURN_IF_ERROR(Check());
  return writes_.ReleaseSavepoint() ? absl::OkStatus() : NoSavepoint();
}

absl::Status TransactionCore::CheckFamilies() const {
  RETURN_IF_ERROR(for_update_.CheckFamilies());
  if (reads_ != nullptr) RETURN_IF_ERROR(reads_->CheckFamilies());
  for (const WriteBatch::Part& part : writes_.batch().Parts()) {
    RETURN_IF_ERROR(ChangeFinder(writes_.tree(part.family), snapshot_->sequence()).CheckFamily());
  }
  return absl::OkStatus();
}

absl::Status TransactionCore::CheckDependencies() const {
  const SequenceNumber since = snapshot_->sequence();
  RETURN_IF_ERROR(for_update_.Check(since));
  if (writes_.batch().Count() == 0) return absl::OkStatus();
  // A transaction without writes takes effect at its begin, so only others depend on its reads.
  if (reads_ != nullptr) RETURN_IF_ERROR(reads_->Check(since));
  std::map<ColumnFamilyId, ChangeFinder> finders;
  BatchReader reader(writes_.batch().Encoded());
  for (BatchOp op; reader.Next(&op);) {
    const auto [finder, is_new] =
        finders.try_emplace(op.column_family, writes_.tree(op.column_family), since);
    RETURN_IF_ERROR(finder->second.CheckKey(op.key));
  }
  return absl::OkStatus();
}

std::vector<uint32_t> TransactionCore::DependencySlots() const {
  std::vector<uint32_t> slots;
  if (reads_ != nullptr && reads_->has_ranges()) return slots;
  if (reads_ != nullptr) reads_->AppendSlots(&slots);
  for_update_.AppendSlots(&slots);
  BatchReader reader(writes_.batch().Encoded());
  for (BatchOp op; reader.Next(&op);) {
    slots.push_back(RecentWrites::SlotOf(op.column_family,
                                         writes_.tree(op.column_family)->order().Hash(op.key)));
  }
  std::sort(slots.begin(), slots.end());
  slots.erase(std::unique(slots.begin(), slots.end()), slots.end());
  return slots;
}

absl::Status TransactionCore::Commit(const WriteOptions& options) {
  RETURN_IF_ERROR(Check());
  absl::Status status = writes_.batch().Count() > 0 ? CommitWrites(options) : CheckDependencies();
  End();
  return Noted(std::move(status));
}

absl::Status TransactionCore::CommitWrites(const WriteOptions& options) {
  RETURN_IF_ERROR(database_->CheckWritable());
  RETURN_IF_ERROR(database_->writes->CheckAccepts(options));
  RETURN_IF_ERROR(CheckFamilies());
  BatchRequest write;
  RETURN_IF_ERROR(write.Prepare(database_, writes_.batch()));
  return Order(write.request(), options);
}

absl::Status TransactionCore::Order(CommitRequest* request, const WriteOptions& options) {
  WritePath* const writes = database_->writes.get();
  const std::vector<uint32_t> slots = DependencySlots();
  const std::span<const uint32_t> depends = slots;
  request->depends = &depends;
  request->read_at = snapshot_->sequence();
  // A commit that was not recorded may be newer than the snapshot only if an earlier one failed.
  std::optional<SequenceNumber> newer;
  if (request->read_at < watch_->since()) newer = watch_->since();
  for (int attempt = 0;; ++attempt) {
    std::optional<WritePath::Exclusive> alone;
    if (attempt == kAttempts) writes->BeginExclusive(&alone);
    request->exclusive = alone.has_value();
    if (newer.has_value()) {
      RETURN_IF_ERROR(writes->WaitUntilPublished(*newer));
      request->read_at = writes->visible();
      RETURN_IF_ERROR(CheckDependencies());
    }
    newer.reset();
    RETURN_IF_ERROR(writes->WriteIfUnchanged(request, options, &newer));
    if (!newer.has_value()) return absl::OkStatus();
    assert(!alone.has_value());
  }
}

}  // namespace cambium::engine
