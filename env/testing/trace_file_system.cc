#include "env/testing/trace_file_system.h"

#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "util/absl_view.h"
#include "util/mutex.h"

namespace cambium::env {
namespace {

constexpr size_t kRememberedViolations = 100;

std::string_view ParentOf(std::string_view path) {
  const size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? std::string_view() : path.substr(0, slash);
}

std::string_view WithoutTrailingSlash(std::string_view path) {
  while (path.size() > 1 && path.back() == '/') path.remove_suffix(1);
  return path;
}

bool IsWriteOrSync(OperationKind kind) {
  switch (kind) {
    case OperationKind::kAppend:
    case OperationKind::kSync:
    case OperationKind::kWriteAt:
    case OperationKind::kSyncLog:
    case OperationKind::kSyncFile:
      return true;
    default:
      return false;
  }
}

// The state of a file that was created during the trace. Plain data.
struct FileTrace {
  FileClass file_class = FileClass::kOther;
  bool closed = false;
  bool dirty = false;            // written since its last sync
  bool entry_synced = false;     // its name survives a power cut
  std::string_view failed = {};  // the name of the operation that failed; empty: none
};

}  // namespace

// Thread-safe.
class TraceAutomaton final : public Interceptor {
 public:
  explicit TraceAutomaton(const TraceOptions& options)
      : classify_(options.classify), jobs_(options.jobs) {}

  // Checks the rules before the operation.
  Verdict Before(const Operation& operation) override {
    MutexLock lock(&mu_);
    if (IsWriteOrSync(operation.kind)) CheckNotFailed(operation);
    switch (operation.kind) {
      case OperationKind::kCreate:
      case OperationKind::kCreateLog:
        if (classify_(operation.path) == FileClass::kCurrent) {
          Report("D6", operation, "but CURRENT changes by rename alone");
        }
        break;
      case OperationKind::kAppend:
        if (classify_(operation.path) == FileClass::kManifest) CheckTables(operation);
        break;
      case OperationKind::kRename:
        if (classify_(operation.target) == FileClass::kCurrent) CheckNewCurrent(operation);
        break;
      case OperationKind::kRemove:
        CheckRemoval(operation);
        break;
      default:
        break;
    }
    return {};
  }

  // Records the result of the operation.
  void After(const Operation& operation, const absl::Status& status) override {
    MutexLock lock(&mu_);
    if (!status.ok()) {
      Fail(operation);
      return;
    }
    switch (operation.kind) {
      case OperationKind::kCreate:
      case OperationKind::kCreateLog:
        files_[std::string(operation.path)] = {.file_class = classify_(operation.path)};
        break;
      case OperationKind::kAppend:
      case OperationKind::kWriteAt:
        if (FileTrace* file = Find(operation.path)) file->dirty = true;
        break;
      case OperationKind::kSyncLog:
        CheckLogEntry(operation);
        [[fallthrough]];
      case OperationKind::kSync:
      case OperationKind::kSyncFile:
        if (FileTrace* file = Find(operation.path)) file->dirty = false;
        break;
      case OperationKind::kClose:
      case OperationKind::kCloseLog:
        if (FileTrace* file = Find(operation.path)) file->closed = true;
        break;
      case OperationKind::kSyncDirectory:
        SyncEntries(WithoutTrailingSlash(operation.path));
        break;
      case OperationKind::kRename:
        Rename(operation);
        break;
      case OperationKind::kRemove:
        files_.erase(std::string(operation.path));
        break;
      default:
        break;
    }
  }

  std::vector<std::string> violations() const {
    MutexLock lock(&mu_);
    return violations_;
  }

 private:
  FileTrace* Find(std::string_view path) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    const auto found = files_.find(path);
    return found == files_.end() ? nullptr : &found->second;
  }

