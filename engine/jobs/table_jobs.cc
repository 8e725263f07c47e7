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

// The number of bytes that a compaction reads at a time from each of its inputs: a fraction of the
// memory budget, because a compaction has many inputs, within limits that keep reads efficient.
constexpr size_t kReadaheadParts = 256;
constexpr size_t kMinReadahead = size_t{64} << 10;
constexpr size_t kMaxReadahead = size_t{1} << 20;

size_t ReadaheadBytes(const Options& options) {
  return std::clamp(options.memory_budget / kReadaheadParts, kMinReadahead, kMaxReadahead);
}

// A part of a compaction with less input than this does not justify a thread.
constexpr uint64_t kMinPartBytes = uint64_t{16} << 20;

// The SSTables that one job writes, until the manifest refers to them. Thread-safe: the parts of a
// compaction share it.
class TableOutput {
 public:
  TableOutput(const JobWorld& world, const Tree& tree, int level)
      : storage_(world.storage), tree_(tree.options()), level_(level) {}

  // Allocates a number and creates the file.
  absl::StatusOr<compaction::OutputTable> Create() {
    compaction::OutputTable table;
    absl::StatusOr<std::unique_ptr<WritableFile>> file;
    std::string path, kept;
    const size_t place = NewPlace();
    do {
      // An existing file with this name is not ours: it stays, and the next number is allocated.
      table.number = storage_->NewFileNumber();
      path = TablePath(storage_->path, table.number);
      kept = path;
      file = storage_->fs()->CreateWritable(path);
    } while (absl::IsAlreadyExists(file.status()));
    {
      MutexLock lock(&mutex_);
      paths_[place].swap(kept);
    }
    RETURN_IF_ERROR(file.status());
    sstable::TableBuilderOptions builder;
    builder.order = tree_.order;
    // Upper levels are rewritten soon: compressing them costs more time than the space is worth.
    const bool last_level = level_ == kLevelCount - 1;
    builder.compression = last_level ? tree_.compression : Compression::kNone;
    builder.compression_level = tree_.compression_level;
    builder.filter_bits_per_key = tree_.filter_bits_per_key;
    builder.number = table.number;
    builder.path = path;
    builder.level = level_;
    table.builder = std::make_unique<sstable::TableBuilder>(builder, *std::move(file));
    return table;
  }

  // Returns the job's result. If it is ok, the new files' directory entries are durable, before the
  // manifest refers to them (D4); after an error the files are removed.
  absl::StatusOr<RunMergeResult> Finish(absl::StatusOr<RunMergeResult> result) {
    if (result.ok() && !result->files.empty()) {
      absl::Status synced = storage_->fs()->SyncDirectory(storage_->path);
      if (!synced.ok()) result = std::move(synced);
    }
    if (!result.ok()) Discard();
    return result;
  }

  // Removes the files, which no manifest refers to.
  void Discard() {
    std::vector<std::string> paths;
    {
      MutexLock lock(&mutex_);
      paths.swap(paths_);
    }
    // A file that remains is an orphan: the next Open removes it.
    for (const std::string& path : paths) {
      if (path.empty()) continue;
      CatchBadAlloc([&] { return storage_->fs()->Remove(path); }).IgnoreError();
    }
  }

 private:
  // Reserves a place in paths_ for a file before it is created, so that it cannot be lost.
  size_t NewPlace() {
    MutexLock lock(&mutex_);
    paths_.emplace_back();
    return paths_.size() - 1;
  }

  Storage* const storage_;
  const TreeOptions& tree_;
  const int level_;
  Mutex mutex_;
  std::vector<std::string> paths_ ABSL_GUARDED_BY(mutex_);
};

// Calls body(0) … body(count - 1), each once, and returns when all have returned; `body` must not
// throw. The caller's thread takes part, so the function returns even if no other thread of the
// executor is ever free.
void RunInParallel(Executor* executor, size_t count, const std::function<void(size_t)>& body) {
  struct Turns {
    std::atomic<size_t> next{0}, done{0};
  };
  const auto turns = std::make_shared<Turns>();
  // A helper may start after everything has ended: then there is no turn left, and it does not use
  // `body`.
  const auto work = [turns, count, &body] {
    for (size_t turn; (turn = turns->next.fetch_add(1)) < count;) {
      body(turn);
      if (turns->done.fetch_add(1) + 1 == count) turns->done.notify_all();
    }
  };
  // Without memory for helpers the caller does all the work.
  IfMemoryAllows([&] {
    for (size_t i = 1; i < count; ++i) executor->Schedule(Lane::kCompaction, work);
  });
  work();
  for (size_t done; (done = turns->done.load()) != count;) turns->done.wait(done);
}

