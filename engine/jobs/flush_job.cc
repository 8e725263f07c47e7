#include "engine/jobs/flush_job.h"

#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "base/merging_iterator.h"
#include "compaction/run_merge.h"
#include "engine/jobs/table_output.h"
#include "util/status_macros.h"

namespace cambium::engine {
namespace {

// The entries of `input` that are not newer than a limit. Forward only, as a merge reads.
// Thread-compatible.
class LimitedIterator final : public InternalIterator {
 public:
  LimitedIterator(std::unique_ptr<InternalIterator> input, FlushLimit limit)
      : input_(std::move(input)), limit_(SeekTag(limit.newest)) {}

  void SeekToFirst() override {
    input_->SeekToFirst();
    Settle();
  }
  void Seek(std::string_view key, Tag tag) override {
    input_->Seek(key, tag);
    Settle();
  }
  void Next() override {
    input_->Next();
    Settle();
  }
  void SeekToLast() override { Refuse(); }
  void SeekForPrev(std::string_view, Tag) override { Refuse(); }
  void Prev() override { Refuse(); }
  absl::Status status() const override { return refused_.ok() ? input_->status() : refused_; }

 private:
  void Settle() {
    while (input_->Valid() && input_->tag() > limit_) input_->Next();
    if (!input_->Valid()) return SetInvalid();
    SetEntry(input_->key(), input_->tag(), input_->value());
  }
  void Refuse() {
    refused_ = absl::InternalError("a flush reads its input forward only");
    SetInvalid();
  }

  const std::unique_ptr<InternalIterator> input_;
  const Tag limit_;
  absl::Status refused_;
};

// The frozen memtables of the view as one sorted sequence.
std::unique_ptr<InternalIterator> FrozenEntries(const ReadView& view, const KeyOrder& order,
                                                FlushLimit limit) {
  std::vector<std::unique_ptr<InternalIterator>> children;
  for (const std::shared_ptr<MemSlot>& slot : view.frozen) {
    children.push_back(slot->table.NewIterator());
  }
  std::unique_ptr<InternalIterator> merged = NewMergingIterator(order, std::move(children));
  if (limit.newest == kMaxSequenceNumber) return merged;
  return std::make_unique<LimitedIterator>(std::move(merged), limit);
}

absl::StatusOr<compaction::RunMergeResult> WriteTables(const JobWorld& world, const ReadView& view,
                                                       FlushLimit limit, TableOutput* output) {
  compaction::RunMergeOptions options;
  options.stream.order = world.context->order;
  options.stream.snapshots = world.context->snapshots->Sequences();
  options.new_table = [output] { return output->Create(); };
  const std::unique_ptr<InternalIterator> input = FrozenEntries(view, world.context->order, limit);
  ASSIGN_OR_RETURN(compaction::RunMergeResult result, compaction::RunMerge(input.get(), options));
  RETURN_IF_ERROR(output->SyncDirectory());
  return result;
}

// The memtables' writes are in `files`; recovery starts at the memtable after them.
manifest::VersionEdit EditFor(const ReadView& view, const std::vector<manifest::FileRef>& files) {
  manifest::VersionEdit edit;
  edit.log_number = FileNumber{view.active->first.log.segment};
  manifest::FamilyEdit& family = edit.Family();
  family.flushed_sequence = view.active->first.sequence;
  for (const manifest::FileRef& file : files) {
    family.added.push_back({0, ToInteger(files.front()->number), *file});
  }
  return edit;
}

void Record(const JobWorld& world, const compaction::RunMergeResult& result, uint64_t micros) {
  JobStats stats;
  stats.bytes_written = result.bytes_written;
  stats.micros = micros;
  stats.entries_in = result.counts.in;
  stats.entries_out = result.counts.out;
  stats.entries_shadowed = result.counts.shadowed;
  stats.tombstones_dropped = result.counts.tombstones_dropped;
  world.context->stats.AddFlush(stats);
}

}  // namespace

absl::Status RunFlush(const JobWorld& world, FlushLimit limit) {
  const std::shared_ptr<const ReadView> view = world.tree->Pin();
  if (view->frozen.empty()) return absl::OkStatus();
  const uint64_t started = world.context->clock()->NowMicros();
  // A writer that was given its number before the memtable was frozen may still be copying into it.
  if (limit.newest == kMaxSequenceNumber) {
    RETURN_IF_ERROR(world.await_published(view->active->first.sequence));
  }

  TableOutput output(world.context, 0);
  absl::StatusOr<compaction::RunMergeResult> result = WriteTables(world, *view, limit, &output);
  if (!result.ok()) {
    output.RemoveAll();
    world.context->errors.NoteWriteError(result.status());
    return result.status();
  }
  RETURN_IF_ERROR(world.versions->Commit(EditFor(*view, result->files), view->frozen.size()));
  Record(world, *result, world.context->clock()->NowMicros() - started);
  return world.retire_log(view->active->first.log);
}

}  // namespace cambium::engine
