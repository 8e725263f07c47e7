// One sorted walk over several sorted sources.
//
// A loser tree: each inner node keeps the child that lost there, so that after a move of the winner
// one walk from its leaf to the root, a compare a level, finds the next winner. Children are
// compared by their key abbreviated keys as integers; keys are looked at where abbreviated keys are
// equal.
//
//              winner: c                Next(): move c, then compare it with d, with a
//                 a
//            ┌────┴────┐                Once a child has won twice running, the best of the losers
//            b         d                on its way up is remembered, the runner-up: while the child
//          ┌─┴─┐     ┌─┴─┐              stays before that one it goes on winning, one compare a
//          a   b     c   d              move. Only when it is passed is the tree walked again.
//
// A heap was the alternative: two compares a level, and no use of the runner-up.
//
// The order is that of base/keys.h; entries equal in key and trailer come in the order of their
// children. Invariants: while valid, every child stands on its first entry not yet passed in the
// direction of the walk. A turn of direction seeks every child but the winner anew.
#ifndef CAMBIUM_BASE_MERGING_ITERATOR_H_
#define CAMBIUM_BASE_MERGING_ITERATOR_H_

#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "base/internal_iterator.h"
#include "base/keys.h"

namespace cambium {

// Walks all of `children`. Without any: an empty iterator; with one: that one. An error of any
// child ends the walk at once: Valid() is false and status() the error, until the next seek.
std::unique_ptr<InternalIterator> NewMergingIterator(
    const KeyOrder& order, std::vector<std::unique_ptr<InternalIterator>> children);

// The iterator over nothing: never Valid(); status() is `status`.
std::unique_ptr<InternalIterator> NewEmptyIterator(absl::Status status = absl::OkStatus());

}  // namespace cambium

#endif  // CAMBIUM_BASE_MERGING_ITERATOR_H_
