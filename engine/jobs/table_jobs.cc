#include "engine/jobs/table_jobs.h"

#include <algorithm>
#include <atomic>
#include <cassert>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/file_names.h"
#include "base/merging_iterator.h"
#include "compaction/run_merge.h"
#include "util/mutex.h"
#include "util/out_of_memory.h"
#include "util/status_macros.h"

namespace cambium::engine {
namespace {

using compaction::RunMergeResult;

// Bytes that a compaction reads at a time from each of its inputs: a part of the memory budget,
// because a compaction has many inputs, within bounds that keep reads efficient.
constexpr size_t kReadaheadParts = 256;
constexpr size_t kMinReadahead = size_t{64} << 10;
constexpr size_t kMaxReadahead = size_t{1} << 20;

size_t ReadaheadBytes(const Options& options) {
  return std::clamp(options.memory_budget / kReadaheadParts, kMinReadahead, kMaxReadahead);
}

// A part of a compaction with less input than this is not worth a thread.
constexpr uint64_t kMinPartBytes = uint64_t{16} << 20;

// The SSTables that one job writes, until the manifest names them. Thread-safe: the parts of a
// compaction share it.
class TableOutput {
 public:
  TableOutput(Context* context, int level) : context_(context), level_(level) {}

  // Draws a number and makes the file.
  absl::StatusOr<compaction::OutputTable> Create() {
    compaction::OutputTable table;
    absl::StatusOr<std::unique_ptr<WritableFile>> file;
    std::string path, kept;
    const size_t place = NewPlace();
    do {
      // A file that has the name already is not ours: it stays, and the next number is drawn.
      table.number = context_->NewFileNumber();
      path = TablePath(context_->path, table.number);
      kept = path;
      file = context_->fs()->CreateWritable(path);
    } while (absl::IsAlreadyExists(file.status()));
    {
      MutexLock lock(&mutex_);
      paths_[place].swap(kept);
    }
    RETURN_IF_ERROR(file.status());
    const Options& options = context_->options;
    sstable::TableBuilderOptions builder;
    builder.order = context_->order;
    // Upper levels are rewritten soon: compressing them costs more time than it saves space.
    const bool last_level = level_ == kLevelCount - 1;
    builder.compression = last_level ? options.compression : Compression::kNone;
    builder.compression_level = options.compression_level;
    builder.filter_bits_per_key = options.filter_bits_per_key;
    builder.number = table.number;
    builder.path = path;
    builder.level = level_;
    table.builder = std::make_unique<sstable::TableBuilder>(builder, *std::move(file));
    return table;
  }

  // Hands on what the job came to. On ok the new files' directory entries are durable, before the
  // manifest names them (D4); after an error the files are gone.
  absl::StatusOr<RunMergeResult> Finish(absl::StatusOr<RunMergeResult> result) {
    if (result.ok() && !result->files.empty()) {
      absl::Status synced = context_->fs()->SyncDirectory(context_->path);
      if (!synced.ok()) result = std::move(synced);
    }
    if (result.ok()) return result;
    MutexLock lock(&mutex_);
    // A file that stays is an orphan: the next Open removes it.
    for (const std::string& path : paths_) {
      if (path.empty()) continue;
      CatchBadAlloc([&] { return context_->fs()->Remove(path); }).IgnoreError();
    }
    return result;
  }

 private:
  // Makes room in paths_ for a file that is about to be made, so that it cannot be lost.
  size_t NewPlace() {
    MutexLock lock(&mutex_);
    paths_.emplace_back();
    return paths_.size() - 1;
  }

