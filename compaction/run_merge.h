// RunMerge: a sorted input into the files of one run. Flush and compaction are both this.
//
//   InternalIterator ─▶ MergeStream ─▶ TableBuilder ─▶ file 12 [a…f]
//                                     └─ split ─────▶ file 13 [g…m]
//
// A file ends where it has reached its target size, or where it would come to overlap too many
// bytes of the level below; never between two versions of one key.
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

// A table being written, under the number that it will be known by.
struct OutputTable {
  FileNumber number{0};
  std::unique_ptr<sstable::TableBuilder> builder;
};

// Draws a number and makes the file. The caller keeps account of the numbers: after an error it
// removes those files.
using NewTable = std::function<absl::StatusOr<OutputTable>()>;

struct RunMergeOptions {
  MergeStreamOptions stream;
  uint64_t target_file_size = UINT64_MAX;
  // As in Plan.
  std::vector<manifest::FileRef> grandparents;
  uint64_t max_grandparent_bytes = UINT64_MAX;
  NewTable new_table;
};

// Plain data.
struct RunMergeResult {
  // Ascending; synced and closed, their directory entries not yet synced. None where no entry was
  // kept.
  std::vector<manifest::FileRef> files;
  MergeCounts counts;
};

// Merges all of `input` that lies in options.stream.range. Errors: the input's, the file system's,
// Cancelled, DataLoss where entries do not ascend, Internal where entries got lost between input
// and output (D18). Files made before an error stay behind.
absl::StatusOr<RunMergeResult> RunMerge(InternalIterator* input, const RunMergeOptions& options);

// The options that the part `range` of `plan` is merged with; stream.snapshots, stream.cancelled
// and new_table are left to the caller.
RunMergeOptions OptionsFor(const Plan& plan, const KeyRange& range, const KeyOrder& order);

}  // namespace cambium::compaction

#endif  // CAMBIUM_COMPACTION_RUN_MERGE_H_
