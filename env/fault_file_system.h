// Moved to env/testing/fault_file_system.h: include that. This goes with the last test that still
// includes it.
#ifndef CAMBIUM_ENV_FAULT_FILE_SYSTEM_H_
#define CAMBIUM_ENV_FAULT_FILE_SYSTEM_H_

#include "env/testing/fault_file_system.h"  // IWYU pragma: export

#endif  // CAMBIUM_ENV_FAULT_FILE_SYSTEM_H_
