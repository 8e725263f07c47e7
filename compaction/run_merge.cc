#include "compaction/run_merge.h"

#include <string>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "util/status_macros.h"

namespace cambium::compaction {
namespace {

using manifest::FileMetadata;
using manifest::FileRef;

// Adds up how much of the grandparents the file being written overlaps. Confined to a RunMerge.
class GrandparentOverlap {
 public:
  GrandparentOverlap(const std::vector<FileRef>& files, uint64_t limit, const KeyOrder& order)
      : files_(files), limit_(limit), order_(order) {}

  // Whether a file that goes on to `key` would overlap too much. Keys ascend from call to call.
  bool TooMuchAt(std::string_view key) {
    while (next_ < files_.size() && order_.Less(files_[next_]->largest_key, key)) {
      bytes_ += files_[next_]->file_size;
      ++next_;
    }
    return bytes_ > limit_;
  }

  // The next file begins, at the key asked for last.
  void StartFile() { bytes_ = 0; }

 private:
  const std::vector<FileRef>& files_;
  const uint64_t limit_;
  const KeyOrder order_;
  size_t next_ = 0;
  uint64_t bytes_ = 0;
};

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
  return file;
}

// The files of one merge, one after the other. Confined to a RunMerge.
class OutputRun {
 public:
  explicit OutputRun(const RunMergeOptions& options)
      : options_(options),
        overlap_(options.grandparents, options.max_grandparent_bytes, options.stream.order) {}

  absl::Status Add(const MergeStream& entry) {
    if (entry.starts_key()) RETURN_IF_ERROR(SplitBefore(entry.key()));
    if (table_.builder == nullptr) {
      ASSIGN_OR_RETURN(table_, options_.new_table());
    }
    return table_.builder->Add(entry.key(), entry.tag(), entry.value());
  }

  absl::Status FinishFile() {
    if (table_.builder == nullptr) return absl::OkStatus();
    ASSIGN_OR_RETURN(sstable::TableSummary summary, table_.builder->Finish());
    table_.builder.reset();
    bytes_ += summary.file_size;
    entries_ += summary.entries;
    files_.push_back(MetadataOf(table_.number, std::move(summary)));
    return absl::OkStatus();
  }

  uint64_t entries() const { return entries_; }
  uint64_t bytes() const { return bytes_; }
  std::vector<FileRef> TakeFiles() { return std::move(files_); }

 private:
  absl::Status SplitBefore(std::string_view key) {
    const bool overlaps = overlap_.TooMuchAt(key);
    if (table_.builder == nullptr) {
      overlap_.StartFile();
      return absl::OkStatus();
    }
    if (!overlaps && table_.builder->EstimatedFileSize() < options_.target_file_size) {
      return absl::OkStatus();
    }
    overlap_.StartFile();
    return FinishFile();
  }

  const RunMergeOptions& options_;
  GrandparentOverlap overlap_;
  OutputTable table_;
  std::vector<FileRef> files_;
  uint64_t bytes_ = 0;
  uint64_t entries_ = 0;
};

}  // namespace

absl::StatusOr<RunMergeResult> RunMerge(InternalIterator* input, const RunMergeOptions& options) {
  MergeStream stream(input, options.stream);
  OutputRun output(options);
  for (; stream.Valid(); stream.Next()) RETURN_IF_ERROR(output.Add(stream));
  RETURN_IF_ERROR(stream.status());
  RETURN_IF_ERROR(output.FinishFile());
  RunMergeResult result;
  result.counts = stream.counts();
  if (!result.counts.Balanced() || result.counts.out != output.entries()) {
    return absl::InternalError(
        absl::StrCat("merge: found ", result.counts.in, " entries in, ", result.counts.shadowed,
                     " shadowed, ", result.counts.tombstones_dropped, " tombstones dropped and ",
                     output.entries(), " in files, expected the four to balance"));
  }
  result.bytes_written = output.bytes();
  result.files = output.TakeFiles();
  return result;
}

RunMergeOptions OptionsFor(const Plan& plan, const KeyRange& range, const KeyOrder& order) {
  RunMergeOptions options;
  options.stream.order = order;
  options.stream.range = range;
  if (plan.output_level == 0) {
    // Runs of level 0 are told apart by their sequence numbers: none is given up there.
  } else if (plan.Bottommost()) {
    options.stream.key_absent_below = [](std::string_view) { return true; };
  } else {
    auto older = std::make_shared<OlderData>(plan.older_files, order);
    options.stream.key_absent_below = [older](std::string_view key) { return older->Absent(key); };
  }
  options.target_file_size = plan.target_file_size;
  options.grandparents = plan.grandparents;
  options.max_grandparent_bytes = plan.max_grandparent_bytes;
  return options;
}

}  // namespace cambium::compaction
