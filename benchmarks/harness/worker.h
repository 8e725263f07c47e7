// Worker: the state of one thread of a benchmark, and the loop that all benchmarks use.
#ifndef CAMBIUM_BENCHMARKS_HARNESS_WORKER_H_
#define CAMBIUM_BENCHMARKS_HARNESS_WORKER_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "benchmarks/engines/engine.h"
#include "benchmarks/harness/data.h"
#include "benchmarks/harness/database.h"
#include "benchmarks/harness/live_keys.h"
#include "benchmarks/harness/measured.h"
#include "benchmarks/harness/records.h"
#include "benchmarks/harness/settings.h"
#include "util/random.h"

namespace cambium::bench {

// The shared state of the threads of a benchmark. Thread-safe.
struct Shared {
  const Settings* settings;
  const ValueSource* values;
  Database* database;
  LiveKeys* live;                             // null if it is not needed
  Records* records;                           // for YCSB
  std::atomic<uint64_t> next_write_nanos{0};  // when the write limit allows the next byte
};

// Confined to its thread.
struct Worker {
  Worker(Shared* shared_by_all, int thread_index, uint64_t seed)
      : shared(shared_by_all), index(thread_index), random(seed) {}

  const Work& work() const { return shared->settings->work; }
  void MakeKeyOf(uint64_t number) { MakeKey(number, shared->settings->data.key_size, &key); }
  uint64_t RandomNumber() { return random.Uniform(static_cast<uint64_t>(work().num)); }
  void Fail(std::string_view why) {
    if (measured.totals.error.empty()) measured.totals.error = why;
  }

  Shared* const shared;
  const int index;  // of the thread
  Random random;
  Measured measured;
  std::unique_ptr<Session> session;  // null if one thread uses the whole engine
  std::string key;                   // buffer for one key
};

// The result of one operation, or of several in one call. Plain data.
struct Outcome {
  Kind kind = Kind::kOther;
  absl::Status status;
  int64_t count = 1;
  uint64_t read = 0, written = 0;  // user bytes
  bool is_last = false;            // there is no more work
};

// When a thread is done. Plain data; without either bound: when its operation says so.
struct Bounds {
  int64_t operations = INT64_MAX;
  double seconds = 0;
  bool is_paced = true;  // by --rate, if it is set
};
// `count` operations, from a flag or --num. If --duration is set, its seconds, and a number of
// operations only if a flag sets it.
Bounds ReadBounds(const Work& work);
Bounds WriteBounds(const Work& work);

// Counts and times a thread's operations; determines when it is done, and lets each operation begin
// when it is due. Confined to its thread.
class Loop {
 public:
  Loop(Worker* worker, const Bounds& bounds);

  // Returns false if the thread is done. Waits if operations are paced.
  bool More();
  void Done(const Outcome& outcome);
  int64_t Left() const { return bounds_.operations - worker_->measured.operations(); }

 private:
  bool IsPastDeadline();
  // Waits as --benchmark_write_rate_limit requires for a write of `bytes`.
  void PayForWrite(uint64_t bytes);

  Worker* const worker_;
  const Bounds bounds_;
  const bool with_latencies_;
  const uint64_t started_;
  uint64_t deadline_ = 0;     // 0: none
  int until_look_ = 0;        // operations until the next check of the clock
  double nanos_between_ = 0;  // between the starts of this thread's operations; 0: no pace
  bool ended_ = false;        // the operation ended it
  uint64_t due_ = 0;          // start of the current operation, if there is a pace
};

// Runs `operation`, which returns an Outcome, until the thread is done.
template <typename Operation>
void Repeat(Worker* worker, const Bounds& bounds, Operation operation) {
  Loop loop(worker, bounds);
  while (loop.More()) loop.Done(operation());
}

// Does the same in parallel with other threads, until they have ended, at its own pace.
template <typename Operation>
void RepeatUntil(Worker* worker, const std::atomic<bool>& over, Operation operation) {
  Repeat(worker, {.is_paced = false}, [&] {
    Outcome outcome = operation();
    outcome.is_last |= over.load(std::memory_order_relaxed);
    return outcome;
  });
}

// Returns the bytes that writing or reading one entry moves.
inline uint64_t Bytes(std::string_view key, std::string_view value) {
  return key.size() + value.size();
}

// Puts worker->key.
Outcome PutKey(Worker* worker, std::string_view value, Durability durability);
// Puts the key of `number` with its value, with the durability of --sync and --disable_wal.
Outcome PutNumber(Worker* worker, uint64_t number);
// Looks up worker->key and counts whether it was found.
Outcome GetKey(Worker* worker, std::optional<std::string_view>* value);
// Looks up the key of `number`, and checks its value if that is requested.
Outcome GetNumber(Worker* worker, uint64_t number);
// Combines two operations that are one update.
Outcome Both(const Outcome& first, const Outcome& second);
// Records an error if `value` is not the value of `number` and values are checked.
void CheckValue(Worker* worker, uint64_t number, std::string_view value);
// Returns the same check for entries of a scan; null if values are not checked.
EntryCheck CheckEntries(Worker* worker);

}  // namespace cambium::bench

#endif  // CAMBIUM_BENCHMARKS_HARNESS_WORKER_H_
