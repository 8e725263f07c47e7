// Settings: what a run does, in db_bench's terms.
#ifndef CAMBIUM_BENCHMARKS_HARNESS_SETTINGS_H_
#define CAMBIUM_BENCHMARKS_HARNESS_SETTINGS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "benchmarks/engines/engine.h"
#include "benchmarks/harness/command_line.h"

namespace cambium::bench {

// How many bytes values have. Plain data.
struct ValueSizes {
  enum class Distribution { kFixed, kUniform, kNormal };
  Distribution distribution = Distribution::kFixed;
  int fixed = 100;
  int min = 100, max = 102400;
};

// What keys and values look like. Plain data.
struct DataShape {
  int key_size = 16;
  ValueSizes sizes;
  double compression_ratio = 0.5;
  uint64_t seed = 0;
};

// What is printed, written and checked besides the rates. Plain data.
struct Reporting {
  bool histogram = false;
  bool statistics = false;
  bool verify = false;
  std::string json_file;
  int64_t interval_seconds = 0;  // of the lines in interval_file
  std::string interval_file;
  int64_t stats_interval_seconds = 0;  // of the lines on stderr
};

// How operations are chosen and paced. Plain data; a negative number stands for "as num".
struct Work {
  int64_t num = 0;
  int64_t reads = -1;
  int64_t writes = -1;
  int threads = 1;
  double duration_seconds = 0;  // 0: the counts bound it
  double rate = 0;              // operations a second of all threads, begun on time; 0: no pauses
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

  // Whether each operation is timed.
  bool Latencies() const { return report.histogram || !report.json_file.empty() || work.rate > 0; }
};

// The settings that the command line asked for; notes on flags without meaning go to stdout. Ends
// the process with status 2 and a line on stderr where a flag or its value is not known.
Settings ParseSettings(int argc, char** argv);

}  // namespace cambium::bench

#endif  // CAMBIUM_BENCHMARKS_HARNESS_SETTINGS_H_
