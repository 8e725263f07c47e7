// The adapter for Cambium.
#include <algorithm>
#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "benchmarks/engines/adapter.h"
#include "benchmarks/engines/engine.h"
#include "cambium/db.h"
#include "util/status_macros.h"

namespace cambium::bench {
namespace {

WriteOptions ToWriteOptions(Durability durability) {
  WriteOptions options;
  options.sync = durability == Durability::kMachine;
  options.disable_wal = durability == Durability::kNone;
  return options;
}

class CambiumCursor final : public Cursor {
 public:
  explicit CambiumCursor(DB* db) : iterator_(db->NewIterator()) {}

  void Seek(std::string_view key) override { iterator_->Seek(key); }
  void SeekToFirst() override { iterator_->SeekToFirst(); }
  void SeekToLast() override { iterator_->SeekToLast(); }
  std::optional<std::string_view> Key() override {
    if (!iterator_->Valid()) return std::nullopt;
    return iterator_->key();
  }
  Scanned Read(uint64_t limit, Direction direction, const EntryCheck& check) override {
    if (direction == Direction::kForward) {
      return ReadWith(limit, check, [this] { iterator_->Next(); });
    }
    return ReadWith(limit, check, [this] { iterator_->Prev(); });
  }
  absl::Status status() const override { return iterator_->status(); }

 private:
  template <typename Step>
  Scanned ReadWith(uint64_t limit, const EntryCheck& check, Step step) {
    Scanned scanned;
    for (; scanned.entries < limit && iterator_->Valid(); ++scanned.entries) {
      const std::string_view key = iterator_->key(), value = iterator_->value();
      scanned.bytes += key.size() + value.size();
      if (check != nullptr) check(key, value);
      step();
    }
    return scanned;
  }

  const std::unique_ptr<Iterator> iterator_;
};

class CambiumSession final : public Session {
 public:
  CambiumSession(DB* db, const TransactionOptions& transactions)
      : db_(db), transactions_(transactions) {}

  absl::Status Put(std::string_view key, std::string_view value, Durability durability) override {
    return db_->Put(key, value, ToWriteOptions(durability));
  }
  absl::Status Delete(std::string_view key, Durability durability) override {
    return db_->Delete(key, ToWriteOptions(durability));
  }
  absl::Status PutBatch(std::span<const Entry> entries, Durability durability) override {
    batch_.Clear();
    for (const Entry& entry : entries) batch_.Put(entry.key, entry.value);
    return db_->Write(batch_, ToWriteOptions(durability));
  }
  absl::Status CompareAndSet(std::string_view key, std::optional<std::string_view> expected,
                             std::string_view desired, Durability durability) override {
    return db_->CompareAndSet(key, expected, desired, ToWriteOptions(durability));
  }
  absl::Status PutWithTtl(std::string_view key, std::string_view value,
                          std::chrono::milliseconds ttl, Durability durability) override {
    WriteOptions options = ToWriteOptions(durability);
    options.ttl = ttl;
    return db_->Put(key, value, options);
  }
  absl::Status Transact(std::span<const std::string_view> reads, std::span<const Entry> writes,
                        Durability durability) override {
    const std::unique_ptr<Transaction> transaction = db_->BeginTransaction(transactions_);
    for (const std::string_view key : reads) {
      const absl::Status read = transaction->Get(key, &value_);
      if (!absl::IsNotFound(read)) RETURN_IF_ERROR(read);
    }
    for (const Entry& entry : writes) RETURN_IF_ERROR(transaction->Put(entry.key, entry.value));
    return transaction->Commit(ToWriteOptions(durability));
  }
  absl::Status MergeAdd(std::string_view key, std::string_view operand,
                        Durability durability) override {
    return db_->Merge(key, operand, ToWriteOptions(durability));
  }
  absl::Status Get(std::string_view key, std::optional<std::string_view>* value) override {
    const absl::Status status = db_->Get(key, &value_);
    return Found(status, value_, value);
  }
  absl::Status MultiGet(std::span<const std::string_view> keys,
                        std::span<std::optional<std::string_view>> values) override {
    values_.resize(keys.size());
    statuses_.resize(keys.size());
    db_->MultiGet(keys, values_, statuses_);
    for (size_t i = 0; i < keys.size(); ++i) {
      RETURN_IF_ERROR(Found(statuses_[i], values_[i], &values[i]));
    }
    return absl::OkStatus();
  }
  std::unique_ptr<Cursor> NewCursor() override { return std::make_unique<CambiumCursor>(db_); }

