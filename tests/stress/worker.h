// Worker: one thread that writes keys of its own, moves money, reads everything and calls for
// upkeep, and checks all that it sees.
#ifndef CAMBIUM_TESTS_STRESS_WORKER_H_
#define CAMBIUM_TESTS_STRESS_WORKER_H_

#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "cambium/db.h"
#include "tests/stress/checks.h"
#include "tests/stress/world.h"
#include "util/random.h"

namespace cambium::stress {

// A snapshot and what was seen through it. The iterator was made with it and waits at its start.
struct HeldSnapshot {
  std::shared_ptr<const Snapshot> snapshot;
  std::unique_ptr<Iterator> iterator;  // may be null
  Window window;
  std::vector<Seen> seen;
};

// Confined to its thread.
class Worker {
 public:
  Worker(World* world, uint32_t owner, uint64_t seed);

  // Works until the world stops.
  void Run();

 private:
  void Act(Action action);

  // worker_writes.cc
  void WriteOne();
  void WriteBatchOfKeys();
  void Issue(const std::vector<uint32_t>& keys, WriteOptions options);
  void Settle(const std::vector<LoggedEdit>& edits, const absl::Status& status, bool synced,
              uint64_t issued_at);
  void Transfer();
  WriteOptions DrawWriteOptions();
  uint32_t DrawOwnKey();

  // worker_reads.cc
  void GetOwn();
  void GetAny();
  void ReadMany();
  void Scan();
  void Sum();
  void Hold();
  void Reread();
  void CheckPrefix();
  Window DrawWindow();
  ReadOptions DrawReadOptions();
  // Whether `version` of that key may follow what this thread saw of it before.
  void CheckForward(uint32_t key, const Seen& seen);

  // worker_upkeep.cc
  void Flush();
  void Compact();
  void Verify();
  void LookAround();
  void WaitForIdle();

  uint64_t Mark() const { return world_->faults.Now(); }

  World* const world_;
  const uint32_t owner_;
  Random random_;
  std::vector<Action> wheel_;        // an action as often as its weight says
  std::vector<uint32_t> last_seen_;  // [key]: the newest version that this thread saw
  std::deque<HeldSnapshot> held_;
  uint64_t last_sequence_ = 0;
};

}  // namespace cambium::stress

#endif  // CAMBIUM_TESTS_STRESS_WORKER_H_
