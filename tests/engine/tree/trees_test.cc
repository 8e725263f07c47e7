// Several trees over one log and one memory budget. They are made by adding families to the
// manifest of a database that is closed.
#include "engine/tree/trees.h"

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/file_names.h"
#include "engine/database.h"
#include "engine/read/point_read.h"
#include "engine/read/view_iterator.h"
#include "engine/verification.h"
#include "env/testing/fault_file_system.h"
#include "env/testing/mem_file_system.h"
#include "manifest/manifest_log.h"
#include "tests/support/status_test.h"
#include "util/random.h"

namespace cambium::engine {
namespace {

using Contents = std::map<std::string, std::string>;

class TreesTest : public testing::Test {
 protected:
  void SetUp() override {
    options_.memory_budget = size_t{4} << 20;
    options_.memtable_size = size_t{256} << 10;
    options_.target_file_size = 256 << 10;
    options_.background_threads = 2;
    UseFileSystem(std::make_shared<env::MemFileSystem>());
  }
  void UseFileSystem(std::shared_ptr<env::MemFileSystem> disk) {
    disk_ = std::move(disk);
    faults_ = std::make_shared<env::FaultFileSystem>(disk_);
    options_.file_system = faults_;
  }

  // Makes a database with the default family and families 1 … `others`.
  void Create(ColumnFamilyId others) {
    Open();
    for (ColumnFamilyId id = 1; id <= others; ++id) {
      const auto made = db_->families.Create(absl::StrCat("family", id), {});
      CAMBIUM_ASSERT_OK(made);
      ASSERT_EQ((*made)->id(), id);
    }
  }
  void Open() {
    auto db = Database::Open(options_, "db");
    CAMBIUM_ASSERT_OK(db);
    db_ = *std::move(db);
  }
  // The process is killed at this moment.
  void CrashAndOpen() {
    std::shared_ptr<env::MemFileSystem> image = disk_->CrashClone(env::CrashPolicy::kEverything, 1);
    db_ = nullptr;
    UseFileSystem(std::move(image));
    Open();
  }

  Tree* tree(ColumnFamilyId id) { return db_->trees.Find(id).get(); }

