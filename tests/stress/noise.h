// Schedule noise: yields and short sleeps at every point where the engine calls out to its
// environment, drawn from a seed per thread.
//
// Files, executor, clock and comparator are called at the places where order matters: under the
// lock that publishes a version, between a table's sync and its manifest record, between the pick
// of a plan and its start. Delays there make rare interleavings frequent, without a hook in the
// engine.
#ifndef CAMBIUM_TESTS_STRESS_NOISE_H_
#define CAMBIUM_TESTS_STRESS_NOISE_H_

#include <cstdint>
#include <functional>
#include <memory>

#include "cambium/clock.h"
#include "cambium/executor.h"
#include "cambium/file_system.h"
#include "tests/stress/settings.h"

namespace cambium::stress {

enum class NoisePoint { kFile, kTask, kClock, kCompare, kCaller };

// Sets what MakeNoise does in every thread from here on.
void SetNoise(Noise noise, uint64_t seed);

// Perhaps yields or sleeps. Thread-safe.
void MakeNoise(NoisePoint point);

// Wrappers that make noise before and after each call.
std::shared_ptr<FileSystem> NoisyFileSystem(std::shared_ptr<FileSystem> base, bool hide_mapping);
std::shared_ptr<Executor> NoisyExecutor(int threads);
std::shared_ptr<Clock> NoisyClock();

}  // namespace cambium::stress

#endif  // CAMBIUM_TESTS_STRESS_NOISE_H_
