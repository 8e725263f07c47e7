// World: the shared state of all threads of a round.
#ifndef CAMBIUM_TESTS_STRESS_WORLD_H_
#define CAMBIUM_TESTS_STRESS_WORLD_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "cambium/db.h"
#include "tests/stress/harness/report.h"
#include "tests/stress/model/contents.h"
#include "tests/stress/model/history.h"
#include "tests/stress/model/key_space.h"
#include "tests/stress/model/ledger.h"
#include "tests/stress/settings.h"

namespace cambium::stress {

// The times during which faults are injected, or the database has not recovered from them yet.
// Thread-safe; one thread opens and closes it.
class FaultWindow {
 public:
  void Open() { generation_.fetch_add(1, kPublish); }
  void Close() { generation_.fetch_add(1, kPublish); }
  uint64_t Now() const { return generation_.load(kObserve); }
  // Returns true if the window was open at any time since Now() returned `since`.
  bool OpenSince(uint64_t since) const { return (since & 1) != 0 || Now() != since; }

 private:
  std::atomic<uint64_t> generation_{0};  // odd: open
};

// Thread-safe except `db`, which changes only between sessions, when no other thread runs.
class World {
 public:
  World(const RoundSettings& round_settings, Reporter* round_reporter);

  bool stopping() const { return stop.load(std::memory_order_relaxed) || reporter->failed(); }
  // Returns true if worker `owner` writes without the log.
  bool Unlogged(uint32_t owner) const {
    return owner * 100 < settings.callers * settings.unlogged_percent;
  }
  uint32_t OwnerOf(uint32_t key) const { return key % settings.callers; }
  // Records that all writes acknowledged before that time are synced.
  void NoteSynced(uint64_t moment);
  uint64_t synced_moment() const { return synced_moment_.load(kObserve); }
  // Fails the round if `status` is an error that no fault since `mark` explains. Returns true for
  // ok.
  bool Expect(const absl::Status& status, uint64_t mark, const char* what) const;
  // Fails the round if `problem` is not empty.
  void ExpectNone(const std::string& problem, const char* what) const;

  const RoundSettings settings;
  Reporter* const reporter;
  const KeySpace keys;
  const Contents contents;
  VersionTable versions;
  std::vector<uint32_t> base_versions;  // of the keys, when the session began
  std::vector<std::unique_ptr<OwnerLog>> logs;
  Ledger ledger;
  FaultWindow faults;
  // A read was short since the database was opened. If this was the end of a table, the table stays
  // damaged as long as the database is open.
  std::atomic<bool> lied{false};
  std::atomic<bool> stop{false};
  DB* db = nullptr;

 private:
  std::atomic<uint64_t> synced_moment_{0};
};

}  // namespace cambium::stress

#endif  // CAMBIUM_TESTS_STRESS_WORLD_H_