  void Report(std::string_view rule, const Operation& operation, std::string_view what)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    if (violations_.size() == kRememberedViolations) return;
    violations_.push_back(absl::StrCat(ToAbsl(rule), ": ",
                                       ToAbsl(OperationKindName(operation.kind)), " ",
                                       ToAbsl(operation.path), " ", ToAbsl(what)));
  }

  void CheckNotFailed(const Operation& operation) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    const FileTrace* file = Find(operation.path);
    if (file == nullptr || file->failed.empty()) return;
    Report("D10", operation, FromAbsl(absl::StrCat("after a failed ", ToAbsl(file->failed))));
  }

  void CheckTables(const Operation& operation) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    if (jobs_ == TraceOptions::Jobs::kParallel) return;
    for (const auto& [path, file] : files_) {
      // A failed table is in no edit, and an open one is not in an edit yet.
      if (file.file_class != FileClass::kTable || !file.closed || !file.failed.empty()) continue;
      if (file.dirty) {
        Report("D4", operation, FromAbsl(absl::StrCat("but ", path, " is not synced")));
      } else if (!file.entry_synced) {
        Report("D4", operation,
               FromAbsl(absl::StrCat("but the entry of ", path, " is not synced")));
      }
    }
  }

  void CheckLogEntry(const Operation& operation) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    const FileTrace* file = Find(operation.path);
    if (file != nullptr && file->file_class == FileClass::kLog && !file->entry_synced) {
      Report("D4", operation, "answered ok but its entry is not synced");
    }
  }

  void CheckNewCurrent(const Operation& operation) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    const FileTrace* source = Find(operation.path);
    if (classify_(operation.path) != FileClass::kTemp) {
      Report("D6", operation, "to CURRENT, but it is no temporary file");
    } else if (source != nullptr && (source->dirty || !source->failed.empty())) {
      Report("D6", operation, "to CURRENT, but it is not synced");
    }
    for (const auto& [path, file] : files_) {
      if (file.file_class != FileClass::kManifest || !file.failed.empty()) continue;
      if (file.dirty) {
        Report("D6", operation, FromAbsl(absl::StrCat("but ", path, " is not synced")));
      } else if (!file.entry_synced) {
        Report("D6", operation,
               FromAbsl(absl::StrCat("but the entry of ", path, " is not synced")));
      }
    }
  }

  void CheckRemoval(const Operation& operation) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    const FileClass file_class = classify_(operation.path);
    const bool log_or_table = file_class == FileClass::kLog || file_class == FileClass::kTable;
    if (!log_or_table && file_class != FileClass::kManifest) return;
    if (!unsynced_current_.empty()) {
      Report("D6", operation, "before the directory of the new CURRENT is synced");
    }
    if (!log_or_table) return;
    if (manifest_failed_) Report("D12", operation, "after a manifest error");
    if (jobs_ == TraceOptions::Jobs::kParallel) return;
    for (const auto& [path, file] : files_) {
      // A failed manifest no longer matters after a new one was installed; manifest_failed_ covers
      // it until then.
      if (file.file_class == FileClass::kManifest && file.dirty && file.failed.empty()) {
        Report("D12", operation, FromAbsl(absl::StrCat("while ", path, " is not synced")));
      }
    }
  }

  void Fail(const Operation& operation) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    const bool current = operation.kind == OperationKind::kRename &&
                         classify_(operation.target) == FileClass::kCurrent;
    const bool current_entry = operation.kind == OperationKind::kSyncDirectory &&
                               !unsynced_current_.empty() &&
                               ParentOf(unsynced_current_) == WithoutTrailingSlash(operation.path);
    if (current || current_entry) manifest_failed_ = true;
    if (!IsWriteOrSync(operation.kind)) return;
    if (classify_(operation.path) == FileClass::kManifest) manifest_failed_ = true;
    // A file that existed before is tracked from its first failure on.
    auto [found, added] = files_.try_emplace(std::string(operation.path));
    if (added) found->second = {.file_class = classify_(operation.path), .entry_synced = true};
    found->second.failed = OperationKindName(operation.kind);
  }

  void SyncEntries(std::string_view directory) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    for (auto& [path, file] : files_) {
      if (ParentOf(path) == directory) file.entry_synced = true;
    }
    if (!unsynced_current_.empty() && ParentOf(unsynced_current_) == directory) {
      unsynced_current_.clear();
      manifest_failed_ = false;
    }
  }

  void Rename(const Operation& operation) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    const auto node = files_.extract(std::string(operation.path));
    const std::string target(operation.target);
    FileTrace file = node.empty() ? FileTrace{} : node.mapped();
    file.file_class = classify_(target);
    file.entry_synced = false;
    files_[target] = file;
    if (file.file_class == FileClass::kCurrent) unsynced_current_ = target;
  }

  const std::function<FileClass(std::string_view)> classify_;
  const TraceOptions::Jobs jobs_;
  mutable Mutex mu_;
  std::map<std::string, FileTrace, std::less<>> files_ ABSL_GUARDED_BY(mu_);
  std::string unsynced_current_ ABSL_GUARDED_BY(mu_);  // renamed to; empty: directory is synced
  bool manifest_failed_ ABSL_GUARDED_BY(mu_) = false;
  std::vector<std::string> violations_ ABSL_GUARDED_BY(mu_);
};

TraceFileSystem::TraceFileSystem(std::shared_ptr<FileSystem> base, const TraceOptions& options)
    : TraceFileSystem(std::move(base), std::make_shared<TraceAutomaton>(options),
                      options.mapping_access) {}

TraceFileSystem::TraceFileSystem(std::shared_ptr<FileSystem> base,
                                 std::shared_ptr<TraceAutomaton> automaton,
                                 MappingAccess mapping_access)
    : InterceptedFileSystem(std::move(base), automaton, mapping_access),
      automaton_(std::move(automaton)) {}

std::vector<std::string> TraceFileSystem::violations() const { return automaton_->violations(); }

}  // namespace cambium::env
