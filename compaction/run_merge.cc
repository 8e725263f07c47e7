#include "compaction/run_merge.h"

#include <algorithm>
#include <cassert>
#include <deque>
#include <string>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "compaction/kept_tombstones.h"
#include "util/status_macros.h"

namespace cambium::compaction {
namespace {

using manifest::FileMetadata;
using manifest::FileRef;

// The size at which the block of a file's range tombstones ends: it is in memory while the file is
// open.
constexpr size_t kMaxRangeDeleteBytes = size_t{1} << 20;

size_t ApproximateSize(const TombstoneFragment& fragment) {
  constexpr size_t kHeaderBytes = 8;
  return kHeaderBytes + fragment.begin.key.size() + fragment.end.key.size() +
         fragment.sequences.size() * sizeof(SequenceNumber);
}

// Returns the size of those older files that the range tombstones cover.
uint64_t CoveredBytes(const std::vector<TombstoneFragment>& fragments,
                      const std::vector<FileRef>& older_files, const KeyOrder& order) {
  const auto covers = [&](const FileMetadata& file) {
    KeyCut reached = file.begin();
    auto fragment = std::partition_point(
        fragments.begin(), fragments.end(),
        [&](const TombstoneFragment& one) { return CompareCuts(order, one.end, reached) <= 0; });
    for (; fragment != fragments.end(); ++fragment) {
      if (CompareCuts(order, reached, fragment->begin) < 0) return false;
      if (fragment->sequences.front() <= file.largest_sequence) return false;
      reached = fragment->end;
      if (CompareCuts(order, file.end(), reached) <= 0) return true;
    }
    return false;
  };
  uint64_t bytes = 0;
  if (fragments.empty()) return bytes;
  for (const FileRef& file : older_files) bytes += covers(*file) ? file->file_size : 0;
  return bytes;
}

// Extends the file's range and sequence numbers by the range tombstones in it.
void IncludeRangeDeletes(const std::vector<TombstoneFragment>& fragments, const KeyOrder& order,
                         FileMetadata* file) {
  if (fragments.empty()) return;
  const KeyCut& begin = fragments.front().begin;
  const KeyCut& end = fragments.back().end;
  const bool only = file->entries == 0;
  if (only || order.Less(begin.key, file->smallest_key)) file->smallest_key = begin.key;
  if (only || CompareCuts(order, file->end(), end) < 0) {
    file->largest_key = end.key;
    file->largest_exclusive = end.place == KeyCut::Place::kBefore;
  }
  if (only) file->smallest_sequence = kMaxSequenceNumber;
  for (const TombstoneFragment& fragment : fragments) {
    file->range_deletes.count += fragment.sequences.size();
    file->smallest_sequence = std::min(file->smallest_sequence, fragment.sequences.back());
    file->largest_sequence = std::max(file->largest_sequence, fragment.sequences.front());
  }
}

FileRef MetadataOf(FileNumber number, sstable::TableSummary summary,
                   const std::vector<TombstoneFragment>& range_deletes,
                   const RunMergeOptions& options) {
  const KeyOrder& order = options.stream.order;
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
  IncludeRangeDeletes(range_deletes, order, file.get());
  file->range_deletes.covered_bytes = CoveredBytes(range_deletes, options.older_files, order);
  assert(file->entries + file->range_deletes.count > 0 && file->tombstones <= file->entries);
  assert(file->smallest_sequence <= file->largest_sequence);
  return file;
}

// Writes the files of one merge in order. Confined to a RunMerge.
class OutputRun {
 public:
  explicit OutputRun(const RunMergeOptions& options)
      : options_(options), tombstones_(TombstonesToKeep(options.stream)) {}

  absl::Status Add(const MergeStream& entry) {
    assert(entry.Valid());
    if (entry.starts_key() && EndsBefore(entry.key())) {
      cut_keys_.emplace_back(entry.key());
      RETURN_IF_ERROR(FinishFiles(KeyCut::Before(cut_keys_.back())));
    }
    RETURN_IF_ERROR(Open());
    if (next_tombstone_ < tombstones_.size()) last_key_.assign(entry.key());
    return table_.builder->Add(entry.key(), entry.trailer(), entry.value());
  }

  // Finishes the last files.
  absl::Status Finish() { return FinishFiles(KeyCut::End()); }

  const std::vector<FileRef>& files() const { return files_; }

 private:
  const KeyOrder& order() const { return options_.stream.order; }

  absl::Status Open() {
    if (table_.builder != nullptr) return absl::OkStatus();
    ASSIGN_OR_RETURN(table_, options_.new_table());
    overlapped_bytes_ = 0;
    return absl::OkStatus();
  }

  // Finishes the current file at `cut`, with the range tombstones before it; begins and finishes
  // more files if these are too many for one.
  absl::Status FinishFiles(const KeyCut& cut) {
    for (bool last = false; !last;) {
      const KeyCut end = EndOfRangeDeletes(cut);
      last = CompareCuts(order(), end, cut) == 0;
      const std::vector<TombstoneFragment> range_deletes = TakeRangeDeletes(end);
      if (table_.builder == nullptr && range_deletes.empty()) continue;
      RETURN_IF_ERROR(Open());
      RETURN_IF_ERROR(table_.builder->SetRangeDeletes(range_deletes));
      ASSIGN_OR_RETURN(sstable::TableSummary summary, table_.builder->Finish());
      table_.builder.reset();
      files_.push_back(MetadataOf(table_.number, std::move(summary), range_deletes, options_));
      assert(files_.size() < 2 ||
             files_[files_.size() - 2]->EndsBefore(files_.back()->smallest_key, order()));
    }
    return absl::OkStatus();
  }

