// RunIterator: the entries of neighbouring files of one run, as one sequence.
//
// A table is opened when the walk comes to it and let go when it leaves: at most one is open.
// Making the iterator costs the same however many files the run has.
// Invariant: the files are ascending and disjoint in user keys (manifest/version.h), so a search
// looks into one file, and into its neighbour if the first has nothing.
#ifndef CAMBIUM_COMPACTION_RUN_ITERATOR_H_
#define CAMBIUM_COMPACTION_RUN_ITERATOR_H_

#include <cstddef>
#include <functional>
#include <memory>
#include <span>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/internal_iterator.h"
#include "base/keys.h"
#include "manifest/version_edit.h"

namespace cambium::compaction {

// What a RunIterator reads. Plain data.
struct RunSource {
  std::span<const manifest::FileRef> files;  // ascending; outlives the iterator
  // Opens files[index] for reading. What the result reads from outlives the iterator.
  std::function<absl::StatusOr<std::unique_ptr<InternalIterator>>(size_t index)> open;
  // Is told that opening or reading files[index] failed. May be empty.
  std::function<void(size_t index, const absl::Status& error)> on_error = nullptr;
};

// A table that cannot be opened or read ends the walk with its error.
std::unique_ptr<InternalIterator> NewRunIterator(const KeyOrder& order, RunSource source);

}  // namespace cambium::compaction

#endif  // CAMBIUM_COMPACTION_RUN_ITERATOR_H_
