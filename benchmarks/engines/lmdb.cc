// The adapter for LMDB.
//
// LMDB has neither a log nor background work: each write is a transaction, and its default
// durability is that of a synced write. Its cache is the system's page cache.
#include <lmdb.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "benchmarks/engines/adapter.h"
#include "benchmarks/engines/engine.h"
#include "util/status_macros.h"

namespace cambium::bench {
namespace {

// Address space for the file, whose own size is only the written part.
constexpr size_t kMapBytes = size_t{1} << 40;
constexpr unsigned kMaxReaders = 1024;

MDB_val ToValue(std::string_view bytes) { return {bytes.size(), const_cast<char*>(bytes.data())}; }
std::string_view ToView(const MDB_val& value) {
  return {static_cast<const char*>(value.mv_data), value.mv_size};
}

absl::Status ToStatus(std::string_view operation, int code) {
  return code == MDB_SUCCESS ? absl::OkStatus() : Failure(operation, mdb_strerror(code));
}

struct CloseEnv {
  void operator()(MDB_env* env) const { mdb_env_close(env); }
};
struct AbortTxn {
  void operator()(MDB_txn* txn) const { mdb_txn_abort(txn); }
};
struct CloseCursor {
  void operator()(MDB_cursor* cursor) const { mdb_cursor_close(cursor); }
};
using Env = std::unique_ptr<MDB_env, CloseEnv>;
using Txn = std::unique_ptr<MDB_txn, AbortTxn>;

// A database and the sync mode of its last write. Plain data.
struct Store {
  Env env;
  MDB_dbi table = 0;
  bool syncs = true;  // set by an open write transaction
  bool maps_writes = false;
};

// A read transaction, and perhaps a cursor, for reuse. Plain data.
struct Reader {
  Txn txn;  // first: a cursor is destroyed before its transaction
  std::unique_ptr<MDB_cursor, CloseCursor> cursor;
};

class LmdbCursor final : public Cursor {
 public:
  // Returns `reader` to `home` at the end. A `status` other than success is the cursor's error.
  LmdbCursor(Reader reader, int status, std::vector<Reader>* home)
      : reader_(std::move(reader)), home_(home), code_(status), failed_(status != MDB_SUCCESS) {}
  ~LmdbCursor() override {
    if (failed_) return;
    mdb_txn_reset(reader_.txn.get());
    home_->push_back(std::move(reader_));
  }

  void Seek(std::string_view key) override {
    key_ = ToValue(key);
    Move(MDB_SET_RANGE);
  }
  void SeekToFirst() override { Move(MDB_FIRST); }
  void SeekToLast() override { Move(MDB_LAST); }
  std::optional<std::string_view> Key() override {
    if (code_ != MDB_SUCCESS) return std::nullopt;
    return ToView(key_);
  }
  Scanned Read(uint64_t limit, Direction direction, const EntryCheck& check) override {
    const MDB_cursor_op step = direction == Direction::kForward ? MDB_NEXT : MDB_PREV;
    Scanned scanned;
    while (scanned.entries < limit && code_ == MDB_SUCCESS) {
      ++scanned.entries;
      scanned.bytes += key_.mv_size + value_.mv_size;
      if (check) check(ToView(key_), ToView(value_));
      Move(step);
    }
    return scanned;
  }
  absl::Status status() const override {
    return code_ == MDB_NOTFOUND ? absl::OkStatus() : ToStatus("scan", code_);
  }

 private:
  void Move(MDB_cursor_op operation) {
    if (!failed_) code_ = mdb_cursor_get(reader_.cursor.get(), &key_, &value_, operation);
  }

  Reader reader_;
  std::vector<Reader>* const home_;
  int code_;
  const bool failed_;  // it could not be started
  MDB_val key_{}, value_{};
};

class LmdbSession final : public Session {
 public:
  explicit LmdbSession(Store* store) : store_(store) {}

