// Executor: runs the engine's background work.
#ifndef CAMBIUM_EXECUTOR_H_
#define CAMBIUM_EXECUTOR_H_

#include <cstdint>
#include <functional>

#include "cambium/export.h"

namespace cambium {

// The priority of a task: tasks of an earlier lane start before tasks of a later one.
enum class Lane { kFlush = 0, kCompaction = 1, kMaintenance = 2 };
inline constexpr int kLaneCount = 3;

// Thread-safe. One executor may serve several databases. Tasks may schedule tasks.
class CAMBIUM_EXPORT Executor {
 public:
  virtual ~Executor() = default;  // first runs the tasks that have not started

  // Runs `task` later, never inside this call. Tasks of a lane start in the order in which they
  // were scheduled, or, in the seeded executor for tests, in an order drawn from the seed. If it
  // throws std::bad_alloc, the task is not scheduled. Tasks throw nothing.
  virtual void Schedule(Lane lane, std::function<void()> task) = 0;

  // If tasks run on threads of the executor: does nothing and returns false. If tasks run on the
  // threads of callers only: runs one waiting task and returns true, or returns false if there is
  // none. A caller that waits for background work calls this first, and holds no lock.
  virtual bool RunOne() = 0;

  // Runs `task` as Schedule does in Lane::kMaintenance, but not before that much real time has
  // passed, and returns true; or does nothing and returns false, as the default does, if the
  // executor has no timer: then the space of entries that expire is released when other background
  // work is due. A task that still waits when the executor is destroyed does not run.
  virtual bool ScheduleAfter([[maybe_unused]] uint64_t micros,
                             [[maybe_unused]] std::function<void()> task) {
    return false;
  }

  // Returns the number of tasks that can run at the same time.
  virtual int Concurrency() const = 0;
};

}  // namespace cambium

#endif  // CAMBIUM_EXECUTOR_H_
