// Context: what every part of one open database shares.
//
// Made by Open before anything else and destroyed after everything else; pointers into it may be
// kept by whatever the database owns.
#ifndef CAMBIUM_ENGINE_CONTEXT_H_
#define CAMBIUM_ENGINE_CONTEXT_H_

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "base/internal_iterator.h"
#include "base/keys.h"
#include "cambium/options.h"
#include "engine/state/error_state.h"
#include "engine/state/file_reaper.h"
#include "engine/state/snapshot_list.h"
#include "engine/state/stats_recorder.h"
#include "manifest/version_edit.h"
#include "sstable/block_cache.h"
#include "sstable/table_cache.h"
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
  ChunkPool chunks;
  sstable::BlockCache cache;
  sstable::TableCache tables;
  FileReaper reaper;
  ErrorState errors;
  StatsRecorder stats;
  std::atomic<uint64_t> next_file_number{1};

  FileSystem* fs() const { return options.file_system.get(); }
  Clock* clock() const { return options.clock.get(); }
  Executor* executor() const { return options.executor.get(); }
  FileNumber NewFileNumber() {
    return FileNumber{next_file_number.fetch_add(1, std::memory_order_relaxed)};
  }

  // Hands `status` on; where it says that the table is damaged, GetHealth() tells of it (D15).
  absl::Status Noted(absl::Status status, FileNumber table);
  // Reads every byte of a table.
  absl::Status VerifyTable(const manifest::FileMetadata& file);
  // The entries of files of one run, ascending.
  std::unique_ptr<InternalIterator> NewRunIterator(std::vector<manifest::FileRef> files,
                                                   const sstable::TableIteratorOptions& how);
};

}  // namespace cambium::engine

#endif  // CAMBIUM_ENGINE_CONTEXT_H_
