#include "engine/jobs/parallel.h"

#include <memory>

#include "util/mutex.h"

namespace cambium::engine {
namespace {

// Shared with helpers that may only start when the loop is long over. `body` is not touched then:
// no turn is left.
struct Loop {
  Loop(size_t turns, const std::function<void(size_t)>& turn) : count(turns), body(turn) {}

  // Runs turns until none is left to take.
  void Work() {
    for (;;) {
      size_t turn;
      {
        MutexLock lock(&mutex);
        if (next == count) return;
        turn = next++;
      }
      body(turn);
      MutexLock lock(&mutex);
      if (++done == count) finished.SignalAll();
    }
  }

  const size_t count;
  const std::function<void(size_t)>& body;
  Mutex mutex;
  CondVar finished;
  size_t next ABSL_GUARDED_BY(mutex) = 0;
  size_t done ABSL_GUARDED_BY(mutex) = 0;
};

}  // namespace

void RunInParallel(Executor* executor, size_t count, const std::function<void(size_t)>& body) {
  if (count <= 1) {
    if (count == 1) body(0);
    return;
  }
  const auto loop = std::make_shared<Loop>(count, body);
  for (size_t i = 1; i < count; ++i) {
    executor->Schedule(Lane::kCompaction, [loop] { loop->Work(); });
  }
  loop->Work();
  MutexLock lock(&loop->mutex);
  while (loop->done != loop->count) loop->finished.Wait(&loop->mutex);
}

}  // namespace cambium::engine
