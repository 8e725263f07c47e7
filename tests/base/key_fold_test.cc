#include "base/key_fold.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "base/limits.h"
#include "tests/support/append_operator.h"

namespace cambium {
namespace {

using State = KeyFold::State;

Trailer Put(SequenceNumber sequence) { return MakeTrailer(sequence, Kind::kValue); }
Trailer Del(SequenceNumber sequence) { return MakeTrailer(sequence, Kind::kDelete); }
Trailer Merge(SequenceNumber sequence) { return MakeTrailer(sequence, Kind::kMerge); }

TEST(KeyFold, NewestVisibleVersionDecides) {
  struct Case {
    SequenceNumber seen_at;
    std::vector<Trailer> versions;  // newest first
    State state;
    size_t steps;
  };
  const std::vector<Case> cases = {
      {30, {}, State::kMore, 0},
      {30, {Put(40)}, State::kMore, 1},
      {30, {Put(40), Put(25)}, State::kValue, 2},
      {30, {Put(30), Put(25)}, State::kValue, 1},
      {30, {Put(31), Del(30), Put(1)}, State::kDeleted, 2},
      {20, {Put(40), Del(25), Put(20)}, State::kValue, 3},
      {20, {MakeTrailer(15, Kind::kSingleDelete)}, State::kDeleted, 1},
      {20, {Merge(15)}, State::kUnsupported, 1},
      {20, {Merge(21), Put(3)}, State::kValue, 2},
      {20, {MakeTrailer(15, Kind::kRangeDelete)}, State::kUnsupported, 1},
      {20, {MakeTrailer(15, Kind::kValuePointer)}, State::kUnsupported, 1},
      {20, {MakeTrailer(15, Kind::kValueWithExpiry)}, State::kUnsupported, 1},
      {20, {MakeTrailer(15, static_cast<Kind>(200))}, State::kUnsupported, 1},
      {0, {Put(1), Put(0)}, State::kValue, 2},
      {kMaxSequenceNumber, {Put(kMaxSequenceNumber)}, State::kValue, 1},
  };
  for (const Case& c : cases) {
    KeyFold fold(c.seen_at);
    size_t steps = 0;
    while (!fold.decided() && steps < c.versions.size()) {
      const State state = fold.Step(c.versions[steps], "v");
      EXPECT_EQ(state, fold.state());
      ++steps;
    }
    EXPECT_EQ(fold.state(), c.state);
    EXPECT_EQ(steps, c.steps);
    if (c.state == State::kValue) {
      EXPECT_EQ(fold.value(), "v");
    }
    EXPECT_FALSE(fold.has_operands());
  }
}

// What a fold came to, as a reader would see it.
std::string Read(const KeyFold& fold) {
  if (fold.has_operands() && fold.state() != State::kUnsupported) {
    std::string merged;
    const absl::Status status = fold.Merge("k", &merged);
    return status.ok() ? merged : status.ToString();
  }
  switch (fold.state()) {
    case State::kValue:
      return std::string(fold.value());
    case State::kUnsupported:
      return "unsupported";
    default:
      return "(none)";
  }
}

// Every walk over the versions sees the same key, at every sequence number.
TEST(KeyFold, OperandsApplyToWhatIsOlderInBothDirections) {
  using Versions = std::vector<std::pair<Trailer, std::string>>;  // newest first
  struct Case {
    Versions versions;
    SequenceNumber seen_at;
    std::string value;
  };
  const Versions all = {{Merge(90), "i"}, {Del(80), ""},    {Merge(70), "g"},
                        {Merge(60), "f"}, {Put(50), "e"},   {Merge(40), "d"},
                        {Del(30), ""},    {Merge(20), "b"}, {Merge(10), "a"}};
  const std::vector<Case> cases = {
      {all, 95, "i"},
      {all, 85, "(none)"},
      {all, 75, "e,f,g"},
      {all, 65, "e,f"},
      {all, 55, "e"},
      {all, 45, "d"},
      {all, 35, "(none)"},
      {all, 25, "a,b"},
      {all, 15, "a"},
      {all, 5, "(none)"},
      {{{Merge(2), "x"}, {MakeTrailer(1, Kind::kWideColumns), ""}}, 9, "unsupported"},
      {{{MakeTrailer(2, Kind::kWideColumns), ""}, {Merge(1), "x"}}, 9, "unsupported"},
      {{{Put(3), "v"}, {MakeTrailer(2, Kind::kWideColumns), ""}}, 9, "v"},
  };
  const test::AppendOperator append;
  for (const Case& c : cases) {
    KeyFold forward(c.seen_at, &append);
    for (const auto& [trailer, value] : c.versions) {
      if (forward.Step(trailer, value) != State::kMore) break;
    }
    if (forward.state() == State::kValue) forward.KeepValue();
    KeyFold backward(1, &append);
    backward.StepNewer(Put(1), "of another key");
    backward.Reset(c.seen_at);
    for (auto at = c.versions.rbegin(); at != c.versions.rend(); ++at) {
      EXPECT_EQ(backward.StepNewer(at->first, std::string(at->second)),
                TrailerSequence(at->first) <= c.seen_at);
    }
    EXPECT_EQ(Read(backward), c.value) << c.seen_at;
    if (forward.state() != State::kValue) {
      EXPECT_EQ(Read(forward), c.value) << c.seen_at;
    }
  }
}

TEST(KeyFold, ARangeTombstoneEndsTheVersions) {
  KeyFold fold(30);
  fold.Cover(20);
  fold.Cover(10);  // an older one changes nothing
  EXPECT_EQ(fold.Step(Put(40), "too new"), State::kMore);
  EXPECT_EQ(fold.Step(Put(19), "covered"), State::kDeleted);
  fold.Reset(30);
  EXPECT_FALSE(fold.EndSource()) << "the next key is not covered";
  EXPECT_EQ(fold.Step(Put(19), "v"), State::kValue);
  fold.Reset(30);
  fold.Cover(20);
  EXPECT_EQ(fold.Step(Put(20), "v"), State::kValue) << "not older";
  fold.Reset(30);
  fold.Cover(20);
  EXPECT_TRUE(fold.EndSource());
  EXPECT_EQ(fold.state(), State::kDeleted) << "hides older sources";
}

TEST(KeyFold, OperandsOverARangeTombstoneApplyToNothing) {
  const test::AppendOperator append;
  KeyFold fold(30, &append);
  fold.Cover(20);
  EXPECT_EQ(fold.Step(Merge(25), "b"), State::kMore);
  EXPECT_EQ(fold.Step(Merge(24), "a"), State::kMore);
  EXPECT_EQ(fold.Step(Merge(15), "covered"), State::kMerged);
  EXPECT_EQ(Read(fold), "a,b");
  fold.Reset(30);
  fold.Cover(20);
  EXPECT_EQ(fold.Step(Merge(25), "b"), State::kMore);
  EXPECT_TRUE(fold.EndSource());
  EXPECT_EQ(Read(fold), "b");
}

// A search that missed a block begins anew: what it met before counts once.
TEST(KeyFold, OperandsThatAreMetAgainCountOnce) {
  const test::AppendOperator append;
  KeyFold fold(9, &append);
  EXPECT_EQ(fold.Step(Merge(7), "b"), State::kMore);
  EXPECT_EQ(fold.Step(Merge(7), "b"), State::kMore);
  EXPECT_EQ(fold.Step(Merge(6), "a"), State::kMore);
  EXPECT_EQ(fold.Step(Merge(7), "b"), State::kMore);
  EXPECT_EQ(fold.Step(Put(5), "v"), State::kMerged);
  EXPECT_EQ(Read(fold), "v,a,b");
}

TEST(KeyFold, RefusedMergeNamesTheKey) {
  const test::AppendOperator append;
  KeyFold fold(9, &append);
  fold.Step(Merge(7), test::AppendOperator::kRefused);
  std::string merged;
  const absl::Status status = fold.Merge("the\nkey", &merged);
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_NE(status.ToString().find("the\\nkey"), std::string::npos) << status;
}

// A clock that a test sets.
class SetClock final : public Clock {
 public:
  uint64_t NowMicros() override { return 0; }
  uint64_t WallMicros() override { return wall_micros; }
  void SleepMicros(uint64_t) override {}

