// Settings: the settings of a run, in db_bench's terms.
#ifndef CAMBIUM_BENCHMARKS_HARNESS_SETTINGS_H_
#define CAMBIUM_BENCHMARKS_HARNESS_SETTINGS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "benchmarks/engines/engine.h"
#include "benchmarks/harness/command_line.h"

namespace cambium::bench {

// The sizes of values. Plain data.
struct ValueSizes {
  enum class Distribution { kFixed, kUniform, kNormal };
  Distribution distribution = Distribution::kFixed;
  int fixed = 100;
  int min = 100, max = 102400;
};

// The properties of keys and values. Plain data.
struct DataShape {
  int key_size = 16;
  ValueSizes sizes;
  double compression_ratio = 0.5;
  uint64_t seed = 0;
};

// Output and checks in addition to the rates. Plain data.
struct Reporting {
  bool histogram = false;
  bool statistics = false;
  bool verify = false;
  std::string json_file;
  int64_t interval_seconds = 0;  // of the lines in interval_file
  std::string interval_file;
  int64_t stats_interval_seconds = 0;  // of the lines on stderr
};

// The number and pace of operations. Plain data; a negative number means "as num".
struct Work {
  int64_t num = 0;
  int64_t reads = -1;
  int64_t writes = -1;
  int threads = 1;
  double duration_seconds = 0;  // 0: limited by the counts
  double rate = 0;              // operations per second of all threads, begun on time; 0: no pauses
  uint64_t write_bytes_per_second = 0;  // of all threads; 0: no limit
  int batch_size = 1;
  int seek_nexts = 0;
  Direction seek_direction = Direction::kForward;
  int read_percent = 90;
  Durability durability = Durability::kProcess;

  int64_t Reads() const { return reads < 0 ? num : reads; }
  int64_t Writes() const { return writes < 0 ? num : writes; }
};

// Plain data.
struct Settings {
  std::vector<std::string> benchmarks;
  bool use_existing_db = false;
  EngineSettings engine;
  DataShape data;
  Work work;
  Reporting report;
  CommandLine command;

  // Returns true if each operation is timed.
  bool Latencies() const { return report.histogram || !report.json_file.empty() || work.rate > 0; }
};

// Returns the settings of the command line; prints notes on flags without meaning to stdout. Ends
// the process with status 2 and a line on stderr if a flag or its value is invalid.
Settings ParseSettings(int argc, char** argv);

}  // namespace cambium::bench

#endif  // CAMBIUM_BENCHMARKS_HARNESS_SETTINGS_H_
