// Benchmarks that write and delete.
#include <algorithm>
#include <array>
#include <chrono>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/strings/str_cat.h"
#include "benchmarks/harness/workloads/registry.h"

namespace cambium::bench {
namespace {

constexpr int kFillBatch = 1000;
// fillsync and fill100K write this many times less than the others.
constexpr int64_t kDearWrites = 1000;

// Keys and values of one batch. Confined to its thread.
class BatchMaker {
 public:
  BatchMaker(Worker* worker, int size)
      : worker_(worker), keys_(static_cast<size_t>(size)), entries_(static_cast<size_t>(size)) {}

  template <typename NextNumber>
  Outcome Put(NextNumber next) {
    const Shared& shared = *worker_->shared;
    Outcome outcome;
    outcome.kind = Kind::kWrite;
    outcome.count = static_cast<int64_t>(keys_.size());
    for (size_t i = 0; i < keys_.size(); ++i) {
      const uint64_t number = next();
      MakeKey(number, shared.settings->data.key_size, &keys_[i]);
      entries_[i] = {keys_[i], shared.values->ValueOf(number)};
      const uint64_t bytes = Bytes(entries_[i].key, entries_[i].value);
      outcome.written += bytes;
      if (shared.live != nullptr) shared.live->Put(number, bytes);
    }
    outcome.status = worker_->session->PutBatch(entries_, worker_->work().durability);
    return outcome;
  }