  absl::Status Put(ColumnFamilyId id, std::string_view key, std::string_view value,
                   const WriteOptions& write_options = {}) {
    const SingleOp op(BatchOpTag::kPut, key, value, id);
    TreeShare share{tree(id), MemTableBytes(op.ByteSize(), 1, 0)};
    CommitRequest request;
    request.pieces = op.pieces();
    request.payload_size = op.ByteSize();
    request.count = 1;
    request.single = &op;
    request.shares = {&share, 1};
    const absl::Status status = db_->writes->Write(&request, write_options);
    if (status.ok()) model_[id][std::string(key)] = value;
    return status;
  }
  // One batch that puts the same entry into each of `ids`. Only the first `announced` have a share.
  absl::Status PutInto(const std::vector<ColumnFamilyId>& ids, std::string_view key,
                       std::string_view value, size_t announced = SIZE_MAX) {
    std::string encoded(kBatchHeaderSize, '\0');
    StoreFixed32(encoded.data(), static_cast<uint32_t>(ids.size()));
    std::vector<TreeShare> shares;
    for (const ColumnFamilyId id : ids) {
      const SingleOp op(BatchOpTag::kPut, key, value, id);
      encoded.append(op.pieces()[0].substr(kBatchHeaderSize));
      for (const std::string_view piece : op.pieces().subspan(1)) encoded.append(piece);
      if (shares.size() == announced) continue;
      shares.push_back({tree(id), MemTableBytes(op.ByteSize(), 1, 0)});
    }
    const std::string_view payload = encoded;
    CommitRequest request;
    request.pieces = {&payload, 1};
    request.payload_size = encoded.size();
    request.count = static_cast<uint32_t>(ids.size());
    request.shares = shares;
    const absl::Status status = db_->writes->Write(&request, {});
    for (const ColumnFamilyId id : ids) {
      if (status.ok()) model_[id][std::string(key)] = value;
    }
    return status;
  }
  absl::StatusOr<std::string> Get(ColumnFamilyId id, std::string_view key) {
    const Tree& from = *tree(id);
    EpochGuard guard(&db_->context.epochs);
    auto at = db_->BeginRead(from, {});
    if (!at.ok()) return at.status();
    PinnedValue value;
    const absl::Status status =
        PointRead({&from.options(), &guard, at->shared().get(), at->sequence}, key, &value);
    if (!status.ok()) return status;
    return value.ToString();
  }
  Contents Scan(ColumnFamilyId id) {
    const Tree& from = *tree(id);
    std::shared_ptr<const ReadView> view;
    SequenceNumber sequence = 0;
    {
      const EpochGuard guard(&db_->context.epochs);
      const auto at = db_->BeginRead(from, {});
      CAMBIUM_EXPECT_OK(at);
      view = at->shared();
      sequence = at->sequence;
    }
    const auto it = NewViewIterator({&from.options(), nullptr, &db_->open_state}, std::move(view),
                                    sequence, {});
    Contents found;
    for (it->SeekToFirst(); it->Valid(); it->Next()) found[std::string(it->key())] = it->value();
    CAMBIUM_EXPECT_OK(it->status());
    return found;
  }
  void ExpectModel() {
    for (const TreeRef& one : db_->trees.All()) {
      EXPECT_EQ(Scan(one->id()), model_[one->id()]) << "family " << one->id();
      for (const auto& [key, value] : model_[one->id()]) {
        const absl::StatusOr<std::string> got = Get(one->id(), key);
        CAMBIUM_ASSERT_OK(got);
        EXPECT_EQ(*got, value) << "family " << one->id() << ", key " << key;
      }
    }
  }
  // A commit of "failed" to families 0 and 1 has failed, one of "before" has not.
  void ExpectFailedIsNeverSeen() {
    CAMBIUM_ASSERT_OK(db_->writes->Resume());
    CAMBIUM_ASSERT_OK(PutInto({0, 1}, "after", "value"));
    for (const bool reopened : {false, true}) {
      if (reopened) CrashAndOpen();
      for (const ColumnFamilyId id : {0u, 1u}) {
        CAMBIUM_EXPECT_OK(Get(id, "before"));
        CAMBIUM_EXPECT_OK(Get(id, "after"));
        CAMBIUM_EXPECT_CODE(Get(id, "failed"), kNotFound);
      }
    }
  }
  absl::Status FlushOnly(ColumnFamilyId id) {
    const TreeRef one = db_->trees.Find(id);
    return db_->writes->Flush({&one, 1});
  }
  bool HasMemTable(ColumnFamilyId id) { return tree(id)->Pin()->active->takes_writes(); }
  uint64_t TableBytes(ColumnFamilyId id) { return tree(id)->Pin()->tables->version->TotalBytes(); }
  size_t LogFiles() {
    size_t count = 0;
    const auto names = disk_->ListDirectory("db");
    CAMBIUM_EXPECT_OK(names);
    for (const std::string& name : *names) {
      const auto file = ParseFileName(name);
      count += file.has_value() && file->type == FileType::kLog;
    }
    return count;
  }

