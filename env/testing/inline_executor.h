// InlineExecutor: background work without threads, in an order drawn from a seed.
//
// A run of the engine with it, the manual clock and the memory file system is a function of the
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

// Tasks wait until RunOne() or the destructor lends them a thread. Which one runs next is drawn
// from all that wait, of whatever lane: the engine may rely on lanes for speed and never for
// correctness. Thread-safe; deterministic where one thread uses it.
class InlineExecutor final : public Executor {
 public:
  explicit InlineExecutor(uint64_t seed) : random_(seed) {}
  // Runs what still waits, and what that schedules.
  ~InlineExecutor() override;

  void Schedule(Lane lane, std::function<void()> task) override;
  bool RunOne() override;
  int Concurrency() const override { return 1; }

  // Tasks that wait now.
  size_t WaitingCount() const;

 private:
  mutable Mutex mu_;
  SplitMix random_ ABSL_GUARDED_BY(mu_);
  std::vector<std::function<void()>> waiting_ ABSL_GUARDED_BY(mu_);
};

}  // namespace cambium::env

#endif  // CAMBIUM_ENV_TESTING_INLINE_EXECUTOR_H_
