// DB: each public method, handed to the part that does it.
#include "cambium/db.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/merging_iterator.h"
#include "engine/db_impl.h"
#include "engine/read/db_iterator.h"
#include "engine/read/point_read.h"
#include "engine/validate_options.h"
#include "util/epoch.h"
#include "util/out_of_memory.h"
#include "util/process.h"
#include "util/status_macros.h"

namespace cambium {
namespace {

absl::Status TooLarge(std::string_view key, std::string_view value) {
  return absl::InvalidArgumentError(absl::StrCat("a key of ", key.size(), " bytes and a value of ",
                                                 value.size(), " bytes: limits are ", kMaxKeySize,
                                                 " and ", kMaxValueSize));
}

absl::Status WriteOne(engine::WritePath* writes, const SingleOp& op, const WriteOptions& options) {
  if (!EntryWithinLimits(op.key(), op.value())) return TooLarge(op.key(), op.value());
  engine::CommitRequest request;
  request.pieces = op.pieces();
  request.payload_size = op.ByteSize();
  request.count = 1;
  request.single = &op;
  return writes->Write(request, options);
}

}  // namespace

DB::DB(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
DB::~DB() {
  if (impl_->open_state.forked()) Abandon(std::move(impl_));
}

absl::StatusOr<std::unique_ptr<DB>> DB::Open(const Options& options, const std::string& path) {
  if (path.empty()) return absl::InvalidArgumentError("the path of a database is empty");
  RETURN_IF_ERROR(engine::ValidateOptions(options));
  return CatchBadAlloc([&]() -> absl::StatusOr<std::unique_ptr<DB>> {
    ASSIGN_OR_RETURN(std::unique_ptr<Impl> impl, Impl::Open(options, path));
    return std::unique_ptr<DB>(new DB(std::move(impl)));
  });
}

absl::Status DB::Close() { return impl_->Close(); }

absl::Status DB::Put(std::string_view key, std::string_view value, const WriteOptions& options) {
  return CatchBadAlloc([&]() -> absl::Status {
    RETURN_IF_ERROR(impl_->CheckWritable());
    return WriteOne(impl_->writes.get(), SingleOp(BatchOpTag::kPut, key, value), options);
  });
}

absl::Status DB::Delete(std::string_view key, const WriteOptions& options) {
  return CatchBadAlloc([&]() -> absl::Status {
    RETURN_IF_ERROR(impl_->CheckWritable());
    return WriteOne(impl_->writes.get(), SingleOp(BatchOpTag::kDelete, key, {}), options);
  });
}

absl::Status DB::Merge(std::string_view key, std::string_view operand,
                       const WriteOptions& options) {
  return CatchBadAlloc([&]() -> absl::Status {
    RETURN_IF_ERROR(impl_->CheckWritable());
    RETURN_IF_ERROR(impl_->CheckMergeable());
    return WriteOne(impl_->writes.get(), SingleOp(BatchOpTag::kMerge, key, operand), options);
  });
}

absl::Status DB::Write(const WriteBatch& batch, const WriteOptions& options) {
  return CatchBadAlloc([&]() -> absl::Status {
    RETURN_IF_ERROR(impl_->CheckWritable());
    if (batch.HasMerges()) RETURN_IF_ERROR(impl_->CheckMergeable());
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
    return impl_->writes->Write(request, options);
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
    RETURN_IF_ERROR(impl_->open_state.Check());
    impl_->context.stats.Add(engine::Counter::kGets, 1);
    EpochGuard guard(&impl_->context.epochs);
    ASSIGN_OR_RETURN(const ReadMoment at, impl_->BeginRead(options));
    absl::Status status = engine::PointRead(
        &impl_->context, {&guard, at.view->get(), at.sequence, options.fill_cache}, key, value);
    if (status.ok()) {
      impl_->context.stats.Add(engine::Counter::kGetsFound, 1);
      return status;
    }
    return impl_->open_state.Outcome(std::move(status));
  });
}

void DB::MultiGet(std::span<const std::string_view> keys, std::span<PinnedValue> values,
                  std::span<absl::Status> statuses, const ReadOptions& options) {
  for (PinnedValue& value : values) value.Reset();
  if (const absl::Status open = impl_->open_state.Check(); !open.ok()) {
    std::fill(statuses.begin(), statuses.end(), open);
    return;
  }
  const absl::Status status = CatchBadAlloc([&]() -> absl::Status {
    if (keys.size() != values.size() || keys.size() != statuses.size()) {
      return absl::InvalidArgumentError("keys, values and statuses differ in size");
    }
    EpochGuard guard(&impl_->context.epochs);
    ASSIGN_OR_RETURN(const ReadMoment at, impl_->BeginRead(options));
    std::fill(statuses.begin(), statuses.end(), absl::OkStatus());
    engine::MultiPointRead(&impl_->context,
                           {&guard, at.view->get(), at.sequence, options.fill_cache}, keys, values,
                           statuses);
    return absl::OkStatus();
  });
  if (!status.ok()) {
    for (PinnedValue& value : values) value.Reset();
    std::fill(statuses.begin(), statuses.end(), status);
    return;
  }
  for (absl::Status& one : statuses) one = impl_->open_state.Outcome(std::move(one));
  impl_->context.stats.Add(engine::Counter::kGets, keys.size());
  impl_->context.stats.Add(
      engine::Counter::kGetsFound,
      static_cast<uint64_t>(std::count_if(statuses.begin(), statuses.end(),
                                          [](const absl::Status& one) { return one.ok(); })));
}

std::unique_ptr<Iterator> DB::NewIterator(const ReadOptions& options) {
  engine::Context* const context = &impl_->context;
  if (absl::Status open = impl_->open_state.Check(); !open.ok()) {
    return engine::NewDBIterator({.input = NewEmptyIterator(std::move(open))});
  }
  std::shared_ptr<const engine::ReadView> view;
  absl::StatusOr<ReadMoment> at;
  {
    const EpochGuard guard(&context->epochs);
    at = impl_->BeginRead(options);
    if (at.ok()) view = *at->view;
  }
  engine::DBIteratorArgs args;
  args.order = context->order;
  args.lower_bound = options.lower_bound;
  args.upper_bound = options.upper_bound;
  if (!at.ok()) {
    args.input = NewEmptyIterator(at.status());
    return engine::NewDBIterator(std::move(args));
  }
  std::vector<std::unique_ptr<InternalIterator>> children;
  children.push_back(view->active->table.NewIterator());
  for (const auto& slot : view->frozen) children.push_back(slot->table.NewIterator());
  for (const engine::RunView& run : view->tables->runs) {
    children.push_back(context->NewRunIterator(run.All(), {options.fill_cache, 0}));
  }
  args.input = NewMergingIterator(context->order, std::move(children));
  args.pin = std::move(view);
  args.merge_operator = context->merge_operator();
  args.sequence = at->sequence;
  args.stats = &context->stats;
  args.open = &impl_->open_state;
  return engine::NewDBIterator(std::move(args));
}

std::shared_ptr<const Snapshot> DB::GetSnapshot() {
  if (!impl_->open_state.Check().ok()) return std::make_shared<const engine::NoSnapshot>();
  return impl_->context.snapshots->Take([this] { return impl_->writes->visible(); });
}

absl::Status DB::Flush() {
  return CatchBadAlloc([&]() -> absl::Status {
    RETURN_IF_ERROR(impl_->CheckWritable());
    return impl_->writes->Flush();
  });
}

absl::Status DB::CompactRange(std::optional<std::string_view> begin,
                              std::optional<std::string_view> end) {
  return CatchBadAlloc([&]() -> absl::Status {
    RETURN_IF_ERROR(Flush());
    compaction::KeyRange range;
    if (begin.has_value()) range.begin = std::string(*begin);
    if (end.has_value()) range.end = std::string(*end);
    return impl_->writes->jobs()->CompactRange(range);
  });
}

absl::Status DB::WaitForIdle() {
  return CatchBadAlloc([&]() -> absl::Status {
    RETURN_IF_ERROR(impl_->open_state.Check());
    if (impl_->context.options.read_only) return absl::OkStatus();
    RETURN_IF_ERROR(impl_->writes->jobs()->AwaitIdle());
    impl_->context.epochs.Drain();
    impl_->context.reaper.Reap();
    return absl::OkStatus();
  });
}

absl::Status DB::Verify() {
  return CatchBadAlloc([&]() -> absl::Status {
    RETURN_IF_ERROR(impl_->open_state.Check());
    return impl_->open_state.Outcome(engine::VerifyAll(&impl_->context, *impl_->tree.Pin(),
                                                       impl_->versions, impl_->writes.get()));
  });
}

Health DB::GetHealth() const {
  absl::Status open = impl_->open_state.Check();
  if (!open.ok()) return {Health::State::kReadOnly, std::move(open), {}};
  return impl_->context.errors.Get();
}

absl::Status DB::Resume() {
  return CatchBadAlloc([&]() -> absl::Status {
    RETURN_IF_ERROR(impl_->CheckWritable());
    impl_->writes->jobs()->ForgetFailures();
    return impl_->writes->Resume();
  });
}

std::string_view Version() { return "1.0.0"; }

}  // namespace cambium
