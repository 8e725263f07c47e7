// Reads many keys at one point in time, and checks the result.
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

// The result of a scan. `seen` has one element per position of the window.
struct ScanResult {
  absl::Status status;
  std::string problem;  // wrong order, out of bounds, an unknown key; empty if there is none
  std::vector<Seen> seen;
};

// Scans the keys of the window; `read` contains the snapshot.
ScanResult ScanWindow(const World& world, DB* db, ReadOptions read, Window window,
                      Direction direction);
// Does the same with an iterator that NewWindowIterator created for the window.
ScanResult ScanWith(const World& world, Iterator* it, Window window, Direction direction);
std::unique_ptr<Iterator> NewWindowIterator(const World& world, DB* db, ReadOptions read,
                                            Window window);

// Returns an empty string, or the reason why no version in [acked, issued now] of the key explains
// `seen`.
std::string CheckSeen(const World& world, uint32_t key, uint32_t acked, const Seen& seen);

// How the balances of all accounts are read at one point in time.
enum class SumMethod { kForward, kBackward, kMultiGet, kGets };
struct SumResult {
  absl::Status status;
  std::string problem;
};
// kGets needs a snapshot in `read`.
SumResult CheckSum(const World& world, DB* db, ReadOptions read, SumMethod method);

// Checks that a state of all keys (seen[position]) is a prefix of the commit order. After a crash,
// unlogged owners are skipped.
enum class Moment { kLive, kAfterCrash };
std::string CheckState(const World& world, const std::vector<Seen>& seen, uint64_t acked_before,
                       uint64_t synced_before, Moment moment);

// Reads every entry without bounds: each must be a key or an account, in order.
SumResult CheckNothingElse(const World& world, DB* db);

}  // namespace cambium::stress

#endif  // CAMBIUM_TESTS_STRESS_CHECKS_H_
