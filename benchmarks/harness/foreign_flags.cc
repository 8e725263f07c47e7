// db_bench's flags for tuning RocksDB: accepted, so that its command lines work here, and reported
// as ignored.
#include "absl/flags/flag.h"
#include "benchmarks/harness/command_line.h"

#define CAMBIUM_BENCH_FOREIGN_FLAG(type, name) \
  ABSL_FLAG(type, name, type(), cambium::bench::kForeignFlagHelp)

CAMBIUM_BENCH_FOREIGN_FLAG(bool, advise_random_on_open);
CAMBIUM_BENCH_FOREIGN_FLAG(bool, allow_concurrent_memtable_write);
CAMBIUM_BENCH_FOREIGN_FLAG(bool, cache_index_and_filter_blocks);
CAMBIUM_BENCH_FOREIGN_FLAG(bool, disable_auto_compactions);
CAMBIUM_BENCH_FOREIGN_FLAG(bool, enable_io_prio);
CAMBIUM_BENCH_FOREIGN_FLAG(bool, enable_pipelined_write);
CAMBIUM_BENCH_FOREIGN_FLAG(bool, level_compaction_dynamic_level_bytes);
CAMBIUM_BENCH_FOREIGN_FLAG(bool, mmap_read);
CAMBIUM_BENCH_FOREIGN_FLAG(bool, mmap_write);
CAMBIUM_BENCH_FOREIGN_FLAG(bool, multiread_batched);
CAMBIUM_BENCH_FOREIGN_FLAG(bool, partition_index_and_filters);
CAMBIUM_BENCH_FOREIGN_FLAG(bool, pin_l0_filter_and_index_blocks_in_cache);
CAMBIUM_BENCH_FOREIGN_FLAG(bool, use_direct_io_for_flush_and_compaction);
CAMBIUM_BENCH_FOREIGN_FLAG(bool, use_direct_reads);
CAMBIUM_BENCH_FOREIGN_FLAG(bool, verify_checksum);
CAMBIUM_BENCH_FOREIGN_FLAG(double, max_bytes_for_level_multiplier);
CAMBIUM_BENCH_FOREIGN_FLAG(double, memtable_bloom_size_ratio);
CAMBIUM_BENCH_FOREIGN_FLAG(int64_t, bytes_per_sync);
CAMBIUM_BENCH_FOREIGN_FLAG(int64_t, cache_numshardbits);
CAMBIUM_BENCH_FOREIGN_FLAG(int64_t, compaction_pri);
CAMBIUM_BENCH_FOREIGN_FLAG(int64_t, compaction_readahead_size);
CAMBIUM_BENCH_FOREIGN_FLAG(int64_t, compaction_style);
CAMBIUM_BENCH_FOREIGN_FLAG(int64_t, compressed_cache_size);
CAMBIUM_BENCH_FOREIGN_FLAG(int64_t, compression_level);
CAMBIUM_BENCH_FOREIGN_FLAG(int64_t, compression_max_dict_bytes);
CAMBIUM_BENCH_FOREIGN_FLAG(int64_t, delete_obsolete_files_period_micros);
CAMBIUM_BENCH_FOREIGN_FLAG(int64_t, file_opening_threads);
CAMBIUM_BENCH_FOREIGN_FLAG(int64_t, hard_pending_compaction_bytes_limit);
CAMBIUM_BENCH_FOREIGN_FLAG(int64_t, keys_per_prefix);
CAMBIUM_BENCH_FOREIGN_FLAG(int64_t, level0_file_num_compaction_trigger);
CAMBIUM_BENCH_FOREIGN_FLAG(int64_t, level0_slowdown_writes_trigger);
CAMBIUM_BENCH_FOREIGN_FLAG(int64_t, level0_stop_writes_trigger);
CAMBIUM_BENCH_FOREIGN_FLAG(int64_t, max_background_compactions);
CAMBIUM_BENCH_FOREIGN_FLAG(int64_t, max_background_flushes);
CAMBIUM_BENCH_FOREIGN_FLAG(int64_t, max_bytes_for_level_base);
CAMBIUM_BENCH_FOREIGN_FLAG(int64_t, max_write_buffer_number);
CAMBIUM_BENCH_FOREIGN_FLAG(int64_t, min_level_to_compress);
CAMBIUM_BENCH_FOREIGN_FLAG(int64_t, num_levels);
CAMBIUM_BENCH_FOREIGN_FLAG(int64_t, open_files);
CAMBIUM_BENCH_FOREIGN_FLAG(int64_t, ops_between_duration_checks);
CAMBIUM_BENCH_FOREIGN_FLAG(int64_t, perf_level);
CAMBIUM_BENCH_FOREIGN_FLAG(int64_t, prefix_size);
CAMBIUM_BENCH_FOREIGN_FLAG(int64_t, rate_limiter_bytes_per_sec);
CAMBIUM_BENCH_FOREIGN_FLAG(int64_t, row_cache_size);
CAMBIUM_BENCH_FOREIGN_FLAG(int64_t, soft_pending_compaction_bytes_limit);
CAMBIUM_BENCH_FOREIGN_FLAG(int64_t, stats_per_interval);
CAMBIUM_BENCH_FOREIGN_FLAG(int64_t, subcompactions);
CAMBIUM_BENCH_FOREIGN_FLAG(int64_t, target_file_size_multiplier);
CAMBIUM_BENCH_FOREIGN_FLAG(int64_t, wal_bytes_per_sync);
CAMBIUM_BENCH_FOREIGN_FLAG(std::string, memtablerep);
CAMBIUM_BENCH_FOREIGN_FLAG(std::string, merge_operator);
CAMBIUM_BENCH_FOREIGN_FLAG(std::string, wal_dir);

namespace cambium::bench {

void LinkForeignFlags() {}

}  // namespace cambium::bench
