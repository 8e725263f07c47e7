// Kernels of sstable/: data block, filter partition, index partition, whole table.
//
// The argument of a block's benchmark is the number of blocks (or partitions) that it uses: a few
// stay in the cache, 8,192 blocks of 8 KiB do not.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "benchmarks/kernels/kernel.h"
#include "cambium/file_system.h"
#include "cambium/pinned_value.h"
#include "sstable/block/block.h"
#include "sstable/block/block_builder.h"
#include "sstable/block/filter_partition.h"
#include "sstable/block/index_partition.h"
#include "sstable/cache/block_cache.h"
#include "sstable/table/table_builder.h"
#include "sstable/table/table_reader.h"
#include "util/checksum.h"
#include "util/epoch.h"
#include "util/random.h"

namespace cambium::sstable {
namespace {

using bench::KeyOf;
using bench::Order;
using bench::Require;
using bench::Sized;

constexpr size_t kEntriesInBlock = 70;
constexpr size_t kQueries = 1 << 14;

// `block_count` adjacent blocks of 16-byte keys (even numbers) and 100-byte values.
struct Blocks {
  explicit Blocks(size_t block_count) {
    BlockBuilder builder(Order());
    std::mt19937_64 random(1);
    const std::string value(100, 'v');
    bytes.reserve(block_count);
    for (size_t b = 0; b < block_count; ++b) {
      builder.Reset();
      for (size_t i = 0; i < kEntriesInBlock; ++i) {
        const std::string key = KeyOf(2 * (b * kEntriesInBlock + i));
        builder.Add(key, MakeTrailer(1 + random() % 3'000'000, Kind::kValue), value, HashKey(key));
      }
      bytes.emplace_back(builder.Finish());
      blocks.push_back(*Block::Parse(bytes.back()));
    }
  }

  std::vector<std::string> bytes;
  std::vector<Block> blocks;
};

// A key, its hash, and the block to search.
struct Query {
  std::string key;
  LookupKey lookup;
  uint32_t block;

