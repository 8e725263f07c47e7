// Schedule noise: yields and short sleeps at every call of the engine into its environment, drawn
// from a seed per thread.
//
// The engine calls files, executor, clock, and comparator at places that depend on order: under the
// lock that publishes a version, between a table's sync and its manifest record, between picking a
// plan and starting it. Delays there make rare interleavings frequent, without a hook in the
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

// Sets the behavior of MakeNoise in every thread from now on.
void SetNoise(Noise noise, uint64_t seed);

// Yields or sleeps, at random. Thread-safe.
void MakeNoise(NoisePoint point);

// Return wrappers that make noise before and after each call.
std::shared_ptr<FileSystem> NoisyFileSystem(std::shared_ptr<FileSystem> base, bool hide_mapping);
std::shared_ptr<Executor> NoisyExecutor(int threads);
std::shared_ptr<Clock> NoisyClock();

}  // namespace cambium::stress

#endif  // CAMBIUM_TESTS_STRESS_NOISE_H_
