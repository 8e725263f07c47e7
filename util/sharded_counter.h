// ShardedCounters: counters for hot paths, incremented without writing to a shared cache line.
//
// The first threads of the process have their own shard each and add with a plain load and store;
// later threads share additional shards and add atomically. A sum reads all shards: it is exact
// after the adding threads are done, and never too large before.
#ifndef CAMBIUM_UTIL_SHARDED_COUNTER_H_
#define CAMBIUM_UTIL_SHARDED_COUNTER_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "util/thread_index.h"

namespace cambium {

// `kCount` counters that are incremented together: the counters of one thread are adjacent.
// Thread-safe.
template <size_t kCount>
class ShardedCounters {
 public:
  void Add(size_t counter, uint64_t amount) {
    const uint32_t thread = ThreadIndex();
    if (thread < kOwnShards) {
      std::atomic<uint64_t>& value = shards_[thread].values[counter];
      value.store(value.load(std::memory_order_relaxed) + amount, std::memory_order_relaxed);
    } else {
      shards_[kOwnShards + thread % kCommonShards].values[counter].fetch_add(
          amount, std::memory_order_relaxed);
    }
  }

  uint64_t Sum(size_t counter) const {
    uint64_t sum = 0;
    for (const Shard& shard : shards_) {
      sum += shard.values[counter].load(std::memory_order_relaxed);
    }
    return sum;
  }

 private:
  static constexpr size_t kOwnShards = 28;
  static constexpr size_t kCommonShards = 4;
  struct alignas(128) Shard {
    std::array<std::atomic<uint64_t>, kCount> values{};
  };

  std::array<Shard, kOwnShards + kCommonShards> shards_;
};

}  // namespace cambium

#endif  // CAMBIUM_UTIL_SHARDED_COUNTER_H_
