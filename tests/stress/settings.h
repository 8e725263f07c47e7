// RoundSettings: all settings of one round of the stress program, as a function of seed and round.
#ifndef CAMBIUM_TESTS_STRESS_SETTINGS_H_
#define CAMBIUM_TESTS_STRESS_SETTINGS_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "cambium/options.h"

namespace cambium::stress {

// The location of the files of a round.
enum class Storage { kMemory, kSharedMemory, kDisk };

// The order of the keys.
enum class Order {
  kBytewise,  // the built-in comparator
  kReverse,   // descending bytes
  kFolded,    // ASCII letters of both cases are equal, so one key has several spellings
};

// How often threads yield or sleep at the interfaces between engine and environment.
enum class Noise { kNone, kLight, kHeavy };

// The action of one worker in one step.
enum class Action {
  kPut,  // or a deletion, of one of its own keys
  kBatch,
  kTransfer,
  kGetOwn,
  kGetAny,
  kMultiGet,
  kScan,
  kSum,
  kHold,
  kReread,
  kPrefix,
  kFlush,
  kCompact,
  kVerify,
  kStats,
  kFamily,
  kIdle,
};
inline constexpr size_t kActionCount = 17;
static_assert(static_cast<size_t>(Action::kIdle) + 1 == kActionCount);

std::string_view ActionName(Action action);

// The sizes of values, per 10,000 versions; the rest are of medium size.
struct ValueShape {
  uint32_t deletions = 1200;
  uint32_t empty = 400;
  uint32_t tiny = 600;        // below 8 bytes
  uint32_t large = 40;        // around 64 KiB
  uint32_t huge = 2;          // more than a memtable
  size_t medium_bytes = 300;  // at most
  size_t huge_bytes = 0;
};

// Plain data; a copy is made per round.
struct RoundSettings {
  uint64_t seed = 0;
  uint64_t round = 0;
  Storage storage = Storage::kMemory;
  Order order = Order::kBytewise;
  Noise noise = Noise::kNone;
  bool faults = false;        // injected errors and delays
  bool lies = false;          // with faults: some reads of tables are short
  bool crashes = false;       // crash clones; only in memory
  bool hide_mapping = false;  // the log is written by position
  Options options;            // without file system, executor, clock and comparator
  ValueShape values;
  uint32_t callers = 1;
  uint32_t keys = 1000;
  size_t key_padding = 0;  // maximum number of bytes after the number in a key
  uint32_t groups = 4;     // of accounts
  uint32_t synced_percent = 1;
  uint32_t unlogged_percent = 0;  // fraction of the workers
  std::array<uint32_t, kActionCount> weights = {};
  uint32_t sessions = 3;  // how often the database is opened
  uint64_t session_millis = 1000;
};

// Returns the settings on one line.
std::string Describe(const RoundSettings& settings);

// `speed_divisor` is how much slower this build is than a plain one.
RoundSettings DrawRound(uint64_t seed, uint64_t round, uint64_t speed_divisor);

}  // namespace cambium::stress

#endif  // CAMBIUM_TESTS_STRESS_SETTINGS_H_
