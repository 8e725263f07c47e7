// RegisterHistory: checks that concurrent calls on one register are linearizable: that each call
// took effect at one moment between its start and its end, and that the results are those of the
// calls in the order of these moments.
//
// The algorithm is that of J. M. Wing and C. Gong, "Testing and verifying concurrent objects"
// (Journal of Parallel and Distributed Computing 17, 1993): a depth-first search for an order,
// which always continues with a call that began before every call that is not in the order yet had
// ended. It remembers which sets of calls it has put in order before and with which value, as in G.
// Lowe, "Testing for linearizability" (Concurrency and Computation 29, 2017); otherwise it would
// take exponential time. Linearizability is local (Herlihy and Wing, 1990), so each key of a
// database is one register, checked alone.
#ifndef CAMBIUM_TESTS_SUPPORT_REGISTER_HISTORY_H_
#define CAMBIUM_TESTS_SUPPORT_REGISTER_HISTORY_H_

#include <cstdint>
#include <string>
#include <vector>

namespace cambium::test {

// The content of a register; 0: absent.
using RegisterValue = uint64_t;

// One call and its result. Times are of one monotonic clock; if one call's end equals another's
// start, the two count as concurrent.
struct RegisterCall {
  enum class Kind {
    kRead,      // returned `value`
    kWrite,     // stored `value`
    kSwap,      // found `expected` and stored `value`
    kMismatch,  // did not find `expected`
  };
  // For an end: the outcome is unknown. A write took effect at any time after its start, or never;
  // a swap also if it did not find `expected`.
  static constexpr uint64_t kUnknown = UINT64_MAX;

  Kind kind = Kind::kRead;
  RegisterValue expected = 0;
  RegisterValue value = 0;
  uint64_t start = 0;
  uint64_t end = 0;

  std::string ToString() const;
};

// Returns an empty string if the calls on a register, which contains `initial` before them, are
// linearizable; otherwise a description of the call at which the search had to give up.
std::string FindNonLinearizable(RegisterValue initial, const std::vector<RegisterCall>& calls);

}  // namespace cambium::test

#endif  // CAMBIUM_TESTS_SUPPORT_REGISTER_HISTORY_H_
