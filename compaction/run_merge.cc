#include "compaction/run_merge.h"

#include <cassert>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "util/status_macros.h"

namespace cambium::compaction {
namespace {

using manifest::FileMetadata;
using manifest::FileRef;

FileRef MetadataOf(FileNumber number, sstable::TableSummary summary) {
  auto file = std::make_shared<FileMetadata>();
  file->number = number;
  file->physical_number = number;
  file->file_size = summary.file_size;
  file->smallest_key = std::move(summary.smallest_key);
  file->largest_key = std::move(summary.largest_key);
  file->smallest_sequence = summary.smallest_sequence;
  file->largest_sequence = summary.largest_sequence;
  file->entries = summary.entries;
  file->tombstones = summary.tombstones;
  file->raw_bytes = summary.raw_key_bytes + summary.raw_value_bytes;
  file->digest = summary.digest;
  file->expiring = summary.expiring;
  assert(file->entries > 0 && file->tombstones <= file->entries);
  assert(file->smallest_sequence <= file->largest_sequence);
  return file;
}

// Writes the files of one merge in order. Confined to a RunMerge.
class OutputRun {
 public:
  explicit OutputRun(const RunMergeOptions& options) : options_(options) {}

  absl::Status Add(const MergeStream& entry) {
    assert(entry.Valid());
    if (entry.starts_key() && EndsBefore(entry.key())) RETURN_IF_ERROR(FinishFile());
    if (table_.builder == nullptr) {
      ASSIGN_OR_RETURN(table_, options_.new_table());
      overlapped_bytes_ = 0;
    }
    return table_.builder->Add(entry.key(), entry.trailer(), entry.value());
  }

  absl::Status FinishFile() {
    if (table_.builder == nullptr) return absl::OkStatus();
    ASSIGN_OR_RETURN(sstable::TableSummary summary, table_.builder->Finish());
    table_.builder.reset();
    files_.push_back(MetadataOf(table_.number, std::move(summary)));
    assert(files_.size() < 2 || options_.stream.order.Less(files_[files_.size() - 2]->largest_key,
                                                           files_.back()->smallest_key));
    return absl::OkStatus();
  }

  const std::vector<FileRef>& files() const { return files_; }

 private:
  // Returns true if the current file is large enough, or if it would overlap too much of the
  // grandparents, or a part of a damaged one, if it included `key`. Keys ascend from call to call.
  bool EndsBefore(std::string_view key) {
    const std::vector<FileRef>& below = options_.grandparents;
    for (; next_below_ < below.size(); ++next_below_) {
      if (!options_.stream.order.Less(below[next_below_]->largest_key, key)) break;
      overlapped_bytes_ += below[next_below_]->file_size;
    }
    const bool over_damaged = next_below_ < below.size() && below[next_below_]->quarantined() &&
                              !options_.stream.order.Less(key, below[next_below_]->smallest_key);
    const bool crossed = std::exchange(over_damaged_, over_damaged) != over_damaged;
    return crossed || overlapped_bytes_ > options_.max_grandparent_bytes ||
           (table_.builder != nullptr &&
            table_.builder->EstimatedFileSize() >= options_.target_file_size);
  }

  const RunMergeOptions& options_;
  OutputTable table_;
  std::vector<FileRef> files_;
  bool over_damaged_ = false;      // the last key is in a quarantined grandparent's range
  size_t next_below_ = 0;          // the first grandparent that does not end before the last key
  uint64_t overlapped_bytes_ = 0;  // of the grandparents before it, since the file began
};

}  // namespace

absl::StatusOr<RunMergeResult> RunMerge(InternalIterator* input, const RunMergeOptions& options) {
  MergeStream stream(input, options.stream);
  OutputRun output(options);
  for (; stream.Valid(); stream.Next()) RETURN_IF_ERROR(output.Add(stream));
  RETURN_IF_ERROR(stream.status());
  RETURN_IF_ERROR(output.FinishFile());
  RunMergeResult result{output.files(), stream.counts()};
  uint64_t written = 0;
  for (const FileRef& file : result.files) written += file->entries;
  if (!result.counts.Balanced() || result.counts.out != written) {
    return absl::InternalError(
        absl::StrCat("merge: found ", result.counts.in, " entries in, ", result.counts.shadowed,
                     " shadowed, ", result.counts.tombstones_dropped, " tombstones dropped, ",
                     result.counts.expired, " expired, ", result.counts.merged, " merged and ",
                     written, " in files, expected the six to balance"));
  }
  return result;
}

RunMergeOptions OptionsFor(const Plan& plan, const KeyRange& range, const KeyOrder& order) {
  RunMergeOptions options;
  options.stream.order = order;
  options.stream.range = range;
  std::function<bool(std::string_view)> absent = [](std::string_view) { return true; };
  if (!plan.Bottommost()) {
    auto older = std::make_shared<OlderData>(plan.older_files, order);
    absent = [older](std::string_view key) { return older->Absent(key); };
  }
  // Sequence numbers distinguish the runs of level 0: they are not set to 0 there.
  const bool inside_level0 = plan.output_level == 0;
  (inside_level0 ? options.stream.expired_absent_below : options.stream.key_absent_below) =
      std::move(absent);
  options.target_file_size = plan.target_file_size;
  options.grandparents = plan.grandparents;
  options.max_grandparent_bytes = plan.max_grandparent_bytes;
  return options;
}

}  // namespace cambium::compaction
