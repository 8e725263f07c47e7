// cambium_stress: many threads do everything at once to small databases, and check all they see.
//
//   cambium_stress [--seed=N] [--seconds=N] [--round=N] [--rounds=N] [--scratch=DIRECTORY]
//
// A run is a sequence of rounds. A round draws its options from seed and round: file system (real
// or in memory), injected faults, crash clones, sizes, threads, comparator, schedule noise, what
// the workers do how often. Each round prints a line; a failure prints what is wrong and the line
// that repeats the round. The schedule of the threads is not a function of the seed: repeat the
// line a few times, with more --seconds.
//
// What is checked, and where:
//   worker_writes.cc   each write is acknowledged, or a fault excuses it; conditional writes read
//                      what the worker wrote last
//   worker_reads.cc    own writes are read back, other's versions never go back, scans in both
//                      directions are in order, snapshots do not change, sums are constant
//   model/prefix.cc    what a snapshot or a crash shows is a prefix of the order of commits
//   crashes.cc         what was synced is there after a crash
//   faults.cc          writes go on when the faults are over
//   round.cc           everything is there after Close and Open, and no file is left over
//   harness/           no descriptor, thread or memory is left over
//                      every thread makes progress
//
// Exit status: 0 all well, 1 a check failed, 2 wrong usage, 3 a hang; else what a crash gives.
#include <array>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "env/entropy.h"
#include "tests/stress/harness/report.h"
#include "tests/stress/harness/resources.h"
#include "tests/stress/harness/stacks.h"
#include "tests/stress/harness/watchdog.h"
#include "tests/stress/model/history.h"
#include "tests/stress/round.h"
#include "tests/stress/settings.h"

namespace cambium::stress {
namespace {

struct Flags {
  uint64_t seed = 0;
  uint64_t seconds = 60;
  std::optional<uint64_t> round;   // only that one, again and again
  uint64_t rounds = ~uint64_t{0};  // at most
  std::string scratch;
};

bool ParseNumber(std::string_view text, uint64_t* number) {
  const char* const end = text.data() + text.size();
  const auto result = std::from_chars(text.data(), end, *number);
  return result.ec == std::errc() && result.ptr == end;
}

bool ParseFlag(std::string_view argument, Flags* flags) {
  const size_t equals = argument.find('=');
  if (equals == std::string_view::npos) return false;
  const std::string_view name = argument.substr(0, equals);
  const std::string_view text = argument.substr(equals + 1);
  if (name == "--seed") return ParseNumber(text, &flags->seed);
  if (name == "--seconds") return ParseNumber(text, &flags->seconds);
  if (name == "--rounds") return ParseNumber(text, &flags->rounds);
  if (name == "--round") return ParseNumber(text, &flags->round.emplace());
  if (name != "--scratch") return false;
  flags->scratch = text;
  return true;
}

uint64_t RandomSeed() {
  std::array<uint8_t, 4> bytes;
  env::FillRandom(bytes);
  uint64_t seed = 0;
  for (const uint8_t byte : bytes) seed = seed << 8 | byte;
  return seed;
}

// What every run of some length must have met. Empty, or what it has not.
std::string Missing(const Reporter& reporter, uint64_t rounds, bool single) {
  for (const Count count : {Count::kOperations, Count::kFlushes, Count::kCompactions, Count::kOpens,
                            Count::kSnapshots, Count::kPrefixes}) {
    if (rounds > 2 && reporter.Get(count) == 0) return "something that every run does";
  }
  if (single || rounds < 5) return "";
  for (const Count count : {Count::kFaults, Count::kResumes, Count::kCrashClones}) {
    if (reporter.Get(count) == 0) return "faults, resumes or crash clones";
  }
  return "";
}

int Main(const Flags& flags) {
  Reporter reporter("cambium_stress");
  DumpOnFatalSignals(&reporter);
  std::printf("cambium_stress --seed=%llu --seconds=%llu\n",
              static_cast<unsigned long long>(flags.seed),
              static_cast<unsigned long long>(flags.seconds));
  const Watchdog watchdog(&reporter);
  const uint64_t start = NowNanos();
  const auto seconds = [start] { return (NowNanos() - start) / 1'000'000'000; };
  const Resources before = ResourcesNow();
  uint64_t rounds = 0;
  for (; rounds < flags.rounds && seconds() < flags.seconds && !reporter.failed(); ++rounds) {
    const uint64_t number = flags.round.value_or(rounds);
    const RoundSettings settings = DrawRound(flags.seed, number, kSlowness);
    const std::string arguments =
        absl::StrCat("--seed=", flags.seed, " --round=", number, " --seconds=60");
    reporter.SetRepeatLine(arguments, Describe(settings));
    std::printf("%4llu s, round %llu: %s\n", static_cast<unsigned long long>(seconds()),
                static_cast<unsigned long long>(number), Describe(settings).c_str());
    std::fflush(stdout);
    Round(settings, flags.scratch, &reporter).Run();
    const std::string growth = LastingGrowth(before);
    if (!growth.empty() && !reporter.failed()) reporter.Fail(growth);
  }
  const std::string missing = Missing(reporter, rounds, flags.round.has_value());
  if (!missing.empty() && !reporter.failed()) reporter.Fail(absl::StrCat("never met: ", missing));
  std::printf("stress %s: rounds=%llu seconds=%llu %s\n", reporter.failed() ? "FAILED" : "passed",
              static_cast<unsigned long long>(rounds), static_cast<unsigned long long>(seconds()),
              reporter.CountsLine().c_str());
  return reporter.failed() ? 1 : 0;
}

}  // namespace
}  // namespace cambium::stress

int main(int argc, char** argv) {
  cambium::stress::Flags flags;
  flags.seed = cambium::stress::RandomSeed();
  for (int i = 1; i < argc; ++i) {
    if (cambium::stress::ParseFlag(argv[i], &flags)) continue;
    std::fprintf(stderr,
                 "usage: cambium_stress [--seed=N] [--seconds=N] [--round=N] [--rounds=N] "
                 "[--scratch=DIRECTORY]\n");
    return 2;
  }
  return cambium::stress::Main(flags);
}
