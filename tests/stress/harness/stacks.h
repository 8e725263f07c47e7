// Prints the stacks of all threads of this process, after a hang or a crash.
#ifndef CAMBIUM_TESTS_STRESS_HARNESS_STACKS_H_
#define CAMBIUM_TESTS_STRESS_HARNESS_STACKS_H_

#include "tests/stress/harness/report.h"

namespace cambium::stress {

// Prints the stacks of all threads of this process with gdb, if it is installed.
void DumpStacks();

// From now on, a fatal signal prints the line that repeats the round, and the stacks.
void DumpOnFatalSignals(const Reporter* reporter);

}  // namespace cambium::stress

#endif  // CAMBIUM_TESTS_STRESS_HARNESS_STACKS_H_
