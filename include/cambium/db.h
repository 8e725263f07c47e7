// Cambium: an embedded, ordered key-value store. This header brings the whole C++ API.
//
//   auto db = cambium::DB::Open({}, "/tmp/example");
//   if (!db.ok()) …
//   absl::Status put = (*db)->Put("k", "v");
//   absl::StatusOr<std::string> value = (*db)->Get("k");
//
// Keys and values are any bytes, the empty string too. Limits: key <= 64 KiB, value <= 1 GiB; past
// them InvalidArgument, and nothing is written. A missing key is NotFound. Every other failure
// names the file, the offset and what was expected. No exception leaves the library, and no input
// aborts the process.
#ifndef CAMBIUM_DB_H_
#define CAMBIUM_DB_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cambium/export.h"
#include "cambium/iterator.h"
#include "cambium/options.h"
#include "cambium/pinned_value.h"
#include "cambium/snapshot.h"
#include "cambium/stats.h"
#include "cambium/write_batch.h"

namespace cambium {

// One open database. Thread-safe: every method may be called from several threads at once.
//
// A database belongs to the process that opened it. In a child made by fork(), every call returns
// FailedPrecondition, and destroying the DB, its iterators, snapshots and pinned values is safe and
// touches no file and no lock: their memory stays as it is. The child may open databases of its
// own. (The library notices fork(), not a bare clone system call.)
class CAMBIUM_EXPORT DB {
 public:
  // Opens the database in directory `path`. LockHeldError (file_system.h) while another process, or
  // this one, has it open (the message names the pid); DataLoss where a file that recovery needs is
  // damaged.
  static absl::StatusOr<std::unique_ptr<DB>> Open(const Options& options, const std::string& path);

  // Closes; background work is finished or stopped first. No other call may be running.
  ~DB();
  // Releases files, threads and the lock; memory goes with ~DB. Ok if every write is synced. Every
  // call returns the one outcome, after closing has ended. Calls that run meanwhile either complete
  // or return FailedPrecondition. Every later call returns FailedPrecondition; those without a
  // status return an empty value, and GetSnapshot() a snapshot that serves no read. An open
  // iterator ends at FailedPrecondition with its next move; what it shows, and pinned values, stay
  // readable until ~DB.
  absl::Status Close();

  // If memory cannot be allocated, a call that returns a status returns ResourceExhausted, or
  // Unavailable for a write whose outcome is unknown then; MultiGet says so in its statuses, and an
  // iterator ends with that status. Calls that report no status throw std::bad_alloc and change
  // nothing. The database stays usable, and background work is repeated.

  // Writes. Atomic, ordered, visible to the caller's next read when they return. An error other
  // than InvalidArgument, FailedPrecondition or ResourceExhausted leaves the write's outcome
  // unknown until the next Open.
  absl::Status Put(std::string_view key, std::string_view value, const WriteOptions& = {});
  absl::Status Delete(std::string_view key, const WriteOptions& = {});  // ok where absent
  // Applies `operand` to the value of `key` by Options::merge_operator, without reading it: reads,
  // flush and compaction do that. FailedPrecondition without an operator.
  absl::Status Merge(std::string_view key, std::string_view operand, const WriteOptions& = {});
  absl::Status Write(const WriteBatch& batch, const WriteOptions& = {});

  // The value of `key`, copied, or NotFound. DataLoss names the damaged file and key range.
  absl::StatusOr<std::string> Get(std::string_view key, const ReadOptions& = {});
  // As above, without a copy for long values.
  absl::Status Get(std::string_view key, PinnedValue* value, const ReadOptions& = {});
  // keys, values and statuses have the same size; results stand at the key's index. Duplicates and
  // any order are fine. All keys are read at one moment.
  void MultiGet(std::span<const std::string_view> keys, std::span<PinnedValue> values,
                std::span<absl::Status> statuses, const ReadOptions& = {});
  // Never null; an iterator that could not be made is not Valid() and has the error in status().
  std::unique_ptr<Iterator> NewIterator(const ReadOptions& = {});
  // The state of this moment, kept readable until the last reference goes.
  std::shared_ptr<const Snapshot> GetSnapshot();

  // Upkeep.
  // Everything written so far is in SSTables, synced, on return.
  absl::Status Flush();
  // Flushes, then merges all that overlaps [begin, end) into the lowest level; absent: unbounded.
  absl::Status CompactRange(std::optional<std::string_view> begin = {},
                            std::optional<std::string_view> end = {});
  // No flush or compaction is due or running on return.
  absl::Status WaitForIdle();
  // Reads every live byte on disk and checks every checksum. DataLoss names the first damage.
  absl::Status Verify();
  // Counters and gauges, as of now.
  Stats GetStats() const;
  // "cambium.levels", "cambium.stats", "cambium.version", "cambium.last-sequence",
  // "cambium.num-files-at-level<N>", "cambium.approximate-memory-usage"; nullopt for any other
  // name.
  std::optional<std::string> GetProperty(std::string_view name) const;
  // Bytes on disk that keys in [begin, end) take, about.
  uint64_t ApproximateSize(std::string_view begin, std::string_view end) const;
  // Whether all is well, and if not, what was the first error.
  Health GetHealth() const;
  // Tries to bring a database in state kReadOnly or kNoSpace back to writing.
  absl::Status Resume();

 private:
  class CAMBIUM_LOCAL Impl;
  explicit DB(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// Removes the files of the database in `path`, and no other file; the directory too if it is empty
// then and may be removed (one that `path` reaches through a symbolic link stays, and so does the
// link). ok where there is none; LockHeldError while it is open.
CAMBIUM_EXPORT absl::Status DestroyDB(const std::string& path);

// "1.0.0".
CAMBIUM_EXPORT std::string_view Version();

}  // namespace cambium

#endif  // CAMBIUM_DB_H_
