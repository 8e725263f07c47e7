#include "tests/stress/model/prefix.h"

#include <algorithm>
#include <cassert>

#include "absl/strings/str_cat.h"

namespace cambium::stress {
namespace {

// One version of a key, in the order of the writes. Write 0 is the state before the first write.
struct Step {
  uint32_t version = 0;
  size_t write = 0;
  bool certain = true;
};

// The versions of each of the owner's keys, in order.
std::vector<std::vector<Step>> StepsOf(const OwnerState& state) {
  std::vector<std::vector<Step>> steps(state.keys.size());
  for (size_t i = 0; i < state.keys.size(); ++i)
    steps[i].push_back({state.base_versions[i], 0, true});
  const OwnerHistory& history = state.history;
  for (size_t w = 0; w < history.writes.size(); ++w) {
    const bool certain = history.writes[w].outcome != Outcome::kUnknown;
    for (size_t e = history.writes[w].first_edit; e < history.EndOfEdits(w); ++e) {
      const LoggedEdit& edit = history.edits[e];
      const auto at = std::lower_bound(state.keys.begin(), state.keys.end(), edit.key);
      assert(at != state.keys.end() && *at == edit.key);
      steps[static_cast<size_t>(at - state.keys.begin())].push_back({edit.version, w + 1, certain});
    }
  }
  return steps;
}

// Adds one to explained[p] for each prefix p after which the key is as it was seen.
void CountKey(const Contents& contents, uint32_t key, const std::vector<Step>& steps,
              const Seen& seen, std::vector<int64_t>* changes) {
  size_t covered = 0;  // prefixes below are counted already
  for (size_t i = 0; i < steps.size(); ++i) {
    if (!contents.Explains(key, steps[i].version, seen)) continue;
    size_t end = changes->size() - 1;
    for (size_t j = i + 1; j < steps.size(); ++j) {
      if (!steps[j].certain) continue;
      end = steps[j].write;
      break;
    }
    const size_t begin = std::max(steps[i].write, covered);
    if (begin >= end) continue;
    ++(*changes)[begin];
    --(*changes)[end];
    covered = end;
  }
}

}  // namespace

PrefixFinder::PrefixFinder(const Contents& contents, const OwnerState& state)
    : writes_(state.history.writes), keys_(state.keys.size()) {
  const std::vector<std::vector<Step>> steps = StepsOf(state);
  std::vector<int64_t> changes(writes_.size() + 2, 0);
  for (size_t i = 0; i < keys_; ++i) {
    CountKey(contents, state.keys[i], steps[i], state.seen[i], &changes);
  }
  int64_t explained = 0;
  for (size_t p = 0; p <= writes_.size(); ++p) {
    explained += changes[p];
    explained_.push_back(static_cast<uint32_t>(explained));
  }
}

std::optional<size_t> PrefixFinder::Shortest(size_t least) const {
  for (size_t p = least; p < explained_.size(); ++p) {
    if (explained_[p] == keys_) return p;
  }
  return std::nullopt;
}

uint64_t PrefixFinder::LastIssue(size_t prefix) const {
  for (size_t p = prefix; p > 0; --p) {
    if (writes_[p - 1].outcome != Outcome::kUnknown) return writes_[p - 1].issued_at;
  }
  return 0;
}

std::string PrefixFinder::Explain(const Contents& contents, const OwnerState& state,
                                  size_t least) const {
  const auto best =
      std::max_element(explained_.begin() + static_cast<std::ptrdiff_t>(least), explained_.end());
  const auto prefix = static_cast<size_t>(best - explained_.begin());
  std::string text = absl::StrCat("no prefix of at least ", least, " of its ", writes_.size(),
                                  " writes explains what is seen; ", prefix, " writes explain ",
                                  *best, " of ", keys_, " keys, but not:");
  const std::vector<std::vector<Step>> steps = StepsOf(state);
  int shown = 0;
  for (size_t i = 0; i < keys_ && shown < 5; ++i) {
    std::vector<int64_t> changes(writes_.size() + 2, 0);
    CountKey(contents, state.keys[i], steps[i], state.seen[i], &changes);
    int64_t explained = 0;
    for (size_t p = 0; p <= prefix; ++p) explained += changes[p];
    if (explained != 0) continue;
    ++shown;
    absl::StrAppend(&text, "\n  key ", state.keys[i], " is ", state.seen[i].ToString(),
                    " of versions");
    const size_t from = steps[i].size() > 8 ? steps[i].size() - 8 : 0;
    for (size_t s = from; s < steps[i].size(); ++s) {
      absl::StrAppend(&text, " ", steps[i][s].version, steps[i][s].certain ? "" : "?", "@",
                      steps[i][s].write);
    }
  }
  return text;
}

std::string CheckPrefixes(const Contents& contents, const std::vector<OwnerState>& owners,
                          std::vector<size_t> least) {
  std::vector<PrefixFinder> finders;
  for (const OwnerState& owner : owners) finders.emplace_back(contents, owner);
  // Raises the prefixes until none demands more of another: they only grow, so this ends.
  for (uint64_t horizon = 0, last = 1; last != horizon;) {
    last = horizon;
    for (size_t i = 0; i < owners.size(); ++i) {
      least[i] = std::max(least[i], owners[i].history.AckedBefore(horizon));
      const std::optional<size_t> prefix = finders[i].Shortest(least[i]);
      if (!prefix.has_value()) {
        return absl::StrCat("owner ", i, ": ", finders[i].Explain(contents, owners[i], least[i]));
      }
      least[i] = *prefix;
      horizon = std::max(horizon, finders[i].LastIssue(*prefix));
    }
  }
  return "";
}

}  // namespace cambium::stress
