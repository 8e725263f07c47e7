#include "compaction/run_merge.h"

#include <algorithm>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/file_names.h"
#include "base/merging_iterator.h"
#include "compaction/policy.h"
#include "compaction/run_iterator.h"
#include "env/testing/fault_file_system.h"
#include "env/testing/mem_file_system.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "sstable/cache/block_cache.h"
#include "sstable/table/table_reader.h"
#include "tests/manifest/manifest_test_util.h"
#include "tests/support/vector_iterator.h"
#include "util/status_macros.h"

namespace cambium::compaction {
namespace {

using env::Effect;
using env::FaultFileSystem;
using env::MemFileSystem;
using env::OperationKind;
using manifest::Bytewise;
using manifest::FileMetadata;
using manifest::FileRef;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::string Key(int number) { return absl::StrCat("key", 100'000 + number); }

OwnedEntry Put(int key, SequenceNumber sequence, size_t value_size = 100) {
  return {Key(key), MakeTrailer(sequence, Kind::kValue),
          std::string(value_size, static_cast<char>('a' + key % 26))};
}

// A directory of tables, and merges into it.
class Store {
 public:
  explicit Store(std::shared_ptr<FileSystem> files = std::make_shared<MemFileSystem>())
      : files_(std::move(files)) {
    EXPECT_TRUE(files_->CreateDirectory("/db").ok());
  }

  RunMergeOptions Options() {
    RunMergeOptions options;
    options.stream.order = Bytewise();
    options.new_table = [this] { return NewOutput(); };
    return options;
  }

  absl::StatusOr<OutputTable> NewOutput() {
    OutputTable table;
    table.number = FileNumber{next_number_++};
    sstable::TableBuilderOptions options;
    options.order = Bytewise();
    options.number = table.number;
    options.path = TablePath("/db", table.number);
    options.block_size = 1024;
    ASSIGN_OR_RETURN(std::unique_ptr<WritableFile> file, files_->CreateWritable(options.path));
    table.builder = std::make_unique<sstable::TableBuilder>(options, std::move(file));
    return table;
  }

  absl::StatusOr<std::unique_ptr<InternalIterator>> OpenFile(const FileRef& file) {
    const std::string path = TablePath("/db", file->physical_number);
    ASSIGN_OR_RETURN(std::unique_ptr<RandomAccessFile> bytes, files_->OpenRandomAccess(path));
    sstable::TableReaderOptions options;
    options.order = Bytewise();
    options.cache = &cache_;
    options.number = file->physical_number;
    options.path = path;
    options.file_size = file->file_size;
    ASSIGN_OR_RETURN(std::unique_ptr<sstable::TableReader> reader,
                     sstable::TableReader::Open(options, std::move(bytes)));
    readers_.push_back(std::move(reader));
    return readers_.back()->NewIterator({});
  }

  // `files` must outlive the iterator.
  std::unique_ptr<InternalIterator> NewIterator(const std::vector<FileRef>& files) {
    RunSource source;
    source.files = files;
    source.open = [this, &files](size_t index) { return OpenFile(files[index]); };
    return NewRunIterator(Bytewise(), std::move(source));
  }

  std::vector<OwnedEntry> Read(const std::vector<FileRef>& files) {
    std::vector<OwnedEntry> entries;
    const auto it = NewIterator(files);
    for (it->SeekToFirst(); it->Valid(); it->Next()) {
      entries.push_back({std::string(it->key()), it->trailer(), std::string(it->value())});
    }
    EXPECT_TRUE(it->status().ok()) << it->status();
    return entries;
  }

  absl::StatusOr<RunMergeResult> Merge(std::vector<OwnedEntry> entries,
                                       const RunMergeOptions& options) {
    const auto input = NewVectorIterator(Bytewise(), std::move(entries));
    return RunMerge(input.get(), options);
  }

  FileSystem* files() { return files_.get(); }

 private:
  const std::shared_ptr<FileSystem> files_;
  uint64_t next_number_ = 10;
  EpochDomain epochs_;
  sstable::BlockCache cache_{size_t{1} << 20, &epochs_};
  std::vector<std::unique_ptr<sstable::TableReader>> readers_;
};

bool SameEntries(const std::vector<OwnedEntry>& a, const std::vector<OwnedEntry>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const auto& x, const auto& y) {
    return x.key == y.key && x.trailer == y.trailer && x.value == y.value;
  });
}

FileRef Grandparent(int smallest, int largest, uint64_t size) {
  auto file = std::make_shared<FileMetadata>();
  file->smallest_key = Key(smallest);
  file->largest_key = Key(largest);
  file->file_size = size;
  return file;
}

TEST(RunMerge, WritesNoFileForNoEntries) {
  Store store;
  const auto result = store.Merge({}, store.Options());
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_THAT(result->files, IsEmpty());
  EXPECT_THAT(store.files()->ListDirectory("/db").value(), IsEmpty());
}

TEST(RunMerge, WritesNoFileWhereEveryEntryIsDropped) {
  Store store;
  RunMergeOptions options = store.Options();
  options.stream.key_absent_below = [](std::string_view) { return true; };
  const auto result = store.Merge({{"a", MakeTrailer(5, Kind::kDelete), ""}}, options);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_THAT(result->files, IsEmpty());
  EXPECT_EQ(result->counts.tombstones_dropped, 1u);
}

TEST(RunMerge, DescribesTheFileThatItWrote) {
  Store store;
  const std::vector<OwnedEntry> entries = {
      Put(1, 7), Put(2, 9), {Key(3), MakeTrailer(4, Kind::kDelete), ""}, Put(4, 5)};
  const auto result = store.Merge(entries, store.Options());
  ASSERT_TRUE(result.ok()) << result.status();
  ASSERT_EQ(result->files.size(), 1u);
  const FileMetadata& file = *result->files[0];
  EXPECT_EQ(file.number, FileNumber{10});
  EXPECT_EQ(file.physical_number, FileNumber{10});
  EXPECT_EQ(file.smallest_key, Key(1));
  EXPECT_EQ(file.largest_key, Key(4));
  EXPECT_EQ(file.smallest_sequence, 4u);
  EXPECT_EQ(file.largest_sequence, 9u);
  EXPECT_EQ(file.entries, 4u);
  EXPECT_EQ(file.tombstones, 1u);
  EXPECT_EQ(file.raw_bytes, 4 * 9 + 300u);
  EXPECT_EQ(file.file_size, store.files()->FileSize("/db/000010.sst").value());
  EXPECT_NE(file.digest, 0u);
  EXPECT_TRUE(SameEntries(store.Read(result->files), entries));
}

TEST(RunMerge, StartsTheNextFileAtTheTargetSize) {
  Store store;
  RunMergeOptions options = store.Options();
  options.target_file_size = 20'000;
  std::vector<OwnedEntry> entries;
  for (int i = 0; i < 1000; ++i) entries.push_back(Put(i, 1));
  const auto result = store.Merge(entries, options);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_GE(result->files.size(), 4u);
  for (size_t i = 0; i + 1 < result->files.size(); ++i) {
    EXPECT_GT(result->files[i]->file_size, 19'000u);
    EXPECT_LT(result->files[i]->file_size, 24'000u);
    EXPECT_LT(result->files[i]->largest_key, result->files[i + 1]->smallest_key);
  }
  EXPECT_TRUE(SameEntries(store.Read(result->files), entries));
}

TEST(RunMerge, NeverSplitsTheVersionsOfOneKey) {
  Store store;
  RunMergeOptions options = store.Options();
  options.target_file_size = 2000;
  std::vector<OwnedEntry> entries;
  for (int key = 0; key < 3; ++key) {
    for (SequenceNumber sequence = 100; sequence > 0; --sequence) {
      if (key == 0) options.stream.snapshots.push_back(101 - sequence);
      entries.push_back(Put(key, sequence));
    }
  }
  const auto result = store.Merge(entries, options);
  ASSERT_TRUE(result.ok()) << result.status();
  ASSERT_EQ(result->files.size(), 3u);
  for (const FileRef& file : result->files) {
    EXPECT_EQ(file->smallest_key, file->largest_key);
    EXPECT_EQ(file->entries, 100u);
  }
}

TEST(RunMerge, EndsAFileBeforeItOverlapsTooMuchBelow) {
  Store store;
  RunMergeOptions options = store.Options();
  options.grandparents = {Grandparent(0, 9, 100), Grandparent(10, 19, 100),
                          Grandparent(20, 29, 100), Grandparent(30, 39, 100)};
  options.max_grandparent_bytes = 150;
  std::vector<OwnedEntry> entries;
  for (int i = 0; i < 50; ++i) entries.push_back(Put(i, 1));
  const auto result = store.Merge(entries, options);
  ASSERT_TRUE(result.ok()) << result.status();
  std::vector<std::string> starts;
  for (const FileRef& file : result->files) starts.push_back(file->smallest_key);
  EXPECT_THAT(starts, ElementsAre(Key(0), Key(20), Key(40)));
}

// Data that overlaps a damaged file cannot move down with the rest: it is in separate files.
TEST(RunMerge, EndsAFileAtBothEndsOfADamagedFileBelow) {
  Store store;
  RunMergeOptions options = store.Options();
  auto damaged = std::make_shared<FileMetadata>(*Grandparent(10, 19, 100));
  damaged->damage = "damaged by the test";
  options.grandparents = {Grandparent(0, 9, 100), damaged, Grandparent(25, 29, 100)};
  options.max_grandparent_bytes = 1000;
  std::vector<OwnedEntry> entries;
  for (int i = 0; i < 50; ++i) entries.push_back(Put(i, 1));
  const auto result = store.Merge(entries, options);
  ASSERT_TRUE(result.ok()) << result.status();
  std::vector<std::string> starts;
  for (const FileRef& file : result->files) starts.push_back(file->smallest_key);
  EXPECT_THAT(starts, ElementsAre(Key(0), Key(10), Key(20)));
}

TEST(RunMerge, IsDataLossWhereTheInputDoesNotAscend) {
  Store store;
  const auto result = store.Merge({Put(2, 1), Put(1, 1)}, store.Options());
  EXPECT_TRUE(absl::IsDataLoss(result.status())) << result.status();
}

TEST(RunMerge, EndsWhenCancelled) {
  Store store;
  RunMergeOptions options = store.Options();
  options.stream.cancelled = [] { return true; };
  EXPECT_TRUE(absl::IsCancelled(store.Merge({Put(1, 1)}, options).status()));
}

// An error at every operation of a merge comes out, and a result is only ever of a sound run.
TEST(RunMerge, AnswersEveryErrorOfTheFileSystem) {
  std::vector<OwnedEntry> entries;
  for (int i = 0; i < 500; ++i) entries.push_back(Put(i, 1));
  for (const OperationKind kind : {OperationKind::kCreate, OperationKind::kAppend,
                                   OperationKind::kSync, OperationKind::kClose}) {
    uint64_t fired = 0;
    for (uint64_t call = 1;; ++call) {
      const auto files = std::make_shared<FaultFileSystem>(std::make_shared<MemFileSystem>());
      files->AddRule({.kind = kind, .path_part = ".sst", .first_call = call});
      Store store(files);
      RunMergeOptions options = store.Options();
      options.target_file_size = 10'000;
      const auto result = store.Merge(entries, options);
      EXPECT_EQ(result.ok(), files->fired() == 0) << result.status();
      if (files->fired() == 0) break;
      ++fired;
    }
    EXPECT_GT(fired, 2u);
  }
}

std::vector<FileRef> FilesOf(const Plan& plan) {
  std::vector<FileRef> files;
  for (const PlanInput& input : plan.inputs) {
    files.insert(files.end(), input.files.begin(), input.files.end());
  }
  return files;
}

uint64_t InputEntries(const Plan& plan) {
  uint64_t entries = 0;
  for (const FileRef& file : FilesOf(plan)) entries += file->entries;
  return entries;
}

// A tree of four overlapping runs in level 0 over one in the last level.
class PlanRun : public ::testing::Test {
 protected:
  PlanRun() {
    small_ = store_.Options();
    small_.target_file_size = 10'000;
    AddRun(6, kLeveledRun, 2);
    for (uint64_t run = 1; run <= 4; ++run) AddRun(0, run, 6);
    EXPECT_TRUE(builder_.Apply(edit_).ok());
    const auto version = builder_.Build();
    EXPECT_TRUE(version.ok()) << version.status();
    PolicyOptions policy;
    policy.target_file_size = 10'000;
    plan_ = Pick(**version, policy, {}).value();
    EXPECT_EQ(FilesOf(plan_).size(), edit_.added.size());
  }

  // Keys ascending in steps of 1 to `step`, a quarter of them deleted.
  void AddRun(int level, uint64_t run, uint32_t step) {
    std::vector<OwnedEntry> entries;
    for (int key = 0; key < 1000; key += 1 + static_cast<int>(random_() % step)) {
      entries.push_back(Put(key, ++sequence_, 20));
      if (random_() % 4 == 0) entries.back().trailer = MakeTrailer(sequence_, Kind::kDelete);
    }
    const auto result = store_.Merge(std::move(entries), small_);
    ASSERT_TRUE(result.ok()) << result.status();
    for (const FileRef& file : result->files) edit_.added.push_back({level, run, *file});
  }

  RunMergeResult MergePart(const KeyRange& range) {
    std::vector<std::unique_ptr<InternalIterator>> runs;
    for (const PlanInput& input : plan_.inputs) runs.push_back(store_.NewIterator(input.files));
    const auto merged = NewMergingIterator(Bytewise(), std::move(runs));
    RunMergeOptions options = OptionsFor(plan_, range, Bytewise());
    options.stream.snapshots = {sequence_ / 3, sequence_ / 2};
    options.new_table = small_.new_table;
    auto result = RunMerge(merged.get(), options);
    EXPECT_TRUE(result.ok()) << result.status();
    return *std::move(result);
  }

  Store store_;
  std::mt19937 random_{5};
  SequenceNumber sequence_ = 0;
  RunMergeOptions small_;
  manifest::FamilyEdit edit_;
  manifest::VersionBuilder builder_{nullptr, Bytewise()};
  Plan plan_;
};

TEST_F(PlanRun, InPartsGivesWhatItGivesAsAWhole) {
  const RunMergeResult whole = MergePart({});
  EXPECT_GT(whole.counts.shadowed, 0u);
  EXPECT_GT(whole.counts.tombstones_dropped, 0u);
  EXPECT_GT(whole.counts.sequences_zeroed, 0u);
  const std::vector<KeyRange> parts = SplitPlan(plan_, 3, Bytewise());
  ASSERT_EQ(parts.size(), 3u);
  std::vector<FileRef> outputs;
  MergeCounts counts;
  for (const KeyRange& part : parts) {
    const RunMergeResult result = MergePart(part);
    outputs.insert(outputs.end(), result.files.begin(), result.files.end());
    counts += result.counts;
    EXPECT_LT(result.counts.in, InputEntries(plan_) * 2 / 3);
  }
  EXPECT_EQ(counts.in, InputEntries(plan_));
  EXPECT_EQ(counts.out, whole.counts.out);
  EXPECT_TRUE(SameEntries(store_.Read(outputs), store_.Read(whole.files)));
}

TEST_F(PlanRun, LeavesItsOutputsInPlaceOfItsInputs) {
  const RunMergeResult result = MergePart({});
  manifest::FamilyEdit done;
  AppendToEdit(plan_, result.files, &done);
  ASSERT_TRUE(builder_.Apply(done).ok());
  const auto next = builder_.Build();
  ASSERT_TRUE(next.ok()) << next.status();
  EXPECT_EQ(manifest::CountFiles(**next), result.files.size());
  EXPECT_EQ(manifest::CountFiles(**next, 6), result.files.size());
}

RangeTombstone Range(const std::string& begin, const std::string& end, SequenceNumber sequence) {
  return {KeyCut::Before(begin), KeyCut::Before(end), sequence};
}

// A range tombstone over several files is cut where they end, so that the files stay disjoint.
TEST(RunMerge, CutsRangeTombstonesAtTheEndsOfFiles) {
  Store store;
  std::vector<OwnedEntry> entries;
  for (int key = 0; key < 100; ++key) entries.push_back(Put(key, 100 + static_cast<uint64_t>(key)));
  const std::string begin = "key0", end = Key(150);
  const TombstoneIndex index(Bytewise(), {{Range(begin, end, 50)}});
  RunMergeOptions options = store.Options();
  options.stream.range_deletes = &index;
  options.target_file_size = 3000;
  const auto result = store.Merge(entries, options);
  ASSERT_TRUE(result.ok()) << result.status();
  const std::vector<FileRef>& files = result->files;
  ASSERT_GT(files.size(), 2u);
  EXPECT_EQ(files.front()->smallest_key, begin);
  EXPECT_EQ(files.back()->largest_key, end);
  for (size_t i = 0; i < files.size(); ++i) {
    EXPECT_EQ(files[i]->range_deletes.count, 1u);
    EXPECT_TRUE(files[i]->largest_exclusive);
    EXPECT_EQ(files[i]->smallest_sequence, 50u);
    if (i == 0) continue;
    EXPECT_EQ(files[i - 1]->largest_key, files[i]->smallest_key) << "no gap, and no overlap";
    EXPECT_TRUE(files[i - 1]->EndsBefore(files[i]->smallest_key, Bytewise()));
  }
  EXPECT_TRUE(SameEntries(store.Read(files), entries));
}

TEST(RunMerge, WritesAFileOfRangeTombstonesAlone) {
  Store store;
  const TombstoneIndex index(Bytewise(),
                             {{{KeyCut::Before("c"), KeyCut::After("f"), 7}, Range("a", "b", 9)}});
  RunMergeOptions options = store.Options();
  options.stream.range_deletes = &index;
  const auto result = store.Merge({{"d", MakeTrailer(5, Kind::kValue), "x"}}, options);
  ASSERT_TRUE(result.ok()) << result.status();
  ASSERT_EQ(result->files.size(), 1u);
  const FileMetadata& file = *result->files[0];
  EXPECT_EQ(file.entries, 0u);
  EXPECT_EQ(file.range_deletes.count, 2u);
  EXPECT_EQ(file.smallest_key, "a");
  EXPECT_EQ(file.largest_key, "f");
  EXPECT_FALSE(file.largest_exclusive);
  EXPECT_EQ(file.smallest_sequence, 7u);
  EXPECT_EQ(file.largest_sequence, 9u);
  EXPECT_TRUE(store.Read(result->files).empty());
}

// The range tombstones of a table are in memory while it is open: their number per file is bounded.
TEST(RunMerge, EndsAFileWithManyRangeTombstones) {
  Store store;
  std::vector<std::string> keys;
  std::vector<RangeTombstone> tombstones;
  for (int i = 0; i < 60'001; ++i)
    keys.push_back(absl::StrCat(Key(0), std::string(30, 'x'), 100'000 + i));
  for (size_t i = 0; i + 1 < keys.size(); i += 2) {
    tombstones.push_back(Range(keys[i], keys[i + 1], 10 + i));
  }
  const TombstoneIndex index(Bytewise(), tombstones);
  RunMergeOptions options = store.Options();
  options.stream.range_deletes = &index;
  const auto result =
      store.Merge({Put(0, 3), {keys[40'001], MakeTrailer(9, Kind::kValue), "v"}}, options);
  ASSERT_TRUE(result.ok()) << result.status();
  uint64_t count = 0;
  for (const FileRef& file : result->files) {
    count += file->range_deletes.count;
    EXPECT_LT(file->file_size, uint64_t{2} << 20);
  }
  EXPECT_EQ(count, 30'000u);
  EXPECT_GE(result->files.size(), 3u);
  EXPECT_EQ(store.Read(result->files).size(), 2u);
}

}  // namespace
}  // namespace cambium::compaction
