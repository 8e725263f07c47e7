// Options of a database, of a write and of a read.
//
// Defaults serve: a program sets memory_budget and seldom anything else.
#ifndef CAMBIUM_OPTIONS_H_
#define CAMBIUM_OPTIONS_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "cambium/clock.h"
#include "cambium/comparator.h"
#include "cambium/executor.h"
#include "cambium/file_system.h"
#include "cambium/merge_operator.h"
#include "cambium/snapshot.h"

namespace cambium {

// How the blocks of the lower levels are compressed. The numbers are stored in files.
enum class Compression : uint8_t { kNone = 0, kZstd = 1 };

// What DB::Open takes. Plain data; a copy is kept. A value outside of its bounds is
// InvalidArgument, which names the option and the bounds.
struct Options {
  // Make the database where there is none; otherwise a missing one is NotFound.
  bool create_if_missing = true;
  // A database that exists is AlreadyExists.
  bool error_if_exists = false;
  // Look only: nothing on disk is changed, not even the log replayed into tables; writes answer
  // FailedPrecondition. Several read-only opens and no writer may share a directory.
  bool read_only = false;

  // Bytes for memtables, block cache, indexes and filters, all together; at most 64 TiB. At least
  // 1 MiB is used.
  size_t memory_budget = size_t{512} << 20;
  // Bytes of one memtable; 0: chosen from memory_budget; at most 64 GiB. At least 64 KiB is
  // used.
  size_t memtable_size = 0;
  // Bytes of the block cache; 0: what memory_budget leaves; at most 64 TiB.
  size_t block_cache_size = 0;
  // Threads for flush and compaction; 0: chosen from the cores; at most 1024.
  int background_threads = 0;
  // Descriptors that the database keeps open to read its tables, at most; 0: chosen from the limit
  // of the process (RLIMIT_NOFILE). With fewer than tables, files are closed and opened again.
  int max_open_files = 0;

  Compression compression = Compression::kZstd;
  int compression_level = 1;  // zstd's: -131072 to 22
  // Bits of filter per key; 0: no filter; at most 64.
  double filter_bits_per_key = 10;
  // Bytes at which a compaction starts the next SSTable; 4 KiB to 1 TiB. At least 64 KiB is used.
  uint64_t target_file_size = uint64_t{64} << 20;

  // Whether the log is written through a memory mapping if the file system allows it: faster, and
  // for that the library handles SIGBUS of its own mappings (docs/durability.md). False: no
  // mapping and no handler; each write is a system call.
  bool mapped_log = true;

  // Order of the keys; must outlive the DB. InvalidArgument at Open where its name differs from the
  // stored one.
  const Comparator* comparator = BytewiseComparator();

  // What DB::Merge does. Null: Merge returns FailedPrecondition, and so does a read of a key that
  // holds operands; flush and compaction keep them as they are. It is checked at Open as the
  // comparator is.
  std::shared_ptr<const MergeOperator> merge_operator;

  // Null: the operating system's.
  std::shared_ptr<FileSystem> file_system;
  // Null: the system's clock.
  std::shared_ptr<Clock> clock;
  // Null: a thread pool of the database's own, with background_threads threads.
  std::shared_ptr<Executor> executor;
};

// What one write promises.
struct WriteOptions {
  // false: survives a crash of the process. true: survives a crash of the machine.
  bool sync = false;
  // Not logged: lost in any crash, until the memtable that holds it is flushed. Not with sync
  // (InvalidArgument).
  bool disable_wal = false;
};

// What one read sees.
struct ReadOptions {
  // Null: the newest state when the call starts.
  std::shared_ptr<const Snapshot> snapshot;
  // Iterators: [lower_bound, upper_bound), each owned, so never dangling.
  std::optional<std::string> lower_bound, upper_bound;
  // Whether blocks read from disk stay in the block cache.
  bool fill_cache = true;
};

}  // namespace cambium

#endif  // CAMBIUM_OPTIONS_H_