  Query(std::string k, uint32_t b)
      : key(std::move(k)), lookup(key, kMaxSequenceNumber, Order()), block(b) {}
  Query(const Query&) = delete;
};

std::vector<std::unique_ptr<Query>> Queries(size_t block_count, uint64_t odd) {
  std::mt19937_64 random(2);
  std::vector<std::unique_ptr<Query>> queries;
  for (size_t i = 0; i < kQueries; ++i) {
    const uint64_t entry = random() % (block_count * kEntriesInBlock);
    queries.push_back(std::make_unique<Query>(KeyOf(2 * entry + odd),
                                              static_cast<uint32_t>(entry / kEntriesInBlock)));
  }
  return queries;
}

void GetFrom(benchmark::State& state, uint64_t odd) {
  const auto block_count = static_cast<size_t>(state.range(0));
  const Blocks data(block_count);
  const auto queries = Queries(block_count, odd);
  size_t i = 0;
  uint64_t sum = 0;
  for (auto _ : state) {
    const Query& query = *queries[i++ % kQueries];
    KeyFold fold(kMaxSequenceNumber);
    data.blocks[query.block].Get(query.lookup, Order(), &fold);
    if (fold.state() == KeyFold::State::kValue) sum += static_cast<unsigned char>(fold.value()[50]);
  }
  benchmark::DoNotOptimize(sum);
}
void BM_BlockGet(benchmark::State& state) { GetFrom(state, 0); }
void BM_BlockGetAbsent(benchmark::State& state) { GetFrom(state, 1); }
BENCHMARK(BM_BlockGet)->Arg(16)->Arg(Sized(8192));
BENCHMARK(BM_BlockGetAbsent)->Arg(16)->Arg(Sized(8192));

void BM_BlockSeek(benchmark::State& state) {
  const auto block_count = static_cast<size_t>(state.range(0));
  const Blocks data(block_count);
  const auto queries = Queries(block_count, 1);
  size_t i = 0;
  size_t sum = 0;
  for (auto _ : state) {
    const Query& query = *queries[i++ % kQueries];
    sum += data.blocks[query.block].LowerBound(query.key, ~Trailer{0}, Order());
  }
  benchmark::DoNotOptimize(sum);
}
BENCHMARK(BM_BlockSeek)->Arg(16)->Arg(Sized(8192));

// A step, with the accesses to key, trailer, and value of a scan.
template <bool kForward>
void Walk(benchmark::State& state) {
  const auto block_count = static_cast<size_t>(state.range(0));
  const Blocks data(block_count);
  BlockIterator it(Order());
  size_t block = 0;
  uint64_t sum = 0;
  for (auto _ : state) {
    it.SetBlock(data.blocks[block++ % block_count]);
    kForward ? it.SeekToFirst() : it.SeekToLast();
    for (; it.Valid(); kForward ? it.Next() : it.Prev()) {
      sum += static_cast<unsigned char>(it.key()[15]) + it.trailer() + it.value().size();
    }
  }
  benchmark::DoNotOptimize(sum);
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(kEntriesInBlock));
}
void BM_BlockNext(benchmark::State& state) { Walk<true>(state); }
void BM_BlockPrev(benchmark::State& state) { Walk<false>(state); }
BENCHMARK(BM_BlockNext)->Arg(16)->Arg(Sized(8192));
BENCHMARK(BM_BlockPrev)->Arg(16)->Arg(Sized(8192));

void BM_BlockParse(benchmark::State& state) {
  const auto block_count = static_cast<size_t>(state.range(0));
  const Blocks data(block_count);
  size_t i = 0;
  for (auto _ : state) Require(Block::Parse(data.bytes[i++ % block_count]).status());
}
BENCHMARK(BM_BlockParse)->Arg(16);

// An entry added, with its share of Finish().
void BM_BlockBuild(benchmark::State& state) {
  BlockBuilder builder(Order());
  std::vector<std::string> keys;
  for (size_t i = 0; i < kEntriesInBlock; ++i) keys.push_back(KeyOf(i * 3));
  const std::string value(100, 'v');
  for (auto _ : state) {
    builder.Reset();
    for (size_t i = 0; i < kEntriesInBlock; ++i) {
      builder.Add(keys[i], MakeTrailer(1000 + i * 7 % 60, Kind::kValue), value, i);
    }
    benchmark::DoNotOptimize(builder.Finish().data());
  }
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(kEntriesInBlock));
}
BENCHMARK(BM_BlockBuild);

