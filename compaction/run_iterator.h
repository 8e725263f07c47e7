// RunIterator: iterates over the entries of adjacent files of one run.
//
// A table is opened when the iterator reaches it and released when it leaves: at most one is open.
// Creating the iterator costs the same for any number of files. Invariant: the files are ascending
// and disjoint in user keys (manifest/version.h), so a search reads one file, and its neighbor if
// the first has no result.
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

// The input of a RunIterator. Plain data.
struct RunSource {
  std::span<const manifest::FileRef> files;  // ascending; must outlive the iterator
  // Opens files[index] for reading. The objects that the result uses must outlive the iterator.
  std::function<absl::StatusOr<std::unique_ptr<InternalIterator>>(size_t index)> open;
  // Called if opening or reading files[index] failed. May be empty.
  std::function<void(size_t index, const absl::Status& error)> on_error = nullptr;
};

// Returns an iterator over the files. If a table cannot be opened or read, it ends with that error.
std::unique_ptr<InternalIterator> NewRunIterator(const KeyOrder& order, RunSource source);

}  // namespace cambium::compaction

#endif  // CAMBIUM_COMPACTION_RUN_ITERATOR_H_
