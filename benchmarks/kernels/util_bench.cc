// Kernels of util/: hashes and checksums, compression, and the operations of every read.
#include <benchmark/benchmark.h>

#include <cstdint>
#include <string>

#include "benchmarks/kernels/kernel.h"
#include "util/checksum.h"
#include "util/compression.h"
#include "util/epoch.h"
#include "util/histogram.h"
#include "util/random.h"

namespace cambium {
namespace {

// Returns bytes that zstd halves: every second run of 64 repeats an earlier one.
std::string HalfRandom(size_t size) {
  Random random(1);
  std::string bytes;
  while (bytes.size() < size) {
    std::string run;
    for (int i = 0; i < 64; ++i) run.push_back(static_cast<char>(random.Next()));
    bytes += run + run;
  }
  bytes.resize(size);
  return bytes;
}

void CountBytes(benchmark::State& state, size_t bytes) {
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(bytes));
}

// Argument: bytes of the key.
void BM_HashKey(benchmark::State& state) {
  const std::string key = HalfRandom(static_cast<size_t>(state.range(0)));
  for (auto _ : state) benchmark::DoNotOptimize(HashKey(key));
}
BENCHMARK(BM_HashKey)->Arg(8)->Arg(16)->Arg(32)->Arg(100);

// Argument: bytes. A log record, a block, a log's chunk.
void BM_Checksum(benchmark::State& state) {
  const std::string bytes = HalfRandom(static_cast<size_t>(state.range(0)));
  uint64_t offset = 0;
  for (auto _ : state) benchmark::DoNotOptimize(Checksum32(bytes, 7, offset++));
  CountBytes(state, bytes.size());
}
BENCHMARK(BM_Checksum)->Arg(140)->Arg(4096)->Arg(8192)->Arg(65536);

void BM_FileDigest(benchmark::State& state) {
  const std::string bytes = HalfRandom(static_cast<size_t>(state.range(0)));
  FileDigest digest;
  for (auto _ : state) digest.Update(bytes);
  benchmark::DoNotOptimize(digest.Value());
  CountBytes(state, bytes.size());
}
BENCHMARK(BM_FileDigest)->Arg(8192);

// Arguments: bytes; zstd's level.
void BM_Compress(benchmark::State& state) {
  const std::string raw = HalfRandom(static_cast<size_t>(state.range(0)));
  std::string out;
  for (auto _ : state) {
    benchmark::DoNotOptimize(CompressZstd(raw, static_cast<int>(state.range(1)), &out));
  }
  CountBytes(state, raw.size());
  state.counters["ratio"] = static_cast<double>(out.size()) / static_cast<double>(raw.size());
}
BENCHMARK(BM_Compress)->ArgsProduct({{4096, 8192, 65536}, {-1, 1, 3}});

void BM_Uncompress(benchmark::State& state) {
  const std::string raw = HalfRandom(static_cast<size_t>(state.range(0)));
  std::string packed;
  CompressZstd(raw, static_cast<int>(state.range(1)), &packed);
  std::string out(raw.size(), '\0');
  for (auto _ : state) bench::Require(UncompressZstd(packed, out.data(), out.size()));
  CountBytes(state, raw.size());
}
BENCHMARK(BM_Uncompress)->ArgsProduct({{4096, 8192, 65536}, {-1, 1, 3}});

void BM_EpochGuard(benchmark::State& state) {
  static EpochDomain domain;
  for (auto _ : state) {
    const EpochGuard guard(&domain);
    benchmark::ClobberMemory();
  }
}
BENCHMARK(BM_EpochGuard)->Threads(1)->Threads(2);

void BM_HistogramRecord(benchmark::State& state) {
  Histogram histogram;
  Random random(2);
  for (auto _ : state) histogram.Record(random.Next() >> 40);
  benchmark::DoNotOptimize(histogram);
}
BENCHMARK(BM_HistogramRecord);

}  // namespace
}  // namespace cambium
