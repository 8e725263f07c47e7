// UndeletedIterator: the entries of one source of a view that no range tombstone covers.
//
//   memtable          [c,m)@30        e@35                  a tombstone of a newer source covers
//   every run 1       a@9   c@8  d@20  …  l@7   n@4               entry of an older one: run 1 is
//   moved from run 2       b@2   f@1  [a,e)@1                          c to n with one seek,
//   whatever is between
//
// A view's sources are ordered by age (engine/state/read_view.h): for each key, everything in a
// newer source is newer than everything in an older one, and the tombstones of a source follow the
// same rule. Therefore a tombstone of a newer source covers all entries in its range, which are
// skipped with a seek: no block or file inside of the range is read. A tombstone of the same source
// covers only the entries with smaller sequence numbers, which are passed one by one.
//
// Only sources that are at least as old as a source with tombstones need this iterator; a view
// without tombstones does not use it.
#ifndef CAMBIUM_ENGINE_READ_UNDELETED_ITERATOR_H_
#define CAMBIUM_ENGINE_READ_UNDELETED_ITERATOR_H_

#include <memory>
#include <vector>

#include "base/internal_iterator.h"
#include "base/keys.h"
#include "engine/read/tombstone_cursor.h"

namespace cambium::engine {

// The range tombstones that concern one source. Plain data.
struct ConcernedBy {
  std::vector<std::unique_ptr<TombstoneCursor>> newer;  // of newer sources
  std::vector<std::unique_ptr<TombstoneCursor>> own;    // of the same source
};

// Returns an iterator over the entries of `source` that are not covered. If the tombstones of a
// table cannot be read, it ends with that error.
std::unique_ptr<InternalIterator> NewUndeletedIterator(const KeyOrder& order,
                                                       std::unique_ptr<InternalIterator> source,
                                                       ConcernedBy tombstones);

}  // namespace cambium::engine

#endif  // CAMBIUM_ENGINE_READ_UNDELETED_ITERATOR_H_
