// LockHolders: who holds one lock within a process, as numbers.
#ifndef CAMBIUM_ENV_LOCK_HOLDERS_H_
#define CAMBIUM_ENV_LOCK_HOLDERS_H_

#include <cassert>
#include <cstddef>

#include "cambium/file_system.h"

namespace cambium::env {

// Any number of shared holders, or one exclusive one. Thread-compatible.
class LockHolders {
 public:
  // False, and nothing changed, where those who are there exclude the newcomer.
  bool Add(LockMode mode) {
    if (exclusive_ || (mode == LockMode::kExclusive && count_ > 0)) return false;
    ++count_;
    exclusive_ = mode == LockMode::kExclusive;
    return true;
  }
  // One that was added leaves. True where it was the last.
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
