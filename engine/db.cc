// DB: each public method calls the part that implements it.
#include "cambium/db.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
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

absl::Status CheckMergeable(const Tree& tree) {
  if (tree.options().merge_operator != nullptr) return absl::OkStatus();
  return absl::FailedPreconditionError("merge: Options::merge_operator is not set");
}

absl::Status WriteOne(Database* database, const BatchOp& op, const WriteOptions& options) {
  RETURN_IF_ERROR(engine::CheckLimits(op.key, op.value));
  engine::SingleWrite write(database->default_tree, op.tag, op.key, op.value);
  return database->writes->Write(write.request(), options);
}

}  // namespace

DB::DB(std::unique_ptr<Database> database) : database_(std::move(database)) {}
DB::~DB() {
  if (database_->open_state.forked()) Abandon(std::move(database_));
}

absl::StatusOr<std::unique_ptr<DB>> DB::Open(const Options& options, const std::string& path) {
  if (path.empty()) return absl::InvalidArgumentError("the path of a database is empty");
  RETURN_IF_ERROR(engine::ValidateOptions(options));
  return CatchBadAlloc([&]() -> absl::StatusOr<std::unique_ptr<DB>> {
    ASSIGN_OR_RETURN(std::unique_ptr<Database> database, Database::Open(options, path));
    return std::unique_ptr<DB>(new DB(std::move(database)));
  });
}

absl::Status DB::Close() { return database_->Close(); }

absl::Status DB::Put(std::string_view key, std::string_view value, const WriteOptions& options) {
  return CatchBadAlloc([&]() -> absl::Status {
    RETURN_IF_ERROR(database_->CheckWritable());
    return WriteOne(database_.get(), {BatchOpTag::kPut, 0, key, value}, options);
  });
}

absl::Status DB::Delete(std::string_view key, const WriteOptions& options) {
  return CatchBadAlloc([&]() -> absl::Status {
    RETURN_IF_ERROR(database_->CheckWritable());
    return WriteOne(database_.get(), {BatchOpTag::kDelete, 0, key, {}}, options);
  });
}

absl::Status DB::Merge(std::string_view key, std::string_view operand,
                       const WriteOptions& options) {
  return CatchBadAlloc([&]() -> absl::Status {
    RETURN_IF_ERROR(database_->CheckWritable());
    RETURN_IF_ERROR(CheckMergeable(*database_->default_tree));
    return WriteOne(database_.get(), {BatchOpTag::kMerge, 0, key, operand}, options);
  });
}

absl::Status DB::Write(const WriteBatch& batch, const WriteOptions& options) {
  return CatchBadAlloc([&]() -> absl::Status {
    RETURN_IF_ERROR(database_->CheckWritable());
    if (batch.HasMerges()) RETURN_IF_ERROR(CheckMergeable(*database_->default_tree));
    if (!batch.WithinLimits()) {
      return absl::InvalidArgumentError(absl::StrCat("the batch holds a key over ", kMaxKeySize,
                                                     " bytes or a value over ", kMaxValueSize));
    }
    if (batch.ByteSize() > kMaxBatchSize) {
      return absl::InvalidArgumentError(
          absl::StrCat("a batch of ", batch.ByteSize(), " bytes: the limit is ", kMaxBatchSize));
    }
    const std::string_view encoded = batch.Encoded();
    engine::CommitRequest request;
    request.pieces = {&encoded, 1};
    request.payload_size = encoded.size();
    request.count = static_cast<uint32_t>(batch.Count());
    engine::TreeShare share{database_->default_tree,
                            engine::MemTableBytes(encoded.size(), batch.Count())};
    request.shares = {&share, 1};
    return database_->writes->Write(&request, options);
  });
}

absl::StatusOr<std::string> DB::Get(std::string_view key, const ReadOptions& options) {
  PinnedValue value;
  RETURN_IF_ERROR(Get(key, &value, options));
  return CatchBadAlloc([&]() -> absl::StatusOr<std::string> { return value.ToString(); });
}

absl::Status DB::Get(std::string_view key, PinnedValue* value, const ReadOptions& options) {
  return CatchBadAlloc([&]() -> absl::Status {
    value->Reset();
    RETURN_IF_ERROR(database_->open_state.Check());
    database_->context.stats.Add(engine::Counter::kGets, 1);
    EpochGuard guard(&database_->context.epochs);
    const Tree& tree = *database_->default_tree;
    ASSIGN_OR_RETURN(const ReadMoment at, database_->BeginRead(tree, options));
    absl::Status status = engine::PointRead(
        {&tree.options(), &guard, at.view->get(), at.sequence, engine::FillOf(options)}, key,
        value);
    if (status.ok()) {
      database_->context.stats.Add(engine::Counter::kGetsFound, 1);
      return status;
    }
    return database_->open_state.Outcome(std::move(status));
  });
}

void DB::MultiGet(std::span<const std::string_view> keys, std::span<PinnedValue> values,
                  std::span<absl::Status> statuses, const ReadOptions& options) {
  for (PinnedValue& value : values) value.Reset();
  if (const absl::Status open = database_->open_state.Check(); !open.ok()) {
    std::fill(statuses.begin(), statuses.end(), open);
    return;
  }
  const absl::Status status = CatchBadAlloc([&]() -> absl::Status {
    if (keys.size() != values.size() || keys.size() != statuses.size()) {
      return absl::InvalidArgumentError("keys, values and statuses differ in size");
    }
    EpochGuard guard(&database_->context.epochs);
    const Tree& tree = *database_->default_tree;
    ASSIGN_OR_RETURN(const ReadMoment at, database_->BeginRead(tree, options));
    std::fill(statuses.begin(), statuses.end(), absl::OkStatus());
    engine::MultiPointRead(
        {&tree.options(), &guard, at.view->get(), at.sequence, engine::FillOf(options)}, keys,
        values, statuses);
    return absl::OkStatus();
  });
  if (!status.ok()) {
    for (PinnedValue& value : values) value.Reset();
    std::fill(statuses.begin(), statuses.end(), status);
    return;
  }
  for (absl::Status& one : statuses) one = database_->open_state.Outcome(std::move(one));
  database_->context.stats.Add(engine::Counter::kGets, keys.size());
  database_->context.stats.Add(
      engine::Counter::kGetsFound,
      static_cast<uint64_t>(std::count_if(statuses.begin(), statuses.end(),
                                          [](const absl::Status& one) { return one.ok(); })));
}

std::unique_ptr<Iterator> DB::NewIterator(const ReadOptions& options) {
  if (absl::Status open = database_->open_state.Check(); !open.ok()) {
    return engine::NewErrorIterator(std::move(open));
  }
  engine::Context* const context = &database_->context;
  const Tree& tree = *database_->default_tree;
  std::shared_ptr<const engine::ReadView> view;
  absl::StatusOr<ReadMoment> at;
  {
    const EpochGuard guard(&context->epochs);
    at = database_->BeginRead(tree, options);
    if (at.ok()) view = *at->view;
  }
  if (!at.ok()) return engine::NewErrorIterator(at.status());
  return engine::NewViewIterator({&tree.options(), &context->stats, &database_->open_state},
                                 std::move(view), at->sequence, options);
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

absl::Status DB::CompactRange(std::optional<std::string_view> begin,
                              std::optional<std::string_view> end) {
  return CatchBadAlloc([&]() -> absl::Status {
    RETURN_IF_ERROR(Flush());
    compaction::KeyRange range;
    if (begin.has_value()) range.begin = std::string(*begin);
    if (end.has_value()) range.end = std::string(*end);
    return database_->jobs.CompactRange(*database_->default_tree, range);
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
