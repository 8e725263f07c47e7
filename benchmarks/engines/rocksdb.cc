// The adapter for RocksDB.
//
// Uses the advice of RocksDB's wiki if a run has any settings; a run without settings measures
// RocksDB's defaults.
#include <algorithm>
#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "benchmarks/engines/adapter.h"
#include "benchmarks/engines/engine.h"
#include "benchmarks/engines/slice_cursor.h"
#include "rocksdb/cache.h"
#include "rocksdb/convenience.h"
#include "rocksdb/db.h"
#include "rocksdb/filter_policy.h"
#include "rocksdb/options.h"
#include "rocksdb/table.h"
#include "rocksdb/utilities/optimistic_transaction_db.h"
#include "rocksdb/utilities/transaction.h"
#include "rocksdb/utilities/transaction_db.h"
#include "rocksdb/version.h"
#include "rocksdb/write_batch.h"
#include "rocksdb/write_buffer_manager.h"
#include "util/status_macros.h"

namespace cambium::bench {
namespace {

rocksdb::Slice ToSlice(std::string_view bytes) { return {bytes.data(), bytes.size()}; }
std::string_view ToView(const rocksdb::Slice& slice) { return {slice.data(), slice.size()}; }

absl::Status ToStatus(std::string_view operation, const rocksdb::Status& status) {
  return status.ok() ? absl::OkStatus() : Failure(operation, status.ToString());
}

using RocksCursor = SliceCursor<rocksdb::Iterator, rocksdb::Slice>;

// The database as one with transactions: null, except the kind for which it was opened. Plain data.
struct RocksTransactions {
  rocksdb::OptimisticTransactionDB* optimistic = nullptr;
  rocksdb::TransactionDB* pessimistic = nullptr;
};

class RocksSession final : public Session {
 public:
  RocksSession(rocksdb::DB* db, const RocksTransactions& transactions)
      : db_(db), transactions_(transactions) {}

  absl::Status Put(std::string_view key, std::string_view value, Durability durability) override {
    return ToStatus("put", db_->Put(Options(durability), ToSlice(key), ToSlice(value)));
  }
  absl::Status Delete(std::string_view key, Durability durability) override {
    return ToStatus("delete", db_->Delete(Options(durability), ToSlice(key)));
  }
  absl::Status PutBatch(std::span<const Entry> entries, Durability durability) override {
    batch_.Clear();
    for (const Entry& entry : entries) {
      RETURN_IF_ERROR(
          ToStatus("put of a batch", batch_.Put(ToSlice(entry.key), ToSlice(entry.value))));
    }
    return ToStatus("write of a batch", db_->Write(Options(durability), &batch_));
  }
  absl::Status Transact(std::span<const std::string_view> reads, std::span<const Entry> writes,
                        Durability durability) override {
    if (!Begin(durability)) return Session::Transact(reads, writes, durability);
    rocksdb::ReadOptions at = read_options_;
    at.snapshot = transaction_->GetSnapshot();
    rocksdb::Status status;
    for (size_t i = 0; i < reads.size() && status.ok(); ++i) {
      value_.Reset();
      status = transaction_->Get(at, db_->DefaultColumnFamily(), ToSlice(reads[i]), &value_);
      if (status.IsNotFound()) status = rocksdb::Status::OK();
    }
    for (size_t i = 0; i < writes.size() && status.ok(); ++i) {
      status = transaction_->Put(ToSlice(writes[i].key), ToSlice(writes[i].value));
    }
    if (status.ok()) status = transaction_->Commit();
    if (status.ok()) return absl::OkStatus();
    transaction_->Rollback().PermitUncheckedError();
    if (status.IsBusy() || status.IsTimedOut()) return absl::AbortedError(status.ToString());
    return ToStatus("transaction", status);
  }
  absl::Status Get(std::string_view key, std::optional<std::string_view>* value) override {
    value_.Reset();
    return Answer(db_->Get(read_options_, db_->DefaultColumnFamily(), ToSlice(key), &value_),
                  value_, value);
  }
  absl::Status MultiGet(std::span<const std::string_view> keys,
                        std::span<std::optional<std::string_view>> values) override {
    keys_.clear();
    for (const std::string_view key : keys) keys_.push_back(ToSlice(key));
    values_.resize(keys.size());
    statuses_.resize(keys.size());
    for (rocksdb::PinnableSlice& value : values_) value.Reset();
    db_->MultiGet(read_options_, db_->DefaultColumnFamily(), keys.size(), keys_.data(),
                  values_.data(), statuses_.data());
    for (size_t i = 0; i < keys.size(); ++i) {
      RETURN_IF_ERROR(Answer(statuses_[i], values_[i], &values[i]));
    }
    return absl::OkStatus();
  }
  std::unique_ptr<Cursor> NewCursor() override {
    return std::make_unique<RocksCursor>(db_->NewIterator(read_options_));
  }

