// Stats: what a database has done since it was opened.
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

// One level of the tree, now.
struct LevelStats {
  uint64_t files = 0;
  uint64_t runs = 0;
  uint64_t bytes = 0;
  uint64_t entries = 0;
  uint64_t tombstones = 0;
};

// Counters since Open, and gauges (named `…_now`). Plain data: a copy taken at one moment.
struct Stats {
  // Operations asked for.
  uint64_t keys_written = 0, bytes_written = 0;  // user keys and values
  uint64_t gets = 0, gets_found = 0, seeks = 0;
  // Bytes that went to disk.
  uint64_t log_bytes = 0, log_syncs = 0;
  uint64_t flush_bytes = 0, flushes = 0;
  uint64_t compaction_bytes_read = 0, compaction_bytes_written = 0, compactions = 0;
  uint64_t trivial_moves = 0;
  // Entries that flush and compaction took in, and what became of them (D18: in = out + dropped).
  uint64_t entries_in = 0, entries_out = 0;
  uint64_t entries_shadowed = 0, tombstones_dropped = 0, entries_merged = 0;
  // Reads of tables, compaction's too: keys that filters ruled out, data blocks, bytes of blocks.
  uint64_t filter_negatives = 0;
  uint64_t block_cache_hits = 0, block_cache_misses = 0, block_bytes_read = 0;
  // Stalls.
  uint64_t stall_micros = 0, stalls = 0;
  // Gauges.
  uint64_t memtable_bytes_now = 0, frozen_memtables_now = 0, block_cache_bytes_now = 0;
  uint64_t table_memory_bytes_now = 0, live_bytes_now = 0, compaction_debt_bytes_now = 0;
  uint64_t snapshots_now = 0, last_sequence = 0;
  std::vector<LevelStats> levels;
  HistogramSummary flush_micros, compaction_micros, sync_micros, stall_histogram_micros;
};

// What stands between a database and its writes.
struct Health {
  enum class State {
    kHealthy,   // everything works
    kNoSpace,   // writes answer ResourceExhausted until space comes back, then go on by themselves
    kReadOnly,  // a write-side error: reads go on; Resume() or reopen brings writes back
    kDamaged,   // reads and writes go on; some key ranges answer DataLoss
  };
  State state = State::kHealthy;
  absl::Status cause;                      // the first error; ok while healthy
  std::vector<std::string> damaged_files;  // quarantined where they lie, never deleted
};

}  // namespace cambium

#endif  // CAMBIUM_STATS_H_
