// Merges several sorted iterators into one.
//
// A loser tree: each inner node stores the child that lost there. After the winner moves, one pass
// from its leaf to the root, with one compare per level, finds the next winner. Children are
// compared by their abbreviated keys as integers; full keys are compared only if these are equal.
//
//              winner: c                Next(): move c, then compare it with d and with a
//                 a
//            ┌────┴────┐                If a child has won twice in a row, the best loser on its
//            b         d                path to the root is stored as the runner-up. As long as
//          ┌─┴─┐     ┌─┴─┐              the child is before the runner-up it keeps winning, with
//          a   b     c   d              one compare per move. Then the tree is traversed again.
//
// Rejected: a heap, which needs two compares per level and cannot use a runner-up.
//
// The order is that of base/keys.h; entries with equal key and trailer come in the order of their
// children. Invariant: while valid, every child is at its first entry not yet passed in the
// direction of iteration. A change of direction seeks every child except the winner.
#ifndef CAMBIUM_BASE_MERGING_ITERATOR_H_
#define CAMBIUM_BASE_MERGING_ITERATOR_H_

#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "base/internal_iterator.h"
#include "base/keys.h"

namespace cambium {

// Returns an iterator over all of `children`: an empty iterator if there are none, and the child
// itself if there is one. An error of any child ends the iteration: Valid() is false and status()
// returns the error, until the next seek.
std::unique_ptr<InternalIterator> NewMergingIterator(
    const KeyOrder& order, std::vector<std::unique_ptr<InternalIterator>> children);

// Returns an empty iterator: Valid() is always false, and status() returns `status`.
std::unique_ptr<InternalIterator> NewEmptyIterator(absl::Status status = absl::OkStatus());

}  // namespace cambium

#endif  // CAMBIUM_BASE_MERGING_ITERATOR_H_
