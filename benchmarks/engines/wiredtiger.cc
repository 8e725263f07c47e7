// The adapter for WiredTiger: a B-tree with a log.
#include <wiredtiger.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "benchmarks/engines/adapter.h"
#include "benchmarks/engines/engine.h"
#include "util/status_macros.h"

namespace cambium::bench {
namespace {

constexpr const char* kTable = "table:entries";

WT_ITEM ToItem(std::string_view bytes) {
  WT_ITEM item{};
  item.data = bytes.data();
  item.size = bytes.size();
  return item;
}

absl::Status ToStatus(std::string_view operation, int code) {
  return code == 0 ? absl::OkStatus() : Failure(operation, wiredtiger_strerror(code));
}

// A WT_SESSION with a cursor on the table. Confined to one thread at a time.
class Handle {
 public:
  Handle() = default;
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  ~Handle() {
    if (session_ != nullptr) session_->close(session_, nullptr);  // also closes its cursors
  }

  absl::Status Open(WT_CONNECTION* connection) {
    RETURN_IF_ERROR(ToStatus("open of a session",
                             connection->open_session(connection, nullptr, nullptr, &session_)));
    return ToStatus("open of a cursor",
                    session_->open_cursor(session_, kTable, nullptr, nullptr, &cursor_));
  }
  WT_SESSION* session() const { return session_; }
  WT_CURSOR* cursor() const { return cursor_; }

  int Begin(const char* options) { return session_->begin_transaction(session_, options); }
  int Commit(const char* options) { return session_->commit_transaction(session_, options); }
  int Rollback() { return session_->rollback_transaction(session_, nullptr); }

  int Insert(const Entry& entry) {
    SetKey(entry.key);
    WT_ITEM value = ToItem(entry.value);
    cursor_->set_value(cursor_, &value);
    return cursor_->insert(cursor_);
  }
  int Remove(std::string_view key) {
    SetKey(key);
    const int code = cursor_->remove(cursor_);
    return code == WT_NOTFOUND ? 0 : code;
  }
  void SetKey(std::string_view key) {
    WT_ITEM item = ToItem(key);
    cursor_->set_key(cursor_, &item);
  }
  // Returns the current key, valid until the next move.
  int Key(std::string_view* bytes) {
    WT_ITEM item;
    const int code = cursor_->get_key(cursor_, &item);
    if (code == 0) *bytes = {static_cast<const char*>(item.data), item.size};
    return code;
  }
  int Value(std::string_view* bytes) {
    WT_ITEM item;
    const int code = cursor_->get_value(cursor_, &item);
    if (code == 0) *bytes = {static_cast<const char*>(item.data), item.size};
    return code;
  }

 private:
  WT_SESSION* session_ = nullptr;
  WT_CURSOR* cursor_ = nullptr;
};

class WiredCursor final : public Cursor {
 public:
  // Returns `handle`, in a transaction if `status` is ok, to `home` at the end.
  WiredCursor(std::unique_ptr<Handle> handle, absl::Status status,
              std::vector<std::unique_ptr<Handle>>* home)
      : handle_(std::move(handle)), home_(home), status_(std::move(status)) {
    is_open_ = status_.ok();
  }
  ~WiredCursor() override {
    if (!is_open_) return;
    if (handle_->Rollback() == 0) home_->push_back(std::move(handle_));
  }

  void Seek(std::string_view key) override {
    if (!is_open_) return;
    WT_CURSOR* const cursor = handle_->cursor();
    int order = 0;
    handle_->SetKey(key);
    int code = cursor->search_near(cursor, &order);
    if (code == 0 && order < 0) code = cursor->next(cursor);
    Arrive(code);
  }
  void SeekToFirst() override { SeekToEnd(Direction::kForward); }
  void SeekToLast() override { SeekToEnd(Direction::kReverse); }
  std::optional<std::string_view> Key() override {
    std::string_view key;
    if (!is_valid_ || handle_->Key(&key) != 0) return std::nullopt;
    return key;
  }
  Scanned Read(uint64_t limit, Direction direction, const EntryCheck& check) override {
    Scanned scanned;
    if (!is_valid_) return scanned;
    WT_CURSOR* const cursor = handle_->cursor();
    const auto step = direction == Direction::kForward ? cursor->next : cursor->prev;
    int code = 0;
    while (code == 0 && scanned.entries < limit) {
      std::string_view key, value;
      code = handle_->Key(&key);
      if (code == 0) code = handle_->Value(&value);
      if (code != 0) break;
      ++scanned.entries;
      scanned.bytes += key.size() + value.size();
      if (check) check(key, value);
      code = step(cursor);
    }
    Arrive(code);
    return scanned;
  }
  absl::Status status() const override { return status_; }

