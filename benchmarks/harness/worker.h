// Worker: what one thread of a benchmark works with, and the one loop that all benchmarks run in.
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

// What the threads of a benchmark have in common. Thread-safe.
struct Shared {
  const Settings* settings;
  const ValueSource* values;
  Database* database;
  LiveKeys* live;                             // null where nobody asks for it
  Records* records;                           // YCSB's
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
  std::unique_ptr<Session> session;  // null where one thread does something with the whole engine
  std::string key;                   // room for one
};

// What came of one operation, or of several that were one call. Plain data.
struct Outcome {
  Kind kind = Kind::kOther;
  absl::Status status;
  int64_t count = 1;
  uint64_t read = 0, written = 0;  // user bytes
  bool is_last = false;            // there is nothing more to do
};

// When a thread is done. Plain data; neither: when its operation says so.
struct Bounds {
  int64_t operations = INT64_MAX;
  double seconds = 0;
  bool is_paced = true;  // by --rate, where it is set
};
// `count` operations, as a flag gave them or --num did; where --duration is set, its seconds, and
// the operations only if a flag gave them.
Bounds ReadBounds(const Work& work);
Bounds WriteBounds(const Work& work);

// Counts and times a thread's operations; tells when it is done, and lets each begin when it is
// due. Confined to its thread.
class Loop {
 public:
  Loop(Worker* worker, const Bounds& bounds);

  // Waits where operations are paced.
  bool More();
  void Done(const Outcome& outcome);
  int64_t Left() const { return bounds_.operations - worker_->measured.operations(); }

 private:
  bool IsPastDeadline();
  // Writers wait here for their part of --benchmark_write_rate_limit.
  void PayForWrite(uint64_t bytes);

  Worker* const worker_;
  const Bounds bounds_;
  const bool with_latencies_;
  const uint64_t started_;
  uint64_t deadline_ = 0;     // 0: none
  int until_look_ = 0;        // operations until the next look at the clock for it
  double nanos_between_ = 0;  // of the starts of this thread's operations; 0: no pace
  bool ended_ = false;        // the operation said so
  uint64_t due_ = 0;          // start of the operation that runs, where there is a pace
};

// Runs `operation`, an Outcome(), until the thread is done.
template <typename Operation>
void Repeat(Worker* worker, const Bounds& bounds, Operation operation) {
  Loop loop(worker, bounds);
  while (loop.More()) loop.Done(operation());
}

// The same beside other threads, until they have ended, at its own pace.
template <typename Operation>
void RepeatUntil(Worker* worker, const std::atomic<bool>& over, Operation operation) {
  Repeat(worker, {.is_paced = false}, [&] {
    Outcome outcome = operation();
    outcome.is_last |= over.load(std::memory_order_relaxed);
    return outcome;
  });
}

// The bytes that writing or reading one entry moves.
inline uint64_t Bytes(std::string_view key, std::string_view value) {
  return key.size() + value.size();
}

// Puts worker->key.
Outcome PutKey(Worker* worker, std::string_view value, Durability durability);
// Puts the key of `number` with its value, as durable as --sync and --disable_wal have it.
Outcome PutNumber(Worker* worker, uint64_t number);
// Looks worker->key up and counts what was found.
Outcome GetKey(Worker* worker, std::optional<std::string_view>* value);
// Looks the key of `number` up, and checks its value where that is asked for.
Outcome GetNumber(Worker* worker, uint64_t number);
// Two operations that are one update.
Outcome Both(const Outcome& first, const Outcome& second);
// An error where `value` is not the value of `number` and values are checked.
void CheckValue(Worker* worker, uint64_t number, std::string_view value);
// The same for an entry of a scan; null where values are not checked.
EntryCheck CheckEntries(Worker* worker);

}  // namespace cambium::bench

#endif  // CAMBIUM_BENCHMARKS_HARNESS_WORKER_H_
