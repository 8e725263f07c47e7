// Ledger: groups of accounts between which money is moved, but never created or lost.
//
// The transfers of one group are sequential; different groups write in parallel. At any point in
// time that a reader sees, the balances of a group have the same sum.
#ifndef CAMBIUM_TESTS_STRESS_MODEL_LEDGER_H_
#define CAMBIUM_TESTS_STRESS_MODEL_LEDGER_H_

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "cambium/db.h"
#include "tests/stress/model/key_space.h"
#include "util/mutex.h"
#include "util/random.h"

namespace cambium::stress {

inline constexpr uint32_t kGroupSize = 6;
inline constexpr int64_t kOpeningBalance = 1000;

// Thread-safe.
class Ledger {
 public:
  Ledger(const KeySpace* keys, uint64_t seed, uint32_t groups);

  // Writes every account of every group, synced.
  absl::Status OpenAccounts(DB* db);
  // Transfers money within a random group. After a write with unknown outcome the next transfer
  // writes the whole group, so that the outcome does not matter.
  absl::Status Transfer(DB* db, const WriteOptions& options, Random* random);
  // Reads one group while no transfer runs in it: it must match the last acknowledged transfer.
  // Returns an empty string, or the problem; the error of a failed read is in *status.
  std::string CheckExact(DB* db, Random* random, absl::Status* status);
  // Acknowledged transfers may be lost: the next transfer of each group writes the whole group.
  void DoubtAll();

  uint32_t accounts() const { return static_cast<uint32_t>(groups_.size()) * kGroupSize; }
  // Returns the balance in an account's value, or nothing if no write has that value.
  std::optional<int64_t> Decode(uint32_t account, std::string_view value) const;
  // Returns an empty string, or the problem with the balances of all accounts at one point in time.
  std::string CheckSums(const std::vector<std::optional<int64_t>>& balances) const;

 private:
  using Balances = std::array<int64_t, kGroupSize>;
  struct Group {
    Mutex mu{LockRank::kCaller};  // held during calls of the database
    Balances balances ABSL_GUARDED_BY(mu) = {};
    bool in_doubt ABSL_GUARDED_BY(mu) = false;
  };

  std::string Encode(uint32_t account, int64_t balance) const;

  const KeySpace* const keys_;
  const uint64_t seed_;
  std::vector<std::unique_ptr<Group>> groups_;
};

}  // namespace cambium::stress

#endif  // CAMBIUM_TESTS_STRESS_MODEL_LEDGER_H_
