// What an operation costs does not grow with the number of files, as far as it need not. The files
// are metadata: nothing is opened.
#include <gtest/gtest.h>
#include <time.h>

#include <cstdio>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/merging_iterator.h"
#include "compaction/policy.h"
#include "engine/context.h"
#include "engine/tree/tree.h"
#include "env/testing/inline_executor.h"
#include "env/testing/mem_file_system.h"
#include "manifest/manifest_state.h"
#include "tests/support/apply_edit.h"

namespace cambium::engine {
namespace {

constexpr int kLastLevel = kLevelCount - 1;

std::string Key(uint64_t i) {
  const std::string digits = absl::StrCat(i);
  return absl::StrCat("key", std::string(12 - digits.size(), '0'), digits);
}

// A tree whose last two levels hold `files` files, one tenth of them in the upper one.
class BigTree {
 public:
  explicit BigTree(uint64_t files) : context_(SmallOptions(), "db") {
    state_.comparator_name = BytewiseComparator()->Name();
    state_.last_sequence = 1'000'000;
    state_.comparator_name = tree_.order().comparator()->Name();
    state_.families[0] = {"default", state_.comparator_name};
    state_.families[0].version = std::make_shared<const manifest::Version>();
    manifest::VersionEdit edit;
    for (uint64_t i = 0; i < files; ++i) {
      const int level = i % 10 == 0 ? kLastLevel - 1 : kLastLevel;
      edit.Family(0).added.push_back({level, compaction::kLeveledRun, File(10 * i)});
    }
    Apply(std::move(edit));
    tree_.Start({context_.memory.no_memtable}, version());
  }

  // Replaces one file of the last level by two, as a compaction does.
  void Edit(uint64_t index) {
    const manifest::Run& run = version()->runs(kLastLevel).front();
    const manifest::FileRef old = run.files[index % run.files.size()];
    const uint64_t key = std::stoull(old->smallest_key.substr(3));
    manifest::VersionEdit edit;
    edit.Family(0).deleted.push_back({kLastLevel, old->number});
    edit.Family(0).added.push_back({kLastLevel, run.id, File(key)});
    edit.Family(0).added.push_back({kLastLevel, run.id, File(key + 4)});
    Apply(std::move(edit));
    tree_.Install(tree_.Prepare(version()), 0, nullptr);
  }

  // Moves a file of the upper level to the last one.
  void Move(uint64_t index) {
    const manifest::FileRef file = version()->runs(kLastLevel - 1).front().files[index];
    manifest::VersionEdit edit;
    edit.Family(0).deleted.push_back({kLastLevel - 1, file->number});
    edit.Family(0).added.push_back({kLastLevel, compaction::kLeveledRun, *file});
    Apply(std::move(edit));
    tree_.Install(tree_.Prepare(version()), 0, nullptr);
  }

  std::unique_ptr<InternalIterator> NewIterator() {
    const std::shared_ptr<const ReadView> view = tree_.Pin();
    std::vector<std::unique_ptr<InternalIterator>> children;
    for (const RunView& run : view->tables->runs) {
      children.push_back(NewRunIterator(tree_.order(), run.All(), {}));
    }
    return NewMergingIterator(tree_.order(), std::move(children));
  }

  std::shared_ptr<const manifest::Version> version() const { return state_.families.at(0).version; }
  std::shared_ptr<const ReadView> Pin() const { return tree_.Pin(); }
  const KeyOrder& order() const { return tree_.order(); }

 private:
  static Options SmallOptions() {
    Options options;
    options.memory_budget = size_t{4} << 20;
    options.file_system = std::make_shared<env::MemFileSystem>();
    options.executor = std::make_shared<env::InlineExecutor>(1);
    return options;
  }
  // Holds the keys from `key` to `key` + 3.
  manifest::FileMetadata File(uint64_t key) {
    manifest::FileMetadata file;
    file.number = file.physical_number = FileNumber{state_.next_file_number++};
    file.smallest_key = Key(key);
    file.largest_key = Key(key + 3);
    file.file_size = 1000;
    file.entries = 4;
    file.smallest_sequence = file.largest_sequence = 1;
    return file;
  }
  void Apply(manifest::VersionEdit edit) {
    edit.next_file_number = state_.next_file_number;
    auto next = manifest::ApplyEdit(state_, edit, tree_.order());
    ASSERT_TRUE(next.ok()) << next.status();
    state_ = *std::move(next);
  }

  Context context_;
  Tree tree_{0,
             TreeOptions(context_.options),
             {&context_.storage, &context_.memory, &context_.epochs, &context_.errors}};
  manifest::ManifestState state_;
};

// Of the thread's own time: the machine may be busy with other things.
double ThreadMicros() {
  struct timespec now = {};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e6 + static_cast<double>(now.tv_nsec) / 1e3;
}

double MicrosPer(int count, const std::function<void(int)>& body) {
  const double begin = ThreadMicros();
  for (int i = 0; i < count; ++i) body(i);
  return (ThreadMicros() - begin) / count;
}

TEST(FileCount, EditAndNewIterator) {
  for (const uint64_t files : {1'000, 10'000, 110'000}) {
    BigTree tree(files);
    const double edit = MicrosPer(30, [&](int i) { tree.Edit(static_cast<uint64_t>(i) * 7919); });
    const double iterator = MicrosPer(200, [&](int) { tree.NewIterator(); });
    std::printf("%7llu files: %9.1f us per edit, %6.2f us per NewIterator\n",
                static_cast<unsigned long long>(files), edit, iterator);
  }
}

// What an edit leaves alone is not copied, neither in the version nor in the view.
TEST(FileCount, AnEditSharesTheRunsThatItDoesNotChange) {
  BigTree tree(1000);
  const std::shared_ptr<const ReadView> before = tree.Pin();
  tree.Edit(5);
  const std::shared_ptr<const ReadView> after = tree.Pin();
  const std::vector<RunView>& old_runs = before->tables->runs;
  const std::vector<RunView>& new_runs = after->tables->runs;
  ASSERT_EQ(old_runs.size(), 2u);
  ASSERT_EQ(new_runs.size(), 2u);
  EXPECT_TRUE(old_runs[0].run->files.SharesWith(new_runs[0].run->files));
  EXPECT_TRUE(old_runs[0].tables.SharesWith(new_runs[0].tables));
  EXPECT_FALSE(old_runs[1].run->files.SharesWith(new_runs[1].run->files));
  EXPECT_EQ(new_runs[1].tables.size(), old_runs[1].tables.size() + 1);
  // The tables themselves are shared too, but for the new ones.
  size_t shared = 0;
  for (size_t i = 0; i < new_runs[1].tables.size(); ++i) {
    EXPECT_EQ(new_runs[1].tables[i]->file().number, new_runs[1].run->numbers[i]);
    for (const LiveTableRef& table : old_runs[1].tables) shared += table == new_runs[1].tables[i];
  }
  EXPECT_EQ(shared, old_runs[1].tables.size() - 1);
}

// A table that changes its level keeps its reader.
TEST(FileCount, AMovedFileKeepsItsTable) {
  BigTree tree(100);
  const std::shared_ptr<const ReadView> before = tree.Pin();
  const LiveTableRef moved = before->tables->runs[0].tables[3];
  tree.Move(3);
  const std::shared_ptr<const ReadView> after = tree.Pin();
  const LiveTableRef found = after->tables->runs[1].Find(moved->file(), tree.order());
  EXPECT_EQ(found, moved);
  EXPECT_EQ(after->tables->runs[0].Find(moved->file(), tree.order()), nullptr);
}

}  // namespace
}  // namespace cambium::engine
