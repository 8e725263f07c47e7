// Iterators over a read view: every memtable and every run of it, merged.
#ifndef CAMBIUM_ENGINE_READ_VIEW_ITERATOR_H_
#define CAMBIUM_ENGINE_READ_VIEW_ITERATOR_H_

#include <memory>

#include "cambium/iterator.h"
#include "cambium/options.h"
#include "engine/context.h"
#include "engine/state/read_view.h"

namespace cambium::engine {

// What a user walks: the newest visible version of each key, as of `sequence`, inside the bounds of
// `options`. Keeps `view` alive.
std::unique_ptr<Iterator> NewViewIterator(Context* context, std::shared_ptr<const ReadView> view,
                                          SequenceNumber sequence, const ReadOptions& options);

}  // namespace cambium::engine

#endif  // CAMBIUM_ENGINE_READ_VIEW_ITERATOR_H_
