#include "engine/context.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <thread>
#include <utility>

#include "base/file_names.h"
#include "base/limits.h"
#include "compaction/run_iterator.h"
#include "env/clock.h"
#include "env/thread_pool.h"
#include "memtable/memtable.h"
#include "util/status_macros.h"

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
  if (options.max_open_files == 0) options.max_open_files = env::ChooseMaxOpenFiles();
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
  assert(plan.frozen_limit >= 1 && plan.frozen_limit <= kMaxFrozenMemtables);
  assert(plan.memtable_bytes >= kMinMemtable && plan.segment_bytes >= kMinSegmentSize);
  return plan;
}

Context::Context(const Options& user_options, std::string directory)
    : path(std::move(directory)),
      options(Resolve(user_options)),
      order(options.comparator),
      memory(PlanMemory(options)),
      snapshots(std::make_shared<SnapshotList>()),
      files(std::make_unique<env::PooledFileSystem>(options.file_system.get(),
                                                    static_cast<size_t>(options.max_open_files))),
      chunks(memtable::MemTable::ChunkBytesFor(memory.memtable_bytes), 2 * memory.memtable_bytes),
      cache(memory.block_cache_bytes, &epochs),
      tables({files.get(), path, order, &cache}),
      reaper(files.get(), options.executor.get(), path) {}

absl::Status Context::Noted(absl::Status status, FileNumber table) {
  assert(!absl::IsNotFound(status));
  if (absl::IsDataLoss(status)) errors.NoteDamage(status, TablePath(path, table));
  return status;
}

absl::Status Context::VerifyTable(const LiveTable& table) {
  const absl::StatusOr<const sstable::TableReader*> reader = table.table().reader();
  return Noted(reader.ok() ? (*reader)->Verify(table.file().digest) : reader.status(),
               table.file().number);
}

std::unique_ptr<InternalIterator> Context::NewRunIterator(
    const TableSlice& slice, const sstable::TableIteratorOptions& how) {
  assert(slice.files.size() == slice.tables.size());
  compaction::RunSource source;
  source.files = slice.files;
  source.open = [tables = slice.tables,
                 how](size_t index) -> absl::StatusOr<std::unique_ptr<InternalIterator>> {
    ASSIGN_OR_RETURN(const sstable::TableReader* const reader, tables[index]->table().reader());
    return reader->NewIterator(how);
  };
  source.on_error = [this, tables = slice.tables](size_t index, const absl::Status& error) {
    Noted(error, tables[index]->file().number).IgnoreError();
  };
  return compaction::NewRunIterator(order, std::move(source));
}

}  // namespace cambium::engine
