// InternalIterator: the one shape of everything that is sorted: a memtable, a block, a table, a
// run, a merge of them.
//
// A position is an entry (user key, trailer, value); entries are in the order of base/keys.h. The
// position lies in this base class, so that looking at it costs no call; a move is one virtual
// call.
//
// Invariants: Valid() false means the end in the direction of the last move, or an error: a caller
// looks at status(). The bytes of key() and value() live until the next move or the iterator's end.
#ifndef CAMBIUM_BASE_INTERNAL_ITERATOR_H_
#define CAMBIUM_BASE_INTERNAL_ITERATOR_H_

#include <cassert>
#include <memory>
#include <string_view>

#include "absl/status/status.h"
#include "base/keys.h"

namespace cambium {

// Thread-compatible.
class InternalIterator {
 public:
  InternalIterator() = default;
  InternalIterator(const InternalIterator&) = delete;
  InternalIterator& operator=(const InternalIterator&) = delete;
  virtual ~InternalIterator() = default;

  bool Valid() const { return valid_; }
  // Require Valid().
  std::string_view key() const {
    assert(valid_);
    return key_;
  }
  Trailer trailer() const {
    assert(valid_);
    return trailer_;
  }
  std::string_view value() const {
    assert(valid_);
    return value_;
  }

  virtual void SeekToFirst() = 0;
  virtual void SeekToLast() = 0;
  // The first entry at or after (key, trailer) in the order of entries.
  virtual void Seek(std::string_view key, Trailer trailer) = 0;
  // The last entry at or before (key, trailer). SeekForPrev(k, 0) finds the oldest version of k or
  // the last entry of the key before it.
  virtual void SeekForPrev(std::string_view key, Trailer trailer) = 0;
  // Require Valid().
  virtual void Next() = 0;
  virtual void Prev() = 0;

  // ok, or why the walk stopped short.
  virtual absl::Status status() const = 0;

 protected:
  // For the implementation: where it stands now.
  void SetEntry(std::string_view key, Trailer trailer, std::string_view value) {
    key_ = key;
    trailer_ = trailer;
    value_ = value;
    valid_ = true;
  }
  void SetInvalid() { valid_ = false; }

 private:
  std::string_view key_;
  std::string_view value_;
  Trailer trailer_ = 0;
  bool valid_ = false;
};

}  // namespace cambium

#endif  // CAMBIUM_BASE_INTERNAL_ITERATOR_H_
