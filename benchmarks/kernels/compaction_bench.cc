// Kernels of compaction/: merge tables into tables, as a compaction does.
//
// The files are in a ScratchDirectory and are read through the page cache.
#include <benchmark/benchmark.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/merging_iterator.h"
#include "benchmarks/kernels/kernel.h"
#include "cambium/file_system.h"
#include "compaction/run_merge.h"
#include "sstable/cache/block_cache.h"
#include "sstable/table/table_builder.h"
#include "sstable/table/table_reader.h"
#include "util/random.h"

namespace cambium::compaction {
namespace {

using bench::KeyOf;
using bench::Order;
using bench::Require;
using bench::Sized;

constexpr size_t kReadaheadBytes = size_t{256} << 10;
constexpr uint64_t kTargetFileSize = uint64_t{16} << 20;

// How the keys of the runs overlap.
enum Overlap : int64_t {
  kNeighbours,  // every key once, each run's between the others'
  kVersions,    // every key in each run: all but the newest are dropped
};

// Tables in a directory. Thread-compatible.
class Tables {
 public:
  OutputTable New() {
    OutputTable table;
    table.number = FileNumber{++last_number_};
    sstable::TableBuilderOptions options;
    options.order = Order();
    options.number = table.number;
    options.path = PathOf(table.number);
    auto file = files_->CreateWritable(options.path);
    Require(file.status());
    table.builder = std::make_unique<sstable::TableBuilder>(options, std::move(*file));
    return table;
  }

  // Adds the entries of run `run` of `runs`.
  void AddRun(uint64_t run, uint64_t runs, int64_t overlap) {
    OutputTable table = New();
    const auto total = static_cast<uint64_t>(Sized(400'000));
    const Trailer trailer = MakeTrailer(run + 1, Kind::kValue);
    const std::string value(100, 'v');
    const uint64_t step = overlap == kNeighbours ? runs : 1;
    const uint64_t stop = overlap == kNeighbours ? total : total / runs;
    for (uint64_t i = overlap == kNeighbours ? run : 0; i < stop; i += step) {
      Require(table.builder->Add(KeyOf(i), trailer, value));
    }
    Open(table.number, *table.builder);
  }

  std::unique_ptr<InternalIterator> NewIterator() const {
    std::vector<std::unique_ptr<InternalIterator>> children;
    sstable::TableIteratorOptions options;
    options.readahead_bytes = kReadaheadBytes;
    for (const auto& reader : readers_) children.push_back(reader->NewIterator(options));
    return NewMergingIterator(Order(), std::move(children));
  }

  void Remove(const std::vector<manifest::FileRef>& files) {
    for (const auto& file : files) Require(files_->Remove(PathOf(file->physical_number)));
  }

 private:
  std::string PathOf(FileNumber number) const {
    return directory_.path() + "/" + std::to_string(ToInteger(number)) + ".sst";
  }
  void Open(FileNumber number, sstable::TableBuilder& builder) {
    const auto summary = builder.Finish();
    Require(summary.status());
    sstable::TableReaderOptions options;
    options.order = Order();
    options.cache = &cache_;
    options.number = number;
    options.path = PathOf(number);
    options.file_size = summary->file_size;
    auto file = files_->OpenRandomAccess(options.path);
    Require(file.status());
    auto reader = sstable::TableReader::Open(options, std::move(*file));
    Require(reader.status());
    readers_.push_back(std::move(*reader));
  }

  const bench::ScratchDirectory directory_;
  const std::shared_ptr<FileSystem> files_ = DefaultFileSystem();
  EpochDomain epochs_;
  sstable::BlockCache cache_{size_t{64} << 20, &epochs_};
  uint64_t last_number_ = 0;
  std::vector<std::unique_ptr<sstable::TableReader>> readers_;
};

// Arguments: runs; how they overlap. Items are input entries.
void BM_RunMerge(benchmark::State& state) {
  Tables tables;
  const auto runs = static_cast<uint64_t>(state.range(0));
  for (uint64_t run = 0; run < runs; ++run) tables.AddRun(run, runs, state.range(1));
  uint64_t entries = 0;
  for (auto _ : state) {
    RunMergeOptions options;
    options.stream.order = Order();
    options.target_file_size = kTargetFileSize;
    options.new_table = [&tables] { return tables.New(); };
    const auto input = tables.NewIterator();
    const auto result = RunMerge(input.get(), options);
    Require(result.status());
    entries += result->counts.in;
    state.PauseTiming();
    tables.Remove(result->files);
    state.ResumeTiming();
  }
  state.SetItemsProcessed(static_cast<int64_t>(entries));
}
BENCHMARK(BM_RunMerge)
    ->ArgsProduct({{1, 2, 4, 8, 16}, {kNeighbours, kVersions}})
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace cambium::compaction
