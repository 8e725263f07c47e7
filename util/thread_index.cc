#include "util/thread_index.h"

#include <algorithm>
#include <vector>

#include "util/mutex.h"

namespace cambium::thread_index_internal {

constinit thread_local uint32_t current = kNone;

namespace {

// Which numbers are taken. Thread-safe.
class Numbers {
 public:
  uint32_t Take() {
    MutexLock lock(&mutex_);
    const auto free = std::find(taken_.begin(), taken_.end(), false);
    const auto index = static_cast<uint32_t>(free - taken_.begin());
    if (free == taken_.end()) taken_.push_back(false);
    taken_[index] = true;
    return index;
  }
  void GiveBack(uint32_t index) {
    MutexLock lock(&mutex_);
    taken_[index] = false;
  }

 private:
  Mutex mutex_;
  std::vector<bool> taken_ ABSL_GUARDED_BY(mutex_);
};

// Never destroyed: threads may end while statics are torn down.
Numbers& TheNumbers() {
  static Numbers& numbers = *new Numbers;
  return numbers;
}

// Set when the thread's number is given back: what runs later in the thread takes one for good.
constinit thread_local bool thread_ended = false;

struct Owner {
  ~Owner() {
    thread_ended = true;
    if (index == kNone) return;
    current = kNone;
    TheNumbers().GiveBack(index);
  }
  uint32_t index = kNone;
};
thread_local Owner owner;

}  // namespace

uint32_t Register() {
  current = TheNumbers().Take();
  if (!thread_ended) owner.index = current;
  return current;
}

}  // namespace cambium::thread_index_internal
