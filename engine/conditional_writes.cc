// DB: conditional writes. engine/write/recent_writes.h explains why each is atomic.
#include <algorithm>
#include <cassert>
#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "cambium/db.h"
#include "engine/database.h"
#include "engine/read/point_read.h"
#include "engine/shown_key.h"
#include "engine/write/single_write.h"
#include "util/epoch.h"
#include "util/out_of_memory.h"
#include "util/status_macros.h"

namespace cambium {

using engine::Database;
using engine::Tree;

namespace {

using Value = std::optional<std::string_view>;

// The state of a key at one moment. Confined to its thread.
struct KeyState {
  SequenceNumber sequence = 0;
  bool exists = false;
  PinnedValue value;
  engine::ValueExpiry expiry;

  Value view() const { return exists ? Value(value.view()) : std::nullopt; }
};

absl::Status Read(Database* database, const Tree& tree, std::string_view key, KeyState* state) {
  absl::Status status;
  {
    EpochGuard guard(&database->context.epochs);
    ASSIGN_OR_RETURN(const engine::ReadMoment at, database->BeginRead(tree, {}));
    state->sequence = at.sequence;
    status = engine::PointRead({&tree.options(), &guard, at.shared().get(), at.sequence,
                                sstable::CacheFill::kYes, &database->context.storage.wall},
                               key, &state->value, &state->expiry);
  }
  state->exists = status.ok();
  return absl::IsNotFound(status) ? absl::OkStatus()
                                  : database->open_state.Outcome(std::move(status));
}

// Returns true if the key has the value `desired`, and would also have it in future.
bool IsUnchanged(const KeyState& state, const Value& desired, uint64_t expiry) {
  if (desired != state.view() || expiry != state.expiry.micros) return false;
  return expiry == 0 || !state.expiry.has_operands;
}

// Calls `decide(current, &desired)`, maybe several times. It sets its second argument to the new
// value, nullopt for none, which must not refer to the current one; or it returns an error, and
// then nothing is written.
template <typename Decide>
absl::Status WriteConditionally(Database* database, Tree* tree, std::string_view key,
                                const WriteOptions& options, const Decide& decide) {
  if (options.ttl.has_value()) RETURN_IF_ERROR(database->ExpiryFor(*tree, options.ttl).status());
  RETURN_IF_ERROR(database->CheckWritable());
  RETURN_IF_ERROR(engine::CheckLimits(key, {}));
  engine::WritePath* const writes = database->writes.get();
  RETURN_IF_ERROR(writes->CheckAccepts(options));
  KeyState state;
  const engine::WritePath::Watch watch = writes->BeginWatch();
  std::optional<SequenceNumber> newer = watch.since();
  while (newer.has_value()) {
    RETURN_IF_ERROR(writes->WaitUntilPublished(*newer));
    RETURN_IF_ERROR(Read(database, *tree, key, &state));
    assert(state.sequence >= *newer);
    Value desired;
    RETURN_IF_ERROR(decide(state.view(), &desired));
    uint64_t expiry = 0;
    if (desired.has_value()) {
      ASSIGN_OR_RETURN(expiry, database->ExpiryFor(*tree, options.ttl));
    }
    if (IsUnchanged(state, desired, expiry) && writes->EverythingIsAsDurableAs(options)) break;
    state.value.Reset();  // it may pin a memtable, and the commit may wait for memory
    const std::string_view value = desired.value_or(std::string_view());
    RETURN_IF_ERROR(engine::CheckLimits(key, value));
    const BatchOpTag put = expiry == 0 ? BatchOpTag::kPut : BatchOpTag::kPutWithExpiry;
    engine::SingleWrite write(tree, desired.has_value() ? put : BatchOpTag::kDelete, key, value,
                              expiry);
    write.request()->read_at = state.sequence;
    newer.reset();
    RETURN_IF_ERROR(writes->WriteIfUnchanged(write.request(), options, &newer));
  }
  return absl::OkStatus();
}

absl::Status PutIfAbsentIn(Database* database, Tree* tree, std::string_view key,
                           std::string_view value, const WriteOptions& options) {
  RETURN_IF_ERROR(engine::CheckLimits(key, value));
  return WriteConditionally(
      database, tree, key, options, [&](const Value& current, Value* desired) {
        if (current.has_value()) {
          return absl::AlreadyExistsError(
              absl::StrCat("put if absent: ", engine::ShownKey(key), " exists"));
        }
        *desired = value;
        return absl::OkStatus();
      });
}

// What CompareAndSet does if the value is `expected`.
struct Change {
  Value expected;
  Value desired;
};

absl::Status CompareAndSetIn(Database* database, Tree* tree, std::string_view key,
                             const Change& change, const WriteOptions& options) {
  RETURN_IF_ERROR(engine::CheckLimits(key, change.desired.value_or(std::string_view())));
  return WriteConditionally(database, tree, key, options, [&](const Value& current, Value* next) {
    if (current != change.expected) {
      return absl::AbortedError(absl::StrCat("compare and set: ", engine::ShownKey(key),
                                             !current.has_value() ? " does not exist"
                                             : !change.expected.has_value()
                                                 ? " exists"
                                                 : " has another value than expected"));
    }
    *next = change.desired;
    return absl::OkStatus();
  });
}

absl::StatusOr<std::string> GetAndDeleteIn(Database* database, Tree* tree, std::string_view key,
                                           const WriteOptions& options) {
  std::string deleted;
  RETURN_IF_ERROR(
      WriteConditionally(database, tree, key, options, [&](const Value& current, Value*) {
        if (!current.has_value()) return absl::Status(absl::StatusCode::kNotFound, "");
        deleted = *current;
        return absl::OkStatus();
      }));
  return deleted;
}

absl::StatusOr<std::string> GetAndExtendIn(Database* database, Tree* tree, std::string_view key,
                                           std::chrono::milliseconds ttl,
                                           const WriteOptions& options) {
  WriteOptions with_ttl = options;
  with_ttl.ttl = ttl;
  std::string kept;
  RETURN_IF_ERROR(
      WriteConditionally(database, tree, key, with_ttl, [&](const Value& current, Value* desired) {
        if (!current.has_value()) return absl::Status(absl::StatusCode::kNotFound, "");
        kept = *current;
        *desired = kept;
        return absl::OkStatus();
      }));
  return kept;
}

absl::StatusOr<std::optional<std::chrono::system_clock::time_point>> GetExpiryIn(
    Database* database, const Tree& tree, std::string_view key) {
  using TimePoint = std::chrono::system_clock::time_point;
  KeyState state;
  RETURN_IF_ERROR(Read(database, tree, key, &state));
  if (!state.exists) return absl::Status(absl::StatusCode::kNotFound, "");
  if (state.expiry.micros == 0 || state.expiry.has_operands) return std::nullopt;
  const std::chrono::microseconds since(std::min(state.expiry.micros, kMaxExpiryMicros));
  return TimePoint(std::chrono::duration_cast<TimePoint::duration>(since));
}

using Function = std::function<std::optional<std::string>(Value)>;

absl::Status UpdateIn(Database* database, Tree* tree, std::string_view key, const Function& f,
                      const WriteOptions& options) {
  std::optional<std::string> value;
  return WriteConditionally(database, tree, key, options,
                            [&](const Value& current, Value* desired) {
                              value = f(current);
                              if (value.has_value()) *desired = *value;
                              return absl::OkStatus();
                            });
}

}  // namespace

absl::Status DB::PutIfAbsent(std::string_view key, std::string_view value,
                             const WriteOptions& options) {
  return CatchBadAlloc([&]() -> absl::Status {
    RETURN_IF_ERROR(database_->CheckWritable());
    return PutIfAbsentIn(database_.get(), database_->default_tree, key, value, options);
  });
}

absl::Status DB::PutIfAbsent(const ColumnFamily& family, std::string_view key,
                             std::string_view value, const WriteOptions& options) {
  return CatchBadAlloc([&]() -> absl::Status {
    RETURN_IF_ERROR(database_->CheckWritable());
    ASSIGN_OR_RETURN(Tree* const tree, TreeOf(family));
    return PutIfAbsentIn(database_.get(), tree, key, value, options);
  });
}

absl::Status DB::CompareAndSet(std::string_view key, std::optional<std::string_view> expected,
                               std::optional<std::string_view> desired,
                               const WriteOptions& options) {
  return CatchBadAlloc([&]() -> absl::Status {
    RETURN_IF_ERROR(database_->CheckWritable());
    return CompareAndSetIn(database_.get(), database_->default_tree, key, {expected, desired},
                           options);
  });
}

absl::Status DB::CompareAndSet(const ColumnFamily& family, std::string_view key,
                               std::optional<std::string_view> expected,
                               std::optional<std::string_view> desired,
                               const WriteOptions& options) {
  return CatchBadAlloc([&]() -> absl::Status {
    RETURN_IF_ERROR(database_->CheckWritable());
    ASSIGN_OR_RETURN(Tree* const tree, TreeOf(family));
    return CompareAndSetIn(database_.get(), tree, key, {expected, desired}, options);
  });
}

absl::StatusOr<std::string> DB::GetAndDelete(std::string_view key, const WriteOptions& options) {
  return CatchBadAlloc([&]() -> absl::StatusOr<std::string> {
    RETURN_IF_ERROR(database_->CheckWritable());
    return GetAndDeleteIn(database_.get(), database_->default_tree, key, options);
  });
}

absl::StatusOr<std::string> DB::GetAndDelete(const ColumnFamily& family, std::string_view key,
                                             const WriteOptions& options) {
  return CatchBadAlloc([&]() -> absl::StatusOr<std::string> {
    RETURN_IF_ERROR(database_->CheckWritable());
    ASSIGN_OR_RETURN(Tree* const tree, TreeOf(family));
    return GetAndDeleteIn(database_.get(), tree, key, options);
  });
}

absl::StatusOr<std::string> DB::GetAndExtend(std::string_view key, std::chrono::milliseconds ttl,
                                             const WriteOptions& options) {
  return CatchBadAlloc([&]() -> absl::StatusOr<std::string> {
    RETURN_IF_ERROR(database_->CheckWritable());
    return GetAndExtendIn(database_.get(), database_->default_tree, key, ttl, options);
  });
}

absl::StatusOr<std::string> DB::GetAndExtend(const ColumnFamily& family, std::string_view key,
                                             std::chrono::milliseconds ttl,
                                             const WriteOptions& options) {
  return CatchBadAlloc([&]() -> absl::StatusOr<std::string> {
    RETURN_IF_ERROR(database_->CheckWritable());
    ASSIGN_OR_RETURN(Tree* const tree, TreeOf(family));
    return GetAndExtendIn(database_.get(), tree, key, ttl, options);
  });
}

using OptionalTime = std::optional<std::chrono::system_clock::time_point>;

absl::StatusOr<OptionalTime> DB::GetExpiry(std::string_view key) {
  return CatchBadAlloc([&]() -> absl::StatusOr<OptionalTime> {
    RETURN_IF_ERROR(database_->open_state.Check());
    return GetExpiryIn(database_.get(), *database_->default_tree, key);
  });
}

absl::StatusOr<OptionalTime> DB::GetExpiry(const ColumnFamily& family, std::string_view key) {
  return CatchBadAlloc([&]() -> absl::StatusOr<OptionalTime> {
    RETURN_IF_ERROR(database_->open_state.Check());
    ASSIGN_OR_RETURN(const Tree* const tree, TreeOf(family));
    return GetExpiryIn(database_.get(), *tree, key);
  });
}

absl::Status DB::Update(
    std::string_view key,
    const std::function<std::optional<std::string>(std::optional<std::string_view>)>& f,
    const WriteOptions& options) {
  return CatchBadAlloc([&]() -> absl::Status {
    RETURN_IF_ERROR(database_->CheckWritable());
    return UpdateIn(database_.get(), database_->default_tree, key, f, options);
  });
}

absl::Status DB::Update(
    const ColumnFamily& family, std::string_view key,
    const std::function<std::optional<std::string>(std::optional<std::string_view>)>& f,
    const WriteOptions& options) {
  return CatchBadAlloc([&]() -> absl::Status {
    RETURN_IF_ERROR(database_->CheckWritable());
    ASSIGN_OR_RETURN(Tree* const tree, TreeOf(family));
    return UpdateIn(database_.get(), tree, key, f, options);
  });
}

}  // namespace cambium
