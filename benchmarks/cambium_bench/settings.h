// Settings: what a run of cambium_bench does, in db_bench's terms.
#ifndef CAMBIUM_BENCHMARKS_CAMBIUM_BENCH_SETTINGS_H_
#define CAMBIUM_BENCHMARKS_CAMBIUM_BENCH_SETTINGS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "cambium/options.h"

namespace cambium::bench {

// What keys and values look like. Plain data.
struct DataShape {
  int key_size = 16;
  int value_size = 100;
  double compression_ratio = 0.5;
  uint64_t seed = 0;
};

// What is printed and checked besides the rates. Plain data.
struct Reporting {
  bool histogram = false;
  bool statistics = false;
  bool verify = false;
};

// Plain data; a negative number stands for "as num".
struct Settings {
  std::vector<std::string> benchmarks;
  std::string db;
  bool use_existing_db = false;
  int64_t num = 0;
  int64_t reads = -1;
  int64_t writes = -1;
  int threads = 1;
  double duration_seconds = 0;  // 0: bounded by the counts alone
  int batch_size = 1;
  int seek_nexts = 0;
  DataShape data;
  Reporting report;
  Options options;
  WriteOptions write_options;

  int64_t Reads() const { return reads < 0 ? num : reads; }
  int64_t Writes() const { return writes < 0 ? num : writes; }
};

// The settings that the command line asked for. Ends the process with status 2 and one line on
// stderr where a flag or its value is not known.
Settings ParseSettings(int argc, char** argv);

}  // namespace cambium::bench

#endif  // CAMBIUM_BENCHMARKS_CAMBIUM_BENCH_SETTINGS_H_
