// Benchmarks of point reads, alone and in parallel with writes.
#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/strings/str_cat.h"
#include "benchmarks/harness/workloads/registry.h"

namespace cambium::bench {
namespace {

constexpr int kMultiReadKeys = 32;

template <typename NextNumber>
void ReadKeys(Worker* worker, NextNumber next) {
  Repeat(worker, ReadBounds(worker->work()), [&] { return GetNumber(worker, next()); });
}

void ReadRandom(Worker* worker) {
  ReadKeys(worker, [worker] { return worker->RandomNumber(); });
}

// Reads one key in a hundred.
void ReadHot(Worker* worker) {
  const uint64_t hot = (static_cast<uint64_t>(worker->work().num) + 99) / 100;
  ReadKeys(worker, [worker, hot] { return worker->random.Uniform(hot); });
}

// Reads keys between the existing ones: each is an existing key and one more byte.
void ReadMissing(Worker* worker) {
  Repeat(worker, ReadBounds(worker->work()), [worker] {
    worker->MakeKeyOf(worker->RandomNumber());
    worker->key.push_back('.');
    std::optional<std::string_view> value;
    return GetKey(worker, &value);
  });
}

// The keys of one MultiGet, and its results. Confined to its thread.
class MultiReader {
 public:
  MultiReader(Worker* worker, int keys)
      : worker_(worker),
        numbers_(static_cast<size_t>(keys)),
        keys_(numbers_.size()),
        views_(numbers_.size()),
        values_(numbers_.size()) {}

  Outcome Read() {
    for (size_t i = 0; i < numbers_.size(); ++i) {
      numbers_[i] = worker_->RandomNumber();
      MakeKey(numbers_[i], worker_->shared->settings->data.key_size, &keys_[i]);
      views_[i] = keys_[i];
    }
    Measured::Totals& totals = worker_->measured.totals;
    Outcome outcome;
    outcome.kind = Kind::kRead;
    outcome.count = static_cast<int64_t>(numbers_.size());
    outcome.status = worker_->session->MultiGet(views_, values_);
    totals.asked += outcome.count;
    for (size_t i = 0; i < numbers_.size(); ++i) {
      if (!values_[i].has_value()) continue;
      ++totals.found;
      outcome.read += Bytes(keys_[i], *values_[i]);
      CheckValue(worker_, numbers_[i], *values_[i]);
    }
    return outcome;
  }

 private:
  Worker* const worker_;
  std::vector<uint64_t> numbers_;
  std::vector<std::string> keys_;
  std::vector<std::string_view> views_;
  std::vector<std::optional<std::string_view>> values_;
};

void MultiReadRandom(Worker* worker) {
  const int batch_size = worker->work().batch_size;
  MultiReader reader(worker, batch_size == 1 ? kMultiReadKeys : batch_size);
  worker->measured.totals.found = 0;
  Repeat(worker, ReadBounds(worker->work()), [&reader] { return reader.Read(); });
}

// In each hundred operations the reads come first, as in db_bench.
void ReadRandomWriteRandom(Worker* worker) {
  int turn = 0;
  Repeat(worker, ReadBounds(worker->work()), [&] {
    const bool reads = turn < worker->work().read_percent;
    turn = (turn + 1) % 100;
    const uint64_t number = worker->RandomNumber();
    return reads ? GetNumber(worker, number) : PutNumber(worker, number);
  });
}

std::string MixMessage(const Measured& measured) {
  const Measured::Totals& totals = measured.totals;
  const int64_t all = measured.operations();
  return absl::StrCat("( reads:", totals.asked, " writes:", all - totals.asked, " total:", all,
                      " found:", totals.found, ")");
}

constexpr std::array kWorkloads = {
    Workload{"readrandom", Start::kAsItIs, Crew::kThreads, ReadRandom},
    Workload{"readmissing", Start::kAsItIs, Crew::kThreads, ReadMissing},
    Workload{"readhot", Start::kAsItIs, Crew::kThreads, ReadHot},
    Workload{"multireadrandom", Start::kAsItIs, Crew::kThreads, MultiReadRandom},
    Workload{"readwhilewriting", Start::kAsItIs, Crew::kThreads, ReadRandom, WriteBeside},
    Workload{"readwhilescanning", Start::kAsItIs, Crew::kThreads, ReadRandom, ScanBeside},
    Workload{"readrandomwriterandom", Start::kAsItIs, Crew::kThreads, ReadRandomWriteRandom,
             nullptr, MixMessage},
};

}  // namespace

std::span<const Workload> ReadWorkloads() { return kWorkloads; }

}  // namespace cambium::bench
