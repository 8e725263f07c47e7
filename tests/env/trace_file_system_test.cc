// TraceFileSystem: silent on the right order, loud on each wrong one.
#include "env/testing/trace_file_system.h"

#include "env/testing/fault_file_system.h"
#include "env/testing/mem_file_system.h"
#include "tests/env/env_test_util.h"

namespace cambium::env {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

FileClass Classify(std::string_view path) {
  const std::string_view name = path.substr(path.rfind('/') + 1);
  if (name == "CURRENT") return FileClass::kCurrent;
  if (name.starts_with("MANIFEST")) return FileClass::kManifest;
  if (name.ends_with(".log")) return FileClass::kLog;
  if (name.ends_with(".sst")) return FileClass::kTable;
  if (name.ends_with(".tmp")) return FileClass::kTemp;
  return FileClass::kOther;
}

class TraceFileSystemTest : public testing::Test {
 protected:
  void SetUp() override { ASSERT_OK(faults_->CreateDirectory("/db")); }

  std::unique_ptr<WritableFile> Create(const std::string& name) {
    auto file = files_.CreateWritable("/db/" + name);
    EXPECT_OK(file.status());
    return std::move(file).value();
  }
  // A file written, synced and closed, without its entry.
  void WriteSynced(const std::string& name) {
    ASSERT_OK(WriteNew(files_, "/db/" + name, "content", Durability::kSynced));
  }
  void SyncEntries() { ASSERT_OK(files_.SyncDirectory("/db")); }
  void Switch() {
    WriteSynced("new.tmp");
    ASSERT_OK(files_.Rename("/db/new.tmp", "/db/CURRENT"));
    SyncEntries();
  }