 private:
  static absl::Status Answer(const rocksdb::Status& status, const rocksdb::PinnableSlice& found,
                             std::optional<std::string_view>* value) {
    value->reset();
    if (status.ok()) *value = ToView(found);
    return status.IsNotFound() ? absl::OkStatus() : ToStatus("get", status);
  }
  // Begins transaction_, which is used again. Returns false if the database has no transactions.
  bool Begin(Durability durability) {
    rocksdb::Transaction* const old = transaction_.release();
    if (transactions_.optimistic != nullptr) {
      rocksdb::OptimisticTransactionOptions options;
      options.set_snapshot = true;
      transaction_.reset(
          transactions_.optimistic->BeginTransaction(Options(durability), options, old));
    } else if (transactions_.pessimistic != nullptr) {
      rocksdb::TransactionOptions options;
      options.set_snapshot = true;
      transaction_.reset(
          transactions_.pessimistic->BeginTransaction(Options(durability), options, old));
    }
    return transaction_ != nullptr;
  }
  static rocksdb::WriteOptions Options(Durability durability) {
    rocksdb::WriteOptions options;
    options.sync = durability == Durability::kMachine;
    options.disableWAL = durability == Durability::kNone;
    return options;
  }

  rocksdb::DB* const db_;
  const RocksTransactions transactions_;
  std::unique_ptr<rocksdb::Transaction> transaction_;
  const rocksdb::ReadOptions read_options_;
  rocksdb::PinnableSlice value_;
  rocksdb::WriteBatch batch_;
  std::vector<rocksdb::Slice> keys_;
  std::vector<rocksdb::PinnableSlice> values_;
  std::vector<rocksdb::Status> statuses_;
};

class RocksEngine final : public Engine {
 public:
  RocksEngine(std::unique_ptr<rocksdb::DB> db, const RocksTransactions& transactions)
      : db_(std::move(db)), transactions_(transactions) {}

