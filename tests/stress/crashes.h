// CrashThread: takes images of the disk as a crash at this moment would leave it, opens them while
// the database runs, and checks their contents.
#ifndef CAMBIUM_TESTS_STRESS_CRASHES_H_
#define CAMBIUM_TESTS_STRESS_CRASHES_H_

#include <cstdint>

#include "tests/stress/environment.h"
#include "tests/stress/world.h"
#include "util/random.h"

namespace cambium::stress {

// Confined to its thread.
class CrashThread {
 public:
  CrashThread(World* world, const Environment* environment, uint64_t seed)
      : world_(world), environment_(environment), random_(seed) {}

  // Runs until the world stops.
  void Run();
  // Simulates one crash now.
  void Crash();

 private:
  World* const world_;
  const Environment* const environment_;
  Random random_;
};

}  // namespace cambium::stress

#endif  // CAMBIUM_TESTS_STRESS_CRASHES_H_
