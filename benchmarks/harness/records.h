// Records: YCSB's records, to which workloads D and E add while they run.
#ifndef CAMBIUM_BENCHMARKS_HARNESS_RECORDS_H_
#define CAMBIUM_BENCHMARKS_HARNESS_RECORDS_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <queue>
#include <vector>

#include "benchmarks/harness/data.h"

namespace cambium::bench {

// Records are numbered from 0 in the order in which they are added; their keys are scattered, as in
// YCSB. Thread-safe.
class Records {
 public:
  // `loaded` records exist already.
  explicit Records(uint64_t loaded) : next_(loaded), readable_(loaded) {}

  // Returns the number of a record's key, which no other benchmark uses.
  uint64_t KeyNumber(uint64_t record) const { return kFirstKey + scatter_.At(record); }

  // Returns the number of a new record; call Acknowledge when it is in the database.
  uint64_t Add() { return next_.fetch_add(1); }
  void Acknowledge(uint64_t record);
  // All records below the result can be read.
  uint64_t Readable() const { return readable_.load(std::memory_order_acquire); }

 private:
  static constexpr uint64_t kFirstKey = uint64_t{1} << 48;
  static constexpr uint64_t kKeys = uint64_t{1} << 36;
  static constexpr uint64_t kSeed = 0;

  const Permutation scatter_{kKeys, kSeed};
  std::atomic<uint64_t> next_;
  std::atomic<uint64_t> readable_;
  std::mutex mutex_;
  // Acknowledged records above one that is not; guarded by mutex_.
  std::priority_queue<uint64_t, std::vector<uint64_t>, std::greater<>> early_;
};

}  // namespace cambium::bench

#endif  // CAMBIUM_BENCHMARKS_HARNESS_RECORDS_H_
