// WriteController: how fast writers may go, so that flush and compaction keep up without a cliff.
//
// Three debts grow while writers are faster than the background: memtables that wait for their
// flush, runs in level 0, bytes that compaction owes. Each is a pressure between 0 (at its start
// limit or below) and 1 (at its stop limit); the highest pressure p counts. Writers may write
//
//     rate(p) = drain × (1 - p) / p        bytes per second
//
// where drain is the recently measured speed of that background work. Without pressure the rate is
// unlimited; it falls continuously; if writers come as fast as the background drains, it settles at
// p = 1/2; at p = 1 writers stop. There is no threshold at which throughput jumps.
//
// A delay is paid in sleeps worth having: writes run free until 64 KiB have been admitted, and the
// one that completes them waits for all of them, at least 50 µs. Waiting writers stand in a queue
// that is measured in bytes and let through at the rate, so that the rate holds for any number of
// threads:
//
//     let_through_ ──▶ at `rate` bytes per second        queued_
//     ─────────┼──────────────┼─────────────┼───────────────┼─▶ bytes
//              now         ticket of A   ticket of B     ticket of C
//
// A writer never sleeps until its turn in one piece. It sleeps a short step and asks again, so that
// a rate that has changed, in either direction, counts for those who wait already.
#ifndef CAMBIUM_ENGINE_WRITE_WRITE_CONTROLLER_H_
#define CAMBIUM_ENGINE_WRITE_WRITE_CONTROLLER_H_

#include <atomic>
#include <cstdint>
#include <optional>

#include "cambium/clock.h"
#include "util/mutex.h"

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
  double first_guess_bytes_per_second = double{16 << 20};  // until the first job was measured
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
  static constexpr uint64_t kStepMicros = 10'000;

  // A place in the queue of waiting writers.
  enum class Ticket : uint64_t {};

  // The clock outlives it.
  WriteController(Clock* clock, const WriteLimits& limits)
      : clock_(clock), limits_(limits), updated_micros_(clock->NowMicros()) {}

  // The load has changed: a flush or compaction ended, a memtable was frozen or grew.
  void Update(const WriteLoad& load) ABSL_LOCKS_EXCLUDED(mutex_);

  // Counts a write of that many bytes. Returns nullopt if it may go at once, which without pressure
  // costs one relaxed load; otherwise the caller waits until MicrosLeft() of the ticket is 0.
  std::optional<Ticket> Admit(uint64_t bytes) ABSL_LOCKS_EXCLUDED(mutex_);

  // Returns 0 if the write may go now; otherwise after how many microseconds, at most kStepMicros,
  // to ask again.
  uint64_t MicrosLeft(Ticket ticket) ABSL_LOCKS_EXCLUDED(mutex_);

  // Returns true if no writer is let through at all.
  bool stopped() const { return rate_.load(std::memory_order_relaxed) == 0; }

 private:
  static constexpr uint64_t kUnlimited = UINT64_MAX;

  // Lets through what the rate allows for the time since the last call.
  void LetThrough() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  Clock* const clock_;
  const WriteLimits limits_;
  std::atomic<uint64_t> rate_{kUnlimited};  // bytes per second; 0: stopped. Written under mutex_
  std::atomic<uint64_t> unpaid_bytes_{0};
  Mutex mutex_;
  uint64_t queued_ ABSL_GUARDED_BY(mutex_) = 0;     // bytes that ever entered the queue
  double let_through_ ABSL_GUARDED_BY(mutex_) = 0;  // bytes that ever left it; at most queued_
  uint64_t updated_micros_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace cambium::engine

#endif  // CAMBIUM_ENGINE_WRITE_WRITE_CONTROLLER_H_
