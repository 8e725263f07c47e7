// Engine: what a storage engine must offer to be measured, ours or a peer's.
//
// A benchmark program is the harness of benchmarks/harness linked with one adapter of this folder:
// all engines run the very same loops, and no program loads two engines. Scans run inside the
// adapter, so that an entry costs no call through this interface.
#ifndef CAMBIUM_BENCHMARKS_ENGINES_ENGINE_H_
#define CAMBIUM_BENCHMARKS_ENGINES_ENGINE_H_

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

// How an engine is opened. What is not set stays as the engine has it by default. Plain data.
struct EngineSettings {
  std::string path;         // a directory
  bool must_exist = false;  // the database; otherwise it is made if there is none
  std::optional<uint64_t> memory_budget_bytes;  // memtables and cache together
  std::optional<uint64_t> write_buffer_bytes;   // one memtable
  std::optional<uint64_t> cache_bytes;          // blocks or pages
  std::optional<uint64_t> block_bytes;
  std::optional<uint64_t> file_bytes;  // one SSTable
  std::optional<double> filter_bits_per_key;
  std::optional<std::string> compression;  // "none", "zstd", "snappy", "lz4"
  std::optional<int> background_threads;
};

// What a write has survived once it has returned.
enum class Durability {
  kNone,     // nothing: not logged, where an engine can
  kProcess,  // a crash of the process: logged, not synced
  kMachine,  // a crash of the machine: synced
};

// One entry to write. The bytes are the caller's.
struct Entry {
  std::string_view key, value;
};

enum class Direction { kForward, kReverse };

// What a scan went over. Plain data.
struct Scanned {
  uint64_t entries = 0;
  uint64_t bytes = 0;  // keys and values
};
// Null, or called with each entry; the views live until it returns.
using EntryCheck = std::function<void(std::string_view key, std::string_view value)>;

// A place among the entries as they were when it was made. Confined to its session's thread, and
// gone before the session.
class Cursor {
 public:
  virtual ~Cursor() = default;

  // To the first entry at or after `key`, to the first, to the last.
  virtual void Seek(std::string_view key) = 0;
  virtual void SeekToFirst() = 0;
  virtual void SeekToLast() = 0;
  // The key of the entry that the cursor is at, until it moves; nothing past either end.
  virtual std::optional<std::string_view> Key() = 0;
  // Goes over up to `limit` entries, from the one that the cursor is at, reading keys and values;
  // the cursor is then at the next. Fewer than `limit` only at the end or after an error.
  virtual Scanned Read(uint64_t limit, Direction direction, const EntryCheck& check) = 0;
  virtual absl::Status status() const = 0;
};

// One thread's access to an engine. Confined to that thread.
class Session {
 public:
  virtual ~Session() = default;

  virtual absl::Status Put(std::string_view key, std::string_view value, Durability durability) = 0;
  virtual absl::Status Delete(std::string_view key, Durability durability) = 0;
  // All or none.
  virtual absl::Status PutBatch(std::span<const Entry> entries, Durability durability) = 0;
  // Nothing in `value` where the key is not there, which is no error. The bytes live until the
  // session's next call.
  virtual absl::Status Get(std::string_view key, std::optional<std::string_view>* value) = 0;
  // The same for all keys at once, of one state; `values` is as long as `keys`.
  virtual absl::Status MultiGet(std::span<const std::string_view> keys,
                                std::span<std::optional<std::string_view>> values) = 0;
  virtual std::unique_ptr<Cursor> NewCursor() = 0;
};

// An engine's own counts since it was opened, where it keeps them. Plain data.
struct EngineCounters {
  std::optional<uint64_t> bytes_written;  // logs and tables, to the file system
  std::optional<uint64_t> stall_micros;   // writers held back
  // It reads or writes files through memory: what the system counts of that says nothing.
  bool maps_reads = false, maps_writes = false;
};

// An open database. Thread-safe.
class Engine {
 public:
  virtual ~Engine() = default;

  virtual std::unique_ptr<Session> NewSession() = 0;
  // Memtables to tables; everything merged; nothing left to do in the background. Ok at once where
  // an engine has no such thing.
  virtual absl::Status Flush() = 0;
  virtual absl::Status Compact() = 0;
  virtual absl::Status WaitForIdle() = 0;
  virtual EngineCounters Counters() = 0;
  // Text for the benchmarks of these names: "stats", "levelstats". Empty where there is none.
  virtual std::string Describe(std::string_view what) = 0;
  // After all sessions are gone. Once.
  virtual absl::Status Close() = 0;
};

// The adapter that this program is linked with. `name` is short and lower case: "rocksdb".
struct EngineKind {
  std::string_view name;
  std::string version;
  // What the adapter chose for it beyond EngineSettings, a line for the report: "WAL mode, …".
  std::string remarks;
  // The flags of EngineSettings that it has nothing for: "block_size". The harness says so where
  // one is set.
  std::vector<std::string_view> without;
};
EngineKind ThisEngine();
// NotFound, with the path, if the database must exist and does not; then nothing is made.
absl::StatusOr<std::unique_ptr<Engine>> OpenEngine(const EngineSettings& settings);
// Removes the database at `path`, if there is one, and only its own files.
absl::Status DestroyEngine(const std::string& path);

}  // namespace cambium::bench

#endif  // CAMBIUM_BENCHMARKS_ENGINES_ENGINE_H_
