// Transaction: reads and writes of one database that take effect together, or not at all.
//
//   absl::Status moved = db->Transact([&](cambium::Transaction& t) -> absl::Status {
//     absl::StatusOr<std::string> balance = t.Get("alice");
//     if (!balance.ok()) return balance.status();
//     …
//     return t.Put("alice", *balance - 10);
//   });
#ifndef CAMBIUM_TRANSACTION_H_
#define CAMBIUM_TRANSACTION_H_

#include <chrono>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "cambium/column_family.h"
#include "cambium/export.h"
#include "cambium/iterator.h"
#include "cambium/options.h"
#include "cambium/pinned_value.h"

namespace cambium {

namespace engine {
class CAMBIUM_LOCAL TransactionCore;
}

// What a transaction is protected from. All its reads see one moment, that of its begin, and two
// transactions that write the same key conflict. kSnapshot permits write skew (Berenson et al., "A
// Critique of ANSI SQL Isolation Levels", 1995): each of two transactions reads what the other one
// writes. With kSerializable, every key and range that was read must be unchanged at the commit, so
// the result is that of some serial order.
enum class Isolation { kSnapshot, kSerializable };

// When a conflict is found: at the commit, or when a key is written or read for an update. A
// pessimistic transaction then waits for the other one. Plain writes wait for no transaction.
enum class Concurrency { kOptimistic, kPessimistic };

// Plain data.
struct TransactionOptions {
  Isolation isolation = Isolation::kSnapshot;
  Concurrency concurrency = Concurrency::kOptimistic;
  // How long a pessimistic transaction waits for one lock, in real time; 0: not at all. A negative
  // value makes every call return InvalidArgument.
  std::chrono::milliseconds lock_timeout{1000};
};

// Begun by DB::BeginTransaction. Reads see the own writes over the state at the begin; other
// readers see nothing before the commit. Plain writes to the database count as transactions of one
// write. Nothing about an open transaction is on disk.
//
// Aborted means a conflict, and names the key. A transaction never fails because some history is
// gone: it may be as long as it likes, but keeps the versions that it may read, as a snapshot does.
// When it is over (committed, whatever the outcome, or rolled back), every call returns
// FailedPrecondition. Destroy it before its DB; its iterators may outlive it. One thread at a time.
class CAMBIUM_EXPORT Transaction {
 public:
  // Used by DB only.
  explicit Transaction(std::unique_ptr<engine::TransactionCore> core);
  ~Transaction();  // rolls back
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;

  // The same as those of DB. ReadOptions::snapshot must be null (InvalidArgument). An iterator sees
  // the own writes up to its creation.
  absl::StatusOr<std::string> Get(std::string_view key, const ReadOptions& = {});
  absl::Status Get(std::string_view key, PinnedValue* value, const ReadOptions& = {});
  void MultiGet(std::span<const std::string_view> keys, std::span<PinnedValue> values,
                std::span<absl::Status> statuses, const ReadOptions& = {});
  std::unique_ptr<Iterator> NewIterator(const ReadOptions& = {});
  absl::StatusOr<std::string> Get(const ColumnFamily&, std::string_view key,
                                  const ReadOptions& = {});
  absl::Status Get(const ColumnFamily&, std::string_view key, PinnedValue* value,
                   const ReadOptions& = {});
  void MultiGet(const ColumnFamily&, std::span<const std::string_view> keys,
                std::span<PinnedValue> values, std::span<absl::Status> statuses,
                const ReadOptions& = {});
  std::unique_ptr<Iterator> NewIterator(const ColumnFamily&, const ReadOptions& = {});
  // Reads `key`, and conflicts with every later write of it, as if it had been written.
  absl::Status GetForUpdate(std::string_view key, PinnedValue* value);
  absl::Status GetForUpdate(const ColumnFamily&, std::string_view key, PinnedValue* value);

  // Writes that take effect with Commit(). In a pessimistic transaction they, and GetForUpdate,
  // lock the key: DeadlineExceeded if another transaction has it for longer than the timeout,
  // Aborted if the wait would be a deadlock (naming both keys), or if the key was changed since the
  // begin. After such an error nothing was written, and the transaction may go on.
  //
  // `ttl` is as in WriteOptions, and so is the one of the family, but it counts from Commit(): the
  // transaction sees what it has put as long as it is open.
  absl::Status Put(std::string_view key, std::string_view value,
                   std::optional<std::chrono::milliseconds> ttl = {});
  absl::Status Put(const ColumnFamily&, std::string_view key, std::string_view value,
                   std::optional<std::chrono::milliseconds> ttl = {});
  absl::Status Delete(std::string_view key);
  absl::Status Delete(const ColumnFamily&, std::string_view key);
  absl::Status Merge(std::string_view key, std::string_view operand);
  absl::Status Merge(const ColumnFamily&, std::string_view key, std::string_view operand);

  // Savepoints nest. Both functions remove the newest one, and return FailedPrecondition if there
  // is none: RollbackToSavepoint() also removes the writes after it. Locks, and what was read,
  // stay. SetSavepoint() does nothing if the transaction is over.
  void SetSavepoint();
  absl::Status RollbackToSavepoint();
  absl::Status ReleaseSavepoint();

  // Writes everything as one batch, if nothing that the transaction depends on was written since
  // its begin; otherwise returns Aborted, and nothing is written. Other errors are those of
  // DB::Write.
  absl::Status Commit(const WriteOptions& = {});
  void Rollback();

  // Used by DB::Transact: whether any call returned Aborted because of a conflict.
  bool HadConflict() const;

 private:
  std::unique_ptr<engine::TransactionCore> core_;
};

}  // namespace cambium

#endif  // CAMBIUM_TRANSACTION_H_
