// Cambium: an embedded, ordered key-value store. This header includes the whole C++ API.
//
//   auto db = cambium::DB::Open({}, "/tmp/example");
//   if (!db.ok()) …
//   absl::Status put = (*db)->Put("k", "v");
//   absl::StatusOr<std::string> value = (*db)->Get("k");
//
// Keys and values are arbitrary bytes and may be empty. A key has at most 64 KiB and a value at
// most 1 GiB; a larger one is InvalidArgument, and nothing is written. NotFound means that the key
// does not exist. Every other error names the file, the offset, and what was found and expected. No
// exception leaves the library, and no input aborts the process.
#ifndef CAMBIUM_DB_H_
#define CAMBIUM_DB_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "cambium/export.h"
#include "cambium/iterator.h"
#include "cambium/options.h"
#include "cambium/stats.h"
#include "cambium/transaction.h"
#include "cambium/write_batch.h"

namespace cambium {

namespace engine {
class CAMBIUM_LOCAL Database;
}

// One open database. Thread-safe: every method may be called from several threads at once.
//
// A database belongs to the process that opened it. In a child made by fork(), every call returns
// FailedPrecondition, and destroying the DB, its iterators, snapshots and pinned values is safe and
// touches no file and no lock: their memory stays as it is. The child may open databases of its
// own. (The library notices fork(), not a bare clone system call.)
class CAMBIUM_EXPORT DB {
 public:
  // Opens the database in the directory `path`. Returns LockHeldError (file_system.h) if another
  // process, or this one, has it open (the message names the pid), and DataLoss if a file that
  // recovery needs is damaged.
  static absl::StatusOr<std::unique_ptr<DB>> Open(const Options& options, const std::string& path);

  // Closes the database after finishing or stopping background work. No other call may be running.
  ~DB();
  // Releases files, threads and the lock; ~DB releases memory. Returns ok if every write is synced.
  // Every call of Close() waits until the database is closed and returns the same status. Other
  // calls that are running either complete or return FailedPrecondition. Every later call returns
  // FailedPrecondition; a call without a status returns an empty value, and GetSnapshot() returns a
  // snapshot that no read accepts. The next move of an open iterator ends it with
  // FailedPrecondition; its current entry and pinned values stay readable until ~DB.
  absl::Status Close();

  // If memory cannot be allocated, a call that returns a status returns ResourceExhausted, or
  // Unavailable for a write whose outcome is then unknown; MultiGet reports it in its statuses, and
  // an iterator ends with that status. Calls that return no status throw std::bad_alloc and change
  // nothing. The database stays usable, and background work is repeated.

  // A value that was written with a TTL is visible until it expires, and then to no read any more,
  // also through a snapshot; an iterator uses the time at which it was made. The time is
  // Clock::WallMicros() of Options::clock. If that jumps back, the database stays at the latest
  // time that it has used. The space is released by flush and compaction, which also run because
  // values have expired (Executor::ScheduleAfter).

  // Writes are atomic and ordered, and are visible to the caller's next read when they return.
  // After an error other than InvalidArgument, FailedPrecondition or ResourceExhausted the outcome
  // of the write is unknown until the next Open.
  absl::Status Put(std::string_view key, std::string_view value, const WriteOptions& = {});
  absl::Status Delete(std::string_view key, const WriteOptions& = {});  // ok if absent
  // Applies `operand` to the value of `key` by the merge operator of the family. Reads nothing:
  // later reads, flushes and compactions compute the value. Returns FailedPrecondition if there is
  // no operator.
  absl::Status Merge(std::string_view key, std::string_view operand, const WriteOptions& = {});
  // Deletes the keys in [begin, end), in the order of the family; ok and without an effect if
  // `begin` is not before `end`. Takes the same short time for any number of keys: a range
  // tombstone hides them at once, and compactions free their space later.
  absl::Status DeleteRange(std::string_view begin, std::string_view end, const WriteOptions& = {});
  // Deletes the keys from `begin` to the end of the family.
  absl::Status DeleteFrom(std::string_view begin, const WriteOptions& = {});
  absl::Status Write(const WriteBatch& batch, const WriteOptions& = {});
  absl::Status Put(const ColumnFamily&, std::string_view key, std::string_view value,
                   const WriteOptions& = {});
  absl::Status Delete(const ColumnFamily&, std::string_view key, const WriteOptions& = {});
  absl::Status Merge(const ColumnFamily&, std::string_view key, std::string_view operand,
                     const WriteOptions& = {});
  absl::Status DeleteRange(const ColumnFamily&, std::string_view begin, std::string_view end,
                           const WriteOptions& = {});
  absl::Status DeleteFrom(const ColumnFamily&, std::string_view begin, const WriteOptions& = {});

