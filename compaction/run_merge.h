// RunMerge: merges a sorted input into the files of one run. Both flush and compaction use it.
//
//   InternalIterator ─▶ MergeStream ─▶ TableBuilder ─▶ file 12 [a…f]
//                                     └─ split ─────▶ file 13 [g…m]
//
// A file ends when it has reached its target size, or when it would overlap too many bytes of the
// level below; never between two versions of one key. Range tombstones that extend over the end of
// a file are cut there: the part before the first key of the next file stays, and the rest goes to
// the next file.
#ifndef CAMBIUM_COMPACTION_RUN_MERGE_H_
#define CAMBIUM_COMPACTION_RUN_MERGE_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "base/internal_iterator.h"
#include "base/keys.h"
#include "compaction/merge_stream.h"
#include "compaction/plan.h"
#include "manifest/version_edit.h"
#include "sstable/table/table_builder.h"

namespace cambium::compaction {

// A table that is being written, and its file number.
struct OutputTable {
  FileNumber number{0};
  std::unique_ptr<sstable::TableBuilder> builder;
};

// Allocates a number and creates the file. The caller must record the numbers: after an error it
// must remove those files.
using NewTable = std::function<absl::StatusOr<OutputTable>()>;

struct RunMergeOptions {
  MergeStreamOptions stream;
  uint64_t target_file_size = UINT64_MAX;
  // As in Plan.
  std::vector<manifest::FileRef> grandparents;
  uint64_t max_grandparent_bytes = UINT64_MAX;
  // Files with data older than the input, which its range tombstones may cover.
  std::vector<manifest::FileRef> older_files;
  NewTable new_table;
};

// Plain data.
struct RunMergeResult {
  // Ascending; synced and closed, but their directory entries are not synced yet. Empty if no entry
  // was kept.
  std::vector<manifest::FileRef> files;
  MergeCounts counts;
};

// Merges the part of `input` that is in options.stream.range. Returns the input's or the file
// system's error, Cancelled, DataLoss if entries do not ascend, or Internal if entries were lost
// between input and output (D18). Files created before an error remain.
absl::StatusOr<RunMergeResult> RunMerge(InternalIterator* input, const RunMergeOptions& options);

// Returns the options for merging the part `range` of `plan`; the caller must set stream.snapshots,
// stream.cancelled, and new_table.
RunMergeOptions OptionsFor(const Plan& plan, const KeyRange& range, const KeyOrder& order);

}  // namespace cambium::compaction

#endif  // CAMBIUM_COMPACTION_RUN_MERGE_H_
