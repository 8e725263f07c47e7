// FaultThread: repeatedly injects faults for a while and then lets the database recover.
#ifndef CAMBIUM_TESTS_STRESS_FAULTS_H_
#define CAMBIUM_TESTS_STRESS_FAULTS_H_

#include <cstdint>

#include "env/testing/fault_file_system.h"
#include "tests/stress/world.h"
#include "util/random.h"

namespace cambium::stress {

// The faults of a call. A lie is a short read without an error. While a database is opened there
// are no lies: a log that reads short would end there, and the rest would be cut off.
enum class FaultSet { kAny, kHonest };

// Adds one to three rules drawn from `random`.
void AddRandomRules(env::FaultFileSystem* files, FaultSet set, Random* random);

// Confined to its thread.
class FaultThread {
 public:
  FaultThread(World* world, env::FaultFileSystem* files, uint64_t seed)
      : world_(world), files_(files), random_(seed) {}

  // Runs until the world stops; then the database has recovered.
  void Run();

 private:
  void Inject();
  // Makes the database writable again, or fails the round.
  void Recover();
  void SleepUpTo(uint64_t millis);

  World* const world_;
  env::FaultFileSystem* const files_;
  Random random_;
};

}  // namespace cambium::stress

#endif  // CAMBIUM_TESTS_STRESS_FAULTS_H_
