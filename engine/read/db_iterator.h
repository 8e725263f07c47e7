// The user's iterator: from entries, which are versions of keys, to keys and values as seen at one
// sequence number.
//
//   entries                         seen at 30
//     a  put@40  put@25  put@10      a → the value of put@25
//     b  del@28  put@5               –
//     c  put@7                       c → the value of put@7
//
// What a key is, KeyFold decides (base/key_fold.h). Forward, the input stands on the entry shown,
// and key() and value() are its bytes: nothing is copied but the key, at the next move, to know its
// older versions by. Backward, the versions of a key come oldest first: the value is copied, and
// the input stands on the entry before the key's versions.
//
// Of a key with many versions a few are stepped over, then the rest are passed with one seek.
#ifndef CAMBIUM_ENGINE_READ_DB_ITERATOR_H_
#define CAMBIUM_ENGINE_READ_DB_ITERATOR_H_

#include <memory>
#include <optional>
#include <string>

#include "base/internal_iterator.h"
#include "base/keys.h"
#include "cambium/iterator.h"
#include "engine/state/open_state.h"
#include "engine/state/stats_recorder.h"

namespace cambium::engine {

// What an iterator is made of. The input goes before the pin does.
struct DBIteratorArgs {
  std::shared_ptr<const void> pin = nullptr;  // keeps alive what `input` reads; may be null
  std::unique_ptr<InternalIterator> input = nullptr;
  KeyOrder order{BytewiseComparator()};
  const MergeOperator* merge_operator = nullptr;          // outlives the iterator
  SequenceNumber sequence = kMaxSequenceNumber;           // newer versions are not seen
  std::optional<std::string> lower_bound = std::nullopt;  // inclusive
  std::optional<std::string> upper_bound = std::nullopt;  // exclusive
  StatsRecorder* stats = nullptr;                         // counts seeks, where given
  const OpenState* open = nullptr;                        // of the database; null in tests
};

// When the database has been closed, or in a child of fork(), each move ends at FailedPrecondition.
// An error of the input is status()'s; an entry of a kind that this release does not know is
// UnimplementedError.
std::unique_ptr<Iterator> NewDBIterator(DBIteratorArgs args);

}  // namespace cambium::engine

#endif  // CAMBIUM_ENGINE_READ_DB_ITERATOR_H_
