// Iterator: an ordered walk over a database, in both directions.
#ifndef CAMBIUM_ITERATOR_H_
#define CAMBIUM_ITERATOR_H_

#include <string_view>

#include "absl/status/status.h"
#include "cambium/export.h"

namespace cambium {

// A consistent view from the moment of its making; pins that view until destroyed. Where Valid()
// turns false, look at status(): ok means the end of the data, anything else that the walk stopped
// short. Destroy it before its DB. Belongs to one thread at a time.
class CAMBIUM_EXPORT Iterator {
 public:
  Iterator() = default;
  Iterator(const Iterator&) = delete;
  Iterator& operator=(const Iterator&) = delete;
  virtual ~Iterator() = default;

  // Whether it stands on an entry.
  virtual bool Valid() const = 0;

  // First and last key inside the bounds.
  virtual void SeekToFirst() = 0;
  virtual void SeekToLast() = 0;

  // First key >= target; last key <= target. Inside the bounds.
  virtual void Seek(std::string_view target) = 0;
  virtual void SeekForPrev(std::string_view target) = 0;

  // Require Valid(). The order of the keys is Options::comparator's.
  virtual void Next() = 0;
  virtual void Prev() = 0;

  // Require Valid(). The bytes live until the next move.
  virtual std::string_view key() const = 0;
  virtual std::string_view value() const = 0;

  // ok at the end of the data; the error where the walk stopped short of it. Sticky until the
  // next Seek.
  virtual absl::Status status() const = 0;
};

}  // namespace cambium

#endif  // CAMBIUM_ITERATOR_H_
