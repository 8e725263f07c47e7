#include "benchmarks/harness/settings.h"

#include <cstdio>
#include <cstdlib>
#include <optional>

#include "absl/flags/flag.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "benchmarks/harness/command_line.h"

ABSL_FLAG(std::string, benchmarks,
          "fillseq,fillrandom,overwrite,readrandom,readmissing,readseq,readreverse,seekrandom,"
          "multireadrandom",
          "benchmarks to run, in order, separated by commas; name[X3-W1] runs one three times and "
          "once before that for warmth");
ABSL_FLAG(std::string, db, "", "directory of the database; empty: /tmp and the program's name");
ABSL_FLAG(bool, use_existing_db, false,
          "run on the database that is there; otherwise it is removed first");
ABSL_FLAG(int64_t, num, 1000000, "keys are drawn from [0, num)");
ABSL_FLAG(int64_t, reads, -1, "reads of each thread; negative: num");
ABSL_FLAG(int64_t, writes, -1, "writes of each thread; negative: num");
ABSL_FLAG(int32_t, threads, 1, "threads that work at once");
ABSL_FLAG(double, duration, 0,
          "seconds after which a random benchmark ends, whatever --num says; 0: none");
ABSL_FLAG(double, rate, 0,
          "operations a second, of all threads, each timed from when it was due; 0: no pauses");
ABSL_FLAG(uint64_t, benchmark_write_rate_limit, 0, "bytes a second of all writers; 0: no limit");
ABSL_FLAG(int32_t, key_size, 16, "bytes of a key, at least 8");
ABSL_FLAG(int32_t, value_size, 100, "bytes of a value");
ABSL_FLAG(std::string, value_size_distribution_type, "fixed", "fixed, uniform or normal");
ABSL_FLAG(int32_t, value_size_min, 100, "least bytes of a value where sizes vary");
ABSL_FLAG(int32_t, value_size_max, 102400, "most bytes of a value where sizes vary");
ABSL_FLAG(double, compression_ratio, 0.5, "values shrink to this part of their size");
ABSL_FLAG(int32_t, batch_size, 1,
          "writes of one batch; keys of one multireadrandom (32 where it is 1)");
ABSL_FLAG(int32_t, seek_nexts, 0, "entries to read after each seek");
ABSL_FLAG(bool, reverse_iterator, false, "read backwards after each seek");
ABSL_FLAG(int32_t, readwritepercent, 90, "reads in a hundred operations of readrandomwriterandom");
ABSL_FLAG(uint64_t, seed, 301, "seed of keys and values");
ABSL_FLAG(bool, histogram, false, "print the distribution of latencies");
ABSL_FLAG(bool, statistics, false, "print the engine's counters at the end");
ABSL_FLAG(bool, verify, false, "check each value that is read");
ABSL_FLAG(std::string, json, "", "file for a report of everything measured");
ABSL_FLAG(int64_t, report_interval_seconds, 0, "seconds between lines in report_file; 0: none");
ABSL_FLAG(std::string, report_file, "report.csv", "file for operations a second over time");
ABSL_FLAG(int64_t, stats_interval_seconds, 0,
          "seconds between lines on stderr about each thread; 0: none");
ABSL_FLAG(bool, sync, false, "each write survives a crash of the machine");
ABSL_FLAG(bool, disable_wal, false, "writes are not logged");
ABSL_FLAG(bool, optimistic_transaction_db, false, "transactions find conflicts at their commit");
ABSL_FLAG(bool, transaction_db, false, "transactions lock what they write");
// If unset, each of these has the engine's default.
ABSL_FLAG(std::optional<std::string>, compression_type, std::nullopt,
          "none, zstd, snappy or lz4, where the engine has it");
ABSL_FLAG(std::optional<double>, bloom_bits, std::nullopt, "bits of filter a key; 0: none");
ABSL_FLAG(std::optional<uint64_t>, memory_budget, std::nullopt, "bytes for memtables and cache");
ABSL_FLAG(std::optional<uint64_t>, write_buffer_size, std::nullopt, "bytes of one memtable");
ABSL_FLAG(std::optional<uint64_t>, cache_size, std::nullopt, "bytes of the block or page cache");
ABSL_FLAG(std::optional<uint64_t>, block_size, std::nullopt, "bytes of a block or page");
ABSL_FLAG(std::optional<uint64_t>, target_file_size_base, std::nullopt, "bytes of one SSTable");
ABSL_FLAG(std::optional<int>, max_background_jobs, std::nullopt, "background threads");