// The tables that a plan merges: one list per input, in the order of its files.
using PlanTables = std::vector<std::vector<LiveTableRef>>;

// Finds the inputs of a plan in a view whose version contains them. The files of an input may no
// longer be adjacent: a plan that writes between them does not conflict.
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

// Returns the tables of the newest view, or null if the family was dropped.
std::shared_ptr<const TablesView> TablesFor(const Tree& tree) {
  const std::shared_ptr<const ReadView> view = tree.Pin();
  return view->refusal == nullptr ? view->tables : nullptr;
}

// A running plan. Plain data.
struct RunningPlan {
  const compaction::Plan* plan;
  const PlanTables* tables;
  const CompactionControl* control;
};

// The entries and range tombstones that a compaction merges.
struct MergeInputs {
  struct Run {
    std::vector<manifest::FileRef> files;
    std::vector<LiveTableRef> tables;
  };
  std::vector<Run> runs;                                // newest first
  std::unique_ptr<const TombstoneIndex> range_deletes;  // null: none
};

// Returns true if no reader needs an entry of the file, because of the range tombstones: all
// readers that see an entry see a tombstone over it, too.
bool IsCovered(const manifest::FileMetadata& file, const MergeInputs& inputs, const KeyOrder& order,
               const std::vector<SequenceNumber>& snapshots) {
  if (inputs.range_deletes == nullptr) return false;
  const TombstoneIndex& index = *inputs.range_deletes;
  const auto seeing = std::lower_bound(snapshots.begin(), snapshots.end(), file.smallest_sequence);
  const SequenceNumber seen = seeing == snapshots.end() ? kMaxSequenceNumber : *seeing;
  for (size_t segment = index.FindAfter(file.begin()); segment < index.segment_count(); ++segment) {
    if (index.Newest(segment, seen) <= file.largest_sequence) return false;
    if (CompareCuts(order, file.end(), index.end(segment)) <= 0) return true;
  }
  return false;
}

// Reads the range tombstones of the plan's files, and leaves out the files whose entries they
// cover: these are dropped without being read.
absl::StatusOr<MergeInputs> InputsOf(const RunningPlan& running, const KeyOrder& order,
                                     const std::vector<SequenceNumber>& snapshots) {
  MergeInputs inputs;
  std::vector<RangeTombstone> tombstones;
  for (const std::vector<LiveTableRef>& tables : *running.tables) {
    for (const LiveTableRef& table : tables) {
      ASSIGN_OR_RETURN(const TombstoneIndex* const index, table->RangeDeletes());
      if (index == nullptr) continue;
      tombstones.insert(tombstones.end(), index->tombstones().begin(), index->tombstones().end());
    }
  }
  if (!tombstones.empty()) {
    inputs.range_deletes = std::make_unique<const TombstoneIndex>(order, tombstones);
  }
  for (size_t i = 0; i < running.plan->inputs.size(); ++i) {
    MergeInputs::Run& run = inputs.runs.emplace_back();
    const std::vector<manifest::FileRef>& files = running.plan->inputs[i].files;
    for (size_t file = 0; file < files.size(); ++file) {
      if (IsCovered(*files[file], inputs, order, snapshots)) continue;
      run.files.push_back(files[file]);
      run.tables.push_back((*running.tables)[i][file]);
    }
  }
  return inputs;
}

std::unique_ptr<InternalIterator> Merge(const JobWorld& world, const KeyOrder& order,
                                        const MergeInputs& inputs) {
  std::vector<std::unique_ptr<InternalIterator>> children;
  for (const MergeInputs::Run& run : inputs.runs) {
    children.push_back(NewRunIterator(order, {run.files, run.tables},
                                      {sstable::CacheFill::kNo, ReadaheadBytes(*world.options)}));
  }
  return NewMergingIterator(order, std::move(children));
}

