// YCSB's core workloads (Cooper et al., SoCC 2010); each record is one value.
#include <array>
#include <atomic>
#include <memory>

#include "benchmarks/harness/workloads/registry.h"
#include "benchmarks/harness/workloads/zipfian.h"

namespace cambium::bench {
namespace {

constexpr uint64_t kLongestScan = 100;

// Operations per hundred; the rest are reads.
struct Mix {
  uint64_t updates = 0, inserts = 0, scans = 0, read_modify_writes = 0;
  bool reads_latest = false;  // otherwise scrambled zipfian
};

Outcome PutRecord(Worker* worker, uint64_t record) {
  const Shared& shared = *worker->shared;
  const uint64_t number = shared.records->KeyNumber(record);
  worker->MakeKeyOf(number);
  const Outcome put = PutKey(worker, shared.values->ValueOf(number), worker->work().durability);
  if (shared.live != nullptr) shared.live->PutRecord(record, put.written);
  return put;
}

// One thread's random numbers and operations. Confined to it.
class Client {
 public:
  Client(Worker* worker, const Mix& mix) : worker_(worker), mix_(mix), latest_(1) {
    if (mix.reads_latest) latest_.Grow(worker->shared->records->Readable());
    worker->measured.totals.found = 0;
    check_ = CheckEntries(worker);
  }

  Outcome Next() {
    uint64_t draw = worker_->random.Uniform(100);
    const auto falls_in = [&draw](uint64_t part) {
      const bool falls = draw < part;
      draw -= part;  // may wrap; it is not used afterwards
      return falls;
    };
    if (falls_in(mix_.updates)) return PutRecord(worker_, Record());
    if (falls_in(mix_.inserts)) return Insert();
    if (falls_in(mix_.scans)) return ScanFrom(Record());
    const uint64_t record = Record();
    const bool writes_back = falls_in(mix_.read_modify_writes);
    const Outcome got = GetNumber(worker_, worker_->shared->records->KeyNumber(record));
    return writes_back ? Both(got, PutRecord(worker_, record)) : got;
  }

 private:
  uint64_t Record() {
    const uint64_t records = worker_->shared->records->Readable();
    if (!mix_.reads_latest) return scrambled_.Next(records, &worker_->random);
    latest_.Grow(records);
    return records - 1 - latest_.Next(&worker_->random);
  }

  Outcome Insert() {
    Records* const records = worker_->shared->records;
    const uint64_t record = records->Add();
    const Outcome put = PutRecord(worker_, record);
    if (put.status.ok()) records->Acknowledge(record);
    return put;
  }

  Outcome ScanFrom(uint64_t record) {
    worker_->MakeKeyOf(worker_->shared->records->KeyNumber(record));
    const std::unique_ptr<Cursor> cursor = worker_->session->NewCursor();
    cursor->Seek(worker_->key);
    Measured::Totals& totals = worker_->measured.totals;
    ++totals.asked;
    if (cursor->Key() == worker_->key) ++totals.found;
    const uint64_t limit = 1 + worker_->random.Uniform(kLongestScan);
    Outcome outcome;
    outcome.kind = Kind::kSeek;
    outcome.read = cursor->Read(limit, Direction::kForward, check_).bytes;
    outcome.status = cursor->status();
    return outcome;
  }

  Worker* const worker_;
  const Mix mix_;
  const ScrambledZipfian scrambled_;
  Zipfian latest_;
  EntryCheck check_;
};

// The threads share the records.
void Load(Worker* worker) {
  const auto all = static_cast<uint64_t>(worker->work().num);
  const auto threads = static_cast<uint64_t>(worker->work().threads);
  auto record = static_cast<uint64_t>(worker->index);
  const auto mine = static_cast<int64_t>((all - record + threads - 1) / threads);
  Repeat(worker, {mine, 0}, [&] {
    const Outcome put = PutRecord(worker, record);
    record += threads;
    return put;
  });
}

void Run(Worker* worker, const Mix& mix) {
  Client client(worker, mix);
  worker->measured.Start();  // computing the sum of the weights took time
  Repeat(worker, ReadBounds(worker->work()), [&client] { return client.Next(); });
}

void RunA(Worker* worker) { Run(worker, {.updates = 50}); }
void RunB(Worker* worker) { Run(worker, {.updates = 5}); }
void RunC(Worker* worker) { Run(worker, {}); }
void RunD(Worker* worker) { Run(worker, {.inserts = 5, .reads_latest = true}); }
void RunE(Worker* worker) { Run(worker, {.inserts = 5, .scans = 95}); }
void RunF(Worker* worker) { Run(worker, {.read_modify_writes = 50}); }

constexpr std::array kWorkloads = {
    Workload{"ycsbload", Start::kFresh, Crew::kThreads, Load},
    Workload{"ycsba", Start::kAsItIs, Crew::kThreads, RunA},
    Workload{"ycsbb", Start::kAsItIs, Crew::kThreads, RunB},
    Workload{"ycsbc", Start::kAsItIs, Crew::kThreads, RunC},
    Workload{"ycsbd", Start::kAsItIs, Crew::kThreads, RunD},
    Workload{"ycsbe", Start::kAsItIs, Crew::kThreads, RunE},
    Workload{"ycsbf", Start::kAsItIs, Crew::kThreads, RunF},
};

}  // namespace

std::span<const Workload> YcsbWorkloads() { return kWorkloads; }

}  // namespace cambium::bench
