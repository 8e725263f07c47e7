// The adapter for SQLite: one table of keys and values that is its own index.
#include <sqlite3.h>

#include <algorithm>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "benchmarks/engines/adapter.h"
#include "benchmarks/engines/engine.h"
#include "util/status_macros.h"

namespace cambium::bench {
namespace {

constexpr std::string_view kFileName = "data.sqlite";
constexpr int kBusyTimeoutMillis = 60'000;

struct CloseConnection {
  void operator()(sqlite3* connection) const { sqlite3_close(connection); }
};
struct Finalize {
  void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
};

// The settings of every connection. With the mutex, writers of this process take turns; SQLite's
// busy handler would sleep instead. Thread-safe.
struct Store {
  std::string file;
  std::string pragmas;
  bool maps_reads = false;
  std::mutex writing;
};

// A prepared statement. Confined to its connection's thread.
class Statement {
 public:
  // Prepares `sql`, which must be a literal.
  absl::Status Prepare(sqlite3* connection, std::string_view sql) {
    sqlite3_stmt* made = nullptr;
    const int code = sqlite3_prepare_v3(connection, sql.data(), static_cast<int>(sql.size()),
                                        SQLITE_PREPARE_PERSISTENT, &made, nullptr);
    statement_.reset(made);
    return code == SQLITE_OK ? absl::OkStatus() : Failure("prepare", sqlite3_errmsg(connection));
  }
  void Bind(int parameter, std::string_view bytes) {
    sqlite3_bind_blob64(statement_.get(), parameter, bytes.data() == nullptr ? "" : bytes.data(),
                        bytes.size(), SQLITE_STATIC);
  }
  int Step() { return sqlite3_step(statement_.get()); }
  void Reset() { sqlite3_reset(statement_.get()); }
  // Returns a column of the current row, valid until the next call.
  std::string_view Column(int column) {
    const auto* const bytes =
        static_cast<const char*>(sqlite3_column_blob(statement_.get(), column));
    return {bytes, static_cast<size_t>(sqlite3_column_bytes(statement_.get(), column))};
  }
  // Runs a statement without rows.
  absl::Status Run(std::string_view operation) {
    const int code = Step();
    Reset();
    if (code == SQLITE_DONE || code == SQLITE_ROW) return absl::OkStatus();
    return Failure(operation, sqlite3_errmsg(sqlite3_db_handle(statement_.get())));
  }

 private:
  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
};

// One connection with all its statements. Confined to one thread at a time.
class Connection {
 public:
  absl::Status Open(const Store& store) {
    sqlite3* made = nullptr;
    const int code =
        sqlite3_open_v2(store.file.c_str(), &made,
                        SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, nullptr);
    connection_.reset(made);
    if (code != SQLITE_OK) return Failure("open", sqlite3_errstr(code));
    sqlite3_busy_timeout(made, kBusyTimeoutMillis);
    RETURN_IF_ERROR(Execute("open", store.pragmas));
    const std::pair<Statement*, std::string_view> statements[] = {
        {&begin, "BEGIN"},
        {&begin_write, "BEGIN IMMEDIATE"},
        {&commit, "COMMIT"},
        {&put, "INSERT OR REPLACE INTO entries VALUES(?1, ?2)"},
        {&remove, "DELETE FROM entries WHERE key = ?1"},
        {&get, "SELECT value FROM entries WHERE key = ?1"},
        {&look, "SELECT 1 FROM entries LIMIT 0"},
        {&forward, "SELECT key, value FROM entries WHERE key >= ?1 ORDER BY key"},
        {&reverse, "SELECT key, value FROM entries WHERE key <= ?1 ORDER BY key DESC"},
        {&from_last, "SELECT key, value FROM entries ORDER BY key DESC"}};
    for (const auto& [statement, sql] : statements) {
      RETURN_IF_ERROR(statement->Prepare(made, sql));
    }
    return absl::OkStatus();
  }
  absl::Status Execute(std::string_view operation, const std::string& sql) {
    const int code = sqlite3_exec(connection_.get(), sql.c_str(), nullptr, nullptr, nullptr);
    return code == SQLITE_OK ? absl::OkStatus() : Failure(operation, Error());
  }
  std::string Error() const { return sqlite3_errmsg(connection_.get()); }

 private:
  std::unique_ptr<sqlite3, CloseConnection> connection_;

 public:
  Statement begin, begin_write, commit, put, remove, get;
  Statement look;  // starts the transaction's read view, finds nothing
  Statement forward, reverse, from_last;
};

// A statement for one direction is running; a change of direction starts the other one at the
// current row's key.
class SqliteCursor final : public Cursor {
 public:
  // Returns `connection`, in a transaction if `status` is ok, to `home` at the end.
  SqliteCursor(std::unique_ptr<Connection> connection, absl::Status status,
               std::vector<std::unique_ptr<Connection>>* home)
      : connection_(std::move(connection)), home_(home), status_(std::move(status)) {
    is_open_ = status_.ok();
  }
  ~SqliteCursor() override {
    if (!is_open_) return;
    Start(nullptr, Direction::kForward);
    if (connection_->commit.Run("end of a scan").ok()) home_->push_back(std::move(connection_));
  }

