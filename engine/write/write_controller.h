// WriteController: limits the write rate so that flush and compaction keep up, without sudden
// stalls.
//
// Three debts grow while writers are faster than background work: memtables that wait for their
// flush, runs in level 0, and bytes that compaction must write. Each is converted to a pressure
// between 0 (at or below its start limit) and 1 (at its stop limit); the highest pressure p
// determines the rate:
//     rate(p) = drain × (1 - p) / p        bytes per second
//
// Here drain is the recently measured speed of that background work. Without pressure the rate is
// unlimited; it falls continuously; if writers are as fast as the background work, p settles at
// 1/2; at p = 1 writers stop. There is no threshold at which throughput jumps.
//
// Delays are combined into sleeps of useful length: writes are not delayed until 64 KiB have been
// admitted, and then one write waits for all of them, at least 50 µs. Waiting writers form a queue
// that is measured in bytes and admitted at the rate, so the rate is correct for any number of
// threads:
//
//     let_through_ ──▶ at `rate` bytes per second        queued_
//     ─────────┼──────────────┼─────────────┼───────────────┼─▶ bytes
//              now         ticket of A   ticket of B     ticket of C
//
// A writer does not sleep for its whole wait at once. It sleeps for a short step and checks again,
// so that a changed rate applies to waiting writers, too.
#ifndef CAMBIUM_ENGINE_WRITE_WRITE_CONTROLLER_H_
#define CAMBIUM_ENGINE_WRITE_WRITE_CONTROLLER_H_

#include <atomic>
#include <cstdint>
#include <optional>

#include "cambium/clock.h"
#include "util/mutex.h"

namespace cambium::engine {

// The current backlog of background work, and its recent speed. Plain data.
struct WriteLoad {
  int frozen_memtables = 0;
  int level0_runs = 0;
  uint64_t compaction_debt_bytes = 0;
  double flush_bytes_per_second = 0;  // measured; 0: not measured yet
  double compaction_bytes_per_second = 0;
};

// The limits at which delays start and at which writers stop. Plain data.
struct WriteLimits {
  double memtables_start = 2;  // frozen memtables
  double memtables_stop = 5;
  double level0_start = 8;
  double level0_stop = 32;
  double debt_start_bytes = double{uint64_t{1} << 30};
  double debt_stop_bytes = double{uint64_t{16} << 30};
  double first_guess_bytes_per_second = double{16 << 20};  // until the first job is measured
};

// The write rate and its cause.
struct WritePressure {
  double pressure = 0;            // 0 … 1
  uint64_t bytes_per_second = 0;  // valid if 0 < pressure < 1
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

  // The clock must outlive the controller.
  WriteController(Clock* clock, const WriteLimits& limits)
      : clock_(clock), limits_(limits), updated_micros_(clock->NowMicros()) {}

  // Updates the load: a flush or compaction ended, or a memtable was frozen or grew.
  void Update(const WriteLoad& load) ABSL_LOCKS_EXCLUDED(mutex_);

  // Counts a write of that many bytes. Returns nullopt if it may continue at once, which without
  // pressure costs one relaxed load; otherwise the caller must wait until MicrosLeft() of the
  // ticket is 0.
  std::optional<Ticket> Admit(uint64_t bytes) ABSL_LOCKS_EXCLUDED(mutex_);

  // Returns 0 if the write may continue now; otherwise the number of microseconds, at most
  // kStepMicros, after which to check again.
  uint64_t MicrosLeft(Ticket ticket) ABSL_LOCKS_EXCLUDED(mutex_);

  // Returns true if no writer is admitted.
  bool stopped() const { return rate_.load(std::memory_order_relaxed) == 0; }

 private:
  static constexpr uint64_t kUnlimited = UINT64_MAX;

  // Admits the bytes that the rate allows for the time since the last call.
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
