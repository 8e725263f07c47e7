// Context: what every part of one open database shares.
//
// Made by Open before anything else and destroyed after everything else; pointers into it may be
// kept by whatever the database owns.
#ifndef CAMBIUM_ENGINE_CONTEXT_H_
#define CAMBIUM_ENGINE_CONTEXT_H_

#include <atomic>
#include <memory>
#include <string>

#include "base/internal_iterator.h"
#include "base/keys.h"
#include "cambium/options.h"
#include "engine/state/error_state.h"
#include "engine/state/read_view.h"
#include "engine/state/snapshot_list.h"
#include "engine/state/stats_recorder.h"
#include "env/pooled_file_system.h"
#include "sstable/block_cache.h"
#include "util/chunk_pool.h"

namespace cambium::engine {

// Version 1 has one tree.
inline constexpr ColumnFamilyId kDefaultFamily = 0;

// How the memory budget is divided (docs/architecture.md).
struct MemoryPlan {
  size_t memtable_bytes = 0;     // one memtable
  int frozen_limit = 0;          // frozen memtables that may wait for their flush
  size_t block_cache_bytes = 0;  // blocks, indexes, filters
  uint64_t segment_bytes = 0;    // one log segment
};
MemoryPlan PlanMemory(const Options& options);

// Thread-safe: members are constant after Open or thread-safe themselves.
struct Context {
  // Fills in what `user_options` leaves to be chosen.
  Context(const Options& user_options, std::string directory);

  EpochDomain epochs;  // the first member: what the others retire is deleted before it goes
  const std::string path;
  const Options options;  // every choice made
  const KeyOrder order;
  const MemoryPlan memory;
  const std::shared_ptr<SnapshotList> snapshots;
  const std::unique_ptr<env::PooledFileSystem> files;  // over options.file_system
  ChunkPool chunks;
  sstable::BlockCache cache;
  const sstable::TableDirectory tables;
  FileReaper reaper;
  ErrorState errors;
  StatsRecorder stats;
  std::atomic<uint64_t> next_file_number{1};

  FileSystem* fs() const { return files.get(); }
  Clock* clock() const { return options.clock.get(); }
  Executor* executor() const { return options.executor.get(); }
  const MergeOperator* merge_operator() const { return options.merge_operator.get(); }
  FileNumber NewFileNumber() {
    return FileNumber{next_file_number.fetch_add(1, std::memory_order_relaxed)};
  }

  // Returns `status`; if it says that the table is damaged, GetHealth() reports that (D15).
  // Requires: it is not NotFound, which from a read means that a key does not exist.
  absl::Status Noted(absl::Status status, FileNumber table);
  // Reads every byte of a table.
  absl::Status VerifyTable(const LiveTable& table);
  // Iterates over the entries of the tables, ascending. The view that holds them outlives the
  // iterator.
  std::unique_ptr<InternalIterator> NewRunIterator(const TableSlice& slice,
                                                   const sstable::TableIteratorOptions& how);
};

}  // namespace cambium::engine

#endif  // CAMBIUM_ENGINE_CONTEXT_H_
