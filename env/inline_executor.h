// Moved to env/testing/inline_executor.h: include that. This goes with the last test that still
// includes it.
#ifndef CAMBIUM_ENV_INLINE_EXECUTOR_H_
#define CAMBIUM_ENV_INLINE_EXECUTOR_H_

#include "env/testing/inline_executor.h"  // IWYU pragma: export

#endif  // CAMBIUM_ENV_INLINE_EXECUTOR_H_