  Options options_;
  std::shared_ptr<env::MemFileSystem> disk_;
  std::shared_ptr<env::FaultFileSystem> faults_;
  std::unique_ptr<Database> db_;
  std::map<ColumnFamilyId, Contents> model_;
};

TEST_F(TreesTest, AreFlushedApartAndRecoveredTogether) {
  Create(1);
  for (int round = 0; round < 4; ++round) {
    for (int i = 0; i < 50; ++i) {
      CAMBIUM_ASSERT_OK(Put(0, absl::StrCat("key", i), absl::StrCat("zero ", round, " ", i)));
      CAMBIUM_ASSERT_OK(Put(1, absl::StrCat("key", i), absl::StrCat("one ", round, " ", i)));
      CAMBIUM_ASSERT_OK(PutInto({0, 1}, absl::StrCat("both", i), absl::StrCat(round)));
    }
    const ColumnFamilyId flushed = round % 2;
    CAMBIUM_ASSERT_OK(FlushOnly(flushed));
    EXPECT_FALSE(HasMemTable(flushed));
    EXPECT_TRUE(HasMemTable(1 - flushed));
    EXPECT_GT(TableBytes(flushed), 0u);
    ExpectModel();
    CrashAndOpen();
    // What was flushed is not replayed into a memtable once more.
    EXPECT_FALSE(HasMemTable(flushed));
    EXPECT_TRUE(HasMemTable(1 - flushed) || !tree(1 - flushed)->Pin()->frozen.empty());
    ExpectModel();
  }
  CAMBIUM_EXPECT_OK(VerifyAll(&db_->context.storage, db_->trees, db_->versions, db_->writes.get()));
  CAMBIUM_ASSERT_OK(db_->Close());
  db_ = nullptr;
  Open();
  ExpectModel();
}

TEST_F(TreesTest, CompactionsOfEachTreeLeaveTheOtherAlone) {
  Create(1);
  Random random(7);
  for (int round = 0; round < 6; ++round) {
    for (int i = 0; i < 2000; ++i) {
      const auto id = static_cast<ColumnFamilyId>(random.Uniform(2));
      CAMBIUM_ASSERT_OK(Put(id, absl::StrCat("key", random.Uniform(3000)),
                            std::string(100 + random.Uniform(100), 'a' + char(round))));
    }
    const ColumnFamilyId compacted = round % 2;
    const std::shared_ptr<const manifest::Version> other =
        tree(1 - compacted)->Pin()->tables->version;
    CAMBIUM_ASSERT_OK(FlushOnly(compacted));
    CAMBIUM_ASSERT_OK(db_->jobs.CompactRange(db_->trees.Find(compacted), {}));
    EXPECT_EQ(tree(compacted)->Pin()->tables->version->LevelBytes(kLevelCount - 1),
              TableBytes(compacted));
    ExpectModel();
  }
  CAMBIUM_ASSERT_OK(db_->jobs.AwaitIdle());
  ExpectModel();
  CrashAndOpen();
  ExpectModel();
}

// Without the flush that is due to the log alone, its first segment would stay for ever.
TEST_F(TreesTest, IdleTreeDoesNotHoldBackTheLog) {
  Create(2);
  CAMBIUM_ASSERT_OK(Put(1, "lonely", "value"));
  const uint64_t limit = db_->context.memory.plan.log_bytes;
  const std::string value(1000, 'v');
  uint64_t written = 0, most = 0;
  for (int i = 0; written < 10 * limit; ++i) {
    CAMBIUM_ASSERT_OK(Put(0, absl::StrCat("key", i % 500), value));
    written += value.size();
    most = std::max(most, db_->writes->LogBytes());
  }
  CAMBIUM_ASSERT_OK(db_->jobs.AwaitIdle());
  // A memtable and a segment more: it is looked at when a memtable is full.
  const MemoryPlan& plan = db_->context.memory.plan;
  EXPECT_LE(most, limit + plan.frozen_bytes() + plan.memtable_bytes + 2 * plan.segment_bytes);
  EXPECT_FALSE(HasMemTable(1));
  EXPECT_GT(TableBytes(1), 0u);
  EXPECT_EQ(TableBytes(2), 0u) << "a tree without a write is not flushed";
  ExpectModel();
  CrashAndOpen();
  ExpectModel();
}

// Nor does one hold it back that was flushed, or that had no write for long.
TEST_F(TreesTest, FlushLetsGoOfTheLogOfTreesWithoutWrites) {
  Create(20);
  const std::string value(1000, 'v');
  for (int i = 0; i < 3000; ++i) CAMBIUM_ASSERT_OK(Put(3, absl::StrCat("key", i), value));
  CAMBIUM_ASSERT_OK(FlushOnly(3));
  CAMBIUM_ASSERT_OK(db_->jobs.AwaitIdle());
  EXPECT_LE(LogFiles(), 2u) << disk_->DebugString();
}

TEST_F(TreesTest, ShareOneMemoryBudget) {
  Create(30);
  const MemoryPlan& plan = db_->context.memory.plan;
  const std::string value(2000, 'v');
  for (int i = 0; i < 3000; ++i) {
    CAMBIUM_ASSERT_OK(Put(static_cast<ColumnFamilyId>(i % 31), absl::StrCat("key", i), value));
    size_t active = 0;
    for (const TreeRef& one : db_->trees.All()) {
      const auto view = one->Pin();
      if (view->active->takes_writes()) active += view->active->table.MemoryUsage();
    }
    ASSERT_LE(active, 2 * plan.memtable_bytes) << "after " << i;
    ASSERT_LE(db_->context.memory.frozen_bytes, plan.frozen_bytes());
  }
  ExpectModel();
  CAMBIUM_ASSERT_OK(db_->writes->Flush(db_->trees.All()));
  CAMBIUM_ASSERT_OK(db_->jobs.AwaitIdle());
  EXPECT_EQ(db_->context.memory.frozen_bytes, 0u);
  EXPECT_LE(LogFiles(), 2u);
  ExpectModel();
}

// A commit that failed stays unseen in every tree that it wrote to, also when the log is replayed:
// its record is whole there, only the file system says otherwise.
TEST_F(TreesTest, ResumeLeavesOutFailedCommitsOfAllTrees) {
  options_.mapped_log = false;
  Create(1);
  CAMBIUM_ASSERT_OK(PutInto({0, 1}, "before", "value"));
  env::FaultRule rule;
  rule.kind = env::OperationKind::kWriteAt;
  rule.path_part = ".log";
  rule.effect = env::Effect::kFailDone;
  faults_->AddRule(rule);
  EXPECT_FALSE(PutInto({0, 1}, "failed", "value").ok());
  EXPECT_EQ(faults_->fired(), 1u);
  ExpectFailedIsNeverSeen();
}

// The same if the log is intact, so that recovery reads the record, and one tree has no other write
// that a flush would record: the commit fails on its way into the memtables.
TEST_F(TreesTest, ResumeLeavesOutCommitsThatFailedInTheMemTables) {
  Create(1);
  CAMBIUM_ASSERT_OK(PutInto({0, 1}, "before", "value"));
  CAMBIUM_ASSERT_OK(FlushOnly(1));
  EXPECT_FALSE(PutInto({0, 1}, "failed", "value", 1).ok());
  ExpectFailedIsNeverSeen();
}

TEST_F(TreesTest, VerifyReadsTheTablesOfAll) {
  Create(1);
  for (const ColumnFamilyId id : {0u, 1u}) CAMBIUM_ASSERT_OK(Put(id, "key", "value"));
  CAMBIUM_ASSERT_OK(db_->writes->Flush(db_->trees.All()));
  const auto verify = [this] {
    return VerifyAll(&db_->context.storage, db_->trees, db_->versions, db_->writes.get());
  };
  CAMBIUM_EXPECT_OK(verify());
  const manifest::FileMetadata file = tree(1)->Pin()->tables->runs.front().tables[0]->file();
  CAMBIUM_ASSERT_OK(disk_->Truncate(TablePath("db", file.number), file.file_size / 2));
  CAMBIUM_EXPECT_CODE(verify(), kDataLoss);
}

}  // namespace
}  // namespace cambium::engine
