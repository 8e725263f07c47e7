// RunInParallel: a loop whose turns may run on idle threads of an executor.
#ifndef CAMBIUM_ENGINE_JOBS_PARALLEL_H_
#define CAMBIUM_ENGINE_JOBS_PARALLEL_H_

#include <cstddef>
#include <functional>

#include "cambium/executor.h"

namespace cambium::engine {

// Calls body(0) … body(count - 1), each once, and returns when all have returned. The caller's
// thread takes part, so that this ends even where no other thread of the executor is ever free.
void RunInParallel(Executor* executor, size_t count, const std::function<void(size_t)>& body);

}  // namespace cambium::engine

#endif  // CAMBIUM_ENGINE_JOBS_PARALLEL_H_
