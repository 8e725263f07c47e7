// InternalIterator: the interface of everything sorted: a memtable, a block, a table, a run, or a
// merge of them.
//
// A position is an entry (user key, trailer, value); entries are in the order of base/keys.h. This
// base class stores the position, so reading it needs no virtual call; a move is one virtual call.
//
// Invariants: if Valid() returns false, the iterator reached the end in the direction of the last
// move, or failed: the caller must check status(). The bytes of key() and value() live until the
// next move or the end of the iterator.
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
  // Return the current entry. Valid() must be true.
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
  // Moves to the first entry at or after (key, trailer) in the order of entries.
  virtual void Seek(std::string_view key, Trailer trailer) = 0;
  // Moves to the last entry at or before (key, trailer). SeekForPrev(k, 0) moves to the oldest
  // version of k, or to the last entry of the previous key.
  virtual void SeekForPrev(std::string_view key, Trailer trailer) = 0;
  // Move by one entry. Valid() must be true.
  virtual void Next() = 0;
  virtual void Prev() = 0;

  // Returns ok, or the error that ended the iteration.
  virtual absl::Status status() const = 0;

 protected:
  // For implementations: sets the current entry.
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
