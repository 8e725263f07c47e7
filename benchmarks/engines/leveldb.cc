// The adapter for LevelDB.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "benchmarks/engines/adapter.h"
#include "benchmarks/engines/engine.h"
#include "benchmarks/engines/slice_cursor.h"
#include "leveldb/cache.h"
#include "leveldb/db.h"
#include "leveldb/env.h"
#include "leveldb/filter_policy.h"
#include "leveldb/options.h"
#include "leveldb/write_batch.h"
#include "util/status_macros.h"

namespace cambium::bench {
namespace {

leveldb::Slice ToSlice(std::string_view bytes) { return {bytes.data(), bytes.size()}; }

absl::Status ToStatus(std::string_view operation, const leveldb::Status& status) {
  return status.ok() ? absl::OkStatus() : Failure(operation, status.ToString());
}

// Counts scheduled tasks that have not ended: LevelDB has no call to wait for background work. Its
// background call schedules the next one before it ends. Thread-safe.
class CountingEnv final : public leveldb::EnvWrapper {
 public:
  CountingEnv() : leveldb::EnvWrapper(leveldb::Env::Default()) {}

  void Schedule(void (*function)(void*), void* argument) override {
    pending_.fetch_add(1);
    target()->Schedule(&Run, std::make_unique<Job>(Job{function, argument, this}).release());
  }
  bool AtRest() const { return pending_.load() == 0; }

 private:
  struct Job {
    void (*function)(void*);
    void* argument;
    CountingEnv* env;
  };
  static void Run(void* argument) {
    const std::unique_ptr<Job> job(static_cast<Job*>(argument));
    job->function(job->argument);
    job->env->pending_.fetch_sub(1);
  }

  std::atomic<int> pending_{0};
};

// LevelDB keeps a pointer to its Env beyond the life of a database, so the process has one.
CountingEnv* Environment() {
  static CountingEnv* const env = std::make_unique<CountingEnv>().release();
  return env;
}

using LevelCursor = SliceCursor<leveldb::Iterator, leveldb::Slice>;

class LevelSession final : public Session {
 public:
  explicit LevelSession(leveldb::DB* db) : db_(db) {}

  absl::Status Put(std::string_view key, std::string_view value, Durability durability) override {
    return ToStatus("put", db_->Put(Options(durability), ToSlice(key), ToSlice(value)));
  }
  absl::Status Delete(std::string_view key, Durability durability) override {
    return ToStatus("delete", db_->Delete(Options(durability), ToSlice(key)));
  }
  absl::Status PutBatch(std::span<const Entry> entries, Durability durability) override {
    batch_.Clear();
    for (const Entry& entry : entries) batch_.Put(ToSlice(entry.key), ToSlice(entry.value));
    return ToStatus("write of a batch", db_->Write(Options(durability), &batch_));
  }
  absl::Status Get(std::string_view key, std::optional<std::string_view>* value) override {
    return Find(leveldb::ReadOptions(), key, &value_, value);
  }
  absl::Status MultiGet(std::span<const std::string_view> keys,
                        std::span<std::optional<std::string_view>> values) override {
    leveldb::ReadOptions options;
    options.snapshot = db_->GetSnapshot();
    values_.resize(std::max(values_.size(), keys.size()));
    absl::Status status;
    for (size_t i = 0; status.ok() && i < keys.size(); ++i) {
      status = Find(options, keys[i], &values_[i], &values[i]);
    }
    db_->ReleaseSnapshot(options.snapshot);
    return status;
  }
  std::unique_ptr<Cursor> NewCursor() override {
    return std::make_unique<LevelCursor>(db_->NewIterator(leveldb::ReadOptions()));
  }

 private:
  absl::Status Find(const leveldb::ReadOptions& options, std::string_view key, std::string* room,
                    std::optional<std::string_view>* value) {
    value->reset();
    const leveldb::Status status = db_->Get(options, ToSlice(key), room);
    if (status.ok()) *value = *room;
    return status.IsNotFound() ? absl::OkStatus() : ToStatus("get", status);
  }
  static leveldb::WriteOptions Options(Durability durability) {
    leveldb::WriteOptions options;
    options.sync = durability == Durability::kMachine;
    return options;
  }

