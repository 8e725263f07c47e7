#include "engine/context.h"

#include <algorithm>
#include <bit>
#include <thread>
#include <utility>

#include "base/file_names.h"
#include "base/limits.h"
#include "compaction/run_iterator.h"
#include "env/clock.h"
#include "env/thread_pool.h"
#include "memtable/memtable.h"

namespace cambium::engine {
namespace {

constexpr size_t kMinMemoryBudget = size_t{1} << 20;
constexpr size_t kMinMemtable = size_t{64} << 10;
constexpr size_t kMaxChosenMemtable = size_t{64} << 20;
constexpr size_t kMinBlockCache = size_t{64} << 10;
// One chosen memtable is this part of the budget; what all of them take is at most kMemtableParts
// of those.
constexpr size_t kBudgetParts = 8;
constexpr size_t kMemtableParts = 5;
constexpr int kMaxBackgroundThreads = 8;

int ChosenThreads() {
  const int cores = static_cast<int>(std::thread::hardware_concurrency());
  return std::clamp(cores, 2, kMaxBackgroundThreads);
}

Options Resolve(Options options) {
  options.memory_budget = std::max(options.memory_budget, kMinMemoryBudget);
  if (options.background_threads <= 0) options.background_threads = ChosenThreads();
  if (options.file_system == nullptr) options.file_system = DefaultFileSystem();
  if (options.clock == nullptr) options.clock = env::DefaultClock();
  if (options.executor == nullptr) {
    options.executor = std::make_shared<env::ThreadPool>(options.background_threads);
  }
  options.target_file_size = std::max<uint64_t>(options.target_file_size, kMinMemtable);
  return options;
}

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
  return plan;
}

Context::Context(const Options& user_options, std::string directory)
    : path(std::move(directory)),
      options(Resolve(user_options)),
      order(options.comparator),
      memory(PlanMemory(options)),
      snapshots(std::make_shared<SnapshotList>()),
      chunks(memtable::MemTable::ChunkBytesFor(memory.memtable_bytes), 2 * memory.memtable_bytes),
      cache(memory.block_cache_bytes, &epochs),
      tables({options.file_system.get(), path, order, &cache}),
      reaper(options.file_system.get(), path) {}

absl::Status Context::Noted(absl::Status status, FileNumber table) {
  if (absl::IsDataLoss(status)) errors.NoteDamage(status, TablePath(path, table));
  return status;
}

absl::Status Context::VerifyTable(const manifest::FileMetadata& file) {
  const auto handle = tables.GetHandle(file.number, file.file_size);
  const absl::StatusOr<const sstable::TableReader*> reader = handle->reader();
  return Noted(reader.ok() ? (*reader)->Verify(file.digest) : reader.status(), file.number);
}

std::unique_ptr<InternalIterator> Context::NewRunIterator(
    std::vector<manifest::FileRef> files, const sstable::TableIteratorOptions& how) {
  auto open =
      [this,
       how](const manifest::FileRef& file) -> absl::StatusOr<std::unique_ptr<InternalIterator>> {
    const absl::StatusOr<const sstable::TableReader*> reader =
        tables.GetHandle(file->number, file->file_size)->reader();
    if (!reader.ok()) return Noted(reader.status(), file->number);
    return (*reader)->NewIterator(how);
  };
  return compaction::NewRunIterator(order, std::move(files), std::move(open));
}

}  // namespace cambium::engine
