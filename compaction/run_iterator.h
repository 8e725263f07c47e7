// RunIterator: the entries of neighbouring files of one run, as one sequence.
//
// A table is opened when the walk comes to it and let go when it leaves: at most one is open.
// Invariant: the files are ascending and disjoint in user keys (manifest/version.h), so a search
// looks into one file, and into its neighbour where the first has nothing.
#ifndef CAMBIUM_COMPACTION_RUN_ITERATOR_H_
#define CAMBIUM_COMPACTION_RUN_ITERATOR_H_

#include <functional>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "base/internal_iterator.h"
#include "base/keys.h"
#include "manifest/version_edit.h"

namespace cambium::compaction {

// Opens a table for reading. The iterator need not outlive `file`, but all that it reads from.
using OpenTable =
    std::function<absl::StatusOr<std::unique_ptr<InternalIterator>>(const manifest::FileRef& file)>;

// Keeps the files' metadata alive. A table that does not open ends the walk with its error.
std::unique_ptr<InternalIterator> NewRunIterator(const KeyOrder& order,
                                                 std::vector<manifest::FileRef> files,
                                                 OpenTable open);

}  // namespace cambium::compaction

#endif  // CAMBIUM_COMPACTION_RUN_ITERATOR_H_
