#include "engine/write/recent_writes.h"

#include <gtest/gtest.h>

#include <array>
#include <set>
#include <string>
#include <vector>

namespace cambium::engine {
namespace {

using Slots = std::vector<uint32_t>;

class RecentWritesTest : public testing::Test {
 protected:
  RecentWritesTest() { recent_.SetTable(RecentWrites::MakeTable()); }

  RecentWrites recent_;
};

TEST_F(RecentWritesTest, KnowsTheNewestWriteOfEachSlot) {
  EXPECT_EQ(recent_.Newest(Slots{1}), 0u);
  recent_.Record(Slots{1}, 10);
  recent_.Record(Slots{2, 3}, 20);
  EXPECT_EQ(recent_.Newest(Slots{1}), 10u);
  EXPECT_EQ(recent_.Newest(Slots{2}), 20u);
  EXPECT_EQ(recent_.Newest(Slots{3}), 20u);
  EXPECT_EQ(recent_.Newest(Slots{4}), 0u);
  EXPECT_EQ(recent_.Newest(Slots{4, 1}), 10u);
  recent_.Record(Slots{1}, 21);
  EXPECT_EQ(recent_.Newest(Slots{1}), 21u);
}

TEST_F(RecentWritesTest, CommitWithoutSlotsIsAWriteOfEveryKey) {
  recent_.Record(Slots{1}, 10);
  recent_.Record({}, 15);
  EXPECT_EQ(recent_.Newest(Slots{1}), 15u);
  EXPECT_EQ(recent_.Newest(Slots{2}), 15u);
  recent_.Record(Slots{1}, 16);
  EXPECT_EQ(recent_.Newest(Slots{1}), 16u);
  EXPECT_EQ(recent_.Newest(Slots{2}), 15u);
}

// A condition without slots: nothing at all may have been written.
TEST_F(RecentWritesTest, NewestOfNoSlotsIsTheNewestOfAll) {
  recent_.Record(Slots{7}, 10);
  EXPECT_EQ(recent_.Newest({}), 10u);
}

TEST_F(RecentWritesTest, SlotsSpreadOverTheWholeTable) {
  std::set<uint32_t> by_key, by_family;
  for (uint32_t i = 0; i < 4 * RecentWrites::kSlots; ++i) {
    const uint32_t slot = RecentWrites::SlotOf(0, HashKey(std::to_string(i)));
    ASSERT_LT(slot, RecentWrites::kSlots);
    by_key.insert(slot);
  }
  // Without a hash of the key, each family has a slot.
  for (uint32_t family = 0; family < 100; ++family) {
    by_family.insert(RecentWrites::SlotOf(family, 0));
  }
  EXPECT_GT(by_key.size(), RecentWrites::kSlots * 95 / 100);
  EXPECT_EQ(by_family.size(), 100u);
}

}  // namespace
}  // namespace cambium::engine