  const std::shared_ptr<FaultFileSystem> faults_ =
      std::make_shared<FaultFileSystem>(std::make_shared<MemFileSystem>());
  TraceFileSystem files_{faults_, {.classify = Classify}};
};

TEST_F(TraceFileSystemTest, RightOrderIsSilent) {
  auto manifest = Create("MANIFEST-1");
  ASSERT_OK(manifest->Append("snapshot"));
  ASSERT_OK(manifest->Sync());
  SyncEntries();
  Switch();
  auto log = files_.CreateLog("/db/2.log", 4096);
  ASSERT_OK(log.status());
  SyncEntries();
  ASSERT_OK((*log)->WriteAt(0, "record"));
  ASSERT_OK((*log)->Sync());
  WriteSynced("3.sst");
  SyncEntries();
  ASSERT_OK(manifest->Append("edit"));
  ASSERT_OK(manifest->Sync());
  ASSERT_OK((*log)->Close(6));
  ASSERT_OK(files_.Remove("/db/2.log"));
  auto next = Create("MANIFEST-4");
  ASSERT_OK(next->Append("snapshot"));
  ASSERT_OK(next->Sync());
  SyncEntries();
  Switch();
  ASSERT_OK(files_.Remove("/db/MANIFEST-1"));
  ASSERT_OK(files_.Remove("/db/3.sst"));
  EXPECT_THAT(files_.violations(), IsEmpty());
}

TEST_F(TraceFileSystemTest, TableMustBeSyncedBeforeTheManifestNamesIt) {
  auto manifest = Create("MANIFEST-1");
  auto table = Create("3.sst");
  ASSERT_OK(table->Append("content"));
  ASSERT_OK(manifest->Append("edit while the table is open"));
  ASSERT_OK(table->Close());
  EXPECT_THAT(files_.violations(), IsEmpty());
  ASSERT_OK(manifest->Append("edit"));
  EXPECT_THAT(files_.violations(),
              ElementsAre("D4: append /db/MANIFEST-1 but /db/3.sst is not synced"));
}

TEST_F(TraceFileSystemTest, TablesEntryMustBeSyncedBeforeTheManifestNamesIt) {
  auto manifest = Create("MANIFEST-1");
  WriteSynced("3.sst");
  ASSERT_OK(manifest->Append("edit"));
  EXPECT_THAT(files_.violations(),
              ElementsAre("D4: append /db/MANIFEST-1 but the entry of /db/3.sst is not synced"));
}

TEST_F(TraceFileSystemTest, AbandonedTableIsNoMatter) {
  auto manifest = Create("MANIFEST-1");
  faults_->AddRule({.kind = OperationKind::kAppend, .path_part = ".sst"});
  auto table = Create("3.sst");
  EXPECT_FALSE(table->Append("content").ok());
  ASSERT_OK(table->Close());
  WriteSynced("4.sst");
  ASSERT_OK(files_.Remove("/db/4.sst"));
  ASSERT_OK(manifest->Append("edit that names neither"));
  EXPECT_THAT(files_.violations(), IsEmpty());
}

TEST_F(TraceFileSystemTest, LogsEntryMustBeSyncedBeforeItsSyncAnswers) {
  auto log = files_.CreateLog("/db/2.log", 4096);
  ASSERT_OK(log.status());
  ASSERT_OK((*log)->Sync());
  EXPECT_THAT(files_.violations(),
              ElementsAre("D4: sync-log /db/2.log answered ok but its entry is not synced"));
}

TEST_F(TraceFileSystemTest, CurrentChangesByRenameAlone) {
  WriteSynced("CURRENT");
  EXPECT_THAT(files_.violations(),
              ElementsAre("D6: create /db/CURRENT but CURRENT changes by rename alone"));
}

TEST_F(TraceFileSystemTest, CurrentComesFromASyncedTemporaryFile) {
  ASSERT_OK(WriteNew(files_, "/db/new.tmp", "content"));
  ASSERT_OK(files_.Rename("/db/new.tmp", "/db/CURRENT"));
  WriteSynced("other");
  ASSERT_OK(files_.Rename("/db/other", "/db/CURRENT"));
  EXPECT_THAT(files_.violations(),
              ElementsAre("D6: rename /db/new.tmp to CURRENT, but it is not synced",
                          "D6: rename /db/other to CURRENT, but it is no temporary file"));
}

TEST_F(TraceFileSystemTest, ManifestMustBeDurableBeforeCurrentNamesIt) {
  auto manifest = Create("MANIFEST-1");
  ASSERT_OK(manifest->Append("snapshot"));
  Switch();
  ASSERT_OK(manifest->Sync());
  EXPECT_THAT(files_.violations(),
              ElementsAre("D6: rename /db/new.tmp but /db/MANIFEST-1 is not synced"));
}

TEST_F(TraceFileSystemTest, ManifestsEntryMustBeDurableBeforeCurrentNamesIt) {
  WriteSynced("MANIFEST-1");
  Switch();
  EXPECT_THAT(files_.violations(),
              ElementsAre("D6: rename /db/new.tmp but the entry of /db/MANIFEST-1 is not synced"));
}

TEST_F(TraceFileSystemTest, NothingIsRemovedBeforeTheNewCurrentIsDurable) {
  WriteSynced("MANIFEST-1");
  WriteSynced("2.log");
  WriteSynced("other");
  SyncEntries();
  WriteSynced("new.tmp");
  ASSERT_OK(files_.Rename("/db/new.tmp", "/db/CURRENT"));
  ASSERT_OK(files_.Remove("/db/other"));
  ASSERT_OK(files_.Remove("/db/MANIFEST-1"));
  ASSERT_OK(files_.Remove("/db/2.log"));
  EXPECT_THAT(
      files_.violations(),
      ElementsAre("D6: remove /db/MANIFEST-1 before the directory of the new CURRENT is synced",
                  "D6: remove /db/2.log before the directory of the new CURRENT is synced"));
}

TEST_F(TraceFileSystemTest, FileThatFailedIsLeftAlone) {
  faults_->AddRule({.kind = OperationKind::kSync, .path_part = "2.log"});
  faults_->AddRule({.kind = OperationKind::kAppend, .path_part = "3.log"});
  auto second = Create("2.log");
  auto third = Create("3.log");
  SyncEntries();
  EXPECT_FALSE(second->Sync().ok());
  EXPECT_FALSE(third->Append("x").ok());
  ASSERT_OK(second->Sync());
  ASSERT_OK(third->Append("x"));
  ASSERT_OK(third->Close());
  EXPECT_THAT(files_.violations(), ElementsAre("D10: sync /db/2.log after a failed sync",
                                               "D10: append /db/3.log after a failed append"));
}

TEST_F(TraceFileSystemTest, NothingIsRemovedWhileTheManifestIsUnsynced) {
  WriteSynced("2.log");
  auto manifest = Create("MANIFEST-1");
  SyncEntries();
  ASSERT_OK(manifest->Append("edit"));
  ASSERT_OK(files_.Remove("/db/2.log"));
  EXPECT_THAT(files_.violations(),
              ElementsAre("D12: remove /db/2.log while /db/MANIFEST-1 is not synced"));
}

TEST_F(TraceFileSystemTest, NothingIsRemovedAfterAManifestErrorUntilAFreshOne) {
  for (const char* name : {"2.log", "3.log", "4.sst"}) WriteSynced(name);
  auto manifest = Create("MANIFEST-1");
  SyncEntries();
  faults_->AddRule({.kind = OperationKind::kSync, .path_part = "MANIFEST-1"});
  EXPECT_FALSE(manifest->Sync().ok());
  ASSERT_OK(files_.Remove("/db/2.log"));
  auto fresh = Create("MANIFEST-5");
  ASSERT_OK(fresh->Append("snapshot"));
  ASSERT_OK(fresh->Sync());
  SyncEntries();
  ASSERT_OK(files_.Remove("/db/4.sst"));
  Switch();
  ASSERT_OK(files_.Remove("/db/3.log"));
  EXPECT_THAT(files_.violations(), ElementsAre("D12: remove /db/2.log after a manifest error",
                                               "D12: remove /db/4.sst after a manifest error"));
}

TEST_F(TraceFileSystemTest, FailedSwitchIsAManifestError) {
  WriteSynced("2.log");
  WriteSynced("new.tmp");
  SyncEntries();
  faults_->AddRule({.kind = OperationKind::kRename, .effect = Effect::kFailDone});
  EXPECT_FALSE(files_.Rename("/db/new.tmp", "/db/CURRENT").ok());
  ASSERT_OK(files_.Remove("/db/2.log"));
  EXPECT_THAT(files_.violations(), ElementsAre("D12: remove /db/2.log after a manifest error"));
}

TEST_F(TraceFileSystemTest, ParallelJobsMayOverlap) {
  TraceFileSystem files(faults_, {.classify = Classify, .jobs = TraceOptions::Jobs::kParallel});
  auto manifest = files.CreateWritable("/db/MANIFEST-1");
  ASSERT_OK(manifest.status());
  ASSERT_OK(WriteNew(files, "/db/3.sst", "closed by one job, its entry not synced yet"));
  ASSERT_OK((*manifest)->Append("edit of another"));
  ASSERT_OK(WriteNew(files, "/db/2.log", ""));
  ASSERT_OK(files.Remove("/db/2.log"));
  EXPECT_THAT(files.violations(), IsEmpty());
}

}  // namespace
}  // namespace cambium::env
