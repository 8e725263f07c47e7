#include "tests/stress/settings.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "util/random.h"

namespace cambium::stress {
namespace {

constexpr std::array<std::string_view, kActionCount> kActionNames = {
    "put",     "batch",  "transfer", "get-own", "get-any",      "multi-get",
    "scan",    "sum",    "hold",     "reread",  "prefix",       "flush",
    "compact", "verify", "stats",    "family",  "wait-for-idle"};

// Of 20,000 steps, before a round changes them.
constexpr std::array<uint32_t, kActionCount> kWeights = {
    6000, 1600, 2000, 3000, 3000, 800, 700, 500, 100, 160, 16, 8, 5, 5, 80, 80, 2};

template <typename T, size_t kCount>
T Pick(Random* random, const std::array<T, kCount>& choices) {
  return choices[random->Uniform(kCount)];
}

Options DrawOptions(Random* random) {
  constexpr size_t kKib = 1024;
  constexpr size_t kMib = 1024 * kKib;
  Options options;
  options.memory_budget =
      Pick<size_t, 5>(random, {1 * kMib, 1 * kMib, 2 * kMib, 4 * kMib, 16 * kMib});
  options.memtable_size =
      Pick<size_t, 6>(random, {64 * kKib, 64 * kKib, 100 * kKib, 256 * kKib, 1 * kMib, 0});
  options.block_cache_size = Pick<size_t, 4>(random, {0, 0, 64 * kKib, 1 * kMib});
  options.background_threads = static_cast<int>(1 + random->Uniform(4));
  options.compression = random->Uniform(2) == 0 ? Compression::kNone : Compression::kZstd;
  options.filter_bits_per_key = Pick<double, 5>(random, {0, 1, 7.5, 10, 20});
  options.target_file_size =
      Pick<uint64_t, 5>(random, {16 * kKib, 32 * kKib, 64 * kKib, 256 * kKib, 2 * kMib});
  return options;
}

ValueShape DrawValues(Random* random, const Options& options) {
  ValueShape values;
  values.deletions = Pick<uint32_t, 4>(random, {0, 500, 1200, 4000});
  values.medium_bytes = Pick<size_t, 4>(random, {20, 120, 300, 3000});
  values.large = Pick<uint32_t, 4>(random, {0, 4, 20, 100});
  values.huge = Pick<uint32_t, 4>(random, {0, 0, 1, 4});
  const size_t memtable =
      options.memtable_size == 0 ? options.memory_budget / 8 : options.memtable_size;
  values.huge_bytes = memtable + memtable / 2;
  return values;
}

std::string_view StorageName(Storage storage) {
  constexpr std::array<std::string_view, 3> kNames = {"memory", "shm", "disk"};
  return kNames[static_cast<size_t>(storage)];
}

}  // namespace

std::string_view ActionName(Action action) { return kActionNames[static_cast<size_t>(action)]; }

RoundSettings DrawRound(uint64_t seed, uint64_t round, uint64_t speed_divisor) {
  Random random(MixBits(seed) ^ round);
  RoundSettings settings;
  settings.seed = seed;
  settings.round = round;
  // In turn, so that few rounds see them all: crashes, the real thing, faults, both, real faults.
  const uint64_t turn = (seed + round) % 5;
  settings.storage = turn == 0 || turn == 2 || turn == 3
                         ? Storage::kMemory
                         : (random.Uniform(4) == 0 ? Storage::kDisk : Storage::kSharedMemory);
  settings.crashes = turn == 0 || turn == 3;
  settings.faults = turn >= 2;
  settings.lies = settings.faults && random.Uniform(4) == 0;
  settings.order = Pick<Order, 4>(
      &random, {Order::kBytewise, Order::kBytewise, Order::kReverse, Order::kFolded});
  settings.noise =
      Pick<Noise, 4>(&random, {Noise::kNone, Noise::kLight, Noise::kLight, Noise::kHeavy});
  settings.options = DrawOptions(&random);
  settings.values = DrawValues(&random, settings.options);
  settings.hide_mapping = random.Uniform(3) == 0;
  settings.callers = Pick<uint32_t, 8>(&random, {1, 2, 3, 4, 6, 8, 16, 32});
  settings.keys =
      std::max(settings.callers, Pick<uint32_t, 6>(&random, {8, 64, 500, 500, 4000, 20000}));
  settings.key_padding = Pick<size_t, 5>(&random, {0, 0, 20, 200, 3000});
  settings.groups = Pick<uint32_t, 4>(&random, {1, 2, 8, 30});
  settings.synced_percent = Pick<uint32_t, 5>(&random, {0, 1, 5, 20, 100});
  settings.unlogged_percent = Pick<uint32_t, 4>(&random, {0, 0, 25, 60});
  for (size_t i = 0; i < kActionCount; ++i) {
    settings.weights[i] = kWeights[i] * Pick<uint32_t, 5>(&random, {1, 2, 4, 4, 16});
  }
  settings.sessions = static_cast<uint32_t>(2 + random.Uniform(3));
  settings.session_millis = (300 + random.Uniform(1500)) * (speed_divisor > 1 ? 2 : 1);
  return settings;
}

std::string Describe(const RoundSettings& settings) {
  const Options& options = settings.options;
  const ValueShape& values = settings.values;
  std::string text = absl::StrCat(
      "storage=", StorageName(settings.storage).data(), settings.faults ? " faults" : "",
      settings.lies ? " lies" : "", settings.crashes ? " crashes" : "",
      settings.hide_mapping ? " hide-mapping" : "", " order=", static_cast<int>(settings.order),
      " noise=", static_cast<int>(settings.noise), " callers=", settings.callers,
      " keys=", settings.keys, " key-padding=", settings.key_padding, " groups=", settings.groups);
  absl::StrAppend(&text, " synced=", settings.synced_percent,
                  "% unlogged=", settings.unlogged_percent, "% sessions=", settings.sessions, "x",
                  settings.session_millis, "ms budget=", options.memory_budget,
                  " memtable=", options.memtable_size, " cache=", options.block_cache_size);
  absl::StrAppend(&text, " file=", options.target_file_size,
                  " background=", options.background_threads,
                  " compression=", static_cast<int>(options.compression),
                  " filter=", options.filter_bits_per_key, " deletions=", values.deletions,
                  " medium=", values.medium_bytes, " large=", values.large);
  absl::StrAppend(&text, " huge=", values.huge);
  return text;
}

}  // namespace cambium::stress