  absl::Status Put(std::string_view key, std::string_view value, Durability durability) override {
    const Entry entry{key, value};
    return PutBatch(std::span(&entry, 1), durability);
  }
  absl::Status Delete(std::string_view key, Durability durability) override {
    return Write("delete", durability, [&](MDB_txn* txn) {
      MDB_val found = ToValue(key);
      const int code = mdb_del(txn, store_->table, &found, nullptr);
      return code == MDB_NOTFOUND ? MDB_SUCCESS : code;
    });
  }
  absl::Status PutBatch(std::span<const Entry> entries, Durability durability) override {
    return Write("put", durability, [&](MDB_txn* txn) {
      int code = MDB_SUCCESS;
      for (size_t i = 0; i < entries.size() && code == MDB_SUCCESS; ++i) {
        MDB_val key = ToValue(entries[i].key);
        MDB_val value = ToValue(entries[i].value);
        code = mdb_put(txn, store_->table, &key, &value, 0);
      }
      return code;
    });
  }
  absl::Status Get(std::string_view key, std::optional<std::string_view>* value) override {
    RETURN_IF_ERROR(BeginRead());
    return Find(key, value);
  }
  absl::Status MultiGet(std::span<const std::string_view> keys,
                        std::span<std::optional<std::string_view>> values) override {
    RETURN_IF_ERROR(BeginRead());
    for (size_t i = 0; i < keys.size(); ++i) RETURN_IF_ERROR(Find(keys[i], &values[i]));
    return absl::OkStatus();
  }
  std::unique_ptr<Cursor> NewCursor() override {
    EndRead();
    Reader reader;
    int code = MDB_SUCCESS;
    if (!idle_.empty()) {
      reader = std::move(idle_.back());
      idle_.pop_back();
      code = mdb_txn_renew(reader.txn.get());
      if (code == MDB_SUCCESS) code = mdb_cursor_renew(reader.txn.get(), reader.cursor.get());
    } else {
      code = Begin(&reader.txn);
      MDB_cursor* cursor = nullptr;
      if (code == MDB_SUCCESS) code = mdb_cursor_open(reader.txn.get(), store_->table, &cursor);
      reader.cursor.reset(cursor);
    }
    return std::make_unique<LmdbCursor>(std::move(reader), code, &idle_);
  }

 private:
  // Commits the result of `change`. LMDB allows one write transaction at a time, which owns
  // `syncs`.
  template <typename Change>
  absl::Status Write(std::string_view operation, Durability durability, const Change& change) {
    EndRead();
    MDB_txn* begun = nullptr;
    RETURN_IF_ERROR(
        ToStatus("begin of a write", mdb_txn_begin(store_->env.get(), nullptr, 0, &begun)));
    Txn txn(begun);
    const bool sync = durability == Durability::kMachine;
    if (sync != store_->syncs) {
      RETURN_IF_ERROR(ToStatus("choice of sync",
                               mdb_env_set_flags(store_->env.get(), MDB_NOSYNC, sync ? 0 : 1)));
      store_->syncs = sync;
    }
    RETURN_IF_ERROR(ToStatus(operation, change(txn.get())));
    return ToStatus("commit", mdb_txn_commit(txn.release()));
  }

  int Begin(Txn* txn) {
    MDB_txn* begun = nullptr;
    const int code = mdb_txn_begin(store_->env.get(), nullptr, MDB_RDONLY, &begun);
    txn->reset(begun);
    return code;
  }
  // Begins a read of the newest state. Its results live until EndRead(), in the session's next
  // call, so that no old state prevents pages from being reused.
  absl::Status BeginRead() {
    EndRead();
    RETURN_IF_ERROR(
        ToStatus("begin of a read", read_ == nullptr ? Begin(&read_) : mdb_txn_renew(read_.get())));
    is_reading_ = true;
    return absl::OkStatus();
  }
  void EndRead() {
    if (is_reading_) mdb_txn_reset(read_.get());
    is_reading_ = false;
  }
  absl::Status Find(std::string_view key, std::optional<std::string_view>* value) {
    MDB_val wanted = ToValue(key);
    MDB_val found;
    const int code = mdb_get(read_.get(), store_->table, &wanted, &found);
    value->reset();
    if (code == MDB_SUCCESS) *value = ToView(found);
    return code == MDB_NOTFOUND ? absl::OkStatus() : ToStatus("get", code);
  }

