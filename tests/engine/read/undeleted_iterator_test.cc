#include "engine/read/undeleted_iterator.h"

#include <gtest/gtest.h>

#include <memory>
#include <utility>
#include <vector>

#include "tests/support/status_test.h"
#include "tests/support/vector_iterator.h"

namespace cambium::engine {
namespace {

// One tombstone of a newer source, over ["m", end). Reading it fails once.
class FailsOnce final : public TombstoneCursor {
 public:
  absl::Status MoveAfter(const KeyCut& cut) override { return Move(cut, false); }
  absl::Status MoveBefore(const KeyCut& cut) override { return Move(cut, true); }

 private:
  absl::Status Move(const KeyCut& cut, bool before) {
    const KeyOrder order(BytewiseComparator());
    const KeyCut begin = KeyCut::Before("m");
    const int compared = CompareCuts(order, cut, begin);
    if (before ? compared <= 0 : compared < 0) {
      Set(KeyCut::Start(), begin, 0);
      return absl::OkStatus();
    }
    if (!std::exchange(failed_, true)) return absl::UnavailableError("once");
    Set(begin, KeyCut::End(), 100);
    return absl::OkStatus();
  }

  bool failed_ = false;
};

TEST(UndeletedIterator, ShowsNoDeletedKeyAfterAnError) {
  ConcernedBy tombstones;
  tombstones.newer.push_back(std::make_unique<FailsOnce>());
  const KeyOrder order(BytewiseComparator());
  std::vector<OwnedEntry> entries = {{"a", MakeTrailer(1, Kind::kValue), ""},
                                     {"n", MakeTrailer(2, Kind::kValue), ""},
                                     {"y", MakeTrailer(3, Kind::kValue), ""}};
  const auto it = NewUndeletedIterator(
      order, std::make_unique<VectorIterator>(order, std::move(entries)), std::move(tombstones));
  it->SeekToFirst();
  ASSERT_TRUE(it->Valid());
  it->Next();
  EXPECT_FALSE(it->Valid());
  CAMBIUM_EXPECT_CODE(it->status(), kUnavailable);
  it->SeekToLast();
  CAMBIUM_EXPECT_OK(it->status());
  ASSERT_TRUE(it->Valid());
  EXPECT_EQ(it->key(), "a");
}

}  // namespace
}  // namespace cambium::engine
