#include "benchmarks/cambium_bench/settings.h"

#include <cstdio>
#include <cstdlib>
#include <utility>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/flags/usage.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

ABSL_FLAG(std::string, benchmarks,
          "fillseq,fillrandom,overwrite,readrandom,readmissing,readseq,readreverse,seekrandom,"
          "multireadrandom",
          "benchmarks to run, in order, separated by commas");
ABSL_FLAG(std::string, db, "/tmp/cambium_bench", "directory of the database");
ABSL_FLAG(bool, use_existing_db, false,
          "run on the database that is there; otherwise it is removed first");
ABSL_FLAG(int64_t, num, 1000000, "keys are drawn from [0, num)");
ABSL_FLAG(int64_t, reads, -1, "reads of each thread; negative: num");
ABSL_FLAG(int64_t, writes, -1, "writes of each thread; negative: num");
ABSL_FLAG(int32_t, threads, 1, "threads that work at once");
ABSL_FLAG(double, duration, 0, "seconds after which a benchmark ends; 0: never");
ABSL_FLAG(int32_t, key_size, 16, "bytes of a key, at least 8");
ABSL_FLAG(int32_t, value_size, 100, "bytes of a value");
ABSL_FLAG(double, compression_ratio, 0.5, "values shrink to this part of their size");
ABSL_FLAG(int32_t, batch_size, 1,
          "writes of one batch; keys of one multireadrandom (at least 32 there)");
ABSL_FLAG(int32_t, seek_nexts, 0, "entries to read after each seek");
ABSL_FLAG(uint64_t, seed, 301, "seed of keys and values");
ABSL_FLAG(bool, histogram, false, "print the distribution of latencies");
ABSL_FLAG(bool, statistics, false, "print the database's counters at the end");
ABSL_FLAG(bool, verify, false, "check each value that is read");
ABSL_FLAG(bool, sync, false, "sync the log after each write");
ABSL_FLAG(bool, disable_wal, false, "write no log");
ABSL_FLAG(std::string, compression_type, "zstd", "none or zstd");
ABSL_FLAG(double, bloom_bits, 10, "bits of filter a key; 0: none");
ABSL_FLAG(uint64_t, memory_budget, uint64_t{512} << 20, "bytes for memtables and block cache");
ABSL_FLAG(uint64_t, write_buffer_size, 0, "bytes of one memtable; 0: chosen from memory_budget");
ABSL_FLAG(uint64_t, cache_size, 0, "bytes of the block cache; 0: what memory_budget leaves");
ABSL_FLAG(uint64_t, target_file_size_base, uint64_t{64} << 20, "bytes of one SSTable");
ABSL_FLAG(int32_t, max_background_jobs, 0, "background threads; 0: chosen from the cores");

namespace cambium::bench {
namespace {

[[noreturn]] void Refuse(const std::string& why) {
  std::fprintf(stderr, "error: %s\n", why.c_str());
  std::exit(2);
}

Compression ParseCompression(const std::string& name) {
  if (name == "none") return Compression::kNone;
  if (name == "zstd") return Compression::kZstd;
  Refuse(absl::StrCat("--compression_type=", name, ": expected none or zstd"));
}

void CheckRanges(const Settings& settings) {
  if (settings.num <= 0) Refuse("--num must be positive");
  if (settings.data.key_size < 8) Refuse("--key_size must be at least 8");
  if (settings.data.value_size < 0) Refuse("--value_size must not be negative");
  if (settings.threads < 1) Refuse("--threads must be positive");
  if (settings.batch_size < 1) Refuse("--batch_size must be positive");
}

}  // namespace

Settings ParseSettings(int argc, char** argv) {
  absl::SetProgramUsageMessage(
      "measures Cambium; flags and output lines are those of db_bench.\n"
      "Example: cambium_bench --benchmarks=fillrandom,readrandom --num=1000000");
  const std::vector<char*> rest = absl::ParseCommandLine(argc, argv);
  if (rest.size() > 1) Refuse(absl::StrCat("'", rest[1], "' is no flag"));
  Settings settings;
  settings.benchmarks = absl::StrSplit(absl::GetFlag(FLAGS_benchmarks), ',', absl::SkipEmpty());
  settings.db = absl::GetFlag(FLAGS_db);
  settings.use_existing_db = absl::GetFlag(FLAGS_use_existing_db);
  settings.num = absl::GetFlag(FLAGS_num);
  settings.reads = absl::GetFlag(FLAGS_reads);
  settings.writes = absl::GetFlag(FLAGS_writes);
  settings.threads = absl::GetFlag(FLAGS_threads);
  settings.duration_seconds = absl::GetFlag(FLAGS_duration);
  settings.data.key_size = absl::GetFlag(FLAGS_key_size);
  settings.data.value_size = absl::GetFlag(FLAGS_value_size);
  settings.data.compression_ratio = absl::GetFlag(FLAGS_compression_ratio);
  settings.batch_size = absl::GetFlag(FLAGS_batch_size);
  settings.seek_nexts = absl::GetFlag(FLAGS_seek_nexts);
  settings.data.seed = absl::GetFlag(FLAGS_seed);
  settings.report.histogram = absl::GetFlag(FLAGS_histogram);
  settings.report.statistics = absl::GetFlag(FLAGS_statistics);
  settings.report.verify = absl::GetFlag(FLAGS_verify);
  settings.write_options.sync = absl::GetFlag(FLAGS_sync);
  settings.write_options.disable_wal = absl::GetFlag(FLAGS_disable_wal);
  Options& options = settings.options;
  options.compression = ParseCompression(absl::GetFlag(FLAGS_compression_type));
  options.filter_bits_per_key = absl::GetFlag(FLAGS_bloom_bits);
  options.memory_budget = absl::GetFlag(FLAGS_memory_budget);
  options.memtable_size = absl::GetFlag(FLAGS_write_buffer_size);
  options.block_cache_size = absl::GetFlag(FLAGS_cache_size);
  options.target_file_size = absl::GetFlag(FLAGS_target_file_size_base);
  options.background_threads = absl::GetFlag(FLAGS_max_background_jobs);
  CheckRanges(settings);
  return settings;
}

}  // namespace cambium::bench
