// StatsRecorder: the counters behind DB::GetStats().
//
// Counters that readers and writers bump on every operation are sharded, so that two threads do not
// share a line; those of background jobs and the histograms are behind a mutex.
#ifndef CAMBIUM_ENGINE_STATE_STATS_RECORDER_H_
#define CAMBIUM_ENGINE_STATE_STATS_RECORDER_H_

#include <cstdint>

#include "cambium/stats.h"
#include "compaction/run_merge.h"
#include "util/histogram.h"
#include "util/mutex.h"
#include "util/sharded_counter.h"

namespace cambium::engine {

// Counted on the paths of reads and writes.
enum class Counter { kKeysWritten, kBytesWritten, kGets, kGetsFound, kSeeks, kLogBytes, kLogSyncs };
inline constexpr size_t kCounterCount = 7;

// Bytes a second that jobs have written so far; 0: none has run.
struct JobSpeeds {
  double flush = 0, compaction = 0;
};

// Thread-safe.
class StatsRecorder {
 public:
  void Add(Counter counter, uint64_t amount) {
    counters_.Add(static_cast<size_t>(counter), amount);
  }
  void AddFlush(const compaction::RunMergeResult& job, uint64_t micros);
  void AddCompaction(const compaction::RunMergeResult& job, uint64_t bytes_read, uint64_t micros);
  void AddTrivialMove();
  void AddStall(uint64_t micros);

  JobSpeeds MeasuredSpeeds() const;
  // Fills the counters and histograms that are kept here.
  void Fill(Stats* stats) const;

 private:
  void AddEntries(const compaction::MergeCounts& counts) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  ShardedCounters<kCounterCount> counters_;
  mutable Mutex mutex_;
  Stats jobs_ ABSL_GUARDED_BY(mutex_);
  Histogram flush_micros_ ABSL_GUARDED_BY(mutex_);
  Histogram compaction_micros_ ABSL_GUARDED_BY(mutex_);
  Histogram stall_micros_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace cambium::engine

#endif  // CAMBIUM_ENGINE_STATE_STATS_RECORDER_H_
