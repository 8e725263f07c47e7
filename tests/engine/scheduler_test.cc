// The scheduler over real parts of the engine, with tasks that run one after the other in the
// test's thread. Most plans here are moves, which read no file: the files need not exist.
#include "engine/jobs/scheduler.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine/context.h"
#include "engine/tree/tree.h"
#include "engine/tree/version_store.h"
#include "env/testing/inline_executor.h"
#include "env/testing/manual_clock.h"
#include "env/testing/mem_file_system.h"
#include "tests/manifest/manifest_test_util.h"
#include "tests/support/status_test.h"

namespace cambium::engine {
namespace {

constexpr int kLastLevel = kLevelCount - 1;

class SchedulerTest : public testing::Test {
 protected:
  // A database whose tree is made of the files in `text`.
  void Start(std::string_view text) {
    Options options;
    options.file_system = std::make_shared<env::MemFileSystem>();
    options.executor = std::make_shared<env::InlineExecutor>(1);
    options.clock = std::make_shared<env::ManualClock>();
    options.background_threads = 2;
    CAMBIUM_ASSERT_OK(options.file_system->CreateDirectory("db"));
    context_ = std::make_unique<Context>(options, "db");
    tree_ = std::make_unique<Tree>(&context_->tables, &context_->reaper, &context_->epochs);
    versions_ = std::make_unique<VersionStore>(context_.get(), tree_.get());
    manifest::ManifestState state = manifest::NewState();
    state.next_file_number = 100;
    state.last_sequence = 1000;
    state.families.at(kDefaultFamily).version = manifest::MakeVersion(text);
    context_->next_file_number.store(state.next_file_number);
    tree_->Start(std::make_shared<MemSlot>(context_->order, &context_->chunks, size_t{64} << 10),
                 {}, state.families.at(kDefaultFamily).version);
    CAMBIUM_ASSERT_OK(versions_->Start(state));
    jobs_ = std::make_unique<JobScheduler>(
        JobWorld{context_.get(), tree_.get(), versions_.get(),
                 [](SequenceNumber) { return absl::OkStatus(); },
                 [](wal::LogPosition) { return absl::OkStatus(); }, [this] { load_changed_(); }});
  }
  void TearDown() override { jobs_->Stop(); }

  std::shared_ptr<const manifest::Version> version() const { return tree_->Pin()->tables->version; }

  std::unique_ptr<Context> context_;
  std::unique_ptr<Tree> tree_;
  std::unique_ptr<VersionStore> versions_;
  std::unique_ptr<JobScheduler> jobs_;
  std::function<void()> load_changed_ = [] {};
};

// Between the moment in which a job has published its version and its end, others look for work:
// here the job's own last act does. What has moved must not count as leaving its level once more.
TEST_F(SchedulerTest, PlanIsNoLongerRunningWhenItsVersionIsPublished) {
  Start(
      "add L4 file 1 size 600 keys \"a\"..\"b\" seqs 5..9\n"
      "add L5 file 2 size 500 keys \"c\"..\"d\" seqs 5..9\n"
      "add L6 file 3 size 900 keys \"e\"..\"f\" seqs 0..0\n");
  int ends = 0;
  load_changed_ = [&] {
    ++ends;
    jobs_->Schedule();
  };
  CAMBIUM_EXPECT_OK(jobs_->AwaitIdle());
  EXPECT_GE(ends, 2);
  EXPECT_EQ(version()->LevelBytes(kLastLevel), 2000u);
  EXPECT_EQ(version()->TotalBytes(), 2000u);
}

}  // namespace
}  // namespace cambium::engine
