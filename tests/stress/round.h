// Round: one set of options, one database, opened several times.
//
//   open ─▶ session (all threads at work) ─▶ at rest: everything is checked ─▶ close ─▶ open …
//
// At the end: no file that the database does not need, no descriptor, no memory.
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

  // What is wrong is the reporter's.
  void Run();

 private:
  // How a session ends.
  enum class Ending {
    kClose,
    kDestroy,      // without Close
    kFaultyClose,  // with faults
    kFaultyOpen,   // as kClose, and opening meets faults
  };
  // What may be missing after opening.
  enum class Loss { kNothing, kUnlogged };

  bool failed() const { return world_.reporter->failed(); }
  bool Open();
  void RunSession();
  // With no other thread: every key, every account, every checksum.
  void CheckAtRest(Loss loss);
  void CheckKeys(Loss loss, Direction direction);
  // Ends the session and opens again.
  void Reopen(Ending ending);
  Loss EndSession(Ending ending);
  // After a clean Close, what was synced is everything.
  void CheckCleanClone();
  // With no reader: no file that the database does not need is on disk or open.
  void CheckNothingLeft();
  // The same, and that DestroyDB leaves nothing.
  void CheckFiles();

  const Environment environment_;
  World world_;
  Random random_;
  std::unique_ptr<DB> db_;
};

}  // namespace cambium::stress

#endif  // CAMBIUM_TESTS_STRESS_ROUND_H_