absl::StatusOr<RunMergeResult> MergeParts(const JobWorld& world, const Tree& tree,
                                          const RunningPlan& running, TableOutput* output) {
  const compaction::Plan& plan = *running.plan;
  const uint64_t worthwhile = plan.InputBytes() / kMinPartBytes;
  Executor* const executor = world.storage->executor;
  const auto threads = static_cast<uint64_t>(executor->Concurrency());
  const std::vector<compaction::KeyRange> ranges = compaction::SplitPlan(
      plan, std::max<uint64_t>(1, std::min(worthwhile, threads)), tree.order());
  const std::vector<SequenceNumber> snapshots = world.snapshots->Sequences();
  ASSIGN_OR_RETURN(const MergeInputs inputs, InputsOf(running, tree.order(), snapshots));
  std::vector<absl::StatusOr<RunMergeResult>> results(ranges.size());
  RunInParallel(executor, ranges.size(), [&](size_t i) {
    results[i] = CatchBadAlloc([&] {
      compaction::RunMergeOptions options = compaction::OptionsFor(plan, ranges[i], tree.order());
      options.stream.snapshots = snapshots;
      options.stream.merge_operator = tree.options().merge_operator.get();
      options.stream.wall = &world.storage->wall;
      options.stream.range_deletes = inputs.range_deletes.get();
      options.stream.cancelled = running.control->cancelled;
      options.new_table = [output] { return output->Create(); };
      return compaction::RunMerge(Merge(world, tree.order(), inputs).get(), options);
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

// Quarantines the damaged inputs. Returns `error`, the plan's result, if no input is damaged.
absl::Status Quarantine(const JobWorld& world, const Tree& tree, const compaction::Plan& plan,
                        const PlanTables& tables, const absl::Status& error) {
  manifest::VersionEdit edit;
  for (size_t i = 0; i < plan.inputs.size(); ++i) {
    for (const LiveTableRef& table : tables[i]) {
      const absl::Status status = table->Verify();
      if (!absl::IsDataLoss(status)) continue;
      edit.Family(tree.id()).quarantined.push_back(
          {plan.inputs[i].level, table->file().number, std::string(status.ToString())});
    }
  }
  return edit.families.empty() ? error : world.versions->Commit(std::move(edit), 0);
}

// Returns a function that returns true for keys, which ascend, that are in none of the tables.
// Costs nothing until it is called.
std::function<bool(std::string_view)> AbsentIn(std::shared_ptr<const TablesView> tables,
                                               const KeyOrder& order) {
  return [tables = std::move(tables), order,
          older = std::shared_ptr<compaction::OlderData>()](std::string_view key) mutable {
    if (older == nullptr) {
      std::vector<manifest::FileRef> files;
      for (const RunView& run : tables->runs) {
        files.insert(files.end(), run.run->files.begin(), run.run->files.end());
      }
      older = std::make_shared<compaction::OlderData>(files, order);
    }
    return older->Absent(key);
  };
}

// The range tombstones of a flush. Confined to it.
class FlushedRangeDeletes {
 public:
  // Collects the tombstones of the frozen memtables up to `newest`. The view must outlive it.
  FlushedRangeDeletes(const Tree& tree, const ReadView& view, SequenceNumber newest)
      : order_(tree.order()), view_(view) {
    for (const auto& slot : view.frozen) {
      if (!slot->table.range_deletes().any()) continue;
      for (const memtable::RangeDeletes::Index& index : slot->table.range_deletes().Get()) {
        sources_.push_back(index);
        for (const RangeTombstone& one : index->tombstones()) {
          if (one.sequence <= newest) tombstones_.push_back(one);
        }
      }
    }
  }

  // Returns the tombstones, null if there are none, with ends that have keys: a table must have a
  // range. What is older than the tombstones is in tables, or among `entries`, which is moved; a
  // tombstone without an end needs to extend only as far.
  std::unique_ptr<const TombstoneIndex> Bounded(InternalIterator* entries) {
    if (tombstones_.empty()) return nullptr;
    FindBounds(entries);
    std::vector<RangeTombstone> bounded;
    for (RangeTombstone one : tombstones_) {
      if (!one.begin.has_key()) one.begin = begin_;
      if (!one.end.has_key()) one.end = end_;
      bounded.push_back(one);
    }
    auto index = std::make_unique<const TombstoneIndex>(order_, bounded);
    return index->tombstones().empty() ? nullptr : std::move(index);
  }

 private:
  void FindBounds(InternalIterator* entries) {
    for (const RunView& run : view_.tables->runs) {
      if (run.run->files.empty()) continue;
      Include(run.run->files.front()->begin(), run.run->files.back()->end());
    }
    entries->SeekToFirst();
    if (!entries->Valid()) return;
    first_.assign(entries->key());
    entries->SeekToLast();
    last_.assign(entries->key());
    Include(KeyCut::Before(first_), KeyCut::After(last_));
  }
  void Include(const KeyCut& begin, const KeyCut& end) {
    if (CompareCuts(order_, begin, begin_) < 0) begin_ = begin;
    if (CompareCuts(order_, end_, end) < 0) end_ = end;
  }

  const KeyOrder order_;
  const ReadView& view_;
  std::vector<memtable::RangeDeletes::Index> sources_;  // tombstones_ refer to their bytes
  std::vector<RangeTombstone> tombstones_;
  std::string first_, last_;  // keys of the entries
  // The range of everything that a tombstone may have to cover; at first an empty one.
  KeyCut begin_ = KeyCut::End();
  KeyCut end_ = KeyCut::Start();
};

// Merges the frozen memtables of `view` into new tables.
absl::StatusOr<RunMergeResult> MergeMemTables(const JobWorld& world, const Tree& tree,
                                              const ReadView& view, SequenceNumber newest,
                                              TableOutput* output) {
  std::vector<std::unique_ptr<InternalIterator>> children;
  for (const auto& slot : view.frozen) children.push_back(slot->table.NewIterator());
  const std::unique_ptr<InternalIterator> entries =
      NewMergingIterator(tree.order(), std::move(children));
  const std::unique_ptr<const TombstoneIndex> range_deletes =
      FlushedRangeDeletes(tree, view, newest).Bounded(entries.get());
  compaction::RunMergeOptions options;
  options.stream.order = tree.order();
  options.stream.snapshots = world.snapshots->Sequences();
  options.stream.newest = newest;
  options.stream.merge_operator = tree.options().merge_operator.get();
  options.stream.wall = &world.storage->wall;
  options.stream.expired_absent_below = AbsentIn(view.tables, tree.order());
  options.stream.range_deletes = range_deletes.get();
  if (range_deletes != nullptr) {
    for (const RunView& run : view.tables->runs) {
      options.older_files.insert(options.older_files.end(), run.run->files.begin(),
                                 run.run->files.end());
    }
  }
  options.new_table = [output] { return output->Create(); };
  return compaction::RunMerge(entries.get(), options);
}

}  // namespace

absl::Status RunFlush(const JobWorld& world, Tree* tree, SequenceNumber newest) {
  const std::shared_ptr<const ReadView> view = tree->Pin();
  if (view->frozen.empty()) return absl::OkStatus();
  const uint64_t started = world.storage->clock->NowMicros();
  const WriteEpoch epoch = world.errors->epoch();
  const SequenceNumber last = view->frozen.front()->last;
  assert(last >= view->frozen.back()->last && last > 0);
  // Read before the contents of the trees. A writer whose sequence number was allocated before the
  // memtable was frozen may still be copying into it, and the first writer in a segment may still
  // be writing the end of the previous segment.
  uint64_t oldest_segment = 0;
  if (newest == kMaxSequenceNumber) {
    ASSIGN_OR_RETURN(oldest_segment, world.await_writes());
  } else {
    oldest_segment = world.log_end();
  }

  TableOutput output(world, *tree, 0);
  manifest::VersionEdit edit;
  const auto merge = [&]() -> absl::StatusOr<RunMergeResult> {
    ASSIGN_OR_RETURN(RunMergeResult merged, MergeMemTables(world, *tree, *view, newest, &output));
    oldest_segment = std::min(oldest_segment, world.trees->OldestSegment(tree, view.get()));
    edit.log_number = FileNumber{oldest_segment};
    manifest::FamilyEdit& family = edit.Family(tree->id());
    family.flushed_sequence = last;
    for (const manifest::FileRef& file : merged.files) {
      family.added.push_back({0, ToInteger(merged.files.front()->number), *file});
    }
    return merged;
  };
  const absl::StatusOr<RunMergeResult> result = output.Finish(CatchBadAlloc(merge));
  if (!result.ok()) {
    world.errors->NoteWriteError(result.status(), epoch);
    return result.status();
  }
  const absl::Status committed = world.versions->Commit(std::move(edit), view->frozen.size());
  if (absl::IsCancelled(committed)) output.Discard();
  RETURN_IF_ERROR(committed);
  uint64_t memtable_bytes = 0;
  for (const auto& slot : view->frozen) memtable_bytes += slot->table.MemoryUsage();
  world.stats->AddFlush(*result, memtable_bytes, world.storage->clock->NowMicros() - started);
  return world.retire_log(oldest_segment);
}

namespace {

// Runs a plan of the kind kDrop.
absl::Status DropFiles(const JobWorld& world, Tree* tree, const compaction::Plan& plan,
                       const CompactionControl& control) {
  size_t count = 0;
  for (const compaction::PlanInput& input : plan.inputs) {
    count += input.files.size();
    for (const manifest::FileRef& file : input.files) {
      world.storage->wall.Reach(file->expiring.newest_micros);
    }
  }
  manifest::VersionEdit edit;
  compaction::AppendToEdit(plan, {}, &edit.Family(tree->id()));
  RETURN_IF_ERROR(world.versions->Commit(std::move(edit), 0, control.publish));
  world.stats->AddDrop(count);
  return absl::OkStatus();
}

}  // namespace

absl::Status RunCompaction(const JobWorld& world, Tree* tree, const compaction::Plan& plan,
                           const CompactionControl& control) {
  const uint64_t started = world.storage->clock->NowMicros();
  const WriteEpoch epoch = world.errors->epoch();
  manifest::VersionEdit edit;
  if (plan.kind == compaction::PlanKind::kTrivialMove) {
    compaction::AppendToEdit(plan, {}, &edit.Family(tree->id()));
    RETURN_IF_ERROR(world.versions->Commit(std::move(edit), 0, control.publish));
    world.stats->AddTrivialMove();
    return absl::OkStatus();
  }
  if (plan.kind == compaction::PlanKind::kDrop) return DropFiles(world, tree, plan, control);
  // Keeps the input files on disk until the end, without keeping a memtable in memory.
  const std::shared_ptr<const TablesView> view = TablesFor(*tree);
  if (view == nullptr) return absl::CancelledError("the column family was dropped");
  const absl::StatusOr<PlanTables> tables = TablesOf(plan, *view, tree->order());
  if (!tables.ok()) {
    world.errors->NoteWriteError(tables.status(), epoch);
    return tables.status();
  }
  TableOutput output(world, *tree, plan.output_level);
  const auto merge = [&]() -> absl::StatusOr<RunMergeResult> {
    ASSIGN_OR_RETURN(RunMergeResult merged,
                     MergeParts(world, *tree, {&plan, &*tables, &control}, &output));
    compaction::AppendToEdit(plan, merged.files, &edit.Family(tree->id()));
    return merged;
  };
  const absl::StatusOr<RunMergeResult> result = output.Finish(CatchBadAlloc(merge));
  if (!result.ok()) {
    absl::Status status = result.status();
    if (absl::IsDataLoss(status)) status = Quarantine(world, *tree, plan, *tables, status);
    if (!status.ok() && !absl::IsCancelled(status)) world.errors->NoteWriteError(status, epoch);
    return status;
  }
  if (control.written) control.written(result->files);
  const absl::Status committed = world.versions->Commit(std::move(edit), 0, control.publish);
  if (absl::IsCancelled(committed)) output.Discard();
  RETURN_IF_ERROR(committed);
  world.stats->AddCompaction(*result, plan.InputBytes(),
                             world.storage->clock->NowMicros() - started);
  return absl::OkStatus();
}

}  // namespace cambium::engine
