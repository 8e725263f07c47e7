#include "engine/tree/tree.h"

#include <gtest/gtest.h>

#include <memory>
#include <thread>
#include <utility>

#include "memtable/memtable.h"
#include "util/chunk_pool.h"
#include "util/epoch.h"

namespace cambium::engine {
namespace {

class TreeTest : public testing::Test {
 protected:
  std::shared_ptr<MemSlot> NewMemTable() {
    return std::make_shared<MemSlot>(KeyOrder(BytewiseComparator()), &chunks_, size_t{64} << 10);
  }
  void SetUp() override {
    tree_.Start(NewMemTable(), {}, std::make_shared<const manifest::Version>());
  }

  ChunkPool chunks_{memtable::MemTable::ChunkBytesFor(size_t{64} << 10), 0};
  EpochDomain epochs_;  // deletes retired views before the chunks of their memtables go
  Tree tree_{nullptr, nullptr, &epochs_};
};

TEST_F(TreeTest, CurrentReturnsTheNewestViewAndWhatIsVisible) {
  const EpochGuard guard(&epochs_);
  SequenceNumber sequence = 0;
  int calls = 0;
  const auto& view = tree_.Current([&] { return SequenceNumber(++calls + 6); }, &sequence);
  EXPECT_EQ(view, tree_.Pin());
  EXPECT_EQ(sequence, 7u);
  EXPECT_EQ(calls, 1);
}

// A reader loads the view whose memtable holds entries of failed commits. Before it loads the
// sequence number, a recovery publishes a view without them and moves the number past them.
TEST_F(TreeTest, CurrentNeverPairsAnOldViewWithANumberThatCameAfterIt) {
  const std::shared_ptr<MemSlot> recovered = NewMemTable();
  SequenceNumber visible = 10;
  bool reset = false;
  const auto load = [&] {
    if (!std::exchange(reset, true)) {
      std::thread([&] { const ReplacedView replaced = tree_.Freeze(recovered); }).join();
      visible = 20;
    }
    return visible;
  };
  const EpochGuard guard(&epochs_);
  SequenceNumber sequence = 0;
  const auto& view = tree_.Current(load, &sequence);
  EXPECT_EQ(sequence, 20u);
  EXPECT_EQ(view->active, recovered) << "number 20 with the view of number 10";
}

}  // namespace
}  // namespace cambium::engine
