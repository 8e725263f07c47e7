// The iterator of a transaction: its own writes over an iterator of the database.
//
//   own writes   a put    c merge +1           x delete
//   database     a = 1    c = 5      d = 9     x = 3
//   ─────────────────────────────────────────────────────
//   result       a own    c = 6      d = 9
//
// The two inputs are at the first key at or after the current one, or, backward, at the last key at
// or before it.
#ifndef CAMBIUM_ENGINE_TRANSACTION_OVERLAY_ITERATOR_H_
#define CAMBIUM_ENGINE_TRANSACTION_OVERLAY_ITERATOR_H_

#include <memory>

#include "base/keys.h"
#include "cambium/iterator.h"
#include "cambium/options.h"
#include "engine/transaction/own_writes.h"

namespace cambium::engine {

// Returns an iterator over `base`, which has the bounds of `options`, and the entries of `own` with
// a number <= `last`, within the same bounds.
std::unique_ptr<Iterator> NewOverlayIterator(std::unique_ptr<Iterator> base,
                                             std::shared_ptr<const OwnTable> own,
                                             SequenceNumber last, const ReadOptions& options);

}  // namespace cambium::engine

#endif  // CAMBIUM_ENGINE_TRANSACTION_OVERLAY_ITERATOR_H_