  void Seek(std::string_view key) override {
    if (!is_open_) return;
    bound_.assign(key);
    Start(&connection_->forward, Direction::kForward);
  }
  void SeekToFirst() override { Seek({}); }
  void SeekToLast() override {
    if (is_open_) Start(&connection_->from_last, Direction::kReverse);
  }
  std::optional<std::string_view> Key() override {
    if (!has_row_) return std::nullopt;
    return running_->Column(0);
  }
  Scanned Read(uint64_t limit, Direction direction, const EntryCheck& check) override {
    Scanned scanned;
    if (has_row_ && direction != direction_) {
      bound_.assign(running_->Column(0));
      Start(direction == Direction::kForward ? &connection_->forward : &connection_->reverse,
            direction);
    }
    while (scanned.entries < limit && has_row_) {
      const std::string_view key = running_->Column(0);
      const std::string_view value = running_->Column(1);
      ++scanned.entries;
      scanned.bytes += key.size() + value.size();
      if (check) check(key, value);
      Step();
    }
    return scanned;
  }
  absl::Status status() const override { return status_; }

 private:
  // Ends the running statement and starts `next`, if any, from the bound.
  void Start(Statement* next, Direction direction) {
    if (running_ != nullptr) running_->Reset();
    running_ = next;
    direction_ = direction;
    has_row_ = false;
    if (next == nullptr) return;
    if (next != &connection_->from_last) next->Bind(1, bound_);
    Step();
  }
  void Step() {
    const int code = running_->Step();
    has_row_ = code == SQLITE_ROW;
    if (!has_row_ && code != SQLITE_DONE) status_ = Failure("scan", connection_->Error());
  }

  std::unique_ptr<Connection> connection_;
  std::vector<std::unique_ptr<Connection>>* const home_;
  absl::Status status_;
  bool is_open_ = false;
  Statement* running_ = nullptr;
  Direction direction_ = Direction::kForward;
  bool has_row_ = false;
  std::string bound_;
};

class SqliteSession final : public Session {
 public:
  // If the connection cannot be opened, every call returns that error.
  explicit SqliteSession(Store* store) : store_(store), opened_(connection_.Open(*store)) {}

  absl::Status Put(std::string_view key, std::string_view value, Durability durability) override {
    RETURN_IF_ERROR(Prepare(durability));
    const std::lock_guard lock(store_->writing);
    return PutOne({key, value});
  }
  absl::Status Delete(std::string_view key, Durability durability) override {
    RETURN_IF_ERROR(Prepare(durability));
    const std::lock_guard lock(store_->writing);
    connection_.remove.Bind(1, key);
    return connection_.remove.Run("delete");
  }
  absl::Status PutBatch(std::span<const Entry> entries, Durability durability) override {
    RETURN_IF_ERROR(Prepare(durability));
    const std::lock_guard lock(store_->writing);
    RETURN_IF_ERROR(connection_.begin_write.Run("begin of a batch"));
    absl::Status status;
    for (size_t i = 0; status.ok() && i < entries.size(); ++i) status = PutOne(entries[i]);
    if (status.ok()) status = connection_.commit.Run("commit of a batch");
    if (!status.ok()) connection_.Execute("rollback", "ROLLBACK").IgnoreError();
    return status;
  }
  absl::Status Get(std::string_view key, std::optional<std::string_view>* value) override {
    RETURN_IF_ERROR(opened_);
    return Find(key, &value_, value);
  }
  absl::Status MultiGet(std::span<const std::string_view> keys,
                        std::span<std::optional<std::string_view>> values) override {
    RETURN_IF_ERROR(opened_);
    values_.resize(std::max(values_.size(), keys.size()));
    RETURN_IF_ERROR(connection_.begin.Run("begin of a multiget"));
    absl::Status status;
    for (size_t i = 0; status.ok() && i < keys.size(); ++i) {
      status = Find(keys[i], &values_[i], &values[i]);
    }
    status.Update(connection_.commit.Run("end of a multiget"));
    return status;
  }
  // Uses a separate connection, whose transaction holds the state.
  std::unique_ptr<Cursor> NewCursor() override {
    absl::Status status = opened_;
    std::unique_ptr<Connection> connection;
    if (!idle_.empty()) {
      connection = std::move(idle_.back());
      idle_.pop_back();
    } else if (status.ok()) {
      connection = std::make_unique<Connection>();
      status = connection->Open(*store_);
    }
    if (status.ok()) status = connection->begin.Run("begin of a scan");
    if (status.ok()) status = connection->look.Run("begin of a scan");
    return std::make_unique<SqliteCursor>(std::move(connection), std::move(status), &idle_);
  }

