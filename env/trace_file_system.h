// Moved to env/testing/trace_file_system.h: include that. This goes with the last test that still
// includes it.
#ifndef CAMBIUM_ENV_TRACE_FILE_SYSTEM_H_
#define CAMBIUM_ENV_TRACE_FILE_SYSTEM_H_

#include "env/testing/trace_file_system.h"  // IWYU pragma: export

#endif  // CAMBIUM_ENV_TRACE_FILE_SYSTEM_H_