  uint64_t wall_micros = 100;
};

std::string Expiring(uint64_t expiry_micros, std::string_view value) {
  std::string stored(kExpirySize, '\0');
  StoreFixed64(stored.data(), expiry_micros);
  return stored.append(value);
}

Trailer PutUntil(SequenceNumber sequence) { return MakeTrailer(sequence, Kind::kValueWithExpiry); }

TEST(KeyFold, ValueIsVisibleBeforeItsExpiry) {
  SetClock clock;
  WallTime wall(&clock);
  for (const auto& [expiry, state] : {std::pair(101, State::kValue), {100, State::kDeleted}}) {
    ReadTime time(&wall);
    KeyFold fold(30, nullptr, &time);
    const std::string stored = Expiring(static_cast<uint64_t>(expiry), "v");
    EXPECT_EQ(fold.Step(PutUntil(20), stored), state);
    KeyFold backward(30, nullptr, &time);
    EXPECT_TRUE(backward.StepNewer(Put(10), "old"));
    EXPECT_TRUE(backward.StepNewer(PutUntil(20), stored));
    EXPECT_EQ(backward.state(), state);
    EXPECT_EQ(fold.expiry_micros(), state == State::kValue ? 101u : 0u);
    if (state != State::kValue) continue;
    EXPECT_EQ(fold.value(), "v");
    EXPECT_EQ(backward.value(), "v");
    backward.StepNewer(Put(25), "new");
    EXPECT_EQ(backward.expiry_micros(), 0u);
  }
}

TEST(KeyFold, OperandsDoNotExpireWithTheirBase) {
  SetClock clock;
  WallTime wall(&clock);
  const test::AppendOperator append;
  for (const auto& [expiry, merged] : {std::pair(101, "base,a"), {100, "a"}}) {
    const std::string base = Expiring(static_cast<uint64_t>(expiry), "base");
    ReadTime time(&wall);
    KeyFold fold(30, &append, &time), backward(30, &append, &time);
    EXPECT_EQ(fold.Step(Merge(20), "a"), State::kMore);
    EXPECT_EQ(fold.Step(PutUntil(10), base), State::kMerged);
    backward.StepNewer(PutUntil(10), base);
    backward.StepNewer(Merge(20), "a");
    std::string result;
    EXPECT_TRUE(fold.Merge("k", &result).ok());
    EXPECT_EQ(result, merged);
    EXPECT_TRUE(backward.Merge("k", &result).ok());
    EXPECT_EQ(result, merged);
    EXPECT_EQ(fold.expiry_micros(), expiry == 101 ? 101u : 0u);
  }
}

TEST(KeyFold, ValueShorterThanItsExpiryIsUnsupported) {
  SetClock clock;
  WallTime wall(&clock);
  ReadTime time(&wall);
  KeyFold fold(30, nullptr, &time);
  EXPECT_EQ(fold.Step(PutUntil(20), "1234567"), State::kUnsupported);
  EXPECT_TRUE(absl::IsDataLoss(UnsupportedKind(fold.kind())));
}

TEST(WallTime, StaysAtTheLatestTimeThatDecidedSomething) {
  SetClock clock;
  WallTime wall(&clock);
  ReadTime before(&wall);
  EXPECT_FALSE(before.HasPassed(101));
  EXPECT_EQ(wall.reached(), 0u);  // nothing was hidden
  EXPECT_TRUE(before.HasPassed(90));
  clock.wall_micros = 50;
  EXPECT_EQ(wall.Now(), 90u);
  EXPECT_TRUE(before.HasPassed(100));  // its own time does not change
  EXPECT_EQ(wall.Now(), 100u);
  clock.wall_micros = 200;
  EXPECT_EQ(wall.NowForWrite(), 200u);
  clock.wall_micros = 10;
  EXPECT_EQ(wall.Now(), 200u);
}

TEST(ExpiryAfter, Saturates) {
  using std::chrono::milliseconds;
  EXPECT_EQ(ExpiryAfter(7, milliseconds(1)), 1007u);
  EXPECT_EQ(ExpiryAfter(7, milliseconds::max()), kMaxExpiryMicros);
  EXPECT_EQ(ExpiryAfter(UINT64_MAX, milliseconds(1)), kMaxExpiryMicros);
}

}  // namespace
}  // namespace cambium
