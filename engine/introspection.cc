// Counters, properties, and sizes of a database.
#include <algorithm>
#include <charconv>
#include <optional>
#include <span>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "cambium/db.h"
#include "engine/database.h"
#include "sstable/table/table_reader.h"

namespace cambium {
namespace {

using engine::LiveTable;
using engine::MemSlot;
using engine::ReadView;
using engine::RunView;
using engine::Tree;

void AddRuns(std::span<const manifest::Run> runs, LevelStats* stats) {
  stats->runs += runs.size();
  for (const manifest::Run& run : runs) {
    stats->bytes += run.bytes;
    for (const manifest::FileRef& file : run.files) {
      ++stats->files;
      stats->entries += file->entries;
      stats->tombstones += file->tombstones;
    }
  }
}

void AddTree(const ReadView& view, Stats* stats) {
  stats->memtable_bytes_now += view.active->takes_writes() ? view.active->table.MemoryUsage() : 0;
  for (const std::shared_ptr<MemSlot>& slot : view.frozen) {
    stats->memtable_bytes_now += slot->table.MemoryUsage();
  }
  stats->frozen_memtables_now += view.frozen.size();
  stats->live_bytes_now += view.tables->version->TotalBytes();
  for (int level = 0; level < kLevelCount; ++level) {
    AddRuns(view.tables->version->runs(level), &stats->levels[static_cast<size_t>(level)]);
  }
}

std::string LevelsText(const Stats& stats) {
  std::string text = "level  runs  files        bytes      entries   tombstones\n";
  for (size_t level = 0; level < stats.levels.size(); ++level) {
    const LevelStats& row = stats.levels[level];
    if (row.files == 0) continue;
    absl::StrAppendFormat(&text, "%5d %5d %6d %12d %12d %12d\n", level, row.runs, row.files,
                          row.bytes, row.entries, row.tombstones);
  }
  return text;
}

void AppendHistogram(std::string_view name, const HistogramSummary& summary, std::string* text) {
  absl::StrAppendFormat(text, "%-22s count %d  p50 %.1f  p99 %.1f  p99.9 %.1f  max %.1f\n",
                        std::string(name), summary.count, summary.p50, summary.p99, summary.p999,
                        summary.max);
}

std::string StatsText(const Stats& stats) {
  std::string text = LevelsText(stats);
  for (const engine::StatRow& row : engine::kStatRows) {
    absl::StrAppendFormat(&text, "%-22s %d\n", row.name, stats.*row.value);
  }
  AppendHistogram("flush micros", stats.flush_micros, &text);
  AppendHistogram("compaction micros", stats.compaction_micros, &text);
  AppendHistogram("sync micros", stats.sync_micros, &text);
  AppendHistogram("stall micros", stats.stall_histogram_micros, &text);
  return text;
}

// Returns the value of "cambium.num-files-at-level<N>".
std::optional<std::string> FilesAtLevel(const Stats& stats, std::string_view level_text) {
  size_t level = 0;
  const auto [end, error] =
      std::from_chars(level_text.data(), level_text.data() + level_text.size(), level);
  if (error != std::errc() || end != level_text.data() + level_text.size()) return std::nullopt;
  if (level >= stats.levels.size()) return std::nullopt;
  return absl::StrCat(stats.levels[level].files);
}

// Returns the offset in files[index] of the run at which `key` is or would be; 0 before the file
// and after the run. Opens the file only if the key is inside of it; returns nullopt if it cannot
// be opened.
std::optional<uint64_t> OffsetIn(const KeyOrder& order, const RunView& run,
                                 const std::pair<size_t, std::string_view>& place) {
  const auto& [index, key] = place;
  if (index == run.tables.size()) return 0;
  const LiveTable& table = *run.tables[index];
  if (!order.Less(table.file().smallest_key, key)) return 0;
  const absl::StatusOr<const sstable::TableReader*> reader = table.table().reader();
  if (reader.ok()) return (*reader)->ApproximateOffsetOf(key);
  table.Report(reader.status()).IgnoreError();
  return std::nullopt;
}

uint64_t SizeOf(const Tree& tree, std::string_view begin, std::string_view end) {
  if (!tree.usable()) return 0;
  const std::shared_ptr<const ReadView> view = tree.Pin();
  const KeyOrder& order = tree.order();
  if (order.Compare(begin, end) >= 0) return 0;
  uint64_t bytes = 0;
  for (const RunView& run : view->tables->runs) {
    const size_t first = manifest::FindFileIndex(*run.run, begin, order.Abbreviate(begin), order);
    const size_t last = manifest::FindFileIndex(*run.run, end, order.Abbreviate(end), order);
    // A file that cannot be opened still has its size.
    const uint64_t before = OffsetIn(order, run, {first, begin}).value_or(0);
    const uint64_t up_to =
        OffsetIn(order, run, {last, end})
            .value_or(last < run.tables.size() ? run.run->files[last]->file_size : 0);
    const uint64_t whole =
        manifest::TotalBytes(std::span(run.run->files).subspan(first, last - first));
    bytes += whole + up_to - std::min(before, whole + up_to);
  }
  return bytes;
}

}  // namespace

Stats DB::GetStats() const {
  const engine::Context& context = database_->context;
  if (!database_->open_state.Check().ok()) return {};
  Stats stats;
  context.stats.Fill(&stats);
  const sstable::BlockCacheStats cache = context.memory.cache.Stats();
  stats.filter_negatives = cache.filter_negatives;
  stats.block_cache_hits = cache.hits;
  stats.block_cache_misses = cache.misses;
  stats.block_bytes_read = cache.bytes_read;
  stats.block_cache_bytes_now = cache.resident;
  stats.table_memory_bytes_now = cache.table_memory;
  stats.levels.resize(kLevelCount);
  for (const engine::TreeRef& tree : database_->trees.All()) AddTree(*tree->Pin(), &stats);
  stats.compaction_debt_bytes_now = database_->jobs.CountBacklog().bytes;
  stats.snapshots_now = context.snapshots->Count();
  stats.last_sequence = database_->writes->visible();
  return stats;
}

std::optional<std::string> DB::GetProperty(std::string_view name) const {
  constexpr std::string_view kPrefix = "cambium.";
  constexpr std::string_view kFilesAtLevel = "num-files-at-level";
  if (!name.starts_with(kPrefix) || !database_->open_state.Check().ok()) return std::nullopt;
  name.remove_prefix(kPrefix.size());
  const Stats stats = GetStats();
  if (name == "levels") return LevelsText(stats);
  if (name == "stats") return StatsText(stats);
  if (name == "version") return std::string(Version());
  if (name == "last-sequence") return absl::StrCat(stats.last_sequence);
  if (name == "approximate-memory-usage") {
    return absl::StrCat(stats.memtable_bytes_now + database_->context.memory.cache.Usage());
  }
  if (name.starts_with(kFilesAtLevel)) {
    return FilesAtLevel(stats, name.substr(kFilesAtLevel.size()));
  }
  return std::nullopt;
}

uint64_t DB::ApproximateSize(std::string_view begin, std::string_view end) const {
  if (!database_->open_state.Check().ok()) return 0;
  return SizeOf(*database_->default_tree, begin, end);
}

uint64_t DB::ApproximateSize(const ColumnFamily& family, std::string_view begin,
                             std::string_view end) const {
  if (!database_->open_state.Check().ok()) return 0;
  const absl::StatusOr<Tree*> tree = TreeOf(family);
  return tree.ok() ? SizeOf(**tree, begin, end) : 0;
}

}  // namespace cambium