 private:
  void SeekToEnd(Direction direction) {
    if (!is_open_) return;
    WT_CURSOR* const cursor = handle_->cursor();
    int code = cursor->reset(cursor);
    if (code == 0) {
      code = direction == Direction::kForward ? cursor->next(cursor) : cursor->prev(cursor);
    }
    Arrive(code);
  }
  void Arrive(int code) {
    is_valid_ = code == 0;
    if (code != 0 && code != WT_NOTFOUND) status_ = ToStatus("scan", code);
  }

  std::unique_ptr<Handle> handle_;
  std::vector<std::unique_ptr<Handle>>* const home_;
  absl::Status status_;
  bool is_open_ = false;
  bool is_valid_ = false;
};

class WiredSession final : public Session {
 public:
  // If no session can be opened, every call returns that error.
  explicit WiredSession(WT_CONNECTION* connection)
      : connection_(connection), opened_(handle_.Open(connection)) {}

  absl::Status Put(std::string_view key, std::string_view value, Durability durability) override {
    return Write("put", durability, false, [&] { return handle_.Insert({key, value}); });
  }
  absl::Status Delete(std::string_view key, Durability durability) override {
    return Write("delete", durability, false, [&] { return handle_.Remove(key); });
  }
  absl::Status PutBatch(std::span<const Entry> entries, Durability durability) override {
    return Write("put", durability, true, [&] {
      int code = 0;
      for (size_t i = 0; code == 0 && i < entries.size(); ++i) code = handle_.Insert(entries[i]);
      return code;
    });
  }
  absl::Status Get(std::string_view key, std::optional<std::string_view>* value) override {
    RETURN_IF_ERROR(opened_);
    return ToStatus("get", Find(key, value));
  }
  absl::Status MultiGet(std::span<const std::string_view> keys,
                        std::span<std::optional<std::string_view>> values) override {
    RETURN_IF_ERROR(opened_);
    values_.resize(std::max(values_.size(), keys.size()));
    RETURN_IF_ERROR(ToStatus("begin of a multiget", handle_.Begin("isolation=snapshot")));
    int code = 0;
    for (size_t i = 0; code == 0 && i < keys.size(); ++i) {
      code = Find(keys[i], &values[i]);
      if (!values[i]) continue;
      values_[i].assign(*values[i]);
      values[i] = values_[i];
    }
    const int end = handle_.Rollback();
    return ToStatus("multiget", code != 0 ? code : end);
  }
  // Uses a separate session, whose transaction holds the state.
  std::unique_ptr<Cursor> NewCursor() override {
    absl::Status status = opened_;
    std::unique_ptr<Handle> handle;
    if (!idle_.empty()) {
      handle = std::move(idle_.back());
      idle_.pop_back();
    } else if (status.ok()) {
      handle = std::make_unique<Handle>();
      status = handle->Open(connection_);
    }
    if (status.ok()) status = ToStatus("begin of a scan", handle->Begin("isolation=snapshot"));
    return std::make_unique<WiredCursor>(std::move(handle), std::move(status), &idle_);
  }

 private:
  // Repeats the change if WiredTiger requests it because of another thread's write.
  template <typename Change>
  absl::Status Write(std::string_view operation, Durability durability, bool is_batch,
                     const Change& change) {
    RETURN_IF_ERROR(opened_);
    int code = 0;
    do {
      code = is_batch || durability == Durability::kNone ? InTransaction(durability, change)
                                                         : change();
    } while (code == WT_ROLLBACK);
    RETURN_IF_ERROR(ToStatus(operation, code));
    if (durability != Durability::kMachine) return absl::OkStatus();
    WT_SESSION* const session = handle_.session();
    return ToStatus("sync of the log", session->log_flush(session, "sync=on"));
  }
  template <typename Change>
  int InTransaction(Durability durability, const Change& change) {
    int code = handle_.Begin(nullptr);
    if (code != 0) return code;
    code = change();
    if (code == 0) return handle_.Commit(durability == Durability::kNone ? "sync=off" : nullptr);
    handle_.Rollback();
    return code;
  }
  int Find(std::string_view key, std::optional<std::string_view>* value) {
    value->reset();
    handle_.SetKey(key);
    int code = handle_.cursor()->search(handle_.cursor());
    if (code == WT_NOTFOUND) return 0;
    std::string_view found;
    if (code == 0) code = handle_.Value(&found);
    if (code == 0) *value = found;
    return code;
  }