  // Returns where the current file ends, at `cut` or before, if its range tombstones would take too
  // many bytes up to there. A file can be cut only before a key, and after its last entry.
  KeyCut EndOfRangeDeletes(const KeyCut& cut) const {
    size_t bytes = 0;
    for (size_t i = next_tombstone_; i < tombstones_.size(); ++i) {
      const KeyCut& begin = tombstones_[i].begin;
      if (CompareCuts(order(), begin, cut) >= 0) break;
      if (bytes >= kMaxRangeDeleteBytes && begin.place == KeyCut::Place::kBefore &&
          (table_.builder == nullptr || order().Less(last_key_, begin.key))) {
        return begin;
      }
      bytes += ApproximateSize(tombstones_[i]);
    }
    return cut;
  }

  // Removes the range tombstones before `cut` from those that are left.
  std::vector<TombstoneFragment> TakeRangeDeletes(const KeyCut& cut) {
    std::vector<TombstoneFragment> taken;
    for (; next_tombstone_ < tombstones_.size(); ++next_tombstone_) {
      TombstoneFragment& fragment = tombstones_[next_tombstone_];
      if (CompareCuts(order(), fragment.begin, cut) >= 0) break;
      taken.push_back(fragment);
      if (CompareCuts(order(), cut, fragment.end) >= 0) continue;
      taken.back().end = cut;
      fragment.begin = cut;
      break;
    }
    range_delete_bytes_ = 0;
    counted_tombstones_ = next_tombstone_;
    return taken;
  }

  // Returns true if the current file is large enough, or if it would overlap too much of the
  // grandparents, or a part of a damaged one, if it included `key`. Keys ascend from call to call.
  bool EndsBefore(std::string_view key) {
    const std::vector<FileRef>& below = options_.grandparents;
    for (; next_below_ < below.size(); ++next_below_) {
      if (!order().Less(below[next_below_]->largest_key, key)) break;
      overlapped_bytes_ += below[next_below_]->file_size;
    }
    for (; counted_tombstones_ < tombstones_.size(); ++counted_tombstones_) {
      if (!IsAfterCut(order(), key, tombstones_[counted_tombstones_].begin)) break;
      range_delete_bytes_ += ApproximateSize(tombstones_[counted_tombstones_]);
    }
    const bool over_damaged = next_below_ < below.size() && below[next_below_]->quarantined() &&
                              !order().Less(key, below[next_below_]->smallest_key);
    const bool crossed = std::exchange(over_damaged_, over_damaged) != over_damaged;
    return crossed || overlapped_bytes_ > options_.max_grandparent_bytes ||
           range_delete_bytes_ >= kMaxRangeDeleteBytes ||
           (table_.builder != nullptr &&
            table_.builder->EstimatedFileSize() >= options_.target_file_size);
  }

  const RunMergeOptions& options_;
  OutputTable table_;
  std::vector<FileRef> files_;
  bool over_damaged_ = false;      // the last key is in a quarantined grandparent's range
  size_t next_below_ = 0;          // the first grandparent that does not end before the last key
  uint64_t overlapped_bytes_ = 0;  // of the grandparents before it, since the file began
  std::vector<TombstoneFragment> tombstones_;  // kept ones, ascending
  size_t next_tombstone_ = 0;                  // the first that is not in a finished file
  size_t counted_tombstones_ = 0;              // the first that begins after the last key
  size_t range_delete_bytes_ = 0;              // of those before it, since the file began
  std::deque<std::string> cut_keys_;           // tombstones_ refer to them
  std::string last_key_;  // of the current file's entries; not set after the last tombstone
};

}  // namespace

absl::StatusOr<RunMergeResult> RunMerge(InternalIterator* input, const RunMergeOptions& options) {
  MergeStream stream(input, options.stream);
  OutputRun output(options);
  for (; stream.Valid(); stream.Next()) RETURN_IF_ERROR(output.Add(stream));
  RETURN_IF_ERROR(stream.status());
  RETURN_IF_ERROR(output.Finish());
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
  std::function<bool(const KeyCut&, const KeyCut&)> range_absent =
      [](const KeyCut&, const KeyCut&) { return true; };
  if (!plan.Bottommost()) {
    auto older = std::make_shared<OlderData>(plan.older_files, order);
    absent = [older](std::string_view key) { return older->Absent(key); };
    auto older_ranges = std::make_shared<OlderData>(plan.older_files, order);
    range_absent = [older_ranges](const KeyCut& begin, const KeyCut& end) {
      return older_ranges->Absent(begin, end);
    };
  }
  if (plan.output_level == 0) {
    // Sequence numbers distinguish the runs of level 0: they are not set to 0 there.
    options.stream.expired_absent_below = std::move(absent);
  } else {
    options.stream.key_absent_below = std::move(absent);
    options.stream.range_absent_below = std::move(range_absent);
  }
  options.target_file_size = plan.target_file_size;
  options.grandparents = plan.grandparents;
  options.older_files = plan.older_files;
  options.max_grandparent_bytes = plan.max_grandparent_bytes;
  return options;
}

}  // namespace cambium::compaction
