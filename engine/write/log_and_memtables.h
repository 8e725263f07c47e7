// LogAndMemTables: the target of commits: space in the log, and space in one memtable per tree that
// they write to.
#ifndef CAMBIUM_ENGINE_WRITE_LOG_AND_MEMTABLES_H_
#define CAMBIUM_ENGINE_WRITE_LOG_AND_MEMTABLES_H_

#include <atomic>
#include <span>

#include "engine/write/commit_pipeline.h"
#include "engine/write/memtable_switch.h"
#include "engine/write/write_world.h"

namespace cambium::engine {

// Returns the share of that column family, or null.
const TreeShare* FindShare(std::span<const TreeShare> shares, ColumnFamilyId family);

// Thread-safe.
class LogAndMemTables final : public CommitTarget {
 public:
  LogAndMemTables(const WriteWorld& world, MemTableSwitch* memtables)
      : world_(world), memtables_(memtables) {}

  bool Reserve(const CommitRequest& request, CommitSlot* slot) override;
  absl::Status MakeRoom(const CommitRequest& request) override;
  absl::Status WriteLog(const CommitRequest& request, const CommitSlot& slot) override;
  absl::Status Apply(const CommitRequest& request, const CommitSlot& slot) override;
  absl::Status SyncTo(wal::LogPosition position) override;

  // Returns true if there was ever an unlogged commit.
  bool has_unlogged_writes() const { return has_unlogged_writes_.load(std::memory_order_relaxed); }

 private:
  const WriteWorld world_;
  MemTableSwitch* const memtables_;
  std::atomic<bool> has_unlogged_writes_{false};
};

}  // namespace cambium::engine

#endif  // CAMBIUM_ENGINE_WRITE_LOG_AND_MEMTABLES_H_
