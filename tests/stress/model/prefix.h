// Finds which prefix of each worker's writes a state of the database shows.
//
// Every state that a reader can see, through a snapshot or after a crash, is a prefix of the order
// of commits. Of one worker, that is a prefix of its own sequence of writes: the state must be
// exactly what that many writes make. Between workers, a write that was acknowledged before another
// began comes before it: who sees the later one sees the earlier one too.
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
  std::vector<uint32_t> keys;           // in ascending order
  std::vector<uint32_t> base_versions;  // of `keys`, at the session's start
  std::vector<Seen> seen;               // of `keys`
};

// Which prefixes of one worker's writes explain what was seen. Immutable after construction.
class PrefixFinder {
 public:
  PrefixFinder(const Contents& contents, const OwnerState& state);

  // The shortest prefix of at least `least` writes that explains every key.
  std::optional<size_t> Shortest(size_t least) const;
  // When the last write of that prefix with a known outcome was issued; 0 where there is none.
  uint64_t LastIssue(size_t prefix) const;
  // For a message: why `least` can't be had.
  std::string Explain(const Contents& contents, const OwnerState& state, size_t least) const;

 private:
  std::vector<LoggedWrite> writes_;
  std::vector<uint32_t> explained_;  // [p]: how many keys a prefix of p writes explains
  size_t keys_;
};

// Empty, or what is wrong with a state. `least[i]` is how many of owner i's writes must be there.
std::string CheckPrefixes(const Contents& contents, const std::vector<OwnerState>& owners,
                          std::vector<size_t> least);

}  // namespace cambium::stress

#endif  // CAMBIUM_TESTS_STRESS_MODEL_PREFIX_H_