 private:
  absl::Status Prepare(Durability durability) {
    RETURN_IF_ERROR(opened_);
    const bool sync = durability == Durability::kMachine;
    if (sync == syncs_) return absl::OkStatus();
    syncs_ = sync;
    return connection_.Execute("choice of sync",
                               sync ? "PRAGMA synchronous=FULL" : "PRAGMA synchronous=OFF");
  }
  absl::Status PutOne(const Entry& entry) {
    connection_.put.Bind(1, entry.key);
    connection_.put.Bind(2, entry.value);
    return connection_.put.Run("put");
  }
  // Copies the value: a statement that is left running would prevent the log from being reused.
  absl::Status Find(std::string_view key, std::string* room,
                    std::optional<std::string_view>* value) {
    value->reset();
    connection_.get.Bind(1, key);
    const int code = connection_.get.Step();
    if (code == SQLITE_ROW) {
      room->assign(connection_.get.Column(0));
      *value = *room;
    }
    connection_.get.Reset();
    return code == SQLITE_ROW || code == SQLITE_DONE ? absl::OkStatus()
                                                     : Failure("get", connection_.Error());
  }

  Store* const store_;
  Connection connection_;
  const absl::Status opened_;
  bool syncs_ = false;  // as in the pragmas of every connection
  std::string value_;
  std::vector<std::string> values_;
  std::vector<std::unique_ptr<Connection>> idle_;
};

class SqliteEngine final : public Engine {
 public:
  SqliteEngine(std::unique_ptr<Store> store, std::unique_ptr<Connection> connection)
      : store_(std::move(store)), connection_(std::move(connection)) {}

  std::unique_ptr<Session> NewSession() override {
    return std::make_unique<SqliteSession>(store_.get());
  }
  // Moves the contents of the log to the table.
  absl::Status Flush() override {
    const std::lock_guard lock(store_->writing);
    return connection_->Execute("checkpoint", "PRAGMA wal_checkpoint(PASSIVE)");
  }
  absl::Status Compact() override {
    const std::lock_guard lock(store_->writing);
    RETURN_IF_ERROR(connection_->Execute("vacuum", "VACUUM"));
    return connection_->Execute("checkpoint", "PRAGMA wal_checkpoint(TRUNCATE)");
  }
  absl::Status WaitForIdle() override { return absl::OkStatus(); }
  EngineCounters Counters() override {
    EngineCounters counters;
    counters.maps_reads = store_->maps_reads;
    return counters;
  }
  std::string Describe(std::string_view) override { return {}; }
  absl::Status Close() override {
    connection_.reset();
    return absl::OkStatus();
  }

 private:
  std::unique_ptr<Store> store_;
  std::unique_ptr<Connection> connection_;
};

// The log is moved to the table when it is as large as a memtable. The table is read through a map
// as large as SQLite allows, so that pages are not copied.
std::string PragmasFor(const EngineSettings& settings) {
  constexpr uint64_t kPageBytes = 4096;
  std::string pragmas = "PRAGMA synchronous=OFF;";
  if (AsItComes(settings)) return pragmas;
  pragmas += "PRAGMA mmap_size=" + std::to_string(uint64_t{1} << 40) + ";";
  if (settings.write_buffer_bytes) {
    pragmas +=
        "PRAGMA wal_autocheckpoint=" + std::to_string(*settings.write_buffer_bytes / kPageBytes) +
        ";";
  }
  if (const auto memory = WholeMemoryBytes(settings)) {
    pragmas += "PRAGMA cache_size=-" + std::to_string(*memory / 1024) + ";";
  }
  return pragmas;
}

}  // namespace

EngineKind ThisEngine() {
  return {"sqlite",
          sqlite3_libversion(),
          "WAL mode, synchronous OFF or (synced) FULL, WITHOUT ROWID, prepared statements, one "
          "connection a session and one for its cursor, each with a cache of the whole size, "
          "mmap_size as large as it can be; compact is VACUUM",
          {"block_size", "target_file_size_base", "bloom_bits", "max_background_jobs"}};
}

absl::StatusOr<std::unique_ptr<Engine>> OpenEngine(const EngineSettings& settings) {
  RETURN_IF_ERROR(RefuseCompression(settings));
  RETURN_IF_ERROR(MakeDirectory(settings, kFileName));
  auto store = std::make_unique<Store>();
  store->file = settings.path + "/" + std::string(kFileName);
  store->pragmas =
      "PRAGMA journal_mode=WAL;"
      "CREATE TABLE IF NOT EXISTS entries(key BLOB PRIMARY KEY, value BLOB) WITHOUT ROWID;";
  store->pragmas += PragmasFor(settings);
  store->maps_reads = !AsItComes(settings);
  auto connection = std::make_unique<Connection>();
  RETURN_IF_ERROR(connection->Open(*store));
  return std::make_unique<SqliteEngine>(std::move(store), std::move(connection));
}

absl::Status DestroyEngine(const std::string& path) {
  const std::string file(kFileName);
  return RemoveFiles(path, {file, file + "-wal", file + "-shm"});
}

}  // namespace cambium::bench
