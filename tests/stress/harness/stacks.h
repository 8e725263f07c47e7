// The stacks of all threads of this process, for a hang or a crash.
#ifndef CAMBIUM_TESTS_STRESS_HARNESS_STACKS_H_
#define CAMBIUM_TESTS_STRESS_HARNESS_STACKS_H_

#include "tests/stress/harness/report.h"

namespace cambium::stress {

// Has gdb print the stacks of all threads of this process, where there is a gdb.
void DumpStacks();

// From here on, a fatal signal prints the line that repeats the round, and the stacks.
void DumpOnFatalSignals(const Reporter* reporter);

}  // namespace cambium::stress

#endif  // CAMBIUM_TESTS_STRESS_HARNESS_STACKS_H_
