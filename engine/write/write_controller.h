// WriteController: how fast writers may go, so that flush and compaction keep up without a cliff.
//
// Three debts grow while writers are faster than the background: memtables that wait for their
// flush, runs in level 0, bytes that compaction owes. Each is a pressure between 0 (at its start
// limit or below) and 1 (at its stop limit); the highest pressure p counts. Writers may write
//
//     rate(p) = drain × (1 - p) / p        bytes a second
//
// where drain is the measured speed of that background work. Without pressure the rate is
// unlimited; it falls continuously; where writers come as fast as the background drains, it settles
// at p = 1/2; at p = 1 writers stop. There is no threshold at which throughput jumps.
//
// A delay is paid in sleeps worth having: writes run free until 64 KiB have been admitted, and the
// one that completes them sleeps for all, at least 50 µs. Sleepers queue up behind one another in
// time, so that the rate holds for any number of threads.
#ifndef CAMBIUM_ENGINE_WRITE_WRITE_CONTROLLER_H_
#define CAMBIUM_ENGINE_WRITE_WRITE_CONTROLLER_H_

#include <atomic>
#include <cstdint>
#include <optional>

#include "cambium/clock.h"

namespace cambium::engine {

// What the background owes now, and how fast it has been working. Plain data.
struct WriteLoad {
  int frozen_memtables = 0;
  int level0_runs = 0;
  uint64_t compaction_debt_bytes = 0;
  double flush_bytes_per_second = 0;  // measured; 0: not yet
  double compaction_bytes_per_second = 0;
};

// Where delaying starts and where writers stop. Plain data.
struct WriteLimits {
  double memtables_start = 2;  // frozen ones
  double memtables_stop = 5;
  double level0_start = 8;
  double level0_stop = 32;
  double debt_start_bytes = double{uint64_t{1} << 30};
  double debt_stop_bytes = double{uint64_t{16} << 30};
  double least_drain_bytes_per_second = double{16 << 20};  // where nothing or less was measured
};

// How fast writers may go.
struct WritePressure {
  double pressure = 0;            // 0 … 1
  uint64_t bytes_per_second = 0;  // meaningful where 0 < pressure < 1
};
WritePressure ComputePressure(const WriteLoad& load, const WriteLimits& limits);

// Thread-safe.
class WriteController {
 public:
  static constexpr uint64_t kQuantumBytes = 64 << 10;
  static constexpr uint64_t kLeastDelayMicros = 50;

  // The clock outlives it.
  WriteController(Clock* clock, const WriteLimits& limits) : clock_(clock), limits_(limits) {}

  // The load has changed: a flush or compaction ended, a memtable was frozen or grew.
  void Update(const WriteLoad& load);

  // The microseconds to sleep before a write of that many bytes goes; nullopt where writers are
  // stopped: ask again when background work has changed the load. Without pressure, one relaxed
  // load. Counts the bytes, unless stopped.
  std::optional<uint64_t> Admit(uint64_t bytes);

  bool stopped() const { return rate_.load(std::memory_order_relaxed) == 0; }

 private:
  static constexpr uint64_t kUnlimited = UINT64_MAX;

  Clock* const clock_;
  const WriteLimits limits_;
  std::atomic<uint64_t> rate_{kUnlimited};  // bytes a second; 0: stopped
  std::atomic<uint64_t> unpaid_bytes_{0};
  std::atomic<uint64_t> paid_until_micros_{0};  // when the last sleeper in the queue wakes
};

}  // namespace cambium::engine

#endif  // CAMBIUM_ENGINE_WRITE_WRITE_CONTROLLER_H_
