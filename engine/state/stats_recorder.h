// StatsRecorder: the counters behind DB::GetStats().
//
// Counters that readers and writers increment in every operation are sharded, so that two threads
// do not share a cache line. A mutex guards the counters of background jobs and the histograms.
#ifndef CAMBIUM_ENGINE_STATE_STATS_RECORDER_H_
#define CAMBIUM_ENGINE_STATE_STATS_RECORDER_H_

#include <array>
#include <cmath>
#include <cstdint>
#include <string_view>

#include "cambium/stats.h"
#include "compaction/run_merge.h"
#include "util/histogram.h"
#include "util/mutex.h"
#include "util/sharded_counter.h"

namespace cambium::engine {

// Counters of the read path and the write path: the first rows of kStatRows.
enum class Counter { kKeysWritten, kBytesWritten, kGets, kGetsFound, kSeeks, kLogBytes };
inline constexpr size_t kCounterCount = 6;

// The numbers in Stats and their names in the text that DB::GetProperty("cambium.stats") returns.
// last_sequence has a property of its own.
struct StatRow {
  std::string_view name;
  uint64_t Stats::*value;
};
inline constexpr auto kStatRows = std::to_array<StatRow>({
    {"keys written", &Stats::keys_written},
    {"bytes written", &Stats::bytes_written},
    {"gets", &Stats::gets},
    {"gets found", &Stats::gets_found},
    {"iterators", &Stats::seeks},
    {"log bytes", &Stats::log_bytes},
    {"log syncs", &Stats::log_syncs},
    {"flushes", &Stats::flushes},
    {"flush bytes", &Stats::flush_bytes},
    {"compactions", &Stats::compactions},
    {"trivial moves", &Stats::trivial_moves},
    {"compaction bytes in", &Stats::compaction_bytes_read},
    {"compaction bytes out", &Stats::compaction_bytes_written},
    {"entries in", &Stats::entries_in},
    {"entries out", &Stats::entries_out},
    {"entries shadowed", &Stats::entries_shadowed},
    {"tombstones dropped", &Stats::tombstones_dropped},
    {"entries merged", &Stats::entries_merged},
    {"entries expired", &Stats::entries_expired},
    {"files dropped", &Stats::files_dropped},
    {"filter negatives", &Stats::filter_negatives},
    {"block cache hits", &Stats::block_cache_hits},
    {"block cache misses", &Stats::block_cache_misses},
    {"block bytes read", &Stats::block_bytes_read},
    {"stalls", &Stats::stalls},
    {"stall micros", &Stats::stall_micros},
    {"memtable bytes", &Stats::memtable_bytes_now},
    {"frozen memtables", &Stats::frozen_memtables_now},
    {"block cache bytes", &Stats::block_cache_bytes_now},
    {"table memory bytes", &Stats::table_memory_bytes_now},
    {"live bytes", &Stats::live_bytes_now},
    {"compaction debt", &Stats::compaction_debt_bytes_now},
    {"snapshots", &Stats::snapshots_now},
});
static_assert(kStatRows[static_cast<size_t>(Counter::kLogBytes)].value == &Stats::log_bytes);

// Input bytes per second that jobs have recently processed; 0 if no job has run.
struct JobSpeeds {
  double flush = 0, compaction = 0;
};

// The speed of one kind of job. The weight of a job halves after kHalfLifeMicros of further work.
// Thread-compatible.
class RecentSpeed {
 public:
  static constexpr double kHalfLifeMicros = 5e6;

  void Add(uint64_t bytes, uint64_t micros) {
    const double kept = std::exp2(-static_cast<double>(micros) / kHalfLifeMicros);
    bytes_ = bytes_ * kept + static_cast<double>(bytes);
    micros_ = micros_ * kept + static_cast<double>(micros);
  }
  double BytesPerSecond() const { return micros_ <= 0 ? 0 : bytes_ / micros_ * 1e6; }

 private:
  double bytes_ = 0, micros_ = 0;
};

// Thread-safe.
class StatsRecorder {
 public:
  void Add(Counter counter, uint64_t amount) {
    counters_.Add(static_cast<size_t>(counter), amount);
  }
  void AddFlush(const compaction::RunMergeResult& job, uint64_t memtable_bytes, uint64_t micros) {
    MutexLock lock(&mutex_);
    flush_speed_.Add(memtable_bytes, micros);
    ++jobs_.flushes;
    jobs_.flush_bytes += manifest::TotalBytes(job.files);
    AddEntries(job.counts);
    flush_micros_.Record(micros);
  }
  void AddCompaction(const compaction::RunMergeResult& job, uint64_t bytes_read, uint64_t micros) {
    MutexLock lock(&mutex_);
    compaction_speed_.Add(bytes_read, micros);
    ++jobs_.compactions;
    jobs_.compaction_bytes_read += bytes_read;
    jobs_.compaction_bytes_written += manifest::TotalBytes(job.files);
    AddEntries(job.counts);
    compaction_micros_.Record(micros);
  }
  void AddTrivialMove() {
    MutexLock lock(&mutex_);
    ++jobs_.trivial_moves;
  }
  void AddDrop(size_t files) {
    MutexLock lock(&mutex_);
    jobs_.files_dropped += files;
  }
  void AddSync(uint64_t micros) {
    MutexLock lock(&mutex_);
    sync_micros_.Record(micros);
  }
  void AddStall(uint64_t micros) {
    MutexLock lock(&mutex_);
    ++jobs_.stalls;
    jobs_.stall_micros += micros;
    stall_micros_.Record(micros);
  }

  JobSpeeds MeasuredSpeeds() const {
    MutexLock lock(&mutex_);
    return {flush_speed_.BytesPerSecond(), compaction_speed_.BytesPerSecond()};
  }
  // Sets the counters and histograms that are recorded here.
  void Fill(Stats* stats) const {
    MutexLock lock(&mutex_);
    *stats = jobs_;
    for (size_t i = 0; i < kCounterCount; ++i) stats->*kStatRows[i].value = counters_.Sum(i);
    stats->flush_micros = flush_micros_.Summary();
    stats->compaction_micros = compaction_micros_.Summary();
    stats->sync_micros = sync_micros_.Summary();
    stats->log_syncs = stats->sync_micros.count;
    stats->stall_histogram_micros = stall_micros_.Summary();
  }

 private:
  void AddEntries(const compaction::MergeCounts& counts) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    jobs_.entries_in += counts.in;
    jobs_.entries_out += counts.out;
    jobs_.entries_shadowed += counts.shadowed;
    jobs_.tombstones_dropped += counts.tombstones_dropped;
    jobs_.entries_merged += counts.merged;
    jobs_.entries_expired += counts.expired;
  }

  ShardedCounters<kCounterCount> counters_;
  mutable Mutex mutex_;
  Stats jobs_ ABSL_GUARDED_BY(mutex_);
  RecentSpeed flush_speed_ ABSL_GUARDED_BY(mutex_), compaction_speed_ ABSL_GUARDED_BY(mutex_);
  Histogram flush_micros_ ABSL_GUARDED_BY(mutex_);
  Histogram compaction_micros_ ABSL_GUARDED_BY(mutex_);
  Histogram sync_micros_ ABSL_GUARDED_BY(mutex_);
  Histogram stall_micros_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace cambium::engine

#endif  // CAMBIUM_ENGINE_STATE_STATS_RECORDER_H_
