// Options of a database, of a write and of a read.
//
// The defaults are good: a program sets memory_budget and seldom anything else.
#ifndef CAMBIUM_OPTIONS_H_
#define CAMBIUM_OPTIONS_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "cambium/clock.h"
#include "cambium/column_family.h"
#include "cambium/comparator.h"
#include "cambium/executor.h"
#include "cambium/file_system.h"
#include "cambium/merge_operator.h"
#include "cambium/merge_operators.h"
#include "cambium/snapshot.h"

namespace cambium {

// The options of DB::Open, which keeps a copy. Plain data. If a value is out of bounds, Open
// returns InvalidArgument, which names the option and the bounds.
struct Options {
  // If there is no database: true creates one, false returns NotFound.
  bool create_if_missing = true;
  // If there is a database: true returns AlreadyExists.
  bool error_if_exists = false;
  // Changes nothing on disk and does not even write the replayed log to tables; writes return
  // FailedPrecondition. Any number of read-only opens may share a directory, without a writer.
  bool read_only = false;

  // Bytes for memtables, block cache, indexes and filters together; at most 64 TiB. The database
  // uses at least 1 MiB.
  size_t memory_budget = size_t{512} << 20;
  // Bytes of one memtable, at most 64 GiB and at least 64 KiB; 0: derived from memory_budget.
  size_t memtable_size = 0;
  // Bytes of the block cache, at most 64 TiB; 0: the rest of memory_budget.
  size_t block_cache_size = 0;
  // Threads for flush and compaction, at most 1024; 0: derived from the number of cores.
  int background_threads = 0;
  // The most descriptors that the database keeps open to read its tables; 0: derived from the
  // limit of the process (RLIMIT_NOFILE). If there are more tables, files are closed and reopened.
  int max_open_files = 0;

  Compression compression = Compression::kZstd;
  int compression_level = 1;  // zstd's: -131072 to 22
  // Bits of Bloom filter per key, at most 64; 0: no filter.
  double filter_bits_per_key = 10;
  // Bytes at which a compaction starts the next SSTable, 4 KiB to 1 TiB. The database uses at least
  // 64 KiB.
  uint64_t target_file_size = uint64_t{64} << 20;

  // True: write the log through a memory mapping if the file system allows it. This is faster, and
  // makes the library handle SIGBUS in its own mappings (docs/durability.md). False: no mapping and
  // no signal handler; each write is a system call.
  bool mapped_log = true;

  // The order of the keys. Must outlive the DB. If its name differs from the stored one, Open
  // returns InvalidArgument.
  const Comparator* comparator = BytewiseComparator();

  // The meaning of DB::Merge. If null, a built-in operator (merge_operators.h) is found by the
  // stored name. Without an operator, Merge and reads of keys with operands return
  // FailedPrecondition, and flush and compaction keep the operands. If its name differs from the
  // stored one, Open returns InvalidArgument.
  std::shared_ptr<const MergeOperator> merge_operator;

  // Options of column families, by name; they replace the stored ones. "default" replaces the
  // options above; names of families that do not exist are ignored. A family whose comparator is
  // not BytewiseComparator(), or not that of the default family, must be here: otherwise, or if a
  // name differs from the stored one, every call with that family returns FailedPrecondition, which
  // names what is missing. Its files stay as they are.
  std::map<std::string, ColumnFamilyOptions> families;

  // Null: DefaultFileSystem().
  std::shared_ptr<FileSystem> file_system;
  // Null: the system's clock.
  std::shared_ptr<Clock> clock;
  // Null: a thread pool with background_threads threads, owned by the database.
  std::shared_ptr<Executor> executor;
};

// The options of one write.
struct WriteOptions {
  // False: the write survives a crash of the process. True: it survives a crash of the machine.
  bool sync = false;
  // True: the write is not logged, and any crash loses it until its memtable is flushed. Together
  // with sync it is InvalidArgument.
  bool disable_wal = false;
  // For Put, PutIfAbsent, CompareAndSet, and Update: how long the value is visible, counted from
  // the write. 0: for ever. nullopt: as ColumnFamilyOptions::default_ttl says. A negative one is
  // InvalidArgument; a value expires in the year 2262 at the latest.
  std::optional<std::chrono::milliseconds> ttl = std::nullopt;
};

// The options of one read or iterator.
struct ReadOptions {
  // The state to read; null: the newest one when the call starts.
  std::shared_ptr<const Snapshot> snapshot;
  // The keys that an iterator sees: [lower_bound, upper_bound). An absent bound is unbounded.
  std::optional<std::string> lower_bound, upper_bound;
  // True: blocks that are read from disk stay in the block cache.
  bool fill_cache = true;
};

}  // namespace cambium

#endif  // CAMBIUM_OPTIONS_H_