  // Conditional writes: each reads one key and writes it as if no other write, of any kind,
  // happened in between. Nothing is written if the condition does not hold, or if the key already
  // has the new value (unless it must be logged again to be as durable as the options demand). They
  // do not wait for each other: one that was overtaken by another write reads again.
  //
  // Returns AlreadyExists if the key exists.
  absl::Status PutIfAbsent(std::string_view key, std::string_view value, const WriteOptions& = {});
  // Puts `desired`, or deletes the key if it is nullopt. Returns Aborted, naming the key, if its
  // value is not `expected`; nullopt expects that the key does not exist.
  absl::Status CompareAndSet(std::string_view key, std::optional<std::string_view> expected,
                             std::optional<std::string_view> desired, const WriteOptions& = {});
  // Gives the value a new TTL, 0 for none, and returns it; or returns NotFound. `ttl` is as in
  // WriteOptions, whose own is not used.
  absl::StatusOr<std::string> GetAndExtend(std::string_view key, std::chrono::milliseconds ttl,
                                           const WriteOptions& = {});
  // Returns the value that it deleted, or NotFound.
  absl::StatusOr<std::string> GetAndDelete(std::string_view key, const WriteOptions& = {});
  // Puts the value that `f` returns for the current one, nullopt if the key does not exist; deletes
  // the key if `f` returns nullopt. The last call of `f` counts: it is called again if the key was
  // written in the meantime. It may read this database, but must not write to it: the operation
  // could repeat forever. No lock is held while it runs. If it throws, nothing is written, and the
  // caller gets the exception (ResourceExhausted for a std::bad_alloc or std::system_error).
  absl::Status Update(
      std::string_view key,
      const std::function<std::optional<std::string>(std::optional<std::string_view>)>& f,
      const WriteOptions& = {});
  absl::Status PutIfAbsent(const ColumnFamily&, std::string_view key, std::string_view value,
                           const WriteOptions& = {});
  absl::Status CompareAndSet(const ColumnFamily&, std::string_view key,
                             std::optional<std::string_view> expected,
                             std::optional<std::string_view> desired, const WriteOptions& = {});
  absl::StatusOr<std::string> GetAndExtend(const ColumnFamily&, std::string_view key,
                                           std::chrono::milliseconds ttl, const WriteOptions& = {});
  absl::StatusOr<std::string> GetAndDelete(const ColumnFamily&, std::string_view key,
                                           const WriteOptions& = {});
  absl::Status Update(
      const ColumnFamily&, std::string_view key,
      const std::function<std::optional<std::string>(std::optional<std::string_view>)>& f,
      const WriteOptions& = {});

  // Returns a copy of the value of `key`, or NotFound. DataLoss names the damaged file and the key
  // range.
  absl::StatusOr<std::string> Get(std::string_view key, const ReadOptions& = {});
  // Sets `*value` to the value of `key`, without copying a long one.
  absl::Status Get(std::string_view key, PinnedValue* value, const ReadOptions& = {});
  // Returns when the value of `key` expires: nullopt if never. That is also so for a key with merge
  // operands, which stay when the value that they apply to expires. Or returns NotFound.
  absl::StatusOr<std::optional<std::chrono::system_clock::time_point>> GetExpiry(
      std::string_view key);
  // Reads all keys as of the same moment. The result for keys[i] is in values[i] and statuses[i];
  // the three spans have the same size. Keys may repeat and come in any order.
  void MultiGet(std::span<const std::string_view> keys, std::span<PinnedValue> values,
                std::span<absl::Status> statuses, const ReadOptions& = {});
  // Returns an iterator, never null. If it could not be made, it is not Valid() and its status() is
  // the error.
  std::unique_ptr<Iterator> NewIterator(const ReadOptions& = {});
  absl::StatusOr<std::string> Get(const ColumnFamily&, std::string_view key,
                                  const ReadOptions& = {});
  absl::Status Get(const ColumnFamily&, std::string_view key, PinnedValue* value,
                   const ReadOptions& = {});
  absl::StatusOr<std::optional<std::chrono::system_clock::time_point>> GetExpiry(
      const ColumnFamily&, std::string_view key);
  void MultiGet(const ColumnFamily&, std::span<const std::string_view> keys,
                std::span<PinnedValue> values, std::span<absl::Status> statuses,
                const ReadOptions& = {});
  std::unique_ptr<Iterator> NewIterator(const ColumnFamily&, const ReadOptions& = {});
  // Returns the current state of all families, which stays readable until the last reference is
  // released.
  std::shared_ptr<const Snapshot> GetSnapshot();

