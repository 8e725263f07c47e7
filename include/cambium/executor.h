// Executor: where the engine's background work runs.
#ifndef CAMBIUM_EXECUTOR_H_
#define CAMBIUM_EXECUTOR_H_

#include <functional>

#include "cambium/export.h"

namespace cambium {

// Work of an upper lane is started before work of a lower one.
enum class Lane { kFlush = 0, kCompaction = 1, kMaintenance = 2 };
inline constexpr int kLaneCount = 3;

// Thread-safe. One executor may serve several databases. Tasks may schedule tasks.
class CAMBIUM_EXPORT Executor {
 public:
  virtual ~Executor() = default;  // tasks not yet started are run first

  // Runs `task` some time later, never inside this call. Tasks of a lane start in the order of
  // their scheduling, or, in the seeded executor for tests, in an order drawn from the seed. May
  // throw std::bad_alloc, and has not scheduled the task then. Tasks throw nothing.
  virtual void Schedule(Lane lane, std::function<void()> task) = 0;

  // Where tasks run on threads of the executor's own: does nothing and answers false. Where they
  // run only when somebody lends a thread: runs one waiting task in the caller's and answers true;
  // false where none waits. Whoever waits for background work calls this first. The caller holds no
  // lock.
  virtual bool RunOne() = 0;

  // How many tasks can run at once.
  virtual int Concurrency() const = 0;
};

}  // namespace cambium

#endif  // CAMBIUM_EXECUTOR_H_
