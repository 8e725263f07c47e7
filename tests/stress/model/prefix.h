// Finds the prefix of each worker's writes that a state of the database contains.
//
// Every state that a reader can see, through a snapshot or after a crash, is a prefix of the commit
// order. For one worker, that is a prefix of its own sequence of writes: the state must be exactly
// the result of that many writes. Between workers, a write that was acknowledged before another one
// began comes before it: a reader that sees the later one sees the earlier one, too.
//
// A write with an unknown outcome may be missing from the middle of a sequence.
#ifndef CAMBIUM_TESTS_STRESS_MODEL_PREFIX_H_
#define CAMBIUM_TESTS_STRESS_MODEL_PREFIX_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "tests/stress/model/contents.h"
#include "tests/stress/model/history.h"

namespace cambium::stress {

// One worker's part of a state.
struct OwnerState {
  OwnerHistory history;
  std::vector<uint32_t> keys;           // ascending
  std::vector<uint32_t> base_versions;  // of `keys`, at the session's start
  std::vector<Seen> seen;               // of `keys`
};

// Finds the prefixes of one worker's writes that explain a state. Immutable after construction.
class PrefixFinder {
 public:
  PrefixFinder(const Contents& contents, const OwnerState& state);

  // Returns the length of the shortest prefix of at least `least` writes that explains every key.
  std::optional<size_t> Shortest(size_t least) const;
  // Returns when the last write of that prefix with a known outcome was issued; 0 if there is none.
  uint64_t LastIssue(size_t prefix) const;
  // Explains, for a message, why `least` is impossible.
  std::string Explain(const Contents& contents, const OwnerState& state, size_t least) const;

 private:
  std::vector<LoggedWrite> writes_;
  std::vector<uint32_t> explained_;  // [p]: the number of keys that a prefix of p writes explains
  size_t keys_;
};

// Returns an empty string, or the problem of a state. At least `least[i]` writes of owner i must be
// in it.
std::string CheckPrefixes(const Contents& contents, const std::vector<OwnerState>& owners,
                          std::vector<size_t> least);

}  // namespace cambium::stress

#endif  // CAMBIUM_TESTS_STRESS_MODEL_PREFIX_H_
