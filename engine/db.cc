// DB: each public method calls the part that implements it.
#include "cambium/db.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "engine/batch_request.h"
#include "engine/database.h"
#include "engine/read/point_read.h"
#include "engine/read/view_iterator.h"
#include "engine/validate_options.h"
#include "engine/verification.h"
#include "engine/write/single_write.h"
#include "util/epoch.h"
#include "util/out_of_memory.h"
#include "util/process.h"
#include "util/status_macros.h"

namespace cambium {

using engine::Database;
using engine::ReadMoment;
using engine::Tree;

namespace {

// Writes one operation to one tree.
absl::Status WriteOne(Database* database, Tree* tree, const BatchOp& op,
                      const WriteOptions& options) {
  RETURN_IF_ERROR(engine::CheckLimits(op.key, op.value));
  if (op.tag == BatchOpTag::kMerge) RETURN_IF_ERROR(engine::CheckMergeable(*tree));
  engine::SingleWrite write(tree, op.tag, op.key, op.value);
  return database->writes->Write(write.request(), options);
}

absl::Status PutOne(Database* database, Tree* tree, const BatchOp& op,
                    const WriteOptions& options) {
  const bool expires = options.ttl.has_value() || tree->options().default_ttl.count() != 0;
  if (!expires) [[likely]]
    return WriteOne(database, tree, op, options);
  RETURN_IF_ERROR(engine::CheckLimits(op.key, op.value));
  ASSIGN_OR_RETURN(const uint64_t expiry, database->ExpiryFor(*tree, options.ttl));
  engine::SingleWrite write(tree, expiry == 0 ? BatchOpTag::kPut : BatchOpTag::kPutWithExpiry,
                            op.key, op.value, expiry);
  return database->writes->Write(write.request(), options);
}

// Deletes a range of one tree.
absl::Status DeleteOne(Database* database, Tree* tree, const KeyCut& begin, const KeyCut& end,
                       const WriteOptions& options) {
  RETURN_IF_ERROR(engine::CheckLimits(begin.key, {}));
  RETURN_IF_ERROR(engine::CheckLimits(end.key, {}));
  if (CompareCuts(tree->order(), begin, end) >= 0) return tree->Check();
  RETURN_IF_ERROR(database->writes->PrepareRangeDelete(tree, {begin, end}, options));
  const std::string value = EncodeRangeEnd(begin, end);
  return WriteOne(database, tree, {BatchOpTag::kRangeDelete, tree->id(), begin.key, value},
                  options);
}

compaction::KeyRange RangeOf(std::optional<std::string_view> begin,
                             std::optional<std::string_view> end) {
  compaction::KeyRange range;
  if (begin.has_value()) range.begin = std::string(*begin);
  if (end.has_value()) range.end = std::string(*end);
  return range;
}

absl::Status OtherDatabase() {
  return absl::InvalidArgumentError("the column family is of another database");
}

absl::Status ReadOne(Database* database, const Tree& tree, std::string_view key, PinnedValue* value,
                     const ReadOptions& options) {
  engine::Context& context = database->context;
  context.stats.Add(engine::Counter::kGets, 1);
  EpochGuard guard(&context.epochs);
  ASSIGN_OR_RETURN(const ReadMoment at, database->BeginRead(tree, options));
  absl::Status status = engine::PointRead({&tree.options(), &guard, at.shared().get(), at.sequence,
                                           engine::FillOf(options), &context.storage.wall},
                                          key, value);
  if (status.ok()) {
    context.stats.Add(engine::Counter::kGetsFound, 1);
    return status;
  }
  return database->open_state.Outcome(std::move(status));
}

// The arguments of a MultiGet.
struct ManyReads {
  std::span<const std::string_view> keys;
  std::span<PinnedValue> values;
  std::span<absl::Status> statuses;
};

void ReadMany(Database* database, const absl::StatusOr<Tree*>& tree, const ManyReads& reads,
              const ReadOptions& options) {
  const std::span<const std::string_view> keys = reads.keys;
  const std::span<PinnedValue> values = reads.values;
  const std::span<absl::Status> statuses = reads.statuses;
  for (PinnedValue& value : values) value.Reset();
  const absl::Status status = CatchBadAlloc([&]() -> absl::Status {
    RETURN_IF_ERROR(database->open_state.Check());
    RETURN_IF_ERROR(tree.status());
    if (keys.size() != values.size() || keys.size() != statuses.size()) {
      return absl::InvalidArgumentError("keys, values and statuses differ in size");
    }
    EpochGuard guard(&database->context.epochs);
    ASSIGN_OR_RETURN(const ReadMoment at, database->BeginRead(**tree, options));
    std::fill(statuses.begin(), statuses.end(), absl::OkStatus());
    engine::MultiPointRead({&(*tree)->options(), &guard, at.shared().get(), at.sequence,
                            engine::FillOf(options), &database->context.storage.wall},
                           keys, values, statuses);
    return absl::OkStatus();
  });
  if (!status.ok()) {
    for (PinnedValue& value : values) value.Reset();
    std::fill(statuses.begin(), statuses.end(), status);
    return;
  }
  for (absl::Status& one : statuses) one = database->open_state.Outcome(std::move(one));
  database->context.stats.Add(engine::Counter::kGets, keys.size());
  database->context.stats.Add(
      engine::Counter::kGetsFound,
      static_cast<uint64_t>(std::count_if(statuses.begin(), statuses.end(),
                                          [](const absl::Status& one) { return one.ok(); })));
}

std::unique_ptr<Iterator> MakeIterator(Database* database, const absl::StatusOr<Tree*>& tree,
                                       const ReadOptions& options) {
  if (absl::Status open = database->open_state.Check(); !open.ok()) {
    return engine::NewErrorIterator(std::move(open));
  }
  if (!tree.ok()) return engine::NewErrorIterator(tree.status());
  engine::Context* const context = &database->context;
  std::shared_ptr<const engine::ReadView> view;
  absl::StatusOr<ReadMoment> at;
  {
    const EpochGuard guard(&context->epochs);
    at = database->BeginRead(**tree, options);
    if (at.ok()) view = at->shared();
  }
  if (!at.ok()) return engine::NewErrorIterator(at.status());
  return engine::NewViewIterator(
      {&(*tree)->options(), &context->stats, &database->open_state, &context->storage.wall},
      (*tree)->KeepAlive(std::move(view)), at->sequence, options);
}

}  // namespace

DB::DB(std::unique_ptr<Database> database) : database_(std::move(database)) {}
DB::~DB() {
  if (database_->open_state.forked()) Abandon(std::move(database_));
}

absl::StatusOr<std::unique_ptr<DB>> DB::Open(const Options& options, const std::string& path) {
  return CatchBadAlloc([&]() -> absl::StatusOr<std::unique_ptr<DB>> {
    if (path.empty()) return absl::InvalidArgumentError("the path of a database is empty");
    RETURN_IF_ERROR(engine::ValidateOptions(options));
    ASSIGN_OR_RETURN(std::unique_ptr<Database> database, Database::Open(options, path));
    return std::unique_ptr<DB>(new DB(std::move(database)));
  });
}

absl::Status DB::Close() { return database_->Close(); }

absl::StatusOr<engine::Tree*> DB::TreeOf(const ColumnFamily& family) const {
  if (family.database() != database_->serial) return OtherDatabase();
  return family.tree().get();
}

absl::Status DB::Put(std::string_view key, std::string_view value, const WriteOptions& options) {
  return CatchBadAlloc([&]() -> absl::Status {
    RETURN_IF_ERROR(database_->CheckWritable());
    return PutOne(database_.get(), database_->default_tree, {BatchOpTag::kPut, 0, key, value},
                  options);
  });
}

absl::Status DB::Put(const ColumnFamily& family, std::string_view key, std::string_view value,
                     const WriteOptions& options) {
  return CatchBadAlloc([&]() -> absl::Status {
    RETURN_IF_ERROR(database_->CheckWritable());
    ASSIGN_OR_RETURN(Tree* const tree, TreeOf(family));
    return PutOne(database_.get(), tree, {BatchOpTag::kPut, tree->id(), key, value}, options);
  });
}

absl::Status DB::Delete(std::string_view key, const WriteOptions& options) {
  return CatchBadAlloc([&]() -> absl::Status {
    RETURN_IF_ERROR(database_->CheckWritable());
    return WriteOne(database_.get(), database_->default_tree, {BatchOpTag::kDelete, 0, key, {}},
                    options);
  });
}

absl::Status DB::Delete(const ColumnFamily& family, std::string_view key,
                        const WriteOptions& options) {
  return CatchBadAlloc([&]() -> absl::Status {
    RETURN_IF_ERROR(database_->CheckWritable());
    ASSIGN_OR_RETURN(Tree* const tree, TreeOf(family));
    return WriteOne(database_.get(), tree, {BatchOpTag::kDelete, tree->id(), key, {}}, options);
  });
}

absl::Status DB::Merge(std::string_view key, std::string_view operand,
                       const WriteOptions& options) {
  return CatchBadAlloc([&]() -> absl::Status {
    RETURN_IF_ERROR(database_->CheckWritable());
    return WriteOne(database_.get(), database_->default_tree, {BatchOpTag::kMerge, 0, key, operand},
                    options);
  });
}

absl::Status DB::Merge(const ColumnFamily& family, std::string_view key, std::string_view operand,
                       const WriteOptions& options) {
  return CatchBadAlloc([&]() -> absl::Status {
    RETURN_IF_ERROR(database_->CheckWritable());
    ASSIGN_OR_RETURN(Tree* const tree, TreeOf(family));
    return WriteOne(database_.get(), tree, {BatchOpTag::kMerge, tree->id(), key, operand}, options);
  });
}

absl::Status DB::DeleteRange(std::string_view begin, std::string_view end,
                             const WriteOptions& options) {
  return CatchBadAlloc([&]() -> absl::Status {
    RETURN_IF_ERROR(database_->CheckWritable());
    return DeleteOne(database_.get(), database_->default_tree, KeyCut::Before(begin),
                     KeyCut::Before(end), options);
  });
}

absl::Status DB::DeleteRange(const ColumnFamily& family, std::string_view begin,
                             std::string_view end, const WriteOptions& options) {
  return CatchBadAlloc([&]() -> absl::Status {
    RETURN_IF_ERROR(database_->CheckWritable());
    ASSIGN_OR_RETURN(Tree* const tree, TreeOf(family));
    return DeleteOne(database_.get(), tree, KeyCut::Before(begin), KeyCut::Before(end), options);
  });
}

absl::Status DB::DeleteFrom(std::string_view begin, const WriteOptions& options) {
  return CatchBadAlloc([&]() -> absl::Status {
    RETURN_IF_ERROR(database_->CheckWritable());
    return DeleteOne(database_.get(), database_->default_tree, KeyCut::Before(begin), KeyCut::End(),
                     options);
  });
}

absl::Status DB::DeleteFrom(const ColumnFamily& family, std::string_view begin,
                            const WriteOptions& options) {
  return CatchBadAlloc([&]() -> absl::Status {
    RETURN_IF_ERROR(database_->CheckWritable());
    ASSIGN_OR_RETURN(Tree* const tree, TreeOf(family));
    return DeleteOne(database_.get(), tree, KeyCut::Before(begin), KeyCut::End(), options);
  });
}

absl::Status DB::ClearColumnFamily(const ColumnFamily& family) {
  return CatchBadAlloc([&]() -> absl::Status {
    RETURN_IF_ERROR(database_->CheckWritable());
    ASSIGN_OR_RETURN(Tree* const tree, TreeOf(family));
    return DeleteOne(database_.get(), tree, KeyCut::Start(), KeyCut::End(), {});
  });
}

absl::Status DB::Write(const WriteBatch& batch, const WriteOptions& options) {
  return CatchBadAlloc([&]() -> absl::Status {
    RETURN_IF_ERROR(database_->CheckWritable());
    if (batch.Count() == 0 && batch.WithinLimits()) return absl::OkStatus();
    engine::BatchRequest write;
    RETURN_IF_ERROR(write.Prepare(database_.get(), batch));
    return database_->writes->Write(write.request(), options);
  });
}

absl::StatusOr<std::string> DB::Get(std::string_view key, const ReadOptions& options) {
  PinnedValue value;
  RETURN_IF_ERROR(Get(key, &value, options));
  return CatchBadAlloc([&]() -> absl::StatusOr<std::string> { return value.ToString(); });
}

absl::StatusOr<std::string> DB::Get(const ColumnFamily& family, std::string_view key,
                                    const ReadOptions& options) {
  PinnedValue value;
  RETURN_IF_ERROR(Get(family, key, &value, options));
  return CatchBadAlloc([&]() -> absl::StatusOr<std::string> { return value.ToString(); });
}

absl::Status DB::Get(std::string_view key, PinnedValue* value, const ReadOptions& options) {
  return CatchBadAlloc([&]() -> absl::Status {
    value->Reset();
    RETURN_IF_ERROR(database_->open_state.Check());
    return ReadOne(database_.get(), *database_->default_tree, key, value, options);
  });
}

absl::Status DB::Get(const ColumnFamily& family, std::string_view key, PinnedValue* value,
                     const ReadOptions& options) {
  return CatchBadAlloc([&]() -> absl::Status {
    value->Reset();
    RETURN_IF_ERROR(database_->open_state.Check());
    ASSIGN_OR_RETURN(const Tree* const tree, TreeOf(family));
    return ReadOne(database_.get(), *tree, key, value, options);
  });
}

void DB::MultiGet(std::span<const std::string_view> keys, std::span<PinnedValue> values,
                  std::span<absl::Status> statuses, const ReadOptions& options) {
  ReadMany(database_.get(), database_->default_tree, {keys, values, statuses}, options);
}

void DB::MultiGet(const ColumnFamily& family, std::span<const std::string_view> keys,
                  std::span<PinnedValue> values, std::span<absl::Status> statuses,
                  const ReadOptions& options) {
  ReadMany(database_.get(), TreeOf(family), {keys, values, statuses}, options);
}

std::unique_ptr<Iterator> DB::NewIterator(const ReadOptions& options) {
  return MakeIterator(database_.get(), database_->default_tree, options);
}

std::unique_ptr<Iterator> DB::NewIterator(const ColumnFamily& family, const ReadOptions& options) {
  return MakeIterator(database_.get(), TreeOf(family), options);
}

std::shared_ptr<const Snapshot> DB::GetSnapshot() {
  if (!database_->open_state.Check().ok()) return std::make_shared<const engine::NoSnapshot>();
  return database_->context.snapshots->Take([this] { return database_->writes->visible(); });
}

absl::Status DB::Flush() {
  return CatchBadAlloc([&]() -> absl::Status {
    RETURN_IF_ERROR(database_->CheckWritable());
    return database_->writes->Flush(database_->trees.All());
  });
}

absl::Status DB::Flush(const ColumnFamily& family) {
  return CatchBadAlloc([&]() -> absl::Status {
    RETURN_IF_ERROR(database_->CheckWritable());
    ASSIGN_OR_RETURN(Tree* const tree, TreeOf(family));
    RETURN_IF_ERROR(tree->Check());
    const engine::TreeRef one = tree->shared_from_this();
    return database_->writes->Flush({&one, 1});
  });
}

absl::Status DB::CompactRange(std::optional<std::string_view> begin,
                              std::optional<std::string_view> end) {
  return CatchBadAlloc([&]() -> absl::Status {
    RETURN_IF_ERROR(Flush());
    return database_->jobs.CompactRange(database_->default_tree->shared_from_this(),
                                        RangeOf(begin, end));
  });
}

absl::Status DB::CompactRange(const ColumnFamily& family, std::optional<std::string_view> begin,
                              std::optional<std::string_view> end) {
  return CatchBadAlloc([&]() -> absl::Status {
    RETURN_IF_ERROR(Flush(family));
    return database_->jobs.CompactRange(family.tree(), RangeOf(begin, end));
  });
}

absl::Status DB::WaitForIdle() {
  return CatchBadAlloc([&]() -> absl::Status {
    RETURN_IF_ERROR(database_->open_state.Check());
    if (database_->context.options.read_only) return absl::OkStatus();
    database_->writes->FinishPreparation();
    RETURN_IF_ERROR(database_->jobs.AwaitIdle());
    database_->context.epochs.Drain();
    database_->context.storage.reaper.Reap();
    return absl::OkStatus();
  });
}

absl::Status DB::Verify() {
  return CatchBadAlloc([&]() -> absl::Status {
    RETURN_IF_ERROR(database_->open_state.Check());
    const bool read_only = database_->context.options.read_only;
    return database_->open_state.Outcome(
        engine::VerifyAll(&database_->context.storage, database_->trees, database_->versions,
                          read_only ? nullptr : database_->writes.get()));
  });
}

Health DB::GetHealth() const {
  absl::Status open = database_->open_state.Check();
  if (!open.ok()) return {Health::State::kReadOnly, std::move(open), {}};
  return database_->context.errors.Get();
}

absl::Status DB::Resume() {
  return CatchBadAlloc([&]() -> absl::Status {
    RETURN_IF_ERROR(database_->CheckWritable());
    database_->jobs.ForgetFailures();
    return database_->writes->Resume();
  });
}

std::string_view Version() { return "1.0.0"; }

}  // namespace cambium
