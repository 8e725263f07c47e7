#include "engine/jobs/compaction_job.h"

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/file_names.h"
#include "base/merging_iterator.h"
#include "compaction/run_iterator.h"
#include "compaction/run_merge.h"
#include "engine/jobs/parallel.h"
#include "engine/jobs/table_output.h"
#include "sstable/table_reader.h"
#include "util/status_macros.h"

namespace cambium::engine {
namespace {

// Bytes that a compaction reads at once, and the input below which a part is not worth a thread.
constexpr size_t kReadaheadBytes = size_t{1} << 20;
constexpr uint64_t kMinPartBytes = uint64_t{16} << 20;

absl::StatusOr<const sstable::TableReader*> OpenReader(const JobWorld& world,
                                                       const manifest::FileMetadata& file) {
  return world.context->tables.GetHandle(file.number, file.file_size)->reader();
}

std::unique_ptr<InternalIterator> InputsOf(const JobWorld& world, const compaction::Plan& plan) {
  const auto open =
      [&world](const manifest::FileRef& file) -> absl::StatusOr<std::unique_ptr<InternalIterator>> {
    ASSIGN_OR_RETURN(const sstable::TableReader* reader, OpenReader(world, *file));
    sstable::TableIteratorOptions options;
    options.fill_cache = false;
    options.readahead_bytes = kReadaheadBytes;
    return reader->NewIterator(options);
  };
  std::vector<std::unique_ptr<InternalIterator>> children;
  for (const compaction::PlanInput& input : plan.inputs) {
    children.push_back(compaction::NewRunIterator(world.context->order, input.files, open));
  }
  return NewMergingIterator(world.context->order, std::move(children));
}

// One key range of a plan, and what became of it.
struct Part {
  compaction::KeyRange range;
  absl::StatusOr<compaction::RunMergeResult> result = absl::CancelledError("not started");
};

// What every part of one compaction shares.
struct Merge {
  const JobWorld* world;
  const compaction::Plan* plan;
  const std::function<bool()>* cancelled;
  std::vector<SequenceNumber> snapshots;
  TableOutput output;
};

void RunPart(Merge* merge, Part* part) {
  const KeyOrder& order = merge->world->context->order;
  compaction::RunMergeOptions options = compaction::OptionsFor(*merge->plan, part->range, order);
  options.stream.order = order;
  options.stream.snapshots = merge->snapshots;
  compaction::OlderData older(merge->plan->older_files, order);
  options.stream.key_absent_below = [&older](std::string_view key) { return older.Absent(key); };
  options.new_table = [merge] { return merge->output.Create(); };
  options.stream.cancelled = *merge->cancelled;
  const std::unique_ptr<InternalIterator> input = InputsOf(*merge->world, *merge->plan);
  part->result = compaction::RunMerge(input.get(), options);
}

std::vector<Part> PartsOf(const JobWorld& world, const compaction::Plan& plan) {
  const uint64_t worthwhile = plan.InputBytes() / kMinPartBytes;
  const uint64_t threads = static_cast<uint64_t>(world.context->executor()->Concurrency());
  const size_t count = std::max<uint64_t>(1, std::min(worthwhile, threads));
  std::vector<Part> parts;
  for (compaction::KeyRange& range : compaction::SplitPlan(plan, count, world.context->order)) {
    parts.push_back({std::move(range)});
  }
  return parts;
}

// The results of all parts as one, or the first error.
absl::StatusOr<compaction::RunMergeResult> Join(std::vector<Part> parts) {
  compaction::RunMergeResult all;
  for (Part& part : parts) {
    if (!part.result.ok()) return part.result.status();
    all.files.insert(all.files.end(), part.result->files.begin(), part.result->files.end());
    all.counts += part.result->counts;
    all.bytes_written += part.result->bytes_written;
  }
  return all;
}

void Record(const JobWorld& world, const compaction::Plan& plan,
            const compaction::RunMergeResult& result, uint64_t micros) {
  JobStats stats;
  stats.bytes_read = plan.InputBytes();
  stats.bytes_written = result.bytes_written;
  stats.micros = micros;
  stats.entries_in = result.counts.in;
  stats.entries_out = result.counts.out;
  stats.entries_shadowed = result.counts.shadowed;
  stats.tombstones_dropped = result.counts.tombstones_dropped;
  world.context->stats.AddCompaction(stats);
}

// Finds the damaged inputs and sets them aside. Answers whether there was one.
bool Quarantine(const JobWorld& world, const compaction::Plan& plan) {
  manifest::VersionEdit edit;
  for (const compaction::PlanInput& input : plan.inputs) {
    for (const manifest::FileRef& file : input.files) {
      absl::StatusOr<const sstable::TableReader*> reader = OpenReader(world, *file);
      const absl::Status status = reader.ok() ? (*reader)->Verify(file->digest) : reader.status();
      if (!absl::IsDataLoss(status)) continue;
      world.context->errors.NoteDamage(status, TablePath(world.context->path, file->number));
      edit.Family().quarantined.push_back(
          {input.level, file->number, std::string(status.ToString())});
    }
  }
  if (edit.families.empty()) return false;
  // A failed commit has been noted as a write error; the file is as damaged as before.
  world.versions->Commit(std::move(edit), 0).IgnoreError();
  return true;
}

absl::Status Fail(const JobWorld& world, const compaction::Plan& plan, absl::Status error) {
  if (absl::IsCancelled(error)) return error;
  if (absl::IsDataLoss(error) && Quarantine(world, plan)) return error;
  world.context->errors.NoteWriteError(error);
  return error;
}

absl::StatusOr<compaction::RunMergeResult> MergeAll(Merge* merge) {
  std::vector<Part> parts = PartsOf(*merge->world, *merge->plan);
  RunInParallel(merge->world->context->executor(), parts.size(),
                [merge, &parts](size_t i) { RunPart(merge, &parts[i]); });
  ASSIGN_OR_RETURN(compaction::RunMergeResult result, Join(std::move(parts)));
  RETURN_IF_ERROR(merge->output.SyncDirectory());
  return result;
}

}  // namespace

absl::Status RunCompaction(const JobWorld& world, const compaction::Plan& plan,
                           const std::function<bool()>& cancelled) {
  // Keeps the input files on disk until the end.
  const std::shared_ptr<const ReadView> view = world.tree->Pin();
  const uint64_t started = world.context->clock()->NowMicros();
  manifest::VersionEdit edit;
  if (plan.kind == compaction::PlanKind::kTrivialMove) {
    compaction::AppendToEdit(plan, {}, &edit.Family());
    RETURN_IF_ERROR(world.versions->Commit(std::move(edit), 0));
    world.context->stats.AddTrivialMove();
    return absl::OkStatus();
  }
  Merge merge{&world, &plan, &cancelled, world.context->snapshots->Sequences(),
              TableOutput(world.context, plan.output_level)};
  absl::StatusOr<compaction::RunMergeResult> result = MergeAll(&merge);
  if (!result.ok()) {
    merge.output.RemoveAll();
    return Fail(world, plan, result.status());
  }
  compaction::AppendToEdit(plan, result->files, &edit.Family());
  RETURN_IF_ERROR(world.versions->Commit(std::move(edit), 0));
  Record(world, plan, *result, world.context->clock()->NowMicros() - started);
  return absl::OkStatus();
}

}  // namespace cambium::engine
