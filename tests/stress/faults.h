// FaultThread: injects faults for a while, lets the database recover, and again.
#ifndef CAMBIUM_TESTS_STRESS_FAULTS_H_
#define CAMBIUM_TESTS_STRESS_FAULTS_H_

#include <cstdint>

#include "env/testing/fault_file_system.h"
#include "tests/stress/world.h"
#include "util/random.h"

namespace cambium::stress {

// What faults a call may meet. A lie is a read that comes short without an error. While a database
// is opened, nothing lies: a log that reads short ends there, and what follows is cut off.
enum class FaultSet { kAny, kHonest };

// Adds between one and three rules drawn from `random`.
void AddRandomRules(env::FaultFileSystem* files, FaultSet set, Random* random);

// Confined to its thread.
class FaultThread {
 public:
  FaultThread(World* world, env::FaultFileSystem* files, uint64_t seed)
      : world_(world), files_(files), random_(seed) {}

  // Until the world stops; the database has recovered then.
  void Run();

 private:
  void Inject();
  // Brings the database back to writing, or fails the round.
  void Recover();
  void SleepUpTo(uint64_t millis);

  World* const world_;
  env::FaultFileSystem* const files_;
  Random random_;
};

}  // namespace cambium::stress

#endif  // CAMBIUM_TESTS_STRESS_FAULTS_H_