  Context* const context_;
  const int level_;
  Mutex mutex_;
  std::vector<std::string> paths_ ABSL_GUARDED_BY(mutex_);
};

// Calls body(0) … body(count - 1), each once, and returns when all have returned; `body` throws
// nothing. The caller's
// thread takes part, so that this ends even where no other thread of the executor is ever free.
void RunInParallel(Executor* executor, size_t count, const std::function<void(size_t)>& body) {
  struct Turns {
    std::atomic<size_t> next{0}, done{0};
  };
  const auto turns = std::make_shared<Turns>();
  // A helper may only start when all is long over: no turn is left, and `body` is not touched.
  const auto work = [turns, count, &body] {
    for (size_t turn; (turn = turns->next.fetch_add(1)) < count;) {
      body(turn);
      if (turns->done.fetch_add(1) + 1 == count) turns->done.notify_all();
    }
  };
  // Without memory for helpers the caller does it all.
  IfMemoryAllows([&] {
    for (size_t i = 1; i < count; ++i) executor->Schedule(Lane::kCompaction, work);
  });
  work();
  for (size_t done; (done = turns->done.load()) != count;) turns->done.wait(done);
}

// The tables that a plan merges: one list per input, as its files.
using PlanTables = std::vector<std::vector<LiveTableRef>>;

// Finds the inputs of a plan in a view whose version holds them. The files of an input need not be
// neighbours any more: a plan that writes between them does not conflict.
absl::StatusOr<PlanTables> TablesOf(const compaction::Plan& plan, const TablesView& view,
                                    const KeyOrder& order) {
  PlanTables found;
  for (const compaction::PlanInput& input : plan.inputs) {
    const auto run = std::find_if(view.runs.begin(), view.runs.end(), [&](const RunView& one) {
      return one.level == input.level && one.run->id == input.run;
    });
    std::vector<LiveTableRef>& tables = found.emplace_back();
    for (const manifest::FileRef& file : input.files) {
      const LiveTableRef table = run == view.runs.end() ? nullptr : run->Find(*file, order);
      if (table == nullptr) {
        assert(false);
        return absl::InternalError(absl::StrCat("compaction: found no ", DebugString(*file),
                                                " in run ", input.run, " of level ", input.level,
                                                ", expected it there while its plan runs"));
      }
      tables.push_back(table);
    }
  }
  return found;
}

std::unique_ptr<InternalIterator> InputsOf(Context* context, const compaction::Plan& plan,
                                           const PlanTables& tables) {
  std::vector<std::unique_ptr<InternalIterator>> children;
  for (size_t i = 0; i < plan.inputs.size(); ++i) {
    children.push_back(context->NewRunIterator({plan.inputs[i].files, tables[i]},
                                               {false, ReadaheadBytes(context->options)}));
  }
  return NewMergingIterator(context->order, std::move(children));
}

absl::StatusOr<RunMergeResult> MergeParts(Context* context, const compaction::Plan& plan,
                                          const PlanTables& tables,
                                          const std::function<bool()>& cancelled,
                                          TableOutput* output) {
  const uint64_t worthwhile = plan.InputBytes() / kMinPartBytes;
  const auto threads = static_cast<uint64_t>(context->executor()->Concurrency());
  const std::vector<compaction::KeyRange> ranges = compaction::SplitPlan(
      plan, std::max<uint64_t>(1, std::min(worthwhile, threads)), context->order);
  const std::vector<SequenceNumber> snapshots = context->snapshots->Sequences();
  std::vector<absl::StatusOr<RunMergeResult>> results(ranges.size());
  RunInParallel(context->executor(), ranges.size(), [&](size_t i) {
    results[i] = CatchBadAlloc([&] {
      compaction::RunMergeOptions options = compaction::OptionsFor(plan, ranges[i], context->order);
      options.stream.snapshots = snapshots;
      options.stream.merge_operator = context->merge_operator();
      options.stream.cancelled = cancelled;
      options.new_table = [output] { return output->Create(); };
      return compaction::RunMerge(InputsOf(context, plan, tables).get(), options);
    });
  });
  RunMergeResult all;
  for (absl::StatusOr<RunMergeResult>& part : results) {
    RETURN_IF_ERROR(part.status());
    all.files.insert(all.files.end(), part->files.begin(), part->files.end());
    all.counts += part->counts;
  }
  return all;
}

// Quarantines the inputs that are damaged. Returns `error`, which the plan ended with, if none is.
absl::Status Quarantine(const JobWorld& world, const compaction::Plan& plan,
                        const PlanTables& tables, const absl::Status& error) {
  Context* const context = world.context;
  manifest::VersionEdit edit;
  for (size_t i = 0; i < plan.inputs.size(); ++i) {
    for (const LiveTableRef& table : tables[i]) {
      const absl::Status status = context->VerifyTable(*table);
      if (!absl::IsDataLoss(status)) continue;
      edit.Family().quarantined.push_back(
          {plan.inputs[i].level, table->file().number, std::string(status.ToString())});
    }
  }
  return edit.families.empty() ? error : world.versions->Commit(std::move(edit), 0);
}

}  // namespace

absl::Status RunFlush(const JobWorld& world, SequenceNumber newest) {
  Context* const context = world.context;
  const std::shared_ptr<const ReadView> view = world.tree->Pin();
  if (view->frozen.empty()) return absl::OkStatus();
  assert(view->active->first.sequence >= view->frozen.front()->first.sequence);
  const uint64_t started = context->clock()->NowMicros();
  const WriteEpoch epoch = context->errors.epoch();
  const WriteFrontier& end = view->active->first;
  // A writer that was given its number before the memtable was frozen may still be copying into it.
  if (newest == kMaxSequenceNumber) RETURN_IF_ERROR(world.await_published(end.sequence));

  std::vector<std::unique_ptr<InternalIterator>> children;
  uint64_t memtable_bytes = 0;
  for (const auto& slot : view->frozen) {
    children.push_back(slot->table.NewIterator());
    memtable_bytes += slot->table.MemoryUsage();
  }
  TableOutput output(context, 0);
  compaction::RunMergeOptions options;
  options.stream.order = context->order;
  options.stream.snapshots = context->snapshots->Sequences();
  options.stream.newest = newest;
  options.stream.merge_operator = context->merge_operator();
  options.new_table = [&output] { return output.Create(); };
  const std::unique_ptr<InternalIterator> input =
      NewMergingIterator(context->order, std::move(children));
  // The memtables' writes are in the new files; recovery starts at the memtable after them.
  manifest::VersionEdit edit;
  const auto merge = [&]() -> absl::StatusOr<RunMergeResult> {
    ASSIGN_OR_RETURN(RunMergeResult merged, compaction::RunMerge(input.get(), options));
    edit.log_number = FileNumber{end.log.segment};
    manifest::FamilyEdit& family = edit.Family();
    family.flushed_sequence = end.sequence;
    for (const manifest::FileRef& file : merged.files) {
      family.added.push_back({0, ToInteger(merged.files.front()->number), *file});
    }
    return merged;
  };
  const absl::StatusOr<RunMergeResult> result = output.Finish(CatchBadAlloc(merge));
  if (!result.ok()) {
    context->errors.NoteWriteError(result.status(), epoch);
    return result.status();
  }
  RETURN_IF_ERROR(world.versions->Commit(std::move(edit), view->frozen.size()));
  context->stats.AddFlush(*result, memtable_bytes, context->clock()->NowMicros() - started);
  return world.retire_log(end.log);
}

absl::Status RunCompaction(const JobWorld& world, const compaction::Plan& plan,
                           const CompactionControl& control) {
  Context* const context = world.context;
  const uint64_t started = context->clock()->NowMicros();
  const WriteEpoch epoch = context->errors.epoch();
  manifest::VersionEdit edit;
  if (plan.kind == compaction::PlanKind::kTrivialMove) {
    compaction::AppendToEdit(plan, {}, &edit.Family());
    RETURN_IF_ERROR(world.versions->Commit(std::move(edit), 0, control.publish));
    context->stats.AddTrivialMove();
    return absl::OkStatus();
  }
  // Keeps the input files on disk until the end, and no memtable in memory.
  const absl::StatusOr<PlanTables> tables =
      TablesOf(plan, *world.tree->Pin()->tables, context->order);
  if (!tables.ok()) {
    context->errors.NoteWriteError(tables.status(), epoch);
    return tables.status();
  }
  TableOutput output(context, plan.output_level);
  const auto merge = [&]() -> absl::StatusOr<RunMergeResult> {
    ASSIGN_OR_RETURN(RunMergeResult merged,
                     MergeParts(context, plan, *tables, control.cancelled, &output));
    compaction::AppendToEdit(plan, merged.files, &edit.Family());
    return merged;
  };
  const absl::StatusOr<RunMergeResult> result = output.Finish(CatchBadAlloc(merge));
  if (!result.ok()) {
    absl::Status status = result.status();
    if (absl::IsDataLoss(status)) status = Quarantine(world, plan, *tables, status);
    if (!status.ok() && !absl::IsCancelled(status)) context->errors.NoteWriteError(status, epoch);
    return status;
  }
  RETURN_IF_ERROR(world.versions->Commit(std::move(edit), 0, control.publish));
  context->stats.AddCompaction(*result, plan.InputBytes(), context->clock()->NowMicros() - started);
  return absl::OkStatus();
}

}  // namespace cambium::engine
