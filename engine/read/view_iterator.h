// Creates the public iterator over one view of a tree.
#ifndef CAMBIUM_ENGINE_READ_VIEW_ITERATOR_H_
#define CAMBIUM_ENGINE_READ_VIEW_ITERATOR_H_

#include <memory>

#include "base/keys.h"
#include "cambium/iterator.h"
#include "cambium/options.h"
#include "engine/read/point_read.h"
#include "engine/state/open_state.h"
#include "engine/state/read_view.h"
#include "engine/state/stats_recorder.h"
#include "engine/state/tree_options.h"

namespace cambium::engine {

// The state that all iterators of a tree share. Plain data; outlives the iterators.
struct IteratorWorld {
  const TreeOptions* tree = nullptr;
  StatsRecorder* stats = nullptr;
  const OpenState* open = nullptr;
  WallTime* wall = nullptr;
};

// Returns an iterator over the entries of `view` that are visible at `sequence`, within the bounds
// of `options`. It merges the memtables and one cursor per run.
std::unique_ptr<Iterator> NewViewIterator(const IteratorWorld& world,
                                          std::shared_ptr<const ReadView> view,
                                          SequenceNumber sequence, const ReadOptions& options);

// Returns an iterator that is not valid, with that status.
std::unique_ptr<Iterator> NewErrorIterator(absl::Status error);

}  // namespace cambium::engine

#endif  // CAMBIUM_ENGINE_READ_VIEW_ITERATOR_H_