 private:
  static absl::Status Found(const absl::Status& status, const PinnedValue& from,
                            std::optional<std::string_view>* value) {
    value->reset();
    if (absl::IsNotFound(status)) return absl::OkStatus();
    if (status.ok()) *value = from.view();
    return status;
  }

  DB* const db_;
  const TransactionOptions transactions_;
  WriteBatch batch_;
  PinnedValue value_;
  std::vector<PinnedValue> values_;
  std::vector<absl::Status> statuses_;
};

class CambiumEngine final : public Engine {
 public:
  CambiumEngine(std::unique_ptr<DB> db, const TransactionOptions& transactions)
      : db_(std::move(db)), transactions_(transactions) {}

  std::unique_ptr<Session> NewSession() override {
    return std::make_unique<CambiumSession>(db_.get(), transactions_);
  }
  absl::Status Flush() override { return db_->Flush(); }
  absl::Status Compact() override { return db_->CompactRange(); }
  absl::Status WaitForIdle() override { return db_->WaitForIdle(); }
  EngineCounters Counters() override {
    const Stats stats = db_->GetStats();
    EngineCounters counters;
    counters.bytes_written = stats.log_bytes + stats.flush_bytes + stats.compaction_bytes_written;
    counters.stall_micros = stats.stall_micros;
    return counters;
  }
  std::string Describe(std::string_view what) override {
    if (what == "stats") return db_->GetProperty("cambium.stats").value_or("");
    if (what == "levelstats") return db_->GetProperty("cambium.levels").value_or("");
    return "";
  }
  absl::Status Close() override { return db_->Close(); }

 private:
  const std::unique_ptr<DB> db_;
  const TransactionOptions transactions_;
};

absl::StatusOr<Options> ToOptions(const EngineSettings& settings) {
  Options options;
  options.create_if_missing = !settings.must_exist;
  options.merge_operator = Int64AddOperator();
  // Zero means a size that Cambium chooses, so the smallest size that can be requested is one byte.
  const auto at_least_one = [](uint64_t bytes) { return std::max<uint64_t>(bytes, 1); };
  if (settings.write_buffer_bytes) {
    options.memtable_size = at_least_one(*settings.write_buffer_bytes);
  }
  if (settings.cache_bytes) options.block_cache_size = at_least_one(*settings.cache_bytes);
  // The budget includes both, memtables that are being flushed, and indexes and filters.
  const std::optional<uint64_t> whole = WholeMemoryBytes(settings);
  options.memory_budget = settings.memory_budget_bytes.value_or(
      std::max<uint64_t>(options.memory_budget, whole.value_or(0)));
  if (settings.file_bytes) options.target_file_size = *settings.file_bytes;
  if (settings.filter_bits_per_key) options.filter_bits_per_key = *settings.filter_bits_per_key;
  if (settings.background_threads) options.background_threads = *settings.background_threads;
  const std::string compression = settings.compression.value_or("zstd");
  if (compression != "zstd" && compression != "none") {
    return Failure("open", "it has no compression '" + compression + "'",
                   absl::StatusCode::kUnimplemented);
  }
  options.compression = compression == "none" ? Compression::kNone : Compression::kZstd;
  return options;
}

}  // namespace

EngineKind ThisEngine() { return {"cambium", std::string(Version()), "", {"block_size"}}; }

absl::StatusOr<std::unique_ptr<Engine>> OpenEngine(const EngineSettings& settings) {
  ASSIGN_OR_RETURN(const Options options, ToOptions(settings));
  RETURN_IF_ERROR(MakeDirectory(settings, "CURRENT"));
  ASSIGN_OR_RETURN(std::unique_ptr<DB> db, DB::Open(options, settings.path));
  TransactionOptions transactions;
  if (settings.transactions == Transactions::kPessimistic) {
    transactions.concurrency = Concurrency::kPessimistic;
  }
  return std::make_unique<CambiumEngine>(std::move(db), transactions);
}

absl::Status DestroyEngine(const std::string& path) { return DestroyDB(path); }

}  // namespace cambium::bench
