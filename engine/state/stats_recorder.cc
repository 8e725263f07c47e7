#include "engine/state/stats_recorder.h"

namespace cambium::engine {

void StatsRecorder::AddEntries(const compaction::MergeCounts& counts) {
  jobs_.entries_in += counts.in;
  jobs_.entries_out += counts.out;
  jobs_.entries_shadowed += counts.shadowed;
  jobs_.tombstones_dropped += counts.tombstones_dropped;
}

void StatsRecorder::AddFlush(const compaction::RunMergeResult& job, uint64_t micros) {
  MutexLock lock(&mutex_);
  ++jobs_.flushes;
  jobs_.flush_bytes += manifest::TotalBytes(job.files);
  AddEntries(job.counts);
  flush_micros_.Record(micros);
}

void StatsRecorder::AddCompaction(const compaction::RunMergeResult& job, uint64_t bytes_read,
                                  uint64_t micros) {
  MutexLock lock(&mutex_);
  ++jobs_.compactions;
  jobs_.compaction_bytes_read += bytes_read;
  jobs_.compaction_bytes_written += manifest::TotalBytes(job.files);
  AddEntries(job.counts);
  compaction_micros_.Record(micros);
}

void StatsRecorder::AddTrivialMove() {
  MutexLock lock(&mutex_);
  ++jobs_.trivial_moves;
}

void StatsRecorder::AddStall(uint64_t micros) {
  MutexLock lock(&mutex_);
  ++jobs_.stalls;
  jobs_.stall_micros += micros;
  stall_micros_.Record(micros);
}

JobSpeeds StatsRecorder::MeasuredSpeeds() const {
  MutexLock lock(&mutex_);
  const auto speed = [](uint64_t bytes, double micros) {
    return micros <= 0 ? 0.0 : static_cast<double>(bytes) / micros * 1e6;
  };
  return {speed(jobs_.flush_bytes, flush_micros_.Summary().sum),
          speed(jobs_.compaction_bytes_written, compaction_micros_.Summary().sum)};
}

void StatsRecorder::Fill(Stats* stats) const {
  MutexLock lock(&mutex_);
  *stats = jobs_;
  const auto sum = [this](Counter counter) { return counters_.Sum(static_cast<size_t>(counter)); };
  stats->keys_written = sum(Counter::kKeysWritten);
  stats->bytes_written = sum(Counter::kBytesWritten);
  stats->gets = sum(Counter::kGets);
  stats->gets_found = sum(Counter::kGetsFound);
  stats->seeks = sum(Counter::kSeeks);
  stats->log_bytes = sum(Counter::kLogBytes);
  stats->log_syncs = sum(Counter::kLogSyncs);
  stats->flush_micros = flush_micros_.Summary();
  stats->compaction_micros = compaction_micros_.Summary();
  stats->stall_histogram_micros = stall_micros_.Summary();
}

}  // namespace cambium::engine
