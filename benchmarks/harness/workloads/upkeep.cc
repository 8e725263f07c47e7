// Benchmarks of the engine as a whole, and of its components.
#include <algorithm>
#include <array>
#include <csignal>
#include <cstdio>
#include <string>

#include "absl/strings/str_format.h"
#include "benchmarks/harness/workloads/registry.h"
#include "util/checksum.h"
#include "util/compression.h"

namespace cambium::bench {
namespace {

constexpr size_t kBlockBytes = 4096;
constexpr int kCompressionLevel = 1;
constexpr int64_t kOpens = 5;

Engine* EngineOf(Worker* worker) { return worker->shared->database->engine(); }

void Once(Worker* worker, absl::Status (Engine::*operation)()) {
  Repeat(worker, {1, 0, /*is_paced=*/false}, [&] {
    Outcome outcome;
    outcome.status = (EngineOf(worker)->*operation)();
    return outcome;
  });
}

void Compact(Worker* worker) { Once(worker, &Engine::Compact); }
void FlushAll(Worker* worker) { Once(worker, &Engine::Flush); }
void WaitForCompaction(Worker* worker) { Once(worker, &Engine::WaitForIdle); }

void Print(Worker* worker, std::string_view what) {
  const std::string text = EngineOf(worker)->Describe(what);
  std::printf("%s%s", text.c_str(), text.empty() || text.back() == '\n' ? "" : "\n");
}
void PrintStats(Worker* worker) { Print(worker, "stats"); }
void PrintLevels(Worker* worker) { Print(worker, "levelstats"); }

// Opens the database in the state that earlier benchmarks have left, a few times; does not measure
// closing it.
void Open(Worker* worker) {
  Database* const database = worker->shared->database;
  const int64_t reads = worker->work().reads;
  const Bounds bounds{reads < 0 ? kOpens : std::max<int64_t>(reads, 1), 0, /*is_paced=*/false};
  Repeat(worker, bounds, [&] {
    Outcome outcome;
    const uint64_t closing = SteadyNanos();
    outcome.status = database->Close();
    worker->measured.Exclude(SteadyNanos() - closing);
    worker->measured.Restart();
    if (outcome.status.ok()) outcome.status = database->Open();
    return outcome;
  });
}

// Ends the process as a crash would: no destructor runs, nothing is closed.
void Crash(Worker*) {
  std::fflush(stdout);
  std::raise(SIGKILL);
}

// --- Components: Cambium's own, even if another engine is linked ---------------------------------

// Returns a block of consecutive values.
std::string_view BlockOf(Worker* worker, uint64_t number) {
  return worker->shared->values->LongValueOf(number).substr(0, kBlockBytes);
}

void Checksum(Worker* worker) {
  uint64_t number = 0, all = 0;
  Repeat(worker, ReadBounds(worker->work()), [&] {
    all += Checksum64(BlockOf(worker, number), 0, number);
    ++number;
    Outcome outcome;
    outcome.kind = Kind::kChecksum;
    outcome.read = kBlockBytes;
    return outcome;
  });
  worker->measured.totals.message = "(4096 per op)";
  if (all == 0) worker->Fail("no checksum");
}

void Compress(Worker* worker) {
  uint64_t number = 0, output = 0;
  std::string compressed;
  Repeat(worker, ReadBounds(worker->work()), [&] {
    const std::string_view block = BlockOf(worker, number++);
    output +=
        CompressZstd(block, kCompressionLevel, &compressed) ? compressed.size() : block.size();
    Outcome outcome;
    outcome.kind = Kind::kCompress;
    outcome.read = kBlockBytes;
    return outcome;
  });
  const auto input = static_cast<double>(std::max<uint64_t>(number, 1) * kBlockBytes);
  worker->measured.totals.message =
      absl::StrFormat("(output: %.1f%%)", static_cast<double>(output) * 100 / input);
}

void Uncompress(Worker* worker) {
  std::string compressed, block(kBlockBytes, '\0');
  if (!CompressZstd(BlockOf(worker, 0), kCompressionLevel, &compressed)) {
    worker->Fail("the block does not compress: there is nothing to uncompress");
    return;
  }
  Repeat(worker, ReadBounds(worker->work()), [&] {
    Outcome outcome;
    outcome.kind = Kind::kUncompress;
    outcome.read = kBlockBytes;
    outcome.status = UncompressZstd(compressed, block.data(), block.size());
    return outcome;
  });
}

constexpr std::array kWorkloads = {
    Workload{"compact", Start::kAsItIs, Crew::kOne, Compact},
    Workload{"flush", Start::kAsItIs, Crew::kOne, FlushAll},
    Workload{"waitforcompaction", Start::kAsItIs, Crew::kOne, WaitForCompaction},
    Workload{"open", Start::kAsItIs, Crew::kOne, Open},
    Workload{"crash", Start::kAsItIs, Crew::kPrinter, Crash},
    Workload{"stats", Start::kAsItIs, Crew::kPrinter, PrintStats},
    Workload{"levelstats", Start::kAsItIs, Crew::kPrinter, PrintLevels},
    Workload{"crc32c", Start::kAsItIs, Crew::kThreads, Checksum},
    Workload{"checksum", Start::kAsItIs, Crew::kThreads, Checksum},
    Workload{"compress", Start::kAsItIs, Crew::kThreads, Compress},
    Workload{"uncompress", Start::kAsItIs, Crew::kThreads, Uncompress},
};

}  // namespace

std::span<const Workload> UpkeepWorkloads() { return kWorkloads; }

}  // namespace cambium::bench