namespace cambium::bench {
namespace {

void Require(bool holds, const std::string& what) {
  if (!holds) RefuseCommandLine(what);
}

ValueSizes ParseValueSizes() {
  ValueSizes sizes;
  const std::string distribution = absl::GetFlag(FLAGS_value_size_distribution_type);
  if (distribution == "uniform") {
    sizes.distribution = ValueSizes::Distribution::kUniform;
  } else if (distribution == "normal") {
    sizes.distribution = ValueSizes::Distribution::kNormal;
  } else {
    Require(distribution == "fixed", absl::StrCat("--value_size_distribution_type=", distribution,
                                                  ": expected fixed, uniform or normal"));
  }
  sizes.fixed = absl::GetFlag(FLAGS_value_size);
  sizes.min = absl::GetFlag(FLAGS_value_size_min);
  sizes.max = absl::GetFlag(FLAGS_value_size_max);
  Require(sizes.fixed >= 0, "--value_size must not be negative");
  Require(0 <= sizes.min && sizes.min <= sizes.max, "--value_size_min must be in [0, max]");
  return sizes;
}

DataShape ParseDataShape() {
  DataShape data;
  data.key_size = absl::GetFlag(FLAGS_key_size);
  data.sizes = ParseValueSizes();
  data.compression_ratio = absl::GetFlag(FLAGS_compression_ratio);
  data.seed = absl::GetFlag(FLAGS_seed);
  Require(data.key_size >= 8, "--key_size must be at least 8");
  Require(data.compression_ratio > 0 && data.compression_ratio <= 1,
          "--compression_ratio must be in (0, 1]");
  return data;
}

Durability ParseDurability() {
  const bool sync = absl::GetFlag(FLAGS_sync), unlogged = absl::GetFlag(FLAGS_disable_wal);
  Require(!sync || !unlogged, "--sync and --disable_wal exclude each other");
  if (sync) return Durability::kMachine;
  return unlogged ? Durability::kNone : Durability::kProcess;
}

Work ParseWork() {
  Work work;
  work.num = absl::GetFlag(FLAGS_num);
  work.reads = absl::GetFlag(FLAGS_reads);
  work.writes = absl::GetFlag(FLAGS_writes);
  work.threads = absl::GetFlag(FLAGS_threads);
  work.duration_seconds = absl::GetFlag(FLAGS_duration);
  work.rate = absl::GetFlag(FLAGS_rate);
  work.write_bytes_per_second = absl::GetFlag(FLAGS_benchmark_write_rate_limit);
  work.batch_size = absl::GetFlag(FLAGS_batch_size);
  work.seek_nexts = absl::GetFlag(FLAGS_seek_nexts);
  if (absl::GetFlag(FLAGS_reverse_iterator)) work.seek_direction = Direction::kReverse;
  work.read_percent = absl::GetFlag(FLAGS_readwritepercent);
  work.durability = ParseDurability();
  Require(work.num > 0, "--num must be positive");
  Require(work.threads >= 1, "--threads must be positive");
  Require(work.duration_seconds >= 0, "--duration must not be negative");
  Require(work.rate >= 0, "--rate must not be negative");
  Require(work.batch_size >= 1, "--batch_size must be positive");
  Require(work.seek_nexts >= 0, "--seek_nexts must not be negative");
  Require(0 <= work.read_percent && work.read_percent <= 100,
          "--readwritepercent must be in [0, 100]");
  return work;
}

Reporting ParseReporting() {
  Reporting report;
  report.histogram = absl::GetFlag(FLAGS_histogram);
  report.statistics = absl::GetFlag(FLAGS_statistics);
  report.verify = absl::GetFlag(FLAGS_verify);
  report.json_file = absl::GetFlag(FLAGS_json);
  report.interval_seconds = absl::GetFlag(FLAGS_report_interval_seconds);
  report.interval_file = absl::GetFlag(FLAGS_report_file);
  report.stats_interval_seconds = absl::GetFlag(FLAGS_stats_interval_seconds);
  Require(report.interval_seconds >= 0, "--report_interval_seconds must not be negative");
  Require(report.stats_interval_seconds >= 0, "--stats_interval_seconds must not be negative");
  return report;
}

EngineSettings ParseEngine() {
  EngineSettings engine;
  engine.path = absl::GetFlag(FLAGS_db);
  if (engine.path.empty()) engine.path = "/tmp/" + std::string(ThisEngine().name) + "_bench";
  engine.memory_budget_bytes = absl::GetFlag(FLAGS_memory_budget);
  engine.write_buffer_bytes = absl::GetFlag(FLAGS_write_buffer_size);
  engine.cache_bytes = absl::GetFlag(FLAGS_cache_size);
  engine.block_bytes = absl::GetFlag(FLAGS_block_size);
  engine.file_bytes = absl::GetFlag(FLAGS_target_file_size_base);
  const std::optional<double> bits = absl::GetFlag(FLAGS_bloom_bits);
  if (bits.value_or(-1) >= 0) engine.filter_bits_per_key = bits;  // negative: db_bench's default
  engine.compression = absl::GetFlag(FLAGS_compression_type);
  engine.background_threads = absl::GetFlag(FLAGS_max_background_jobs);
  const bool optimistic = absl::GetFlag(FLAGS_optimistic_transaction_db);
  const bool pessimistic = absl::GetFlag(FLAGS_transaction_db);
  Require(!optimistic || !pessimistic,
          "--optimistic_transaction_db and --transaction_db exclude each other");
  if (optimistic) engine.transactions = Transactions::kOptimistic;
  if (pessimistic) engine.transactions = Transactions::kPessimistic;
  return engine;
}

}  // namespace

Settings ParseSettings(int argc, char** argv) {
  Settings settings;
  settings.command = ParseCommandLine(argc, argv);
  settings.benchmarks = absl::StrSplit(absl::GetFlag(FLAGS_benchmarks), ',', absl::SkipEmpty());
  settings.use_existing_db = absl::GetFlag(FLAGS_use_existing_db);
  settings.engine = ParseEngine();
  settings.engine.must_exist = settings.use_existing_db;
  settings.data = ParseDataShape();
  settings.work = ParseWork();
  settings.report = ParseReporting();
  return settings;
}

}  // namespace cambium::bench
