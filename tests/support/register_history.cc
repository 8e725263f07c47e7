#include "tests/support/register_history.h"

#include <algorithm>
#include <cassert>
#include <cstddef>
#include <optional>
#include <string_view>
#include <tuple>
#include <unordered_set>

#include "absl/strings/str_cat.h"

namespace cambium::test {
namespace {

// Returns the value after the call, or nothing if it could not have its result on `before`.
std::optional<RegisterValue> Step(const RegisterCall& call, RegisterValue before) {
  switch (call.kind) {
    case RegisterCall::Kind::kRead:
      return before == call.value ? std::optional(before) : std::nullopt;
    case RegisterCall::Kind::kWrite:
      return call.value;
    case RegisterCall::Kind::kSwap:
      return before == call.expected ? std::optional(call.value) : std::nullopt;
    case RegisterCall::Kind::kMismatch:
      return before != call.expected ? std::optional(before) : std::nullopt;
  }
  return std::nullopt;
}

// The start or the end of a call, in a list ordered by time: starts before ends.
struct Event {
  size_t call = 0;
  bool is_start = false;
  size_t previous = 0, next = 0;
};

// The search. Confined to its thread.
class Search {
 public:
  Search(RegisterValue initial, const std::vector<RegisterCall>& calls)
      : calls_(calls), value_(initial), ordered_((calls.size() + 63) / 64, 0) {
    std::vector<std::tuple<uint64_t, bool, size_t>> times;  // an end is after a start: true
    for (size_t i = 0; i < calls.size(); ++i) {
      assert(calls[i].start <= calls[i].end);
      times.emplace_back(calls[i].start, false, i);
      times.emplace_back(calls[i].end, true, i);
    }
    std::sort(times.begin(), times.end());
    // Event 0 is before the first one, and the end of the list.
    events_.resize(times.size() + 1);
    start_of_.resize(calls.size());
    end_of_.resize(calls.size());
    for (size_t i = 0; i < times.size(); ++i) {
      const auto& [time, is_end, call] = times[i];
      events_[i + 1] = {call, !is_end, i, (i + 2) % events_.size()};
      (is_end ? end_of_ : start_of_)[call] = i + 1;
    }
    events_[0] = {0, false, times.size(), times.empty() ? size_t{0} : size_t{1}};
  }

  std::string Run() {
    for (size_t at = events_[0].next; at != 0;) {
      const Event& event = events_[at];
      if (!event.is_start) {
        // Every call that could be next was tried. What is left has an unknown outcome, or this
        // call has no place in the current order.
        if (calls_[event.call].end == RegisterCall::kUnknown) return "";
        if (chosen_.size() > deepest_) {
          deepest_ = chosen_.size();
          stuck_ = absl::StrCat(calls_[event.call].ToString(), " has no place after ", deepest_,
                                " calls, when the value is ", value_);
        }
        if (chosen_.empty()) return stuck_.empty() ? calls_[event.call].ToString() : stuck_;
        at = events_[Undo()].next;
        continue;
      }
      const std::optional<RegisterValue> after = Step(calls_[event.call], value_);
      at = after.has_value() && Choose(event.call, *after) ? events_[0].next : event.next;
    }
    return "";
  }

 private:
  // Puts the call next in the order. Returns false if this leads to a known situation.
  bool Choose(size_t call, RegisterValue after) {
    Flip(call);
    std::string situation(reinterpret_cast<const char*>(ordered_.data()), ordered_.size() * 8);
    situation.append(reinterpret_cast<const char*>(&after), sizeof after);
    if (!known_.insert(std::move(situation)).second) {
      Flip(call);
      return false;
    }
    chosen_.push_back({call, value_});
    value_ = after;
    for (const size_t at : {start_of_[call], end_of_[call]}) {
      events_[events_[at].previous].next = events_[at].next;
      events_[events_[at].next].previous = events_[at].previous;
    }
    return true;
  }
  // Takes back the last choice. Returns its start.
  size_t Undo() {
    const auto [call, before] = chosen_.back();
    chosen_.pop_back();
    value_ = before;
    Flip(call);
    for (const size_t at : {end_of_[call], start_of_[call]}) {
      events_[events_[at].previous].next = at;
      events_[events_[at].next].previous = at;
    }
    return start_of_[call];
  }
  void Flip(size_t call) { ordered_[call / 64] ^= uint64_t{1} << (call % 64); }

  struct Choice {
    size_t call = 0;
    RegisterValue before = 0;
  };

  const std::vector<RegisterCall>& calls_;
  RegisterValue value_;
  std::vector<uint64_t> ordered_;  // a bit per call
  std::vector<Event> events_;
  std::vector<size_t> start_of_, end_of_;
  std::vector<Choice> chosen_;
  std::unordered_set<std::string> known_;
  size_t deepest_ = 0;
  std::string stuck_;
};

}  // namespace

std::string RegisterCall::ToString() const {
  constexpr std::string_view kNames[] = {"read", "write", "swap", "mismatch"};
  std::string text(kNames[static_cast<size_t>(kind)]);
  if (kind == Kind::kSwap || kind == Kind::kMismatch) absl::StrAppend(&text, " of ", expected);
  if (kind != Kind::kMismatch) absl::StrAppend(&text, kind == Kind::kSwap ? " to " : " ", value);
  absl::StrAppend(&text, " in [", start, ", ",
                  end == kUnknown ? std::string("?") : absl::StrCat(end), "]");
  return text;
}

std::string FindNonLinearizable(RegisterValue initial, const std::vector<RegisterCall>& calls) {
  return Search(initial, calls).Run();
}

}  // namespace cambium::test
