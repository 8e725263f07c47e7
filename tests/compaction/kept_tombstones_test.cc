#include "compaction/kept_tombstones.h"

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/manifest/manifest_test_util.h"

namespace cambium::compaction {
namespace {

using manifest::Bytewise;

std::string Text(const KeyCut& cut) {
  return absl::StrCat(std::string(cut.key), cut.place == KeyCut::Place::kAfter ? "+" : "");
}

// "[a,m)@30,10": the range, and its sequence numbers.
std::string Text(const std::vector<TombstoneFragment>& fragments) {
  std::string text;
  for (const TombstoneFragment& fragment : fragments) {
    absl::StrAppend(&text, text.empty() ? "" : " ", "[", Text(fragment.begin), ",",
                    Text(fragment.end), ")@");
    for (size_t i = 0; i < fragment.sequences.size(); ++i) {
      absl::StrAppend(&text, i == 0 ? "" : ",", fragment.sequences[i]);
    }
  }
  return text;
}

RangeTombstone Range(std::string_view begin, std::string_view end, SequenceNumber sequence) {
  return {KeyCut::Before(begin), KeyCut::Before(end), sequence};
}

std::string Kept(const std::vector<RangeTombstone>& tombstones, MergeStreamOptions options = {}) {
  options.order = Bytewise();
  const TombstoneIndex index(Bytewise(), tombstones);
  options.range_deletes = &index;
  return Text(TombstonesToKeep(options));
}

TEST(TombstonesToKeep, KeepsTheNewestOfEachStripe) {
  const std::vector<RangeTombstone> tombstones = {Range("a", "m", 10), Range("c", "p", 15),
                                                  Range("c", "p", 30)};
  EXPECT_EQ(Kept(tombstones), "[a,c)@10 [c,p)@30");
  MergeStreamOptions options;
  options.snapshots = {20};
  EXPECT_EQ(Kept(tombstones, options), "[a,c)@10 [c,p)@30,15");
  options.snapshots = {10, 20, 25};
  EXPECT_EQ(Kept(tombstones, options), "[a,c)@10 [c,m)@30,15,10 [m,p)@30,15");
}

TEST(TombstonesToKeep, DropsThoseThatHideNothing) {
  MergeStreamOptions options;
  options.range_absent_below = [](const KeyCut& begin, const KeyCut&) { return begin.key != "c"; };
  const std::vector<RangeTombstone> tombstones = {Range("a", "c", 10), Range("c", "p", 30),
                                                  Range("q", "r", 8)};
  EXPECT_EQ(Kept(tombstones, options), "[c,p)@30");
  options.snapshots = {9};
  EXPECT_EQ(Kept(tombstones, options), "[a,c)@10 [c,p)@30")
      << "only those that every reader sees may be dropped";
}

TEST(TombstonesToKeep, CutsAtTheEndsOfTheRange) {
  MergeStreamOptions options;
  options.range = {"d", "k"};
  EXPECT_EQ(Kept({Range("a", "f", 10), Range("g", "z", 7), Range("a", "c", 8), Range("k", "l", 6)},
                 options),
            "[d,f)@10 [g,k)@7");
}

TEST(TombstonesToKeep, JoinsEqualNeighbors) {
  EXPECT_EQ(Kept({Range("a", "c", 10),
                  Range("c", "e", 10),
                  Range("b", "d", 5),
                  {KeyCut::Before("e"), KeyCut::After("f"), 10}}),
            "[a,f+)@10");
}

}  // namespace
}  // namespace cambium::compaction
