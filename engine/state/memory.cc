#include "engine/state/memory.h"

#include <algorithm>
#include <bit>
#include <cassert>

#include "base/limits.h"
#include "memtable/memtable.h"

namespace cambium::engine {
namespace {

constexpr size_t kMinMemtable = size_t{64} << 10;
constexpr size_t kMaxChosenMemtable = size_t{64} << 20;
constexpr size_t kMinBlockCache = size_t{64} << 10;
// The default memtable is this fraction of the budget; all memtables together use at most
// kMemtableParts such fractions.
constexpr size_t kBudgetParts = 8;
constexpr size_t kMemtableParts = 5;

}  // namespace

MemoryPlan PlanMemory(const Options& options) {
  const size_t budget = std::max(options.memory_budget, kMinMemoryBudget);
  MemoryPlan plan;
  plan.memtable_bytes = options.memtable_size != 0
                            ? std::max(options.memtable_size, kMinMemtable)
                            : std::clamp(budget / kBudgetParts, kMinMemtable, kMaxChosenMemtable);
  const size_t for_memtables = budget / kBudgetParts * kMemtableParts;
  plan.frozen_limit = static_cast<int>(std::clamp<size_t>(for_memtables / plan.memtable_bytes, 2,
                                                          kMaxFrozenMemtables + 1)) -
                      1;
  const size_t memtables = plan.memtable_bytes * static_cast<size_t>(plan.frozen_limit + 1);
  plan.block_cache_bytes =
      options.block_cache_size != 0
          ? options.block_cache_size
          : std::max(budget / kBudgetParts, budget - std::min(budget, memtables));
  plan.block_cache_bytes = std::max(plan.block_cache_bytes, kMinBlockCache);
  plan.segment_bytes = std::clamp<uint64_t>(std::bit_ceil(plan.memtable_bytes), kMinSegmentSize,
                                            kDefaultSegmentSize);
  // One tree never needs more log than its memtables: above twice that, an idle tree holds the log.
  plan.log_bytes = 2 * (plan.memtable_bytes + plan.frozen_bytes() + plan.segment_bytes);
  assert(plan.frozen_limit >= 1 && plan.frozen_limit <= kMaxFrozenMemtables);
  assert(plan.memtable_bytes >= kMinMemtable && plan.segment_bytes >= kMinSegmentSize);
  return plan;
}

Memory::Memory(const Options& options, EpochDomain* epochs)
    : plan(PlanMemory(options)),
      chunks(memtable::MemTable::ChunkBytesFor(plan.memtable_bytes), 2 * plan.memtable_bytes),
      tiny_chunks(memtable::MemTable::ChunkBytesFor(0), 0),
      cache(plan.block_cache_bytes, epochs),
      no_memtable(std::make_shared<MemSlot>(KeyOrder(BytewiseComparator()), &tiny_chunks, 0)) {}

}  // namespace cambium::engine
