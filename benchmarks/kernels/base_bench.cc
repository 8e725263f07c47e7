// Kernels of base/: merging sorted runs, without the cost of the runs themselves.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/internal_iterator.h"
#include "base/merging_iterator.h"
#include "benchmarks/kernels/kernel.h"
#include "util/random.h"

namespace cambium {
namespace {

using bench::KeyOf;
using bench::Order;
using bench::Sized;

constexpr size_t kKeySize = 16;

// A run of keys in which a step is an increment. Thread-compatible.
class KeyRun final : public InternalIterator {
 public:
  // `keys` are concatenated and ascending; they must outlive it.
  explicit KeyRun(const std::string& keys) : keys_(keys) {}

  void SeekToFirst() override { StandAt(0); }
  void SeekToLast() override { StandAt(Count() - 1); }
  void Seek(std::string_view key, Trailer /*trailer*/) override {
    size_t low = 0, high = Count();
    while (low < high) {
      const size_t middle = (low + high) / 2;
      KeyAt(middle) < key ? low = middle + 1 : high = middle;
    }
    StandAt(low);
  }
  void SeekForPrev(std::string_view key, Trailer trailer) override {
    Seek(key, trailer);
    if (!Valid() || this->key() != key) StandAt(index_ - 1);
  }
  void Next() override { StandAt(index_ + 1); }
  void Prev() override { StandAt(index_ - 1); }
  absl::Status status() const override { return absl::OkStatus(); }

 private:
  size_t Count() const { return keys_.size() / kKeySize; }
  std::string_view KeyAt(size_t index) const {
    return std::string_view(keys_).substr(index * kKeySize, kKeySize);
  }
  void StandAt(size_t index) {
    index_ = index;
    index < Count() ? SetEntry(KeyAt(index), MakeTrailer(1, Kind::kValue), {}) : SetInvalid();
  }

  const std::string& keys_;
  size_t index_ = 0;
};

// How long one run keeps winning: every key goes to a random run, or sixty-four adjacent keys do,
// as in blocks that hardly overlap.
enum Spread : int64_t { kSingly = 1, kInBlocks = 64 };

std::vector<std::string> MakeRuns(size_t count, int64_t spread) {
  Random random(1);
  std::vector<std::string> runs(count);
  const auto total = static_cast<uint64_t>(Sized(1'000'000));
  for (uint64_t i = 0; i < total;) {
    std::string& run = runs[random.Uniform(count)];
    for (int64_t k = 0; k < spread && i < total; ++k) run += KeyOf(i++);
  }
  return runs;
}

std::unique_ptr<InternalIterator> Merge(const std::vector<std::string>& runs) {
  std::vector<std::unique_ptr<InternalIterator>> children;
  for (const std::string& run : runs) children.push_back(std::make_unique<KeyRun>(run));
  return NewMergingIterator(Order(), std::move(children));
}

// Arguments: runs; adjacent keys that are in the same run.
template <bool kForward>
void Walk(benchmark::State& state) {
  const auto runs = MakeRuns(static_cast<size_t>(state.range(0)), state.range(1));
  const auto merged = Merge(runs);
  int64_t entries = 0;
  uint64_t sum = 0;
  for (auto _ : state) {
    kForward ? merged->SeekToFirst() : merged->SeekToLast();
    for (; merged->Valid(); kForward ? merged->Next() : merged->Prev(), ++entries) {
      sum += static_cast<unsigned char>(merged->key()[kKeySize - 1]);
    }
  }
  benchmark::DoNotOptimize(sum);
  state.SetItemsProcessed(entries);
}
void BM_MergeNext(benchmark::State& state) { Walk<true>(state); }
void BM_MergePrev(benchmark::State& state) { Walk<false>(state); }
BENCHMARK(BM_MergeNext)
    ->ArgsProduct({{2, 4, 8, 16}, {kSingly, kInBlocks}})
    ->Unit(benchmark::kMillisecond);
BENCHMARK(BM_MergePrev)->Args({8, kSingly})->Unit(benchmark::kMillisecond);

void BM_MergeSeek(benchmark::State& state) {
  const auto runs = MakeRuns(static_cast<size_t>(state.range(0)), kSingly);
  const auto merged = Merge(runs);
  Random random(2);
  const auto total = static_cast<uint64_t>(Sized(1'000'000));
  uint64_t sum = 0;
  for (auto _ : state) {
    merged->Seek(KeyOf(random.Uniform(total)), SeekTrailer(kMaxSequenceNumber));
    sum += merged->trailer();
  }
  benchmark::DoNotOptimize(sum);
}
BENCHMARK(BM_MergeSeek)->Arg(2)->Arg(4)->Arg(8)->Arg(16);

}  // namespace
}  // namespace cambium
