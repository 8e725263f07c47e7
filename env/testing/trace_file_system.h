// TraceFileSystem: checks the order of writes, syncs, renames, and removals, and reports broken
// rules.
//
// The rules are the clauses of docs/durability.md that the calls alone can show:
//   D4   When a manifest is appended to, every table created and closed before is synced, and so is
//        its directory entry. When a sync of a log returns ok, the log's directory entry is synced.
//   D6   CURRENT changes only by the rename of a temporary file that was synced. By then every
//        manifest created is synced, and so is its entry: no journal orders the two names. No log,
//        table, or manifest is removed between that rename and the sync of its directory.
//   D10  A file is not appended to, written, or synced after a failed append, write, or sync.
//   D12  No log or table is removed while a manifest has unsynced bytes, nor between a failed
//        append, sync, or rename of a manifest or of CURRENT and the time when CURRENT names a new
//        one.
//
// Two of them apply to every call only if one background job runs at a time: a second job may have
// closed a table that the first job's edit does not contain, and may be between append and sync
// while the first, after its own edit, removes files. TraceOptions::Jobs states which case it is.
//
// Existing files are assumed to be synced. Place it above a FaultFileSystem, so that it sees
// injected errors.
#ifndef CAMBIUM_ENV_TESTING_TRACE_FILE_SYSTEM_H_
#define CAMBIUM_ENV_TESTING_TRACE_FILE_SYSTEM_H_

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "env/testing/intercepted_file_system.h"

namespace cambium::env {

enum class FileClass { kLog, kTable, kManifest, kCurrent, kTemp, kOther };

struct TraceOptions {
  enum class Jobs { kOneAtATime, kParallel };

  // Returns the class of a path. Called with a lock held.
  std::function<FileClass(std::string_view path)> classify;
  Jobs jobs = Jobs::kOneAtATime;
  MappingAccess mapping_access = MappingAccess::kShown;
};

class TraceAutomaton;

// Thread-safe.
class TraceFileSystem final : public InterceptedFileSystem {
 public:
  // `options.classify` must not be empty.
  TraceFileSystem(std::shared_ptr<FileSystem> base, const TraceOptions& options);

  // Returns the first hundred violations, in order: "D10: append to /db/7.log after a failed sync".
  std::vector<std::string> violations() const;

 private:
  TraceFileSystem(std::shared_ptr<FileSystem> base, std::shared_ptr<TraceAutomaton> automaton,
                  MappingAccess mapping_access);

  const std::shared_ptr<TraceAutomaton> automaton_;
};

}  // namespace cambium::env

#endif  // CAMBIUM_ENV_TESTING_TRACE_FILE_SYSTEM_H_
