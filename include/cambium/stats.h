// Stats and Health: what a database has done since it was opened, and its state.
#ifndef CAMBIUM_STATS_H_
#define CAMBIUM_STATS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"

namespace cambium {

// A summary of a distribution. Times are in microseconds.
struct HistogramSummary {
  uint64_t count = 0;
  double sum = 0, min = 0, max = 0;
  double p50 = 0, p90 = 0, p99 = 0, p999 = 0, p9999 = 0;
};

// The current state of one level of the tree.
struct LevelStats {
  uint64_t files = 0;
  uint64_t runs = 0;
  uint64_t bytes = 0;
  uint64_t entries = 0;
  uint64_t tombstones = 0;
};

// Counters since Open, and gauges (named `…_now`). Plain data: a copy.
struct Stats {
  // Operations of the user.
  uint64_t keys_written = 0, bytes_written = 0;  // user keys and values
  uint64_t gets = 0, gets_found = 0, seeks = 0;
  // Bytes written to disk.
  uint64_t log_bytes = 0, log_syncs = 0;
  uint64_t flush_bytes = 0, flushes = 0;
  uint64_t compaction_bytes_read = 0, compaction_bytes_written = 0, compactions = 0;
  uint64_t trivial_moves = 0;
  // Entries that flush and compaction read, and what became of them: in = out + shadowed + dropped
  // + merged (D18).
  uint64_t entries_in = 0, entries_out = 0;
  uint64_t entries_shadowed = 0, tombstones_dropped = 0, entries_merged = 0;
  // Values that compaction dropped because they had expired, and files that were dropped unread.
  uint64_t entries_expired = 0, files_dropped = 0;
  // Reads of tables, including those of compactions: keys that filters excluded, data blocks, bytes
  // of blocks.
  uint64_t filter_negatives = 0;
  uint64_t block_cache_hits = 0, block_cache_misses = 0, block_bytes_read = 0;
  // Waits of writers for flush and compaction.
  uint64_t stall_micros = 0, stalls = 0;
  // Gauges.
  uint64_t memtable_bytes_now = 0, frozen_memtables_now = 0, block_cache_bytes_now = 0;
  uint64_t table_memory_bytes_now = 0, live_bytes_now = 0, compaction_debt_bytes_now = 0;
  uint64_t snapshots_now = 0, last_sequence = 0;
  std::vector<LevelStats> levels;
  HistogramSummary flush_micros, compaction_micros, sync_micros, stall_histogram_micros;
};

// The state of a database, and the error that caused it.
struct Health {
  enum class State {
    kHealthy,   // everything works
    kNoSpace,   // writes return ResourceExhausted until there is space, then work again
    kReadOnly,  // after a write error: reads work; Resume() or a reopen makes writes work again
    kDamaged,   // reads and writes work, but reads of some key ranges return DataLoss
  };
  State state = State::kHealthy;
  absl::Status cause;                      // the first error; ok if healthy
  std::vector<std::string> damaged_files;  // quarantined in place, never deleted
};

}  // namespace cambium

#endif  // CAMBIUM_STATS_H_