  WT_CONNECTION* const connection_;
  Handle handle_;
  const absl::Status opened_;
  std::vector<std::string> values_;
  std::vector<std::unique_ptr<Handle>> idle_;
};

struct CloseConnection {
  void operator()(WT_CONNECTION* connection) const { connection->close(connection, nullptr); }
};
using Connection = std::unique_ptr<WT_CONNECTION, CloseConnection>;

class WiredEngine final : public Engine {
 public:
  explicit WiredEngine(Connection connection) : connection_(std::move(connection)) {}

  std::unique_ptr<Session> NewSession() override {
    return std::make_unique<WiredSession>(connection_.get());
  }
  absl::Status Flush() override {
    Handle handle;
    RETURN_IF_ERROR(handle.Open(connection_.get()));
    return ToStatus("checkpoint", handle.session()->checkpoint(handle.session(), nullptr));
  }
  absl::Status Compact() override {
    {
      Handle handle;
      RETURN_IF_ERROR(handle.Open(connection_.get()));
      RETURN_IF_ERROR(
          ToStatus("compact", handle.session()->compact(handle.session(), kTable, "timeout=0")));
    }
    return Flush();
  }
  absl::Status WaitForIdle() override { return absl::OkStatus(); }
  EngineCounters Counters() override { return {}; }
  std::string Describe(std::string_view) override { return {}; }
  absl::Status Close() override {
    WT_CONNECTION* const connection = connection_.release();
    return ToStatus("close", connection->close(connection, nullptr));
  }

 private:
  Connection connection_;
};

// Each commit writes the log to the operating system; a synced write also flushes it.
std::string ConfigurationFor(const EngineSettings& settings) {
  std::string text =
      "create,session_max=1024,log=(enabled=true),transaction_sync=(enabled=true,method=none)";
  if (AsItComes(settings)) return text;
  text += ",checkpoint=(wait=60,log_size=1GB)";
  if (const auto memory = WholeMemoryBytes(settings)) {
    text += ",cache_size=" + std::to_string(*memory);
  }
  if (settings.background_threads) {
    const std::string threads = std::to_string(*settings.background_threads);
    text += ",eviction=(threads_min=1,threads_max=" + threads + ")";
  }
  return text;
}

}  // namespace

EngineKind ThisEngine() {
  return {"wiredtiger",
          std::to_string(WIREDTIGER_VERSION_MAJOR) + "." +
              std::to_string(WIREDTIGER_VERSION_MINOR) + "." +
              std::to_string(WIREDTIGER_VERSION_PATCH),
          "B-tree with pages of its default size, log written with each commit, a checkpoint each "
          "60 s or 1 GB of log; one cache as large as an LSM-tree's cache and memtables; compact "
          "is compact and a checkpoint",
          {"block_size", "target_file_size_base", "bloom_bits"}};
}

absl::StatusOr<std::unique_ptr<Engine>> OpenEngine(const EngineSettings& settings) {
  RETURN_IF_ERROR(RefuseCompression(settings));
  RETURN_IF_ERROR(MakeDirectory(settings, "WiredTiger"));
  WT_CONNECTION* opened = nullptr;
  const std::string configuration = ConfigurationFor(settings);
  RETURN_IF_ERROR(ToStatus(
      "open", wiredtiger_open(settings.path.c_str(), nullptr, configuration.c_str(), &opened)));
  Connection connection(opened);
  WT_SESSION* session = nullptr;
  RETURN_IF_ERROR(ToStatus("open", opened->open_session(opened, nullptr, nullptr, &session)));
  RETURN_IF_ERROR(
      ToStatus("open", session->create(session, kTable, "key_format=u,value_format=u")));
  RETURN_IF_ERROR(ToStatus("open", session->close(session, nullptr)));
  return std::make_unique<WiredEngine>(std::move(connection));
}

absl::Status DestroyEngine(const std::string& path) {
  std::error_code error;
  std::filesystem::directory_iterator files(path, error);
  for (; !error && files != std::filesystem::directory_iterator(); files.increment(error)) {
    const std::string name = files->path().filename().string();
    if (name.rfind("WiredTiger", 0) != 0 && name != "entries.wt") continue;
    RETURN_IF_ERROR(RemoveFiles(path, {name}));
  }
  return absl::OkStatus();
}

}  // namespace cambium::bench
