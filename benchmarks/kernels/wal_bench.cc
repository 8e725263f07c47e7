// Kernels of wal/: append a record, by one and by two threads, unsynced and synced.
//
// An iteration does what a Put does with the log: it reserves a place under the commit mutex,
// copies, and (synced) waits for an fdatasync shared with the other thread. The log is in a
// ScratchDirectory.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "benchmarks/kernels/kernel.h"
#include "cambium/file_system.h"
#include "env/thread_pool.h"
#include "util/mutex.h"
#include "wal/log_format.h"
#include "wal/log_set.h"

namespace cambium::wal {
namespace {

constexpr int kMaxThreads = 2;
constexpr uint64_t kAppendsBetweenRetirements = 1 << 14;

// A log, and the commit mutex of a database. Thread-safe.
class Log {
 public:
  Log() : files_(DefaultFileSystem()), executor_(1) {
    LogSetOptions options;
    options.file_system = files_.get();
    options.executor = &executor_;
    options.directory = directory_.path();
    options.segment_path = [this](uint64_t segment) {
      return directory_.path() + "/" + std::to_string(segment) + ".log";
    };
    options.next_segment = [this] { return next_segment_.fetch_add(1); };
    auto log = LogSet::Create(std::move(options), {});
    bench::Require(log.status());
    log_ = std::move(*log);
  }
  ~Log() { bench::Require(log_->Close()); }

  // Appends a record of `payload` as thread `thread`.
  void Append(std::string_view payload, Durability durability, int thread) {
    LogReservation place;
    uint64_t sequence = 0;
    while (!TryReserve(payload.size(), &place, &sequence)) {
      bench::Require(log_->MakeRoom(payload.size()));
    }
    bench::Require(log_->Fill(place, sequence, {&payload, 1}, durability));
    if (durability == Durability::kMachine) bench::Require(log_->SyncTo(place.end()));
    filled_[static_cast<size_t>(thread)].store(PackPosition(place.end()));
  }

  // Removes segments below the records that all of `threads` threads have filled.
  void Retire(int threads) {
    uint64_t least = filled_[0].load();
    for (int i = 1; i < threads; ++i) {
      least = std::min(least, filled_[static_cast<size_t>(i)].load());
    }
    bench::Require(log_->RetireBefore(UnpackPosition(least)));
  }

 private:
  bool TryReserve(size_t size, LogReservation* place, uint64_t* sequence) {
    const MutexLock lock(&commit_);
    *sequence = next_sequence_;
    const bool taken = log_->TryReserve(size, place);
    next_sequence_ += taken ? 1 : 0;
    return taken;
  }

  const bench::ScratchDirectory directory_;
  const std::shared_ptr<FileSystem> files_;
  env::ThreadPool executor_;
  std::atomic<uint64_t> next_segment_{1};
  std::array<std::atomic<uint64_t>, kMaxThreads> filled_{};
  Mutex commit_{LockRank::kCommit};
  uint64_t next_sequence_ ABSL_GUARDED_BY(commit_) = 1;
  std::unique_ptr<LogSet> log_;
};

// Argument: bytes of the record.
void Append(benchmark::State& state, Durability durability) {
  static std::unique_ptr<Log> log;
  const int thread = state.thread_index();
  if (thread == 0) log = std::make_unique<Log>();
  const std::string payload(static_cast<size_t>(state.range(0)), 'p');
  uint64_t appended = 0;
  for (auto _ : state) {
    log->Append(payload, durability, thread);
    if (thread == 0 && ++appended % kAppendsBetweenRetirements == 0) log->Retire(state.threads());
  }
  state.SetItemsProcessed(state.iterations());
  state.SetBytesProcessed(state.iterations() * state.range(0));
  if (thread == 0) log.reset();
}
void BM_Append(benchmark::State& state) { Append(state, Durability::kProcess); }
void BM_AppendSynced(benchmark::State& state) { Append(state, Durability::kMachine); }
BENCHMARK(BM_Append)->Arg(140)->Arg(4096)->Threads(1)->Threads(2)->UseRealTime();
BENCHMARK(BM_AppendSynced)->Arg(140)->Threads(1)->Threads(2)->UseRealTime();

}  // namespace
}  // namespace cambium::wal
