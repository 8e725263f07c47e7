// Engine: the interface that a storage engine, ours or a peer's, must implement to be measured.
//
// A benchmark program is the harness of benchmarks/harness linked with one adapter of this folder:
// all engines run the same loops, and no program loads two engines. Scans run inside the adapter,
// so an entry costs no virtual call.
#ifndef CAMBIUM_BENCHMARKS_ENGINES_ENGINE_H_
#define CAMBIUM_BENCHMARKS_ENGINES_ENGINE_H_

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace cambium::bench {

// When a transaction finds a conflict: at its commit, or when it writes, by locks.
enum class Transactions { kOptimistic, kPessimistic };

// The settings for opening an engine. Unset values keep the engine's defaults. Plain data.
struct EngineSettings {
  std::string path;         // a directory
  bool must_exist = false;  // the database; otherwise it is created if there is none
  std::optional<uint64_t> memory_budget_bytes;  // memtables and cache together
  std::optional<uint64_t> write_buffer_bytes;   // one memtable
  std::optional<uint64_t> cache_bytes;          // blocks or pages
  std::optional<uint64_t> block_bytes;
  std::optional<uint64_t> file_bytes;  // one SSTable
  std::optional<double> filter_bits_per_key;
  std::optional<std::string> compression;  // "none", "zstd", "snappy", "lz4"
  std::optional<int> background_threads;
  // The kind of Session::Transact, for which some engines must be opened in a special way.
  std::optional<Transactions> transactions;
};

// The failure that a returned write survives.
enum class Durability {
  kNone,     // none: not logged, if the engine supports it
  kProcess,  // a process crash: logged, not synced
  kMachine,  // a machine crash: synced
};

// One entry to write. The caller owns the bytes.
struct Entry {
  std::string_view key, value;
};

enum class Direction { kForward, kReverse };

// The result of a scan. Plain data.
struct Scanned {
  uint64_t entries = 0;
  uint64_t bytes = 0;  // of keys and values
};
// Null, or called for each entry; the views live until it returns.
using EntryCheck = std::function<void(std::string_view key, std::string_view value)>;

// A position in a consistent view of the entries. Confined to its session's thread, and destroyed
// before the session.
class Cursor {
 public:
  virtual ~Cursor() = default;

  // Move to the first entry at or after `key`, to the first entry, to the last entry.
  virtual void Seek(std::string_view key) = 0;
  virtual void SeekToFirst() = 0;
  virtual void SeekToLast() = 0;
  // Returns the current key, valid until the next move; nullopt past either end.
  virtual std::optional<std::string_view> Key() = 0;
  // Reads keys and values of up to `limit` entries, from the current one on; the cursor is then at
  // the next one. Reads fewer than `limit` only at the end or after an error.
  virtual Scanned Read(uint64_t limit, Direction direction, const EntryCheck& check) = 0;
  virtual absl::Status status() const = 0;
};

// One thread's access to an engine. Confined to that thread.
class Session {
 public:
  virtual ~Session() = default;

  virtual absl::Status Put(std::string_view key, std::string_view value, Durability durability) = 0;
  virtual absl::Status Delete(std::string_view key, Durability durability) = 0;
  // Writes all entries or none.
  virtual absl::Status PutBatch(std::span<const Entry> entries, Durability durability) = 0;
  // Puts `desired` if the value of `key` is `expected`, nullopt for a key that does not exist;
  // returns Aborted if it is not. Engines without such a call keep this default.
  virtual absl::Status CompareAndSet([[maybe_unused]] std::string_view key,
                                     [[maybe_unused]] std::optional<std::string_view> expected,
                                     [[maybe_unused]] std::string_view desired,
                                     [[maybe_unused]] Durability durability) {
    return absl::UnimplementedError("the engine has no conditional writes");
  }
  // Puts a value that expires after that time. Engines without such a call keep this default.
  virtual absl::Status PutWithTtl([[maybe_unused]] std::string_view key,
                                  [[maybe_unused]] std::string_view value,
                                  [[maybe_unused]] std::chrono::milliseconds ttl,
                                  [[maybe_unused]] Durability durability) {
    return absl::UnimplementedError("the engine has no expiry");
  }
  // Reads the keys and then puts the entries, in one transaction. Returns Aborted after a conflict.
  // Engines without transactions, or opened without EngineSettings::transactions if they need that,
  // keep this default.
  virtual absl::Status Transact([[maybe_unused]] std::span<const std::string_view> reads,
                                [[maybe_unused]] std::span<const Entry> writes,
                                [[maybe_unused]] Durability durability) {
    return absl::UnimplementedError("the engine has no transactions");
  }
  // Adds `operand`, 8 bytes in little-endian order, to the counter at `key` without reading it.
  // Engines without such a call keep this default.
  virtual absl::Status MergeAdd([[maybe_unused]] std::string_view key,
                                [[maybe_unused]] std::string_view operand,
                                [[maybe_unused]] Durability durability) {
    return absl::UnimplementedError("the engine has no merges");
  }
  // Sets `value` to nullopt if the key does not exist, which is not an error. The bytes live until
  // the session's next call.
  virtual absl::Status Get(std::string_view key, std::optional<std::string_view>* value) = 0;
  // Does the same for all keys at once, at one point in time; `values` has the size of `keys`.
  virtual absl::Status MultiGet(std::span<const std::string_view> keys,
                                std::span<std::optional<std::string_view>> values) = 0;
  virtual std::unique_ptr<Cursor> NewCursor() = 0;
};

// The engine's own counts since it was opened, if it has them. Plain data.
struct EngineCounters {
  std::optional<uint64_t> bytes_written;  // logs and tables, to the file system
  std::optional<uint64_t> stall_micros;   // delays of writers
  // True if it reads or writes files through mappings: then the system's counts are meaningless.
  bool maps_reads = false, maps_writes = false;
};

// An open database. Thread-safe.
class Engine {
 public:
  virtual ~Engine() = default;

  virtual std::unique_ptr<Session> NewSession() = 0;
  // Flush memtables to tables; merge everything; wait for background work. Return ok at once if the
  // engine does not have this.
  virtual absl::Status Flush() = 0;
  virtual absl::Status Compact() = 0;
  virtual absl::Status WaitForIdle() = 0;
  virtual EngineCounters Counters() = 0;
  // Returns text for the benchmarks with these names: "stats", "levelstats". Empty if there is
  // none.
  virtual std::string Describe(std::string_view what) = 0;
  // Call it once, after all sessions are destroyed.
  virtual absl::Status Close() = 0;
};

// The adapter that is linked with this program. `name` is short and lowercase: "rocksdb".
struct EngineKind {
  std::string_view name;
  std::string version;
  // The adapter's choices beyond EngineSettings, one line for the report: "WAL mode, …".
  std::string remarks;
  // The flags of EngineSettings that it does not support: "block_size". The harness prints a note
  // if one is set.
  std::vector<std::string_view> without;
};
EngineKind ThisEngine();
// Returns NotFound, with the path, and creates nothing, if the database must exist and does not.
absl::StatusOr<std::unique_ptr<Engine>> OpenEngine(const EngineSettings& settings);
// Removes the database at `path`, if there is one, and only its own files.
absl::Status DestroyEngine(const std::string& path);

}  // namespace cambium::bench

#endif  // CAMBIUM_BENCHMARKS_ENGINES_ENGINE_H_
