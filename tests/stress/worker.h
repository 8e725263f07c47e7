// Worker: one thread that writes its own keys, transfers money, reads everything, runs maintenance
// calls, and checks everything that it sees.
#ifndef CAMBIUM_TESTS_STRESS_WORKER_H_
#define CAMBIUM_TESTS_STRESS_WORKER_H_

#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cambium/db.h"
#include "tests/stress/checks.h"
#include "tests/stress/world.h"
#include "util/random.h"

namespace cambium::stress {

// A snapshot and the values read through it. The iterator was created with it and is at its start.
struct HeldSnapshot {
  std::shared_ptr<const Snapshot> snapshot;
  std::unique_ptr<Iterator> iterator;  // may be null
  Window window;
  std::vector<Seen> seen;
};

// A column family that only one worker uses.
struct OwnFamily {
  std::shared_ptr<ColumnFamily> handle;  // null: there is none
  std::string name;
  std::map<std::string, std::string> contents;
  // Values that expire soon: the time until which a key must be visible, and from which on it must
  // not, in microseconds of the system's clock.
  struct Span {
    uint64_t visible_until = 0, hidden_from = 0;
  };
  std::map<std::string, Span> fleeting;
  uint64_t serial = 0;  // of the next name
};

// Confined to its thread.
class Worker {
 public:
  Worker(World* world, uint32_t owner, uint64_t seed);

  // Runs until the world stops.
  void Run();

 private:
  void Act(Action action);

  // worker_writes.cc
  void WriteOne();
  void WriteBatchOfKeys();
  void Issue(const std::vector<uint32_t>& keys, WriteOptions options);
  // Writes `value`, or a deletion, with a conditional write, and checks what that reads.
  absl::Status Update(uint32_t key, const std::string& name,
                      const std::optional<std::string>& value, const WriteOptions& options);
  void Settle(const std::vector<LoggedEdit>& edits, const absl::Status& status, bool synced,
              uint64_t issued_at);
  void Transfer();
  WriteOptions DrawWriteOptions();
  // Returns the TTL of a put: none, for ever, or more than a round takes.
  std::optional<std::chrono::milliseconds> DrawTtl();
  void PutFleeting();
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
  // Checks that `version` of that key may follow the version that this thread saw before.
  void CheckForward(uint32_t key, const Seen& seen);

  // worker_upkeep.cc
  void Flush();
  void Compact();
  void Verify();
  void LookAround();
  void WaitForIdle();

  // worker_families.cc
  void UseFamily();
  std::string NewFamilyName();
  void CreateFamily();
  void WriteFamily();
  void ClearFamily();
  // Adds a range delete to the batch and applies it to the contents.
  void DeleteRangeOfFamily(const std::string& key, WriteBatch* batch,
                           std::map<std::string, std::string>* contents);
  // Notes the outcome of a write, after which the family has the contents `next`.
  void FinishFamilyWrite(const absl::Status& status, uint64_t mark,
                         std::map<std::string, std::string> next);
  void ScanFamily();
  void RenameFamily();
  void DropFamily();

  uint64_t Mark() const { return world_->faults.Now(); }

  World* const world_;
  const uint32_t owner_;
  Random random_;
  std::vector<Action> wheel_;        // each action as often as its weight
  std::vector<uint32_t> last_seen_;  // [key]: the newest version that this thread saw
  std::deque<HeldSnapshot> held_;
  uint64_t last_sequence_ = 0;
  OwnFamily family_;
};

}  // namespace cambium::stress

#endif  // CAMBIUM_TESTS_STRESS_WORKER_H_
