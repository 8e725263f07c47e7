// Kernels of the memtable: insert, find, iterate.
//
// One iteration of BM_Insert* fills a memtable with kEntries entries of 116 bytes (16 + 100), the
// workload with which the documents compare skiplists; items_per_second counts entries. Chunks come
// from a pool that has been filled before, as in a running database.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/key_fold.h"
#include "base/keys.h"
#include "benchmarks/kernels/kernel.h"
#include "memtable/memtable.h"
#include "memtable/skip_list.h"
#include "util/arena.h"
#include "util/checksum.h"
#include "util/chunk_pool.h"
#include "util/random.h"

namespace cambium::memtable {
namespace {

using bench::Order;

const auto kEntries = static_cast<size_t>(bench::Sized(520'000));
constexpr size_t kKeySize = 16;
constexpr size_t kCapacity = size_t{64} << 20;

// The shapes of the keys, which have 16 bytes each.
enum KeyShape : int64_t {
  kBinary,         // eight random bytes, then padding
  kDecimal,        // sixteen digits of a small number: the first eight bytes hardly differ
  kPrefixed,       // "user/profile/" and three random bytes
  kSequential,     // sixteen digits, ascending
  kOverwritten,    // as kBinary, each key about sixteen times
  kKeyShapeCount,  // the number of shapes
};

std::string MakeKey(KeyShape shape, uint64_t i) {
  const uint64_t random = MixBits(i);
  char text[32];
  switch (shape) {
    case kDecimal:
      std::snprintf(text, sizeof(text), "%016u", static_cast<unsigned>(random % 3'000'000'000));
      return text;
    case kPrefixed: {
      std::string key = "user/profile/";
      for (int byte = 0; byte < 3; ++byte) key.push_back(static_cast<char>(random >> (8 * byte)));
      return key;
    }
    case kSequential:
      std::snprintf(text, sizeof(text), "%016u", static_cast<unsigned>(i));
      return text;
    case kOverwritten:
      return MakeKey(kBinary, random % (kEntries / 16));
    default: {
      std::string key(16, '0');
      StoreFixed64(key.data(), random);
      return key;
    }
  }
}

// Keys in one piece of memory and in the order of their use, so that only the memtable's own cache
// misses are measured.
class Data {
 public:
  Data(KeyShape shape, uint64_t salt) {
    for (uint64_t i = 0; i < kEntries; ++i) Append(MakeKey(shape, i + (salt << 32)));
  }
  // The same keys in another order.
  Data(const Data& other, Random* random) {
    std::vector<size_t> order(kEntries);
    for (size_t i = 0; i < kEntries; ++i) order[i] = i;
    for (size_t i = kEntries - 1; i > 0; --i) std::swap(order[i], order[random->Uniform(i + 1)]);
    for (const size_t i : order) Append(other.key(i));
  }

  std::string_view key(size_t i) const {
    return std::string_view(bytes_).substr(i * kKeySize, kKeySize);
  }
  uint64_t hash(size_t i) const { return hashes_[i]; }

 private:
  void Append(std::string_view key) {
    bytes_.append(key);
    hashes_.push_back(HashKey(key));
  }

  std::string bytes_;
  std::vector<uint64_t> hashes_;
};

// The keys of a shape in insertion order; absent ones; and the inserted ones in another order.
enum DataUse : size_t { kInserted, kAbsent, kShuffled, kDataUseCount };

const Data& DataOf(int64_t shape, DataUse use) {
  static std::array<std::array<std::unique_ptr<Data>, kDataUseCount>, kKeyShapeCount> made;
  std::unique_ptr<Data>& data = made[static_cast<size_t>(shape)][use];
  if (data == nullptr) {
    Random random(7);
    data = use == kShuffled ? std::make_unique<Data>(DataOf(shape, kInserted), &random)
                            : std::make_unique<Data>(static_cast<KeyShape>(shape), use);
  }
  return *data;
}

ChunkPool& Pool() {
  static ChunkPool pool(MemTable::ChunkBytesFor(kCapacity), size_t{1} << 30);
  return pool;
}

const std::string& Value() {
  static const std::string value(100, 'v');
  return value;
}

void Fill(MemTable* memtable, const Data& data, size_t begin, size_t step) {
  for (size_t i = begin; i < kEntries; i += step) {
    memtable->Add(data.key(i), MakeTrailer(i + 1, Kind::kValue), Value(), data.hash(i));
  }
}

std::unique_ptr<MemTable> NewMemTable() {
  return std::make_unique<MemTable>(Order(), &Pool(), kCapacity);
}

void BM_Insert(benchmark::State& state) {
  const Data& data = DataOf(state.range(0), kInserted);
  NewMemTable().reset();
  size_t bytes = 0;
  for (auto _ : state) {
    state.PauseTiming();
    auto memtable = NewMemTable();
    state.ResumeTiming();
    Fill(memtable.get(), data, 0, 1);
    state.PauseTiming();
    bytes = memtable->MemoryUsage();
    memtable.reset();
    state.ResumeTiming();
  }
  state.SetItemsProcessed(static_cast<int64_t>(kEntries) * state.iterations());
  state.counters["bytes/entry"] = static_cast<double>(bytes) / static_cast<double>(kEntries);
}
BENCHMARK(BM_Insert)->DenseRange(0, kKeyShapeCount - 1)->Unit(benchmark::kMillisecond);

// The same without the hash index.
void BM_InsertListOnly(benchmark::State& state) {
  const Data& data = DataOf(state.range(0), kInserted);
  for (auto _ : state) {
    state.PauseTiming();
    auto arena = std::make_unique<Arena>(&Pool());
    auto list = std::make_unique<SkipList>(Order(), arena.get());
    state.ResumeTiming();
    for (size_t i = 0; i < kEntries; ++i) {
      list->Insert(Entry::Make(arena.get(), data.key(i), MakeTrailer(i + 1, Kind::kValue), Value()),
                   [] {});
    }
    state.PauseTiming();
    list.reset();
    arena.reset();
    state.ResumeTiming();
  }
  state.SetItemsProcessed(static_cast<int64_t>(kEntries) * state.iterations());
}
BENCHMARK(BM_InsertListOnly)->DenseRange(0, kKeyShapeCount - 1)->Unit(benchmark::kMillisecond);

// The first thread creates the memtable; all threads insert their own part of the keys.
void BM_InsertConcurrent(benchmark::State& state) {
  static std::unique_ptr<MemTable> memtable;
  const Data& data = DataOf(state.range(0), kInserted);
  if (state.thread_index() == 0) memtable = NewMemTable();
  for (auto _ : state) {
    Fill(memtable.get(), data, static_cast<size_t>(state.thread_index()),
         static_cast<size_t>(state.threads()));
  }
  if (state.thread_index() == 0) {
    state.SetItemsProcessed(static_cast<int64_t>(kEntries) * state.iterations());
    memtable.reset();
  }
}
BENCHMARK(BM_InsertConcurrent)
    ->DenseRange(0, kKeyShapeCount - 1)
    ->Threads(2)
    ->Iterations(1)
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);

void Lookup(benchmark::State& state, const Data& data, const MemTable& memtable) {
  size_t next = 0;
  uint64_t found = 0;
  for (auto _ : state) {
    const std::string_view key = data.key(next);
    if (++next == kEntries) next = 0;
    const LookupKey lookup(key, kMaxSequenceNumber, Order());
    KeyFold fold(lookup.sequence);
    if (memtable.MayContain(lookup.hash)) {
      found += memtable.Get(lookup, &fold) == KeyFold::State::kValue ? 1 : 0;
    }
  }
  state.SetItemsProcessed(state.iterations());
  state.counters["found"] =
      static_cast<double>(found) / static_cast<double>(std::max<int64_t>(state.iterations(), 1));
}

void BM_GetPresent(benchmark::State& state) {
  auto memtable = NewMemTable();
  Fill(memtable.get(), DataOf(state.range(0), kInserted), 0, 1);
  Lookup(state, DataOf(state.range(0), kShuffled), *memtable);
}
BENCHMARK(BM_GetPresent)->DenseRange(0, kKeyShapeCount - 1);

void BM_GetAbsent(benchmark::State& state) {
  auto memtable = NewMemTable();
  Fill(memtable.get(), DataOf(state.range(0), kInserted), 0, 1);
  Lookup(state, DataOf(state.range(0), kAbsent), *memtable);
}
BENCHMARK(BM_GetAbsent)->Arg(kBinary);

// A search in the skiplist: a seek, and a Get without the index.
void BM_Seek(benchmark::State& state) {
  auto memtable = NewMemTable();
  Fill(memtable.get(), DataOf(state.range(0), kInserted), 0, 1);
  const Data& shuffled = DataOf(state.range(0), kShuffled);
  const auto iterator = memtable->NewIterator();
  size_t next = 0;
  uint64_t sum = 0;
  for (auto _ : state) {
    iterator->Seek(shuffled.key(next), SeekTrailer(kMaxSequenceNumber));
    sum += iterator->trailer();
    if (++next == kEntries) next = 0;
  }
  benchmark::DoNotOptimize(sum);
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_Seek)->DenseRange(0, kKeyShapeCount - 1);

template <bool kForward>
void BM_Walk(benchmark::State& state) {
  auto memtable = NewMemTable();
  Fill(memtable.get(), DataOf(kBinary, kInserted), 0, 1);
  const auto iterator = memtable->NewIterator();
  uint64_t sum = 0;
  for (auto _ : state) {
    if constexpr (kForward) {
      for (iterator->SeekToFirst(); iterator->Valid(); iterator->Next()) sum += iterator->trailer();
    } else {
      for (iterator->SeekToLast(); iterator->Valid(); iterator->Prev()) sum += iterator->trailer();
    }
  }
  benchmark::DoNotOptimize(sum);
  state.SetItemsProcessed(static_cast<int64_t>(kEntries) * state.iterations());
}
BENCHMARK(BM_Walk<true>)->Name("BM_Next")->Unit(benchmark::kMillisecond);
BENCHMARK(BM_Walk<false>)->Name("BM_Prev")->Unit(benchmark::kMillisecond);

void BM_AbbreviatedSearch(benchmark::State& state) {
  const auto search = static_cast<AbbreviatedSearch>(state.range(0));
  if (!Supports(search)) {
    state.SkipWithError("not on this machine");
    return;
  }
  alignas(64) AbbreviatedKeys abbreviated_keys;
  for (size_t i = 0; i < kNodeCapacity; ++i) abbreviated_keys[i] = i * 1000;
  uint64_t abbreviated = 1;
  for (auto _ : state) {
    abbreviated = MixBits(abbreviated + CountBelow(abbreviated_keys, abbreviated % 64'000, search));
  }
  benchmark::DoNotOptimize(abbreviated);
}
BENCHMARK(BM_AbbreviatedSearch)->DenseRange(0, 3);

}  // namespace
}  // namespace cambium::memtable
