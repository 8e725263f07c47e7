// Reads of many keys at one moment, and what must hold of them.
#ifndef CAMBIUM_TESTS_STRESS_CHECKS_H_
#define CAMBIUM_TESTS_STRESS_CHECKS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "cambium/db.h"
#include "tests/stress/model/prefix.h"
#include "tests/stress/world.h"

namespace cambium::stress {

enum class Direction { kForward, kBackward };

// The keys at positions [begin, end).
struct Window {
  uint32_t begin = 0;
  uint32_t end = 0;
  uint32_t size() const { return end - begin; }
};

// What a scan found. `seen` belongs to the positions of the window.
struct ScanResult {
  absl::Status status;
  std::string problem;  // wrong order, out of bounds, an unknown key; empty where there is none
  std::vector<Seen> seen;
};

// Scans the keys of the window; `read` brings the snapshot.
ScanResult ScanWindow(const World& world, DB* db, ReadOptions read, Window window,
                      Direction direction);
// The same with an iterator that was made for the window before, by NewWindowIterator.
ScanResult ScanWith(const World& world, Iterator* it, Window window, Direction direction);
std::unique_ptr<Iterator> NewWindowIterator(const World& world, DB* db, ReadOptions read,
                                            Window window);

// Empty, or why no version in [acked, issued now] of the key explains what was seen.
std::string CheckSeen(const World& world, uint32_t key, uint32_t acked, const Seen& seen);

// The balances of all accounts at one moment.
enum class SumMethod { kForward, kBackward, kMultiGet, kGets };
struct SumResult {
  absl::Status status;
  std::string problem;
};
// kGets needs a snapshot in `read`.
SumResult CheckSum(const World& world, DB* db, ReadOptions read, SumMethod method);

// What a state of all keys (seen[position]) must be a prefix of. Unlogged owners are left out after
// a crash.
enum class Moment { kLive, kAfterCrash };
std::string CheckState(const World& world, const std::vector<Seen>& seen, uint64_t acked_before,
                       uint64_t synced_before, Moment moment);

// Reads every entry without bounds: each must be a key or an account, in order.
SumResult CheckNothingElse(const World& world, DB* db);

}  // namespace cambium::stress

#endif  // CAMBIUM_TESTS_STRESS_CHECKS_H_