  // Begins a transaction, never null. If it could not begin, every call of it returns the error.
  std::unique_ptr<Transaction> BeginTransaction(const TransactionOptions& = {});
  // Calls `body` with a new transaction, and commits it if `body` returns ok. After a conflict it
  // does both again, after a short pause, up to a hundred times; then it returns Aborted. Every
  // other error rolls the transaction back and is returned. `body` should have no effect outside of
  // its transaction; if it throws, the transaction is rolled back, and the caller gets the
  // exception.
  absl::Status Transact(const std::function<absl::Status(Transaction&)>& body,
                        const TransactionOptions& = {}, const WriteOptions& = {});

  // A column family is an ordered key space of its own, with its own options. All families share
  // the log, the order of writes, the memory budget and the threads; a batch may write to several
  // of them, atomically. There is always a family "default", which calls without a family use.
  //
  // A call with a handle (a ColumnFamily) of another database returns InvalidArgument. After a
  // drop, writes and new reads return FailedPrecondition; iterators that exist, and reads with a
  // snapshot from before the drop, still see the family. Creating and dropping a family takes the
  // same time for any number of families.

  // Returns AlreadyExists if there is a family with this name, and InvalidArgument if the name is
  // empty or longer than 1024 bytes.
  absl::StatusOr<std::shared_ptr<ColumnFamily>> CreateColumnFamily(std::string_view name,
                                                                   const ColumnFamilyOptions& = {});
  // Returns a new handle, or NotFound. Open() finds every family that exists.
  absl::StatusOr<std::shared_ptr<ColumnFamily>> GetColumnFamily(std::string_view name);
  std::shared_ptr<ColumnFamily> DefaultColumnFamily() const;
  // Returns the names of all families, sorted.
  std::vector<std::string> ListColumnFamilies() const;
  // Return NotFound if there is no such family, and InvalidArgument for "default". The space of a
  // dropped family is released when no iterator and no older snapshot needs it.
  absl::Status DropColumnFamily(std::string_view name);
  // Returns AlreadyExists if there is a family with the new name. Handles stay valid.
  absl::Status RenameColumnFamily(std::string_view from, std::string_view to);
  // Deletes all keys of the family, as DeleteRange does: one write, atomic, which snapshots and
  // iterators that exist do not see. It is as durable as a write without `sync`.
  absl::Status ClearColumnFamily(const ColumnFamily&);

  // Writes everything written so far to SSTables and syncs them.
  absl::Status Flush();
  absl::Status Flush(const ColumnFamily&);
  // Flushes, then compacts everything that overlaps [begin, end) into the last level. An absent
  // bound is unbounded.
  absl::Status CompactRange(std::optional<std::string_view> begin = {},
                            std::optional<std::string_view> end = {});
  absl::Status CompactRange(const ColumnFamily&, std::optional<std::string_view> begin = {},
                            std::optional<std::string_view> end = {});
  // Waits until no background work is due or running: no flush, no compaction, and no preparation
  // of the next log segment. Returns the error if one of them has stopped writes.
  absl::Status WaitForIdle();
  // Reads every live byte on disk and checks every checksum. Returns DataLoss that names the first
  // damage.
  absl::Status Verify();
  // Returns the current counters and gauges.
  Stats GetStats() const;
  // Returns the property of that name: "cambium.levels", "cambium.stats", "cambium.version",
  // "cambium.last-sequence", "cambium.num-files-at-level<N>" or "cambium.approximate-memory-usage";
  // nullopt for any other name.
  std::optional<std::string> GetProperty(std::string_view name) const;
  // Returns the approximate number of bytes on disk that the keys in [begin, end) take.
  uint64_t ApproximateSize(std::string_view begin, std::string_view end) const;
  uint64_t ApproximateSize(const ColumnFamily&, std::string_view begin, std::string_view end) const;
  // Returns the state of the database and, if it is not healthy, the first error.
  Health GetHealth() const;
  // Tries to make a database in state kReadOnly or kNoSpace writable again.
  absl::Status Resume();

 private:
  explicit DB(std::unique_ptr<engine::Database> database);
  absl::StatusOr<engine::Tree*> TreeOf(const ColumnFamily& family) const;
  std::shared_ptr<ColumnFamily> HandleOf(std::string_view name,
                                         std::shared_ptr<engine::Tree> tree) const;

  std::unique_ptr<engine::Database> database_;
};

// Removes the files of the database in `path` and no other files. Removes the directory too if it
// is then empty and may be removed (if `path` is a symbolic link, the link and the directory stay).
// Returns ok if there is no database, and LockHeldError if it is open.
CAMBIUM_EXPORT absl::Status DestroyDB(const std::string& path);

// Returns the version of the library, such as "1.0.0".
CAMBIUM_EXPORT std::string_view Version();

}  // namespace cambium

#endif  // CAMBIUM_DB_H_
