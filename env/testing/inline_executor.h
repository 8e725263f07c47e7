// InlineExecutor: runs background work without threads, in an order drawn from a seed.
//
// With it, the manual clock, and the memory file system, a run of the engine is a function of the
// seed.
#ifndef CAMBIUM_ENV_TESTING_INLINE_EXECUTOR_H_
#define CAMBIUM_ENV_TESTING_INLINE_EXECUTOR_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "cambium/executor.h"
#include "env/testing/splitmix.h"
#include "util/mutex.h"

namespace cambium::env {

// Tasks wait until RunOne() or the destructor runs them in the calling thread. The next task is
// drawn from all waiting tasks of all lanes: the engine may rely on lanes for speed but never for
// correctness. Thread-safe; deterministic if only one thread uses it.
class InlineExecutor final : public Executor {
 public:
  explicit InlineExecutor(uint64_t seed) : random_(seed) {}
  // Runs the waiting tasks, and the tasks that these schedule.
  ~InlineExecutor() override;

  void Schedule(Lane lane, std::function<void()> task) override;
  bool RunOne() override;
  int Concurrency() const override { return 1; }

  // Returns the number of waiting tasks.
  size_t WaitingCount() const;

 private:
  mutable Mutex mu_;
  SplitMix random_ ABSL_GUARDED_BY(mu_);
  std::vector<std::function<void()>> waiting_ ABSL_GUARDED_BY(mu_);
};

}  // namespace cambium::env

#endif  // CAMBIUM_ENV_TESTING_INLINE_EXECUTOR_H_