// Arguments: keys in the filter; 1 for existing keys.
void BM_FilterProbe(benchmark::State& state) {
  const auto count = static_cast<uint64_t>(state.range(0));
  FilterBuilder builder(10);
  for (uint64_t i = 0; i < count; ++i) builder.AddHash(HashKey(KeyOf(i)));
  const std::string bytes = builder.Finish();
  const FilterView view = *FilterView::Parse(bytes);
  std::mt19937_64 random(3);
  std::vector<uint64_t> hashes;
  for (size_t i = 0; i < kQueries; ++i) {
    const uint64_t base = state.range(1) == 1 ? 0 : count;
    hashes.push_back(HashKey(KeyOf(base + random() % count)));
  }
  size_t i = 0;
  size_t sum = 0;
  for (auto _ : state) sum += view.MayContain(hashes[i++ % kQueries]) ? 1 : 0;
  benchmark::DoNotOptimize(sum);
}
BENCHMARK(BM_FilterProbe)->ArgsProduct({{10'000, Sized(20'000'000)}, {0, 1}});

void BM_FilterBuild(benchmark::State& state) {
  constexpr size_t kKeys = 9'000;
  std::mt19937_64 random(4);
  std::vector<uint64_t> hashes;
  for (size_t i = 0; i < kKeys; ++i) hashes.push_back(random());
  FilterBuilder builder(10);
  for (auto _ : state) {
    for (const uint64_t hash : hashes) builder.AddHash(hash);
    benchmark::DoNotOptimize(builder.Finish().data());
  }
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(kKeys));
}
BENCHMARK(BM_FilterBuild);

// Arguments: blocks per partition; partitions.
void BM_IndexFind(benchmark::State& state) {
  const auto count = static_cast<uint64_t>(state.range(0));
  const auto partitions = static_cast<uint64_t>(state.range(1));
  std::vector<std::string> bytes;
  std::vector<IndexView> views;
  bytes.reserve(partitions);
  for (uint64_t p = 0; p < partitions; ++p) {
    IndexBuilder builder;
    for (uint64_t i = 0; i < count; ++i) {
      builder.Add(KeyOf((p * count + i) * 70), {i * 8192, 8000}, 0);
    }
    bytes.push_back(builder.Finish());
    views.push_back(*IndexView::Parse(bytes.back(), Order()));
  }
  std::mt19937_64 random(5);
  std::vector<std::pair<size_t, std::string>> queries;
  for (size_t i = 0; i < kQueries; ++i) {
    const size_t p = random() % partitions;
    queries.emplace_back(p, KeyOf((p * count + random() % count) * 70 + random() % 70));
  }
  size_t i = 0;
  uint64_t sum = 0;
  for (auto _ : state) {
    const auto& [p, key] = queries[i++ % kQueries];
    const size_t at = views[p].Find(key);
    if (at < count) sum += views[p].handle(at).offset;
  }
  benchmark::DoNotOptimize(sum);
}
BENCHMARK(BM_IndexFind)->Args({64, 1})->Args({128, 1})->Args({512, 1})->Args({4096, 1});
BENCHMARK(BM_IndexFind)->Args({128, Sized(4096)});

// A table of even keys in a ScratchDirectory, opened. Immutable after construction.
class Table {
 public:
  Table(uint64_t entries, Compression compression, size_t cache_bytes)
      : cache_(cache_bytes, &epochs_) {
    TableBuilderOptions options = Options(compression);
    auto made = files_->CreateWritable(options.path);
    Require(made.status());
    TableBuilder builder(options, std::move(*made));
    for (uint64_t i = 0; i < entries; ++i) {
      Require(builder.Add(KeyOf(2 * i), MakeTrailer(1, Kind::kValue), ValueOf(i)));
    }
    const auto summary = builder.Finish();
    Require(summary.status());
    auto file = files_->OpenRandomAccess(options.path);
    Require(file.status());
    auto reader = TableReader::Open(
        {options.order, &cache_, options.number, options.path, summary->file_size},
        std::move(*file));
    Require(reader.status());
    reader_ = std::move(*reader);
  }

  // Returns a hundred bytes, half of them compressible.
  static std::string ValueOf(uint64_t i) {
    std::string value(100, 'v');
    for (size_t at = 0; at < 48; at += 8) StoreFixed64(value.data() + at, MixBits(i + at));
    return value;
  }
  TableBuilderOptions Options(Compression compression) const {
    TableBuilderOptions options;
    options.order = Order();
    options.compression = compression;
    options.number = FileNumber{1};
    options.path = directory_.path() + "/1.sst";
    return options;
  }
  FileSystem* files() const { return files_.get(); }
  const TableReader& reader() const { return *reader_; }

 private:
  const bench::ScratchDirectory directory_;
  const std::shared_ptr<FileSystem> files_ = DefaultFileSystem();
  EpochDomain epochs_;
  BlockCache cache_;
  std::unique_ptr<TableReader> reader_;
};

// Gets random keys of `entries`: existing ones, or (odd) missing ones.
template <typename Reader>
void LookUp(benchmark::State& state, const Reader& reader, uint64_t entries, uint64_t odd) {
  Random random(6 + static_cast<uint64_t>(state.thread_index()));
  PinnedValue value;
  uint64_t found = 0;
  for (auto _ : state) {
    const std::string key = KeyOf(2 * random.Uniform(entries) + odd);
    const LookupKey lookup(key, kMaxSequenceNumber, Order());
    KeyFold fold(kMaxSequenceNumber);
    Require(reader()->Get(lookup, {}, &fold, &value));
    found += fold.state() == KeyFold::State::kValue ? 1 : 0;
  }
  state.counters["found"] = benchmark::Counter(
      static_cast<double>(found) / static_cast<double>(std::max<int64_t>(state.iterations(), 1)),
      benchmark::Counter::kAvgThreads);
}

// A complete cache hit: index, filter, slot, block. Arguments: entries; 1 for existing keys.
void BM_CachedGet(benchmark::State& state) {
  static std::unique_ptr<Table> table;
  const auto entries = static_cast<uint64_t>(state.range(0));
  if (state.thread_index() == 0) {
    table = std::make_unique<Table>(entries, Compression::kNone, size_t{1} << 30);
    const auto it = table->reader().NewIterator({});
    for (it->SeekToFirst(); it->Valid();) it->Next();
    Require(it->status());
  }
  // Another thread sees the table after the first thread begins the loop.
  const auto reader = [] { return &table->reader(); };
  LookUp(state, reader, entries, state.range(1) == 1 ? 0 : 1);
  if (state.thread_index() == 0) table.reset();
}
BENCHMARK(BM_CachedGet)
    ->ArgsProduct({{10'000, Sized(2'000'000)}, {0, 1}})
    ->Threads(1)
    ->Threads(2)
    ->UseRealTime();

// A cache miss: a block is read from the page cache, checked, uncompressed, parsed, and added to
// the cache, and another one is evicted. Argument: the compression.
void BM_UncachedGet(benchmark::State& state) {
  const auto entries = static_cast<uint64_t>(Sized(500'000));
  const Table table(entries, static_cast<Compression>(state.range(0)), size_t{2} << 20);
  LookUp(
      state, [&table] { return &table.reader(); }, entries, 0);
}
BENCHMARK(BM_UncachedGet)->Arg(0)->Arg(1);

// Argument: the compression.
void BM_TableScan(benchmark::State& state) {
  const auto entries = static_cast<uint64_t>(Sized(500'000));
  const Table table(entries, static_cast<Compression>(state.range(0)), size_t{1} << 20);
  TableIteratorOptions options;
  options.readahead_bytes = size_t{256} << 10;
  uint64_t sum = 0;
  for (auto _ : state) {
    const auto it = table.reader().NewIterator(options);
    for (it->SeekToFirst(); it->Valid(); it->Next()) sum += it->trailer() + it->value().size();
    Require(it->status());
  }
  benchmark::DoNotOptimize(sum);
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(entries));
}
BENCHMARK(BM_TableScan)->Arg(0)->Arg(1)->Unit(benchmark::kMillisecond);

void BM_TableBuild(benchmark::State& state) {
  const auto entries = static_cast<uint64_t>(Sized(500'000));
  const Table place(1, Compression::kNone, size_t{1} << 20);
  TableBuilderOptions options = place.Options(static_cast<Compression>(state.range(0)));
  options.path += ".new";
  std::vector<std::string> values;
  for (uint64_t i = 0; i < 1000; ++i) values.push_back(Table::ValueOf(i));
  std::vector<std::string> keys;
  for (uint64_t i = 0; i < entries; ++i) keys.push_back(KeyOf(2 * i));
  for (auto _ : state) {
    auto file = place.files()->CreateWritable(options.path);
    Require(file.status());
    TableBuilder builder(options, std::move(*file));
    for (uint64_t i = 0; i < entries; ++i) {
      Require(builder.Add(keys[i], MakeTrailer(1, Kind::kValue), values[i % values.size()]));
    }
    Require(builder.Finish().status());
    Require(place.files()->Remove(options.path));
  }
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(entries));
}
BENCHMARK(BM_TableBuild)->Arg(0)->Arg(1)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace cambium::sstable
