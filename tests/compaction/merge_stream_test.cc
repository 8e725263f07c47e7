#include "compaction/merge_stream.h"

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "env/testing/manual_clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/manifest/manifest_test_util.h"
#include "tests/support/append_operator.h"
#include "tests/support/vector_iterator.h"

namespace cambium::compaction {
namespace {

using manifest::Bytewise;
using ::testing::HasSubstr;

// "a@50 a-45 b?12": a value, a tombstone, a version of a kind that is reserved.
std::vector<OwnedEntry> Parse(const std::string& text) {
  std::vector<OwnedEntry> entries;
  for (const auto word : absl::StrSplit(text, ' ', absl::SkipEmpty())) {
    const std::string entry(word);
    const size_t mark = entry.find_first_of("@-?^");
    if (entry[mark] == '^') {
      const size_t colon = entry.find(':');
      std::string stored(kExpirySize, '\0');
      StoreFixed64(stored.data(), std::stoull(entry.substr(colon + 1)));
      const SequenceNumber written = std::stoull(entry.substr(mark + 1, colon - mark - 1));
      entries.push_back(
          {entry.substr(0, mark), MakeTrailer(written, Kind::kValueWithExpiry), stored + entry});
      continue;
    }
    const Kind kind = entry[mark] == '@'   ? Kind::kValue
                      : entry[mark] == '-' ? Kind::kDelete
                                           : Kind::kMerge;
    const SequenceNumber sequence = std::stoull(entry.substr(mark + 1));
    entries.push_back({entry.substr(0, mark), MakeTrailer(sequence, kind), entry});
  }
  return entries;
}

std::string Text(std::string_view key, Trailer trailer) {
  const Kind kind = TrailerKind(trailer);
  const char* const mark = kind == Kind::kValue             ? "@"
                           : kind == Kind::kDelete          ? "-"
                           : kind == Kind::kValueWithExpiry ? "^"
                                                            : "?";
  return absl::StrCat(std::string(key), mark, TrailerSequence(trailer));
}

struct Outcome {
  std::string text;
  MergeCounts counts;
  absl::Status status;
};

Outcome Merge(std::vector<OwnedEntry> entries, MergeStreamOptions options = {}) {
  options.order = Bytewise();
  const auto input = NewVectorIterator(Bytewise(), std::move(entries));
  MergeStream stream(input.get(), options);
  Outcome outcome;
  for (; stream.Valid(); stream.Next()) {
    if (!outcome.text.empty()) outcome.text.push_back(' ');
    outcome.text += Text(stream.key(), stream.trailer());
    if (stream.starts_key()) outcome.text.push_back('*');
  }
  outcome.counts = stream.counts();
  outcome.status = stream.status();
  EXPECT_TRUE(outcome.counts.Balanced());
  return outcome;
}

bool EveryKey(std::string_view) { return true; }

TEST(MergeStream, KeepsWhatTheHeadersExampleKeeps) {
  MergeStreamOptions options;
  options.snapshots = {20, 40};
  options.key_absent_below = [](std::string_view key) { return key != "b"; };
  const Outcome outcome = Merge(Parse("a@50 a@45 a-30 a@15 b-18 b@12 c-19 c@10"), options);
  EXPECT_EQ(outcome.text, "a@50* a-30 a@0 b-18*");
  EXPECT_EQ(outcome.counts.in, 8u);
  EXPECT_EQ(outcome.counts.out, 4u);
  EXPECT_EQ(outcome.counts.shadowed, 3u);
  EXPECT_EQ(outcome.counts.tombstones_dropped, 1u);
  EXPECT_EQ(outcome.counts.sequences_zeroed, 1u);
  EXPECT_TRUE(outcome.status.ok());
}

// Expiries at time 100. "a@50" is a value, "a^50:99" one that has expired, "a^50:101" one that
// will.
TEST(MergeStream, ExpiredValuesAreTombstones) {
  const struct {
    const char* in;
    std::vector<SequenceNumber> snapshots;
    bool absent_below, level0;
    const char* out;
    uint64_t expired;
  } kCases[] = {
      {"a^50:101 a@40", {}, true, false, "a^0*", 0},
      {"a^50:101 a@40", {}, false, false, "a^50*", 0},
      {"a^50:100 a@40 b@1", {}, true, false, "b@0*", 1},
      {"a^50:100 a@40", {}, false, false, "a-50*", 0},
      {"a^50:100 a@40", {45}, true, false, "a-50* a@0", 0},
      {"a@50 a^40:99", {45}, true, false, "a@50*", 1},
      {"a@50 a^40:99", {45}, false, false, "a@50* a-40", 0},
      {"a^50:100 b^40:101", {}, true, true, "b^40*", 1},
  };
  env::ManualClock clock(0, 100);
  for (const auto& c : kCases) {
    WallTime wall(&clock);
    MergeStreamOptions options;
    options.snapshots = c.snapshots;
    options.wall = &wall;
    if (c.absent_below)
      (c.level0 ? options.expired_absent_below : options.key_absent_below) = EveryKey;
    const Outcome outcome = Merge(Parse(c.in), options);
    EXPECT_EQ(outcome.text, c.out) << c.in;
    EXPECT_EQ(outcome.counts.expired, c.expired) << c.in;
    options.wall = nullptr;
    EXPECT_EQ(Merge(Parse(c.in), options).counts.expired, 0u);
  }
}

TEST(MergeStream, DropsByStripe) {
  const struct {
    const char* what;
    const char* in;
    std::vector<SequenceNumber> snapshots;
    bool absent_below;
    const char* out;
  } kCases[] = {
      {"nothing", "", {}, false, ""},
      {"one value", "a@5", {}, false, "a@5*"},
      {"shadowed without snapshots", "a@5 a@4 a-3 a@2", {}, false, "a@5*"},
      {"tombstone hides data below", "a-5 a@4", {}, false, "a-5*"},
      {"tombstone with nothing below", "a-5 a@4 b@1", {}, true, "b@0*"},
      {"every version has a reader", "a@5 a@4 a@3", {3, 4}, false, "a@5* a@4 a@3"},
      {"a snapshot at the version itself", "a@5 a@4 a@3", {4}, false, "a@5* a@4"},
      {"a snapshot between versions", "a@9 a@3 a@2", {5}, false, "a@9* a@3"},
      {"snapshots with nothing between", "a@9 a@3 a@2", {4, 5, 6}, false, "a@9* a@3"},
      {"a snapshot older than all", "a@9 a@8", {1}, false, "a@9*"},
      {"a snapshot newer than all", "a@9 a@8", {100}, false, "a@9*"},
      {"zeroed under the oldest snapshot", "a@9 a@3 b@4", {5}, true, "a@9* a@0 b@0*"},
      {"not zeroed above it", "a@9 b@6", {5}, true, "a@9* b@6*"},
      {"tombstone kept for a newer stripe", "a-9 a@3", {5}, true, "a-9* a@0"},
      {"tombstone dropped under the oldest", "a@9 a-4 a@3", {5}, true, "a@9*"},
      {"zeroed before", "a@0 b@0", {5}, true, "a@0* b@0*"},
      {"unknown kinds pass with all below them", "a?9 a@8 a@7 b@1", {}, true, "a?9* a@8 a@7 b@0*"},
      {"unknown kinds below a value are shadowed", "a@9 a?8", {}, false, "a@9*"},
      {"unknown kind in an older stripe", "a@9 a@8 a?4 a@3 a-2", {5}, true, "a@9* a?4 a@3 a-2"},
      {"empty key", "@7 @6 a@5", {}, false, "@7* a@5*"},
  };
  for (const auto& test : kCases) {
    MergeStreamOptions options;
    options.snapshots = test.snapshots;
    if (test.absent_below) options.key_absent_below = EveryKey;
    EXPECT_EQ(Merge(Parse(test.in), options).text, test.out) << test.what;
  }
}

// "a@50=v a?45=x": keys, kinds and sequence numbers as above, with values.
std::vector<OwnedEntry> ParseWithValues(const std::string& text) {
  std::vector<OwnedEntry> entries;
  for (const auto word : absl::StrSplit(text, ' ', absl::SkipEmpty())) {
    const std::string entry(word);
    const size_t equals = std::min(entry.find('='), entry.size());
    OwnedEntry parsed = Parse(entry.substr(0, equals)).front();
    parsed.value = equals == entry.size() ? "" : entry.substr(equals + 1);
    entries.push_back(std::move(parsed));
  }
  return entries;
}

// What the stream makes of them.
std::string MergeWithValues(const std::string& text, const MergeStreamOptions& options) {
  const auto input = NewVectorIterator(Bytewise(), ParseWithValues(text));
  MergeStream stream(input.get(), options);
  std::string out;
  for (; stream.Valid(); stream.Next()) {
    absl::StrAppend(&out, out.empty() ? "" : " ", Text(stream.key(), stream.trailer()),
                    stream.value().empty() ? "" : "=", std::string(stream.value()),
                    stream.starts_key() ? "*" : "");
  }
  EXPECT_TRUE(stream.status().ok()) << stream.status();
  EXPECT_TRUE(stream.counts().Balanced()) << text;
  return out;
}

TEST(MergeStream, MergesOperandsWithinTheirStripe) {
  using test::AppendOperator;
  const struct {
    const char* what;
    const char* in;
    std::vector<SequenceNumber> snapshots;
    bool absent_below;
    const char* out;          // without partial merges
    const char* partial_out;  // with
  } kCases[] = {
      {"operands and their value",
       "a?9=y a?8=x a@7=v a@6=w b@5=u",
       {},
       false,  //
       "a@9=v,x,y* b@5=u*",
       "a@9=v,x,y* b@5=u*"},
      {"over a deletion", "a?9=y a?8=x a-7 a@6=w", {}, false, "a@9=x,y*", "a@9=x,y*"},
      {"nothing older anywhere",
       "a?9=y a?8=x b?3=z",
       {},
       true,
       "a@0=x,y* b@0=z*",
       "a@0=x,y* b@0=z*"},
      {"what they apply to may be below",
       "a?9=y a?8=x b@1=u",
       {},
       false,
       "a?9=y* a?8=x b@1=u*",
       "a?9=x,y* b@1=u*"},
      {"an older snapshot has the value",
       "a?9=y a?8=x a@3=v",
       {5},
       false,
       "a?9=y* a?8=x a@3=v",
       "a?9=x,y* a@3=v"},
      {"a stripe of its own for each",
       "a?9=z a?7=y a?5=x a@3=v",
       {3, 5, 7},
       true,
       "a?9=z* a?7=y a?5=x a@0=v",
       "a?9=z* a?7=y a?5=x a@0=v"},
      {"the oldest stripe is whole",
       "a?9=z a?4=y a?3=x",
       {5},
       true,
       "a?9=z* a@0=x,y",
       "a?9=z* a@0=x,y"},
      {"a newer value hides them", "a@9=v a?8=x a?7=y", {}, false, "a@9=v*", "a@9=v*"},
      {"a refusal keeps all",
       "a?9=y a?8=refused a@7=v a@6=w b?2=x b@1=u",
       {},
       false,
       "a?9=y* a?8=refused a@7=v a@6=w b@2=u,x*",
       "a?9=y* a?8=refused a@7=v a@6=w b@2=u,x*"},
  };
  for (const AppendOperator::Partial partial :
       {AppendOperator::Partial::kNever, AppendOperator::Partial::kAlways}) {
    const AppendOperator append(partial);
    for (const auto& test : kCases) {
      MergeStreamOptions options;
      options.order = Bytewise();
      options.merge_operator = &append;
      options.snapshots = test.snapshots;
      if (test.absent_below) options.key_absent_below = EveryKey;
      EXPECT_EQ(MergeWithValues(test.in, options),
                partial == AppendOperator::Partial::kNever ? test.out : test.partial_out)
          << test.what;
    }
  }
}

TEST(MergeStream, StaysInsideItsRange) {
  const std::vector<OwnedEntry> entries = Parse("a@9 b@8 b@7 c@6 d@5");
  MergeStreamOptions options;
  options.range = {"b", "d"};
  EXPECT_EQ(Merge(entries, options).text, "b@8* c@6*");
  EXPECT_EQ(Merge(entries, options).counts.in, 3u);
  options.range = {"bb", std::nullopt};
  EXPECT_EQ(Merge(entries, options).text, "c@6* d@5*");
  options.range = {std::nullopt, "b"};
  EXPECT_EQ(Merge(entries, options).text, "a@9*");
  options.range = {"x", "y"};
  EXPECT_EQ(Merge(entries, options).text, "");
}

TEST(MergeStream, IsDataLossWhereEntriesDoNotAscend) {
  for (const char* text : {"b@1 a@2", "a@1 a@2", "a@1 a@1", "a@9 b@2 b@3"}) {
    const Outcome outcome = Merge(Parse(text));
    EXPECT_TRUE(absl::IsDataLoss(outcome.status)) << text;
    EXPECT_THAT(outcome.status.ToString(), HasSubstr("expected it after key")) << text;
  }
}

TEST(MergeStream, EndsWhenCancelled) {
  std::vector<OwnedEntry> entries;
  for (int i = 100'000; i < 130'000; ++i) entries.push_back(Parse(absl::StrCat("k", i, "@1"))[0]);
  int asked = 0;
  MergeStreamOptions options;
  options.cancelled = [&asked] { return ++asked == 3; };
  const Outcome outcome = Merge(std::move(entries), options);
  EXPECT_TRUE(absl::IsCancelled(outcome.status));
  EXPECT_EQ(outcome.counts.in, 8192u);
}

// What a reader at `sequence` finds for each key of `entries` over `below`.
std::map<std::string, std::string> ReadAt(const std::vector<OwnedEntry>& entries,
                                          const std::map<std::string, std::string>& below,
                                          SequenceNumber sequence) {
  std::map<std::string, std::string> result = below;
  std::set<std::string> decided;
  for (const OwnedEntry& entry : entries) {
    if (TrailerSequence(entry.trailer) > sequence || !decided.insert(entry.key).second) continue;
    result.erase(entry.key);
    if (TrailerKind(entry.trailer) == Kind::kValue) result[entry.key] = entry.value;
  }
  return result;
}

// Every possible reader sees the same before and after, and no unnecessary entry is kept.
TEST(MergeStream, KeepsWhatEveryReaderSees) {
  std::mt19937 random(42);
  for (int round = 0; round < 3000; ++round) {
    std::vector<OwnedEntry> entries;
    std::map<std::string, std::string> below;
    std::set<std::string> covered;  // keys that older data may have
    const SequenceNumber newest = 1 + random() % 40;
    for (char key = 'a'; key < 'h'; ++key) {
      const std::string name(1, key);
      if (random() % 3 == 0) covered.insert(name);
      if (covered.contains(name) && random() % 2 == 0) below[name] = "below";
      for (SequenceNumber sequence = newest; sequence > 0; --sequence) {
        if (random() % 6 != 0) continue;
        const Kind kind = random() % 3 == 0 ? Kind::kDelete : Kind::kValue;
        entries.push_back({name, MakeTrailer(sequence, kind), absl::StrCat(name, sequence)});
      }
    }
    std::set<SequenceNumber> snapshots;
    for (uint32_t i = random() % 4; i > 0; --i) snapshots.insert(random() % (newest + 3));
    MergeStreamOptions options;
    options.snapshots.assign(snapshots.begin(), snapshots.end());
    options.key_absent_below = [&covered](std::string_view key) {
      return !covered.contains(std::string(key));
    };
    const auto input = NewVectorIterator(Bytewise(), entries);
    MergeStream stream(input.get(), options);
    std::vector<OwnedEntry> kept;
    for (; stream.Valid(); stream.Next()) {
      kept.push_back({std::string(stream.key()), stream.trailer(), std::string(stream.value())});
    }
    ASSERT_TRUE(stream.status().ok());
    ASSERT_TRUE(stream.counts().Balanced());
    ASSERT_EQ(stream.counts().in, entries.size());
    snapshots.insert(newest);
    snapshots.insert(newest + 7);
    std::map<std::string, std::set<std::string>> seen;
    for (const SequenceNumber snapshot : snapshots) {
      ASSERT_EQ(ReadAt(kept, below, snapshot), ReadAt(entries, below, snapshot))
          << "round " << round << " at " << snapshot;
    }
    for (size_t i = 1; i < kept.size(); ++i) {
      ASSERT_LT(Bytewise().CompareEntries(kept[i - 1].key, kept[i - 1].trailer, kept[i].key,
                                          kept[i].trailer),
                0);
    }
    // No more versions of a key than readers that differ.
    std::map<std::string, size_t> versions;
    for (const OwnedEntry& entry : kept) ++versions[entry.key];
    for (const auto& [key, count] : versions) ASSERT_LE(count, options.snapshots.size() + 1);
  }
}

// Merges under one range tombstone over all keys.
Outcome MergeUnder(SequenceNumber tombstone, const std::string& entries,
                   MergeStreamOptions options = {}) {
  const std::vector<RangeTombstone> one = {{KeyCut::Start(), KeyCut::End(), tombstone}};
  const TombstoneIndex index(Bytewise(), one);
  options.range_deletes = &index;
  return Merge(Parse(entries), options);
}

TEST(MergeStream, DropsWhatARangeTombstoneCoversInItsStripe) {
  EXPECT_EQ(MergeUnder(30, "a@45 a@20 b@20 c-10 d@31").text, "a@45* d@31*");
  MergeStreamOptions options;
  options.snapshots = {20, 40};
  const Outcome outcome = MergeUnder(30, "f@45 f@25 f@15 g@25 h@15", options);
  EXPECT_EQ(outcome.text, "f@45* f@15 h@15*");
  EXPECT_EQ(outcome.counts.shadowed, 2u);
  EXPECT_TRUE(outcome.counts.Balanced());
}

// With sequence number 0 the range tombstone would cover it.
TEST(MergeStream, KeepsTheNumberOfAValueUnderAnOlderRangeTombstone) {
  MergeStreamOptions options;
  options.key_absent_below = [](std::string_view) { return true; };
  EXPECT_EQ(MergeUnder(30, "a@45", options).text, "a@45*");
  EXPECT_EQ(Merge(Parse("a@45"), options).text, "a@0*");
}

// Expiries at time 100.
TEST(MergeStream, TreatsExpiringValuesUnderARangeTombstoneAsValues) {
  env::ManualClock clock(0, 100);
  WallTime wall(&clock);
  const test::AppendOperator append;
  MergeStreamOptions options;
  options.key_absent_below = EveryKey;
  options.wall = &wall;
  options.merge_operator = &append;
  EXPECT_EQ(MergeUnder(30, "a^45:101", options).text, "a^45*");
  EXPECT_EQ(Merge(Parse("a^45:101"), options).text, "a^0*");
  EXPECT_EQ(MergeUnder(30, "a^25:101 b^25:99", options).text, "");
  EXPECT_EQ(MergeUnder(30, "a?45 a^40:101", options).text, "a?45* a^40");
  EXPECT_EQ(MergeUnder(30, "a?45 a^40:99 a@20", options).text, "a@45*");
  EXPECT_EQ(MergeUnder(30, "a?45 a^25:101", options).text, "a@45*");
  const Outcome expired = MergeUnder(30, "a^45:99 a@40 a@20", options);
  EXPECT_EQ(expired.text, "");
  EXPECT_EQ(expired.counts.expired, 1u);
  EXPECT_EQ(expired.counts.shadowed, 2u);
  options.snapshots = {20};
  EXPECT_EQ(MergeUnder(30, "a^45:99 a@25 a^15:101", options).text, "a-45* a^0");
}

TEST(MergeStream, DropsCoveredVersionsBehindAnUnknownKind) {
  EXPECT_EQ(MergeUnder(30, "a?45 a@40 a@20 a@10").text, "a?45* a@40");
}

TEST(MergeStream, MergesOperandsOverNothingUnderARangeTombstone) {
  const test::AppendOperator append;
  const auto values = [&](const std::vector<SequenceNumber>& snapshots) {
    const std::vector<RangeTombstone> one = {{KeyCut::Before("a"), KeyCut::Before("b"), 30}};
    const TombstoneIndex index(Bytewise(), one);
    MergeStreamOptions options;
    options.order = Bytewise();
    options.snapshots = snapshots;
    options.merge_operator = &append;
    options.range_deletes = &index;
    const auto input =
        NewVectorIterator(Bytewise(), {{"a", MakeTrailer(50, Kind::kMerge), "new"},
                                       {"a", MakeTrailer(40, Kind::kMerge), "newer"},
                                       {"a", MakeTrailer(25, Kind::kMerge), "covered"},
                                       {"a", MakeTrailer(10, Kind::kValue), "base"}});
    std::string text;
    MergeStream stream(input.get(), options);
    for (; stream.Valid(); stream.Next()) {
      absl::StrAppend(&text, Text(stream.key(), stream.trailer()), "=", std::string(stream.value()),
                      " ");
    }
    EXPECT_TRUE(stream.status().ok()) << stream.status();
    EXPECT_TRUE(stream.counts().Balanced());
    return text;
  };
  EXPECT_EQ(values({}), "a@50=newer,new ");
  EXPECT_EQ(values({35}), "a?50=new a?40=newer ")
      << "a reader at 35 may see bases that the range tombstone does not cover";
  EXPECT_EQ(values({28}), "a@50=newer,new a@25=base,covered ");
  // The range tombstone is in the stripe of the older operand.
  EXPECT_EQ(values({45}), "a?50=new a@40=newer ");
}

}  // namespace
}  // namespace cambium::compaction
