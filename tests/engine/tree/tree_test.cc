#include "engine/tree/tree.h"

#include <gtest/gtest.h>

#include <memory>
#include <thread>
#include <utility>

#include "engine/context.h"
#include "engine/tree/trees.h"
#include "env/testing/inline_executor.h"
#include "env/testing/mem_file_system.h"

namespace cambium::engine {
namespace {

class TreeTest : public testing::Test {
 protected:
  static Options SmallOptions() {
    Options options;
    options.memory_budget = size_t{1} << 20;
    options.file_system = std::make_shared<env::MemFileSystem>();
    options.executor = std::make_shared<env::InlineExecutor>(1);
    return options;
  }
  std::shared_ptr<MemSlot> NewMemTable() {
    return std::make_shared<MemSlot>(tree_->order(), &context_.memory.chunks, size_t{64} << 10);
  }
  void SetUp() override {
    tree_->Start({NewMemTable()}, std::make_shared<const manifest::Version>());
  }

  Context context_{SmallOptions(), "db"};
  const TreeRef tree_ = std::make_shared<Tree>(
      7, TreeOptions(context_.options),
      TreeWorld{&context_.storage, &context_.memory, &context_.epochs, &context_.errors});
};

TEST_F(TreeTest, CurrentReturnsTheNewestViewAndWhatIsVisible) {
  const EpochGuard guard(&context_.epochs);
  SequenceNumber sequence = 0;
  int calls = 0;
  const auto& view = tree_->Current([&] { return SequenceNumber(++calls + 6); }, &sequence);
  EXPECT_EQ(view, tree_->Pin());
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
      std::thread([&] {
        const ReplacedView replaced = tree_->ReplaceActive(recovered, 15);
      }).join();
      visible = 20;
    }
    return visible;
  };
  const EpochGuard guard(&context_.epochs);
  SequenceNumber sequence = 0;
  const auto& view = tree_->Current(load, &sequence);
  EXPECT_EQ(sequence, 20u);
  EXPECT_EQ(view->active, recovered) << "number 20 with the view of number 10";
}

// A flush asks which segments are needed without a lock, so its tree may be dropped meanwhile.
TEST_F(TreeTest, DroppedTreeNeedsNoLogWhateverAFlushStillHolds) {
  tree_->active()->reserved = 100;
  tree_->active()->oldest_segment = 3;
  { const ReplacedView replaced = tree_->ReplaceActive(NewMemTable(), 15); }
  const std::shared_ptr<const ReadView> flushing = tree_->Pin();
  EXPECT_EQ(tree_->OldestSegment(nullptr), 3u);
  EXPECT_EQ(tree_->OldestSegment(flushing.get()), MemSlot::kNoSegment);
  Tree::Ending ending = tree_->PrepareToDrop(absl::FailedPreconditionError("dropped"));
  EXPECT_EQ(tree_->OldestSegment(nullptr), 3u) << "not yet";
  tree_->Drop(std::move(ending), [](const auto& publish) { publish(); });
  EXPECT_EQ(tree_->OldestSegment(flushing.get()), MemSlot::kNoSegment);
  EXPECT_EQ(tree_->OldestSegment(nullptr), MemSlot::kNoSegment);
}

}  // namespace
}  // namespace cambium::engine