  Store* const store_;
  Txn read_;
  bool is_reading_ = false;
  std::vector<Reader> idle_;
};

class LmdbEngine final : public Engine {
 public:
  explicit LmdbEngine(std::unique_ptr<Store> store) : store_(std::move(store)) {}

  std::unique_ptr<Session> NewSession() override {
    return std::make_unique<LmdbSession>(store_.get());
  }
  absl::Status Flush() override { return absl::OkStatus(); }
  absl::Status Compact() override { return absl::OkStatus(); }
  absl::Status WaitForIdle() override { return absl::OkStatus(); }
  EngineCounters Counters() override {
    EngineCounters counters;
    counters.maps_reads = true;
    counters.maps_writes = store_->maps_writes;
    return counters;
  }
  std::string Describe(std::string_view what) override {
    MDB_stat stat;
    if (what != "stats" || mdb_env_stat(store_->env.get(), &stat) != MDB_SUCCESS) return {};
    return "entries " + std::to_string(stat.ms_entries) + ", depth " +
           std::to_string(stat.ms_depth) + ", leaf pages " + std::to_string(stat.ms_leaf_pages) +
           ", branch pages " + std::to_string(stat.ms_branch_pages) + ", overflow pages " +
           std::to_string(stat.ms_overflow_pages) + "\n";
  }
  absl::Status Close() override {
    store_.reset();
    return absl::OkStatus();
  }

 private:
  std::unique_ptr<Store> store_;
};

}  // namespace

EngineKind ThisEngine() {
  return {"lmdb",
          std::to_string(MDB_VERSION_MAJOR) + "." + std::to_string(MDB_VERSION_MINOR) + "." +
              std::to_string(MDB_VERSION_PATCH),
          "one transaction a write or batch, MDB_NOSYNC unless synced, MDB_NOTLS, a map of 1 TiB, "
          "MDB_WRITEMAP where a run sets anything; "
          "read transactions are renewed; its cache is the system's page cache, without a bound",
          {"memory_budget", "write_buffer_size", "cache_size", "block_size",
           "target_file_size_base", "bloom_bits", "max_background_jobs"}};
}

absl::StatusOr<std::unique_ptr<Engine>> OpenEngine(const EngineSettings& settings) {
  RETURN_IF_ERROR(RefuseCompression(settings));
  RETURN_IF_ERROR(MakeDirectory(settings, "data.mdb"));
  auto store = std::make_unique<Store>();
  store->maps_writes = !AsItComes(settings);
  const unsigned flags = MDB_NOTLS | (store->maps_writes ? MDB_WRITEMAP : 0u);
  MDB_env* env = nullptr;
  RETURN_IF_ERROR(ToStatus("open", mdb_env_create(&env)));
  store->env.reset(env);
  RETURN_IF_ERROR(ToStatus("open", mdb_env_set_mapsize(env, kMapBytes)));
  RETURN_IF_ERROR(ToStatus("open", mdb_env_set_maxreaders(env, kMaxReaders)));
  RETURN_IF_ERROR(ToStatus("open", mdb_env_open(env, settings.path.c_str(), flags, 0644)));
  MDB_txn* begun = nullptr;
  RETURN_IF_ERROR(ToStatus("open", mdb_txn_begin(env, nullptr, 0, &begun)));
  Txn txn(begun);
  RETURN_IF_ERROR(ToStatus("open", mdb_dbi_open(begun, nullptr, 0, &store->table)));
  RETURN_IF_ERROR(ToStatus("open", mdb_txn_commit(txn.release())));
  return std::make_unique<LmdbEngine>(std::move(store));
}

absl::Status DestroyEngine(const std::string& path) {
  return RemoveFiles(path, {"data.mdb", "lock.mdb"});
}

}  // namespace cambium::bench
