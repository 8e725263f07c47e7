// TransactionCore: one transaction.
//
//   begin    watch the commits; take a snapshot S
//   read     own writes over the snapshot
//   write    into OwnWrites; a pessimistic one first locks the key, and checks that it is unchanged
//   commit   order the batch if nothing that it depends on was written after S
//
// docs/design/transactions.md explains how the commit is validated, and why that is correct.
#ifndef CAMBIUM_ENGINE_TRANSACTION_TRANSACTION_CORE_H_
#define CAMBIUM_ENGINE_TRANSACTION_TRANSACTION_CORE_H_

#include <chrono>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "cambium/transaction.h"
#include "engine/database.h"
#include "engine/transaction/lock_table.h"
#include "engine/transaction/own_writes.h"
#include "engine/transaction/read_set.h"

namespace cambium::engine {

// Confined to one thread at a time.
class TransactionCore {
 public:
  // `db` is the handle of `database`; both outlive the transaction.
  TransactionCore(DB* db, Database* database, const TransactionOptions& options);
  ~TransactionCore();
  TransactionCore(const TransactionCore&) = delete;
  TransactionCore& operator=(const TransactionCore&) = delete;

  // `family` is null for the default one.
  absl::Status Get(const ColumnFamily* family, std::string_view key, PinnedValue* value,
                   const ReadOptions& options);
  std::unique_ptr<Iterator> NewIterator(const ColumnFamily* family, const ReadOptions& options);
  absl::Status GetForUpdate(const ColumnFamily* family, std::string_view key, PinnedValue* value);
  absl::Status Put(const ColumnFamily* family, std::string_view key, std::string_view value,
                   std::optional<std::chrono::milliseconds> ttl);
  // `tag` is kDelete or kMerge.
  absl::Status Write(const ColumnFamily* family, BatchOpTag tag, std::string_view key,
                     std::string_view value);

  struct ManyReads {
    std::span<const std::string_view> keys;
    std::span<PinnedValue> values;
    std::span<absl::Status> statuses;
  };
  void MultiGet(const ColumnFamily* family, const ManyReads& reads, const ReadOptions& options);

  void SetSavepoint();
  absl::Status RollbackToSavepoint();
  absl::Status ReleaseSavepoint();
  absl::Status Commit(const WriteOptions& options);
  void Rollback() { End(); }

  bool had_conflict() const { return had_conflict_; }
  // Returns true in a child of the process that began the transaction: it must not be destroyed.
  bool forked() const { return database_->open_state.forked(); }

 private:
  absl::Status Begin();
  // Releases everything that the transaction holds.
  void End();
  // Returns ok if calls are accepted.
  absl::Status Check() const;
  absl::StatusOr<TreeRef> TreeOf(const ColumnFamily* family) const;
  absl::Status CheckReadOptions(const ReadOptions& options) const;
  // Sets *value to the committed value, as of the snapshot.
  absl::Status GetCommitted(const ColumnFamily* family, std::string_view key, PinnedValue* value,
                            const ReadOptions& options);
  absl::Status GetWithOwn(const ColumnFamily* family, const TreeRef& tree, std::string_view key,
                          PinnedValue* value, const ReadOptions& options);
  // Notes a read of the key, if that matters.
  void NoteRead(const TreeRef& tree, std::string_view key);
  ReadSet& reads();
  // Adds an operation to the own writes; `ttl` is for kPut.
  absl::Status AddWrite(const ColumnFamily* family, BatchOpTag tag, std::string_view key,
                        std::string_view value, std::optional<std::chrono::milliseconds> ttl);
  // A pessimistic transaction locks the key; an optimistic one does nothing.
  absl::Status LockKey(const TreeRef& tree, std::string_view key);
  // Returns `status`, and notes whether it is a conflict.
  absl::Status Noted(absl::Status status);

  // Return ok, or Aborted: something that the transaction depends on has changed.
  absl::Status CheckDependencies() const;
  absl::Status CheckFamilies() const;  // whether one was dropped
  // Returns the slots of all keys that the transaction depends on; none if it depends on ranges.
  std::vector<uint32_t> DependencySlots() const;
  absl::Status CommitWrites(const WriteOptions& options);
  absl::Status Order(CommitRequest* request, const WriteOptions& options);

  DB* const db_;
  Database* const database_;
  const TransactionOptions options_;
  // Null when the transaction is over, or if it could not begin.
  std::unique_ptr<WritePath::Watch> watch_;
  std::shared_ptr<const Snapshot> snapshot_;
  absl::Status error_;  // of every call, if it could not begin
  OwnWrites writes_;
  ReadSet for_update_;  // keys of GetForUpdate
  // With serializable isolation, other reads. Shared with iterators; null until the first read.
  std::shared_ptr<ReadSet> reads_;
  LockTable::Holder locks_;
  bool had_conflict_ = false;
};

}  // namespace cambium::engine

#endif  // CAMBIUM_ENGINE_TRANSACTION_TRANSACTION_CORE_H_