  std::unique_ptr<Session> NewSession() override {
    return std::make_unique<RocksSession>(db_.get(), transactions_);
  }
  absl::Status Flush() override { return ToStatus("flush", db_->Flush(rocksdb::FlushOptions())); }
  absl::Status Compact() override {
    return ToStatus("compact", db_->CompactRange(rocksdb::CompactRangeOptions(), nullptr, nullptr));
  }
  // RocksDB 7 has no call for this, so the adapter polls.
  absl::Status WaitForIdle() override {
    while (Count(rocksdb::DB::Properties::kMemTableFlushPending) != 0 ||
           Count(rocksdb::DB::Properties::kNumRunningFlushes) != 0 ||
           Count(rocksdb::DB::Properties::kCompactionPending) != 0 ||
           Count(rocksdb::DB::Properties::kNumRunningCompactions) != 0) {
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return absl::OkStatus();
  }
  // The system counts the written bytes: RocksDB's own count needs statistics, which cost time.
  EngineCounters Counters() override {
    EngineCounters counters;
    std::map<std::string, std::string> stats;
    if (db_->GetMapProperty(rocksdb::DB::Properties::kDBStats, &stats)) {
      const auto stall = stats.find("db.user_write_stall_micros");
      if (stall != stats.end()) counters.stall_micros = std::stoull(stall->second);
    }
    return counters;
  }
  std::string Describe(std::string_view what) override {
    std::string text;
    const std::string property = "rocksdb." + std::string(what);
    return db_->GetProperty(property, &text) ? text : std::string();
  }
  absl::Status Close() override {
    const absl::Status status = ToStatus("close", db_->Close());
    db_.reset();
    return status;
  }

 private:
  uint64_t Count(const std::string& property) {
    uint64_t count = 0;
    return db_->GetIntProperty(property, &count) ? count : 0;
  }

  std::unique_ptr<rocksdb::DB> db_;
  const RocksTransactions transactions_;
};

// Opens the database; `transactions` then has the kind that the settings ask for.
rocksdb::Status Open(const EngineSettings& settings, const rocksdb::Options& options,
                     RocksTransactions* transactions, rocksdb::DB** db) {
  rocksdb::Status status;
  if (settings.transactions == Transactions::kOptimistic) {
    status =
        rocksdb::OptimisticTransactionDB::Open(options, settings.path, &transactions->optimistic);
    *db = transactions->optimistic;
  } else if (settings.transactions == Transactions::kPessimistic) {
    status = rocksdb::TransactionDB::Open(options, rocksdb::TransactionDBOptions(), settings.path,
                                          &transactions->pessimistic);
    *db = transactions->pessimistic;
  } else {
    status = rocksdb::DB::Open(options, settings.path, db);
  }
  return status;
}

// With a budget, memtables are charged to the cache, and filters and indexes are in it.
void SetMemory(const EngineSettings& settings, rocksdb::BlockBasedTableOptions* table,
               rocksdb::Options* options) {
  const std::optional<uint64_t>& budget = settings.memory_budget_bytes;
  if (settings.write_buffer_bytes) options->write_buffer_size = *settings.write_buffer_bytes;
  if (!settings.cache_bytes && !budget) return;
  table->block_cache = rocksdb::NewLRUCache(settings.cache_bytes ? *settings.cache_bytes : *budget);
  if (settings.cache_bytes) return;
  options->write_buffer_manager =
      std::make_shared<rocksdb::WriteBufferManager>(*budget / 2, table->block_cache);
  table->cache_index_and_filter_blocks = true;
  table->pin_l0_filter_and_index_blocks_in_cache = true;
}

absl::Status SetCompression(const EngineSettings& settings, rocksdb::Options* options) {
  if (!settings.compression) return absl::OkStatus();
  const std::pair<std::string_view, rocksdb::CompressionType> types[] = {
      {"none", rocksdb::kNoCompression},
      {"snappy", rocksdb::kSnappyCompression},
      {"lz4", rocksdb::kLZ4Compression},
      {"zstd", rocksdb::kZSTD}};
  const std::vector<rocksdb::CompressionType> built = rocksdb::GetSupportedCompressions();
  for (const auto& [name, type] : types) {
    if (name != *settings.compression) continue;
    options->compression = type;
    if (type == rocksdb::kNoCompression) return absl::OkStatus();
    if (std::find(built.begin(), built.end(), type) != built.end()) return absl::OkStatus();
  }
  return Failure("open", "this build has no compression '" + *settings.compression + "'",
                 absl::StatusCode::kUnimplemented);
}

absl::StatusOr<rocksdb::Options> OptionsFor(const EngineSettings& settings) {
  rocksdb::Options options;
  options.create_if_missing = !settings.must_exist;
  if (AsItComes(settings)) return options;
  rocksdb::BlockBasedTableOptions table;
  if (settings.block_bytes) table.block_size = *settings.block_bytes;
  if (settings.filter_bits_per_key.value_or(0) > 0) {
    table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(*settings.filter_bits_per_key));
  }
  if (settings.file_bytes) options.target_file_size_base = *settings.file_bytes;
  if (settings.background_threads) options.max_background_jobs = *settings.background_threads;
  SetMemory(settings, &table, &options);
  RETURN_IF_ERROR(SetCompression(settings, &options));
  options.level_compaction_dynamic_level_bytes = true;
  options.bytes_per_sync = uint64_t{1} << 20;
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  return options;
}

}  // namespace

EngineKind ThisEngine() {
  return {"rocksdb",
          rocksdb::GetRocksVersionAsString(),
          "level_compaction_dynamic_level_bytes, bytes_per_sync of 1 MiB, full filters; under a "
          "memory budget one cache for blocks, indexes, filters and memtables",
          {}};
}

absl::StatusOr<std::unique_ptr<Engine>> OpenEngine(const EngineSettings& settings) {
  ASSIGN_OR_RETURN(const rocksdb::Options options, OptionsFor(settings));
  RETURN_IF_ERROR(MakeDirectory(settings, "CURRENT"));
  rocksdb::DB* db = nullptr;
  RocksTransactions transactions;
  RETURN_IF_ERROR(ToStatus("open", Open(settings, options, &transactions, &db)));
  return std::make_unique<RocksEngine>(std::unique_ptr<rocksdb::DB>(db), transactions);
}

absl::Status DestroyEngine(const std::string& path) {
  return ToStatus("destroy", rocksdb::DestroyDB(path, rocksdb::Options()));
}

}  // namespace cambium::bench
