// Transactions in the public API: each method calls TransactionCore.
#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>

#include "cambium/db.h"
#include "engine/database.h"
#include "engine/transaction/transaction_core.h"
#include "util/mutex.h"
#include "util/out_of_memory.h"
#include "util/process.h"
#include "util/random.h"
#include "util/status_macros.h"

namespace cambium {
namespace {

// With the longest pauses, a hundred attempts take half a second.
constexpr int kAttempts = 100;
constexpr int kLongestPauseShift = 13;

// Waits a random time of up to 2^attempt microseconds, so that transactions that have met do not
// meet again.
void BackOff(int attempt, uint64_t seed) {
  const uint64_t most = uint64_t{1} << std::min(attempt, kLongestPauseShift);
  Mutex mutex;
  CondVar never;
  MutexLock lock(&mutex);
  never.WaitFor(&mutex, Random(seed).Next() % most);
}

}  // namespace

std::unique_ptr<Transaction> DB::BeginTransaction(const TransactionOptions& options) {
  return std::make_unique<Transaction>(
      std::make_unique<engine::TransactionCore>(this, database_.get(), options));
}

absl::Status DB::Transact(const std::function<absl::Status(Transaction&)>& body,
                          const TransactionOptions& options, const WriteOptions& write_options) {
  for (int attempt = 0;; ++attempt) {
    const std::unique_ptr<Transaction> transaction = BeginTransaction(options);
    absl::Status status = body(*transaction);
    if (status.ok()) status = transaction->Commit(write_options);
    const bool again = absl::IsAborted(status) && transaction->HadConflict();
    if (!again || attempt == kAttempts) return status;
    transaction->Rollback();
    BackOff(attempt,
            reinterpret_cast<uintptr_t>(transaction.get()) + static_cast<uint64_t>(attempt));
  }
}

Transaction::Transaction(std::unique_ptr<engine::TransactionCore> core) : core_(std::move(core)) {}

Transaction::~Transaction() {
  if (core_->forked()) Abandon(std::move(core_));
}

absl::StatusOr<std::string> Transaction::Get(std::string_view key, const ReadOptions& options) {
  PinnedValue value;
  RETURN_IF_ERROR(Get(key, &value, options));
  return CatchBadAlloc([&]() -> absl::StatusOr<std::string> { return value.ToString(); });
}

absl::StatusOr<std::string> Transaction::Get(const ColumnFamily& family, std::string_view key,
                                             const ReadOptions& options) {
  PinnedValue value;
  RETURN_IF_ERROR(Get(family, key, &value, options));
  return CatchBadAlloc([&]() -> absl::StatusOr<std::string> { return value.ToString(); });
}

absl::Status Transaction::Get(std::string_view key, PinnedValue* value,
                              const ReadOptions& options) {
  return CatchBadAlloc([&] { return core_->Get(nullptr, key, value, options); });
}

absl::Status Transaction::Get(const ColumnFamily& family, std::string_view key, PinnedValue* value,
                              const ReadOptions& options) {
  return CatchBadAlloc([&] { return core_->Get(&family, key, value, options); });
}

void Transaction::MultiGet(std::span<const std::string_view> keys, std::span<PinnedValue> values,
                           std::span<absl::Status> statuses, const ReadOptions& options) {
  core_->MultiGet(nullptr, {keys, values, statuses}, options);
}

void Transaction::MultiGet(const ColumnFamily& family, std::span<const std::string_view> keys,
                           std::span<PinnedValue> values, std::span<absl::Status> statuses,
                           const ReadOptions& options) {
  core_->MultiGet(&family, {keys, values, statuses}, options);
}

std::unique_ptr<Iterator> Transaction::NewIterator(const ReadOptions& options) {
  return core_->NewIterator(nullptr, options);
}

std::unique_ptr<Iterator> Transaction::NewIterator(const ColumnFamily& family,
                                                   const ReadOptions& options) {
  return core_->NewIterator(&family, options);
}

absl::Status Transaction::GetForUpdate(std::string_view key, PinnedValue* value) {
  return CatchBadAlloc([&] { return core_->GetForUpdate(nullptr, key, value); });
}

absl::Status Transaction::GetForUpdate(const ColumnFamily& family, std::string_view key,
                                       PinnedValue* value) {
  return CatchBadAlloc([&] { return core_->GetForUpdate(&family, key, value); });
}

absl::Status Transaction::Put(std::string_view key, std::string_view value,
                              std::optional<std::chrono::milliseconds> ttl) {
  return CatchBadAlloc([&] { return core_->Put(nullptr, key, value, ttl); });
}

absl::Status Transaction::Put(const ColumnFamily& family, std::string_view key,
                              std::string_view value,
                              std::optional<std::chrono::milliseconds> ttl) {
  return CatchBadAlloc([&] { return core_->Put(&family, key, value, ttl); });
}

absl::Status Transaction::Delete(std::string_view key) {
  return CatchBadAlloc([&] { return core_->Write(nullptr, BatchOpTag::kDelete, key, {}); });
}

absl::Status Transaction::Delete(const ColumnFamily& family, std::string_view key) {
  return CatchBadAlloc([&] { return core_->Write(&family, BatchOpTag::kDelete, key, {}); });
}

absl::Status Transaction::Merge(std::string_view key, std::string_view operand) {
  return CatchBadAlloc([&] { return core_->Write(nullptr, BatchOpTag::kMerge, key, operand); });
}

absl::Status Transaction::Merge(const ColumnFamily& family, std::string_view key,
                                std::string_view operand) {
  return CatchBadAlloc([&] { return core_->Write(&family, BatchOpTag::kMerge, key, operand); });
}

void Transaction::SetSavepoint() { core_->SetSavepoint(); }
absl::Status Transaction::RollbackToSavepoint() {
  return CatchBadAlloc([&] { return core_->RollbackToSavepoint(); });
}
absl::Status Transaction::ReleaseSavepoint() { return core_->ReleaseSavepoint(); }

absl::Status Transaction::Commit(const WriteOptions& options) {
  return CatchBadAlloc([&] { return core_->Commit(options); });
}

void Transaction::Rollback() { core_->Rollback(); }

bool Transaction::HadConflict() const { return core_->had_conflict(); }

}  // namespace cambium
