// Round: one set of options and one database, opened several times.
//
//   open ─▶ session (all threads at work) ─▶ at rest: everything is checked ─▶ close ─▶ open …
//
// At the end: no unnecessary file of the database, no descriptor, and no memory is left.
#ifndef CAMBIUM_TESTS_STRESS_ROUND_H_
#define CAMBIUM_TESTS_STRESS_ROUND_H_

#include <cstdint>
#include <memory>
#include <string>

#include "cambium/db.h"
#include "tests/stress/checks.h"
#include "tests/stress/environment.h"
#include "tests/stress/world.h"
#include "util/random.h"

namespace cambium::stress {

// Confined to its thread.
class Round {
 public:
  Round(const RoundSettings& settings, const std::string& scratch, Reporter* reporter);

  // Runs the round; the reporter records problems.
  void Run();

 private:
  // How a session ends.
  enum class Ending {
    kClose,
    kDestroy,      // without Close
    kFaultyClose,  // with faults
    kFaultyOpen,   // as kClose, and opening meets faults
  };
  // The writes that may be missing after opening.
  enum class Loss { kNothing, kUnlogged };

  bool failed() const { return world_.reporter->failed(); }
  bool Open();
  void RunSession();
  // Checks every key, every account, and every checksum. No other thread may run.
  void CheckAtRest(Loss loss);
  void CheckKeys(Loss loss, Direction direction);
  // Ends the session and opens the database again.
  void Reopen(Ending ending);
  Loss EndSession(Ending ending);
  // Checks that all writes are synced after a clean Close.
  void CheckCleanClone();
  // Checks that no unnecessary file of the database is on disk or open. No reader may exist.
  void CheckNothingLeft();
  // Checks the same, and that DestroyDB leaves nothing.
  void CheckFiles();

  const Environment environment_;
  World world_;
  Random random_;
  std::unique_ptr<DB> db_;
};

}  // namespace cambium::stress

#endif  // CAMBIUM_TESTS_STRESS_ROUND_H_
