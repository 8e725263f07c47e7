// LockHolders: counts the holders of one lock within a process.
#ifndef CAMBIUM_ENV_LOCK_HOLDERS_H_
#define CAMBIUM_ENV_LOCK_HOLDERS_H_

#include <cassert>
#include <cstddef>

#include "cambium/file_system.h"

namespace cambium::env {

// Any number of shared holders, or one exclusive holder. Thread-compatible.
class LockHolders {
 public:
  // Adds a holder. Returns false and changes nothing if the current holders exclude it.
  bool Add(LockMode mode) {
    if (exclusive_ || (mode == LockMode::kExclusive && count_ > 0)) return false;
    ++count_;
    exclusive_ = mode == LockMode::kExclusive;
    return true;
  }
  // Removes one holder. Returns true if it was the last.
  bool DropOne() {
    assert(count_ > 0);
    exclusive_ = false;
    return --count_ == 0;
  }

 private:
  size_t count_ = 0;
  bool exclusive_ = false;
};

}  // namespace cambium::env

#endif  // CAMBIUM_ENV_LOCK_HOLDERS_H_