  leveldb::DB* const db_;
  std::string value_;
  leveldb::WriteBatch batch_;
  std::vector<std::string> values_;
};

// The objects that LevelDB points to while it is open; the database is destroyed first. Plain data.
struct Parts {
  std::unique_ptr<leveldb::Cache> cache;
  std::unique_ptr<const leveldb::FilterPolicy> filter;
  std::unique_ptr<leveldb::DB> db;
};

class LevelEngine final : public Engine {
 public:
  explicit LevelEngine(Parts parts) : parts_(std::move(parts)) {}

  std::unique_ptr<Session> NewSession() override {
    return std::make_unique<LevelSession>(parts_.db.get());
  }
  // It flushes the memtable before it compacts a range, even an empty range.
  absl::Status Flush() override {
    const leveldb::Slice empty;
    parts_.db->CompactRange(&empty, &empty);
    return absl::OkStatus();
  }
  absl::Status Compact() override {
    parts_.db->CompactRange(nullptr, nullptr);
    return absl::OkStatus();
  }
  absl::Status WaitForIdle() override {
    while (!Environment()->AtRest()) std::this_thread::sleep_for(std::chrono::milliseconds(5));
    return absl::OkStatus();
  }
  EngineCounters Counters() override {
    EngineCounters counters;
    counters.maps_reads = true;
    return counters;
  }
  std::string Describe(std::string_view what) override {
    std::string text;
    const bool known = what == "stats" || what == "levelstats";
    return known && parts_.db->GetProperty("leveldb.stats", &text) ? text : std::string();
  }
  absl::Status Close() override {
    parts_.db.reset();
    return absl::OkStatus();
  }

 private:
  Parts parts_;
};

absl::Status SetCompression(const EngineSettings& settings, leveldb::Options* options) {
  if (!settings.compression) return absl::OkStatus();
  if (*settings.compression == "snappy") {
    options->compression = leveldb::kSnappyCompression;
    return absl::OkStatus();
  }
  options->compression = leveldb::kNoCompression;
  return RefuseCompression(settings);
}

// The active memtable and the one being flushed each get at most a quarter of a budget.
void SetMemory(const EngineSettings& settings, leveldb::Options* options, Parts* parts) {
  uint64_t write_buffer = settings.write_buffer_bytes.value_or(options->write_buffer_size);
  std::optional<uint64_t> cache = settings.cache_bytes;
  if (const auto& budget = settings.memory_budget_bytes; budget && !cache) {
    if (!settings.write_buffer_bytes) {
      write_buffer = std::min(*budget / 4, uint64_t{64} << 20);
    }
    cache = *budget - std::min(*budget, 2 * write_buffer);
  }
  options->write_buffer_size = write_buffer;
  if (!cache) return;
  parts->cache.reset(leveldb::NewLRUCache(*cache));
  options->block_cache = parts->cache.get();
}

}  // namespace

EngineKind ThisEngine() {
  return {"leveldb",
          std::to_string(leveldb::kMajorVersion) + "." + std::to_string(leveldb::kMinorVersion),
          "one background thread and a log that cannot be turned off; a multiget is a loop over "
          "one snapshot",
          {"max_background_jobs"}};
}

absl::StatusOr<std::unique_ptr<Engine>> OpenEngine(const EngineSettings& settings) {
  leveldb::Options options;
  Parts parts;
  options.create_if_missing = !settings.must_exist;
  options.env = Environment();
  RETURN_IF_ERROR(SetCompression(settings, &options));
  SetMemory(settings, &options, &parts);
  if (settings.block_bytes) options.block_size = *settings.block_bytes;
  if (settings.file_bytes) options.max_file_size = *settings.file_bytes;
  if (settings.filter_bits_per_key.value_or(0) > 0) {
    const auto bits = static_cast<int>(*settings.filter_bits_per_key + 0.5);
    parts.filter.reset(leveldb::NewBloomFilterPolicy(bits));
    options.filter_policy = parts.filter.get();
  }
  RETURN_IF_ERROR(MakeDirectory(settings, "CURRENT"));
  leveldb::DB* db = nullptr;
  RETURN_IF_ERROR(ToStatus("open", leveldb::DB::Open(options, settings.path, &db)));
  parts.db.reset(db);
  return std::make_unique<LevelEngine>(std::move(parts));
}

absl::Status DestroyEngine(const std::string& path) {
  return ToStatus("destroy", leveldb::DestroyDB(path, leveldb::Options()));
}

}  // namespace cambium::bench