 private:
  Worker* const worker_;
  std::vector<std::string> keys_;
  std::vector<Entry> entries_;
};

// Puts the keys that `next` returns, in batches of `batch_size`.
template <typename NextNumber>
void Fill(Worker* worker, const Bounds& bounds, int batch_size, NextNumber next) {
  if (batch_size == 1) {
    Repeat(worker, bounds, [&] { return PutNumber(worker, next()); });
    return;
  }
  BatchMaker maker(worker, batch_size);
  Repeat(worker, bounds, [&] { return maker.Put(next); });
}

Bounds CountedWrites(const Work& work) { return {work.Writes(), 0}; }
Bounds DearWrites(const Work& work) {
  return {std::max<int64_t>(1, work.Writes() / kDearWrites), 0};
}

void FillSeq(Worker* worker) {
  uint64_t number = 0;
  Fill(worker, CountedWrites(worker->work()), worker->work().batch_size,
       [&number] { return number++; });
}

void FillRandom(Worker* worker) {
  Fill(worker, WriteBounds(worker->work()), worker->work().batch_size,
       [worker] { return worker->RandomNumber(); });
}

// The threads share the keys: each is written once.
void FillUniqueRandom(Worker* worker) {
  const Work& work = worker->work();
  const auto all = static_cast<uint64_t>(work.num);
  const auto threads = static_cast<uint64_t>(work.threads);
  const Permutation order(all, worker->shared->settings->data.seed);
  auto index = static_cast<uint64_t>(worker->index);
  const auto mine = static_cast<int64_t>((all - index + threads - 1) / threads);
  Fill(worker, {std::min(mine, work.Writes()), 0}, work.batch_size, [&] {
    const uint64_t number = order.At(index % all);
    index += threads;
    return number;
  });
}

void FillBatch(Worker* worker) {
  uint64_t number = 0;
  Fill(worker, CountedWrites(worker->work()), kFillBatch, [&number] { return number++; });
}

void FillSync(Worker* worker) {
  const Shared& shared = *worker->shared;
  Repeat(worker, DearWrites(worker->work()), [&] {
    const uint64_t number = worker->RandomNumber();
    worker->MakeKeyOf(number);
    const Outcome put = PutKey(worker, shared.values->ValueOf(number), Durability::kMachine);
    if (shared.live != nullptr) shared.live->Put(number, put.written);
    return put;
  });
}

void Fill100K(Worker* worker) {
  const Shared& shared = *worker->shared;
  Repeat(worker, DearWrites(worker->work()), [&] {
    const uint64_t number = worker->RandomNumber();
    worker->MakeKeyOf(number);
    const Outcome put =
        PutKey(worker, shared.values->LongValueOf(number), worker->work().durability);
    if (shared.live != nullptr) shared.live->PutLong(number, put.written);
    return put;
  });
}

void UpdateRandom(Worker* worker) {
  Repeat(worker, WriteBounds(worker->work()), [worker] {
    const uint64_t number = worker->RandomNumber();
    const Outcome got = GetNumber(worker, number);
    return Both(got, PutNumber(worker, number));
  });
}
std::string UpdateMessage(const Measured& measured) {
  return absl::StrCat("( updates:", measured.operations(), " found:", measured.totals.found, ")");
}

// Swaps the two values of random keys. A thread that does not know the current value tries each in
// turn; what it wrote last is its first guess.
void CasRandom(Worker* worker) {
  const Shared& shared = *worker->shared;
  constexpr uint8_t kStates = 3;  // of a key: its value, its swapped value, absent
  std::vector<uint8_t> guesses(static_cast<size_t>(worker->work().num), 0);
  Repeat(worker, WriteBounds(worker->work()), [&] {
    const uint64_t number = worker->RandomNumber();
    worker->MakeKeyOf(number);
    const std::string_view values[] = {shared.values->ValueOf(number),
                                       shared.values->SwappedValueOf(number)};
    uint8_t& guess = guesses[number];
    Outcome outcome;
    outcome.kind = Kind::kUpdate;
    do {
      std::optional<std::string_view> expected;
      if (guess < std::size(values)) expected = values[guess];
      const uint8_t next = guess == 0 ? 1 : 0;
      outcome.written = Bytes(worker->key, values[next]);
      outcome.status = worker->session->CompareAndSet(worker->key, expected, values[next],
                                                      worker->work().durability);
      ++worker->measured.totals.asked;
      guess = outcome.status.ok() ? next : static_cast<uint8_t>((guess + 1) % kStates);
    } while (absl::IsAborted(outcome.status));
    if (shared.live != nullptr) shared.live->Put(number, outcome.written);
    return outcome;
  });
}
std::string CasMessage(const Measured& measured) {
  return absl::StrCat("( swaps:", measured.operations(), " calls:", measured.totals.asked, ")");
}

// Like fillrandom, with a TTL that does not end during the run.
void FillTtl(Worker* worker) {
  const Shared& shared = *worker->shared;
  constexpr std::chrono::hours kTtl(24);
  Repeat(worker, WriteBounds(worker->work()), [&] {
    const uint64_t number = worker->RandomNumber();
    worker->MakeKeyOf(number);
    const std::string_view value = shared.values->ValueOf(number);
    Outcome outcome;
    outcome.kind = Kind::kWrite;
    outcome.written = Bytes(worker->key, value);
    outcome.status =
        worker->session->PutWithTtl(worker->key, value, kTtl, worker->work().durability);
    if (shared.live != nullptr) shared.live->Put(number, outcome.written);
    return outcome;
  });
}

// Reads two random keys and puts two others, in a transaction, which it repeats after a conflict.
void RandomTransaction(Worker* worker) {
  const Shared& shared = *worker->shared;
  std::array<std::string, 4> keys;
  Repeat(worker, WriteBounds(worker->work()), [&] {
    std::array<uint64_t, 4> numbers;
    for (size_t i = 0; i < keys.size(); ++i) {
      numbers[i] = worker->RandomNumber();
      MakeKey(numbers[i], shared.settings->data.key_size, &keys[i]);
    }
    const std::array<std::string_view, 2> reads = {keys[0], keys[1]};
    const std::array<Entry, 2> writes = {Entry{keys[2], shared.values->ValueOf(numbers[2])},
                                         Entry{keys[3], shared.values->ValueOf(numbers[3])}};
    Outcome outcome;
    outcome.kind = Kind::kUpdate;
    do {
      outcome.status = worker->session->Transact(reads, writes, worker->work().durability);
      ++worker->measured.totals.asked;
    } while (absl::IsAborted(outcome.status));
    for (size_t i = 0; i < writes.size(); ++i) {
      const uint64_t bytes = Bytes(writes[i].key, writes[i].value);
      outcome.written += bytes;
      if (shared.live != nullptr) shared.live->Put(numbers[2 + i], bytes);
    }
    return outcome;
  });
}
std::string TransactionMessage(const Measured& measured) {
  return absl::StrCat("( transactions:", measured.operations(),
                      " aborts:", measured.totals.asked - measured.operations(), ")");
}

// Increments counters without reading them.
void MergeRandom(Worker* worker) {
  const Shared& shared = *worker->shared;
  constexpr std::string_view kOne("\1\0\0\0\0\0\0\0", 8);
  Repeat(worker, WriteBounds(worker->work()), [&] {
    const uint64_t number = worker->RandomNumber();
    worker->MakeKeyOf(number);
    Outcome outcome;
    outcome.kind = Kind::kWrite;
    outcome.written = Bytes(worker->key, kOne);
    outcome.status = worker->session->MergeAdd(worker->key, kOne, worker->work().durability);
    if (shared.live != nullptr) shared.live->Put(number, outcome.written);
    return outcome;
  });
}

template <typename NextNumber>
void DeleteKeys(Worker* worker, const Bounds& bounds, NextNumber next) {
  const Shared& shared = *worker->shared;
  Repeat(worker, bounds, [&] {
    const uint64_t number = next();
    worker->MakeKeyOf(number);
    Outcome outcome;
    outcome.kind = Kind::kDelete;
    outcome.written = worker->key.size();
    outcome.status = worker->session->Delete(worker->key, worker->work().durability);
    if (shared.live != nullptr) {
      shared.live->Delete(number, worker->key.size() + shared.values->SizeOf(number));
    }
    return outcome;
  });
}

void DeleteSeq(Worker* worker) {
  uint64_t number = 0;
  DeleteKeys(worker, CountedWrites(worker->work()), [&number] { return number++; });
}

void DeleteRandom(Worker* worker) {
  DeleteKeys(worker, WriteBounds(worker->work()), [worker] { return worker->RandomNumber(); });
}

constexpr std::array kWorkloads = {
    Workload{"fillseq", Start::kFresh, Crew::kThreads, FillSeq},
    Workload{"fillrandom", Start::kFresh, Crew::kThreads, FillRandom},
    Workload{"filluniquerandom", Start::kFresh, Crew::kThreads, FillUniqueRandom},
    Workload{"fillbatch", Start::kFresh, Crew::kThreads, FillBatch},
    Workload{"fillsync", Start::kFresh, Crew::kThreads, FillSync},
    Workload{"fill100K", Start::kFresh, Crew::kThreads, Fill100K},
    Workload{"overwrite", Start::kAsItIs, Crew::kThreads, FillRandom},
    Workload{"updaterandom", Start::kAsItIs, Crew::kThreads, UpdateRandom, nullptr, UpdateMessage},
    Workload{"casrandom", Start::kAsItIs, Crew::kThreads, CasRandom, nullptr, CasMessage},
    Workload{"fillttl", Start::kFresh, Crew::kThreads, FillTtl},
    Workload{"randomtransaction", Start::kAsItIs, Crew::kThreads, RandomTransaction, nullptr,
             TransactionMessage},
    Workload{"mergerandom", Start::kFresh, Crew::kThreads, MergeRandom},
    Workload{"deleteseq", Start::kAsItIs, Crew::kThreads, DeleteSeq},
    Workload{"deleterandom", Start::kAsItIs, Crew::kThreads, DeleteRandom},
};

}  // namespace

std::span<const Workload> WriteWorkloads() { return kWorkloads; }

void WriteBeside(Worker* worker, const std::atomic<bool>& over) {
  RepeatUntil(worker, over, [worker] { return PutNumber(worker, worker->RandomNumber()); });
}

}  // namespace cambium::bench
