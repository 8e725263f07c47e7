// Benchmarks that scan entries in order.
#include <algorithm>
#include <array>
#include <memory>

#include "benchmarks/harness/workloads/registry.h"

namespace cambium::bench {
namespace {

// The number of entries of a scan that are read and timed together; one if histograms are printed.
constexpr int64_t kChunk = 1000;

Outcome ReadChunk(Cursor* cursor, int64_t limit, Direction direction, const EntryCheck& check) {
  const Scanned scanned = cursor->Read(static_cast<uint64_t>(limit), direction, check);
  Outcome outcome;
  outcome.kind = Kind::kRead;
  outcome.status = cursor->status();
  outcome.count = static_cast<int64_t>(scanned.entries);
  outcome.read = scanned.bytes;
  outcome.is_last = outcome.count < limit;
  return outcome;
}

void Scan(Worker* worker, Direction direction) {
  const std::unique_ptr<Cursor> cursor = worker->session->NewCursor();
  const EntryCheck check = CheckEntries(worker);
  if (direction == Direction::kForward) {
    cursor->SeekToFirst();
  } else {
    cursor->SeekToLast();
  }
  const int64_t chunk = worker->shared->settings->report.histogram ? 1 : kChunk;
  int64_t left = worker->work().Reads();
  Repeat(worker, {left, 0}, [&] {
    const Outcome outcome = ReadChunk(cursor.get(), std::min(chunk, left), direction, check);
    left -= outcome.count;
    return outcome;
  });
}

void ReadSeq(Worker* worker) { Scan(worker, Direction::kForward); }
void ReadReverse(Worker* worker) { Scan(worker, Direction::kReverse); }

// Seeks to the keys that `next` returns and reads --seek_nexts entries there, each time with a new
// cursor.
template <typename NextNumber>
void SeekKeys(Worker* worker, NextNumber next) {
  const Work& work = worker->work();
  const EntryCheck check = CheckEntries(worker);
  Measured::Totals& totals = worker->measured.totals;
  totals.found = 0;
  Repeat(worker, ReadBounds(work), [&] {
    worker->MakeKeyOf(next());
    const std::unique_ptr<Cursor> cursor = worker->session->NewCursor();
    cursor->Seek(worker->key);
    ++totals.asked;
    if (cursor->Key() == worker->key) ++totals.found;
    Outcome outcome;
    outcome.kind = Kind::kSeek;
    if (work.seek_nexts > 0) {
      const auto nexts = static_cast<uint64_t>(work.seek_nexts);
      outcome.read = cursor->Read(nexts, work.seek_direction, check).bytes;
    }
    outcome.status = cursor->status();
    return outcome;
  });
}

void SeekRandom(Worker* worker) {
  SeekKeys(worker, [worker] { return worker->RandomNumber(); });
}

// Each key is slightly after the previous one.
void SeekOrdered(Worker* worker) {
  const auto num = static_cast<uint64_t>(worker->work().num);
  uint64_t number = 0;
  SeekKeys(worker, [worker, num, &number] {
    number = (number + worker->random.Uniform(100)) % num;
    return number;
  });
}

constexpr std::array kWorkloads = {
    Workload{"readseq", Start::kAsItIs, Crew::kThreads, ReadSeq},
    Workload{"readreverse", Start::kAsItIs, Crew::kThreads, ReadReverse},
    Workload{"seekrandom", Start::kAsItIs, Crew::kThreads, SeekRandom},
    Workload{"seekordered", Start::kAsItIs, Crew::kThreads, SeekOrdered},
    Workload{"seekrandomwhilewriting", Start::kAsItIs, Crew::kThreads, SeekRandom, WriteBeside},
};

}  // namespace

std::span<const Workload> ScanWorkloads() { return kWorkloads; }

void ScanBeside(Worker* worker, const std::atomic<bool>& over) {
  const EntryCheck check = CheckEntries(worker);
  std::unique_ptr<Cursor> cursor;
  RepeatUntil(worker, over, [&] {
    if (cursor == nullptr) {
      cursor = worker->session->NewCursor();
      cursor->SeekToFirst();
    }
    Outcome outcome = ReadChunk(cursor.get(), kChunk, Direction::kForward, check);
    if (outcome.is_last) cursor.reset();
    outcome.is_last = false;
    return outcome;
  });
}

}  // namespace cambium::bench
