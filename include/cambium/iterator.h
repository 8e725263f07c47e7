// Iterator: reads the entries of a database in key order, in both directions.
#ifndef CAMBIUM_ITERATOR_H_
#define CAMBIUM_ITERATOR_H_

#include <string_view>

#include "absl/status/status.h"
#include "cambium/export.h"

namespace cambium {

// A consistent view of the database as of its creation, which it pins until it is destroyed. If
// Valid() returns false, the caller must check status(): ok means the end of the data, anything
// else means that the iterator stopped before it. Destroy it before its DB. One thread at a time.
class CAMBIUM_EXPORT Iterator {
 public:
  Iterator() = default;
  Iterator(const Iterator&) = delete;
  Iterator& operator=(const Iterator&) = delete;
  virtual ~Iterator() = default;

  // Returns true if the iterator is positioned at an entry.
  virtual bool Valid() const = 0;

  // Moves to the first or the last key within the bounds.
  virtual void SeekToFirst() = 0;
  virtual void SeekToLast() = 0;

  // Moves to the first key >= target, or to the last key <= target, within the bounds.
  virtual void Seek(std::string_view target) = 0;
  virtual void SeekForPrev(std::string_view target) = 0;

  // Moves to the next or the previous key in the order of Options::comparator. Requires Valid().
  virtual void Next() = 0;
  virtual void Prev() = 0;

  // Return the current entry. Require Valid(). The bytes are valid until the next move.
  virtual std::string_view key() const = 0;
  virtual std::string_view value() const = 0;

  // Returns ok if the iterator is valid or at the end of the data, else the error that stopped it,
  // until the next Seek.
  virtual absl::Status status() const = 0;
};

}  // namespace cambium

#endif  // CAMBIUM_ITERATOR_H_
