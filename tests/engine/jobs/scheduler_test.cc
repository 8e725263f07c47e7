// The scheduler over real parts of the engine, with tasks that run one after the other in the
// test's thread. Most plans here are moves, which read no file: the files need not exist.
#include "engine/jobs/scheduler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <string_view>

#include "engine/context.h"
#include "engine/tree/trees.h"
#include "engine/tree/version_store.h"
#include "env/testing/inline_executor.h"
#include "env/testing/manual_clock.h"
#include "env/testing/mem_file_system.h"
#include "tests/manifest/manifest_test_util.h"
#include "tests/support/status_test.h"

namespace cambium::engine {
namespace {

constexpr int kLastLevel = kLevelCount - 1;

// Bytewise, and counts its calls.
class CountingComparator final : public Comparator {
 public:
  int Compare(std::string_view a, std::string_view b) const override {
    ++calls;
    return a.compare(b);
  }
  const char* Name() const override { return BytewiseComparator()->Name(); }

  mutable uint64_t calls = 0;
};

class SchedulerTest : public testing::Test {
 protected:
  // A database whose tree is made of the files in `text`.
  void Start(std::string_view text) {
    Options options;
    options.file_system = std::make_shared<env::MemFileSystem>();
    options.executor = executor_ = std::make_shared<env::InlineExecutor>(1);
    options.clock = std::make_shared<env::ManualClock>();
    options.background_threads = 2;
    options.comparator = &comparator_;
    CAMBIUM_ASSERT_OK(options.file_system->CreateDirectory("db"));
    context_ = std::make_unique<Context>(options, "db");
    trees_ = std::make_unique<Trees>(
        TreeWorld{&context_->storage, &context_->memory, &context_->epochs, &context_->errors});
    tree_ = trees_->Add(0, "default", TreeOptions(context_->options));
    versions_ = std::make_unique<VersionStore>(&context_->storage, &context_->errors, trees_.get(),
                                               manifest::KeyOrders(tree_->order()));
    manifest::ManifestState state = manifest::NewState();
    state.next_file_number = 100;
    state.last_sequence = 1000;
    state.families.at(0).version = MakeVersion(text);
    context_->storage.next_file_number.store(state.next_file_number);
    tree_->Start({context_->memory.no_memtable}, state.families.at(0).version);
    CAMBIUM_ASSERT_OK(versions_->Start(state));
    JobWorld world;
    world.options = &context_->options;
    world.storage = &context_->storage;
    world.memory = &context_->memory.plan;
    world.snapshots = context_->snapshots.get();
    world.errors = &context_->errors;
    world.stats = &context_->stats;
    world.trees = trees_.get();
    world.versions = versions_.get();
    world.load_changed = [this] { load_changed_(); };
    jobs_ = std::make_unique<JobScheduler>(world);
  }
  void TearDown() override { jobs_->Stop(); }

  std::shared_ptr<const manifest::Version> MakeVersion(std::string_view text) {
    auto version = manifest::TryVersion(text, nullptr, tree_->order());
    CAMBIUM_EXPECT_OK(version);
    return version.ok() ? *version : nullptr;
  }
  std::shared_ptr<const manifest::Version> version() const { return tree_->Pin()->tables->version; }

  CountingComparator comparator_;
  std::shared_ptr<env::InlineExecutor> executor_;
  std::unique_ptr<Context> context_;
  std::unique_ptr<Trees> trees_;
  Tree* tree_ = nullptr;
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

// An edit that contradicts the state would fail as often as its job is repeated: it ends writing,
// and says so.
TEST_F(SchedulerTest, EditThatContradictsTheStateStopsWritesAndIsNotRepeated) {
  Start("add L6 file 3 size 900 keys \"e\"..\"f\" seqs 0..0\n");
  tree_->Install(
      tree_->Prepare(MakeVersion("add L5 file 7 size 900 keys \"a\"..\"b\" seqs 5..9\n")), 0,
      nullptr);
  int ends = 0;
  load_changed_ = [&ends] { ++ends; };
  CAMBIUM_EXPECT_CODE(jobs_->AwaitIdle(), kFailedPrecondition);
  for (int i = 0; i < 10; ++i) {
    CAMBIUM_EXPECT_CODE(jobs_->AwaitIdle(), kFailedPrecondition);
  }
  EXPECT_EQ(ends, 1);
  EXPECT_EQ(context_->errors.Get().state, Health::State::kReadOnly);
}

// A job that fails is not restarted until the back-off is over, even if writes were let in again.
TEST_F(SchedulerTest, FailedCompactionWaitsLongerEachTime) {
  Start("");
  tree_->Install(
      tree_->Prepare(MakeVersion("add L5 file 7 size 900 keys \"a\"..\"b\" seqs 5..9\n")), 0,
      nullptr);
  int ends = 0;
  load_changed_ = [&ends] { ++ends; };
  const uint64_t start = context_->storage.clock->NowMicros();
  while (context_->storage.clock->NowMicros() < start + 30'000'000) {
    jobs_->AwaitIdle().IgnoreError();
    context_->errors.Clear();
  }
  EXPECT_GE(ends, 30'000'000 / 1'000'000);
  EXPECT_LE(ends, 30'000'000 / 750'000 + 2);
  // The user says that the cause is gone.
  jobs_->ForgetFailures();
  const int before = ends;
  const uint64_t now = context_->storage.clock->NowMicros();
  jobs_->AwaitIdle().IgnoreError();
  EXPECT_EQ(ends, before + 1);
  EXPECT_EQ(context_->storage.clock->NowMicros(), now);
}

// While a step of CompactRange is under way, the policy's plans run beside it.
TEST_F(SchedulerTest, CompactRangeLeavesAutomaticCompactionRunning) {
  Start(
      "add L5 file 1 size 500 keys \"a\"..\"b\" seqs 0..0\n"
      "add L4 file 2 size 500 keys \"m\"..\"n\" seqs 5..9\n"
      "add L6 file 3 size 900 keys \"x\"..\"z\" seqs 0..0\n");
  size_t beside = 0;
  load_changed_ = [&] { beside = std::max(beside, executor_->WaitingCount()); };
  CAMBIUM_EXPECT_OK(jobs_->CompactRange(tree_->shared_from_this(), {"a", "c"}));
  EXPECT_GE(beside, 1u);
  CAMBIUM_EXPECT_OK(jobs_->AwaitIdle());
  EXPECT_EQ(version()->LevelBytes(kLastLevel), 1900u);
}

// Waiters poll: without a new version, job or snapshot the policy is not asked again, so that a
// poll costs the same for any number of files.
TEST_F(SchedulerTest, PollsCompareNoKeys) {
  Start(
      "add L5 file 1 size 500 keys \"a\"..\"b\" seqs 5..9\n"
      "add L6 file 3 size 900 keys \"a\"..\"f\" seqs 0..0\n"
      "quarantine L6 3 \"damaged by the test\"\n");
  CAMBIUM_EXPECT_OK(jobs_->AwaitIdle());
  const uint64_t compared = comparator_.calls;
  EXPECT_GT(compared, 0u);
  for (int i = 0; i < 1000; ++i) {
    jobs_->Schedule();
    jobs_->CountBacklog();
  }
  CAMBIUM_EXPECT_OK(jobs_->AwaitIdle());
  EXPECT_EQ(comparator_.calls, compared);
  const auto snapshot = context_->snapshots->Take([] { return SequenceNumber{7}; });
  jobs_->Schedule();
  EXPECT_GT(comparator_.calls, compared);
}

}  // namespace
}  // namespace cambium::engine
