// The public iterator: converts entries, which are versions of keys, to the keys and values that
// are visible at one sequence number.
//
//   entries                        visible at 30
//     a  put@40  put@25  put@10      a → the value of put@25
//     b  del@28  put@5               –
//     c  put@7                       c → the value of put@7
//
// KeyFold (base/key_fold.h) resolves the versions of a key. In a forward scan, the input is
// positioned at the current entry, and key() and value() return its bytes. Nothing is copied except
// the key, in the next move, to recognize its older versions. In a backward scan, the versions of a
// key come oldest first: the value is copied, and the input is positioned at the entry before the
// key's versions.
//
// If a key has many versions, Next() steps over a few of them and then seeks past the rest.
#ifndef CAMBIUM_ENGINE_READ_DB_ITERATOR_H_
#define CAMBIUM_ENGINE_READ_DB_ITERATOR_H_

#include <memory>
#include <optional>
#include <string>

#include "base/expiry.h"
#include "base/internal_iterator.h"
#include "base/keys.h"
#include "cambium/iterator.h"
#include "engine/state/open_state.h"
#include "engine/state/stats_recorder.h"

namespace cambium::engine {

// The parts of an iterator. The input is destroyed before the pin.
struct DBIteratorArgs {
  std::shared_ptr<const void> pin = nullptr;  // keeps the memory of `input` alive; may be null
  std::unique_ptr<InternalIterator> input = nullptr;
  KeyOrder order{BytewiseComparator()};
  const MergeOperator* merge_operator = nullptr;          // outlives the iterator
  std::optional<ReadTime> time = std::nullopt;            // absent: values must not expire
  SequenceNumber sequence = kMaxSequenceNumber;           // newer versions are not visible
  std::optional<std::string> lower_bound = std::nullopt;  // inclusive
  std::optional<std::string> upper_bound = std::nullopt;  // exclusive
  StatsRecorder* stats = nullptr;                         // counts seeks; may be null
  const OpenState* open = nullptr;                        // state of the database; null in tests
};

// If the database has been closed, or in a child of fork(), each move fails with
// FailedPrecondition. status() returns errors of the input, and UnimplementedError for an entry of
// an unknown kind.
std::unique_ptr<Iterator> NewDBIterator(DBIteratorArgs args);

}  // namespace cambium::engine

#endif  // CAMBIUM_ENGINE_READ_DB_ITERATOR_H_
