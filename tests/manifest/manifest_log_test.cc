#include "manifest/manifest_log.h"

#include <algorithm>
#include <cstdio>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/file_names.h"
#include "env/testing/fault_file_system.h"
#include "env/testing/mem_file_system.h"
#include "env/testing/trace_file_system.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/manifest/manifest_test_util.h"
#include "tests/support/apply_edit.h"
#include "util/coding.h"

namespace cambium::manifest {
namespace {

using env::CrashPolicy;
using env::Effect;
using env::FaultFileSystem;
using env::MemFileSystem;
using env::OperationKind;
using ::testing::HasSubstr;

constexpr char kDirectory[] = "/db";

std::shared_ptr<MemFileSystem> NewDirectory() {
  auto files = std::make_shared<MemFileSystem>();
  EXPECT_TRUE(files->CreateDirectory(kDirectory).ok());
  EXPECT_TRUE(files->SyncDirectory("/").ok());
  return files;
}

std::string Text(const ManifestState& state) { return DebugString(SnapshotEdit(state)); }

std::string ReadFile(FileSystem* files, const std::string& path) {
  auto file = files->OpenRandomAccess(path);
  EXPECT_TRUE(file.ok()) << file.status();
  std::string content((*file)->Size().value(), '\0');
  ReadRequest request;
  request.buffer = content.data();
  request.size = content.size();
  (*file)->Read({&request, 1});
  EXPECT_EQ(request.bytes_read, content.size());
  return content;
}

void ReplaceFile(FileSystem* files, const std::string& path, const std::string& content) {
  EXPECT_TRUE(files->Remove(path).ok());
  auto file = files->CreateWritable(path);
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_TRUE((*file)->Append(content).ok());
  EXPECT_TRUE((*file)->Close().ok());
}

// A database that does nothing but edit its manifest, and keeps going after errors as the engine
// does. Remembers what it may find again.
class Editor {
 public:
  explicit Editor(FileSystem* files) : files_(files), state_(NewState()) {}

  // A fresh manifest with all that was acknowledged.
  bool Create() {
    pending_ = state_;
    const FileNumber number{next_number_ = std::max(next_number_, state_.next_file_number)};
    pending_.next_file_number = ++next_number_;
    const FileNumber before = log_ == nullptr ? FileNumber{0} : log_->number();
    log_.reset();
    auto log = ManifestLog::Create(files_, kDirectory, number, SnapshotEdit(pending_));
    if (!log.ok()) return false;
    log_ = *std::move(log);
    created_ = true;
    Acknowledge();
    if (before != FileNumber{0}) {
      EXPECT_TRUE(files_->Remove(ManifestPath(kDirectory, before)).ok());
    }
    return true;
  }

  bool Append(const VersionEdit& edit) {
    pending_ = ApplyEdit(state_, edit, Bytewise()).value();
    if (log_ == nullptr || !log_->Append(edit).ok()) return false;
    Acknowledge();
    return true;
  }

  // The next edit of a history in which every edit matters.
  bool AppendNext() {
    const uint64_t number = state_.next_file_number;
    const uint64_t sequence = state_.last_sequence + 10;
    return Append(
        ParseEdit(absl::StrCat("next-file ", number + 1, "\nlast-sequence ", sequence, "\nflushed ",
                               sequence, "\nadd L0 run ", number, " file ", number,
                               " size 7 keys \"a\"..\"z\" seqs ", sequence - 9, "..", sequence)));
  }

  // Whether a recovered state is the one acknowledged last, or the one being written.
  ::testing::AssertionResult MayBe(const absl::StatusOr<RecoveredManifest>& found) const {
    if (!found.ok()) {
      if (absl::IsNotFound(found.status()) && !created_) return ::testing::AssertionSuccess();
      return ::testing::AssertionFailure() << found.status();
    }
    const std::string text = Text(found->state);
    if ((created_ && text == Text(state_)) || text == Text(pending_)) {
      return ::testing::AssertionSuccess();
    }
    return ::testing::AssertionFailure() << "found\n"
                                         << text << "acknowledged\n"
                                         << Text(state_) << "pending\n"
                                         << Text(pending_);
  }

  const ManifestState& state() const { return state_; }
  ManifestLog* log() { return log_.get(); }

 private:
  void Acknowledge() { state_ = pending_; }

  FileSystem* const files_;
  ManifestState state_;       // acknowledged
  ManifestState pending_;     // being written
  uint64_t next_number_ = 0;  // never given to a manifest yet
  bool created_ = false;
  std::unique_ptr<ManifestLog> log_;
};

absl::StatusOr<RecoveredManifest> Recover(FileSystem* files) {
  return RecoverManifest(files, kDirectory, KeyOrders(Bytewise()));
}

TEST(ManifestLog, IsNotFoundWhereThereIsNoDatabase) {
  EXPECT_TRUE(absl::IsNotFound(Recover(NewDirectory().get()).status()));
}

TEST(ManifestLog, RecoversWhatWasAppended) {
  const auto files = NewDirectory();
  Editor editor(files.get());
  ASSERT_TRUE(editor.Create());
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(editor.AppendNext());
  const auto found = Recover(files.get());
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ(Text(found->state), Text(editor.state()));
  EXPECT_EQ(found->manifest_number, editor.log()->number());
  EXPECT_EQ(found->edits, 21u);
  EXPECT_EQ(found->torn_bytes, 0u);
}

TEST(ManifestLog, RecoversFromTheFreshManifestAfterASwitch) {
  const auto files = NewDirectory();
  Editor editor(files.get());
  ASSERT_TRUE(editor.Create());
  ASSERT_TRUE(editor.AppendNext());
  ASSERT_TRUE(editor.Create());
  ASSERT_TRUE(editor.AppendNext());
  const auto found = Recover(files.get());
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ(Text(found->state), Text(editor.state()));
  EXPECT_EQ(found->edits, 2u);
}

TEST(ManifestLog, RecoveryChangesNothingOnDisk) {
  const auto files = NewDirectory();
  Editor editor(files.get());
  ASSERT_TRUE(editor.Create());
  ASSERT_TRUE(editor.AppendNext());
  const std::string before = files->DebugString();
  ASSERT_TRUE(Recover(files.get()).ok());
  EXPECT_EQ(files->DebugString(), before);
}

TEST(ManifestLog, KeepsTheOrderOfWritesAndSyncs) {
  env::TraceOptions options;
  options.classify = [](std::string_view path) {
    const auto name = ParseFileName(path.substr(path.rfind('/') + 1));
    if (!name) return env::FileClass::kOther;
    if (name->type == FileType::kManifest) return env::FileClass::kManifest;
    if (name->type == FileType::kCurrent) return env::FileClass::kCurrent;
    return name->type == FileType::kTemporary ? env::FileClass::kTemp : env::FileClass::kOther;
  };
  env::TraceFileSystem files(NewDirectory(), options);
  Editor editor(&files);
  ASSERT_TRUE(editor.Create());
  ASSERT_TRUE(editor.AppendNext());
  ASSERT_TRUE(editor.Create());
  ASSERT_TRUE(editor.AppendNext());
  EXPECT_THAT(files.violations(), ::testing::IsEmpty());
}

TEST(ManifestLog, AnswersTheFirstErrorFromThenOn) {
  FaultFileSystem files(NewDirectory());
  Editor editor(&files);
  ASSERT_TRUE(editor.Create());
  files.AddRule({.kind = OperationKind::kSync, .path_part = "MANIFEST"});
  const VersionEdit edit = ParseEdit("log 5");
  const absl::Status first = editor.log()->Append(edit);
  EXPECT_FALSE(first.ok());
  const uint64_t appends = files.Calls(OperationKind::kAppend);
  EXPECT_EQ(editor.log()->Append(edit), first);
  EXPECT_EQ(files.Calls(OperationKind::kAppend), appends);
}

TEST(ManifestLog, RollsOverWhenItIsMostlyHistory) {
  const auto files = NewDirectory();
  Editor editor(files.get());
  ASSERT_TRUE(editor.Create());
  VersionEdit edit = ParseEdit("quarantine L0 3 \"\"");
  ASSERT_TRUE(editor.Append(ParseEdit("next-file 4\nadd L0 file 3 keys \"a\"..\"b\"")));
  edit.Family(0).quarantined[0].reason.assign(size_t{1} << 20, 'x');
  for (int i = 0; i < 4; ++i) {
    EXPECT_FALSE(editor.log()->ShouldRollOver());
    ASSERT_TRUE(editor.Append(edit));
  }
  EXPECT_TRUE(editor.log()->ShouldRollOver());
}

TEST(ManifestLog, TellsADatabaseOfAnotherOrder) {
  const auto files = NewDirectory();
  ManifestState state = NewState();
  state.comparator_name = "test.Reverse";
  ASSERT_TRUE(
      ManifestLog::Create(files.get(), kDirectory, FileNumber{1}, SnapshotEdit(state)).ok());
  const auto found = Recover(files.get());
  EXPECT_TRUE(absl::IsInvalidArgument(found.status())) << found.status();
  EXPECT_THAT(found.status().ToString(), HasSubstr("test.Reverse"));
}

TEST(ManifestLog, IsDataLossWhereTheNamedManifestIsMissing) {
  const auto files = NewDirectory();
  Editor editor(files.get());
  ASSERT_TRUE(editor.Create());
  ASSERT_TRUE(files->Remove(ManifestPath(kDirectory, editor.log()->number())).ok());
  const auto found = Recover(files.get());
  EXPECT_TRUE(absl::IsDataLoss(found.status())) << found.status();
  EXPECT_THAT(found.status().ToString(), HasSubstr("MANIFEST-000002"));
}

TEST(ManifestLog, IsDataLossWhereAnotherManifestStandsInItsPlace) {
  const auto files = NewDirectory();
  Editor editor(files.get());
  ASSERT_TRUE(editor.Create());
  const std::string other = ManifestPath(kDirectory, FileNumber{77});
  ASSERT_TRUE(
      ManifestLog::Create(files.get(), kDirectory, FileNumber{77}, SnapshotEdit(NewState())).ok());
  ASSERT_TRUE(files->Rename(ManifestPath(kDirectory, editor.log()->number()), other).ok());
  EXPECT_TRUE(absl::IsDataLoss(Recover(files.get()).status()));
}

TEST(ManifestLog, DropsAnAppendThatWasNeverAcknowledged) {
  const auto files = NewDirectory();
  Editor editor(files.get());
  ASSERT_TRUE(editor.Create());
  ASSERT_TRUE(editor.AppendNext());
  const std::string path = ManifestPath(kDirectory, editor.log()->number());
  const std::string acknowledged = ReadFile(files.get(), path);
  const std::string expected = Text(editor.state());
  ASSERT_TRUE(editor.AppendNext());
  // The next edit without its commit record: any part of it may be there, and be garbage.
  const std::string longer = ReadFile(files.get(), path);
  for (size_t size = acknowledged.size(); size + wal::kRecordHeaderSize < longer.size(); ++size) {
    for (const char filler : {'\0', '\x5a'}) {
      std::string torn = longer.substr(0, size);
      torn.resize(longer.size() - wal::kRecordHeaderSize, filler);
      ReplaceFile(files.get(), path, torn);
      const auto found = Recover(files.get());
      ASSERT_TRUE(found.ok()) << found.status();
      if (found->torn_bytes == 0) continue;  // the filler is equal to the old bytes
      EXPECT_EQ(Text(found->state), expected);
      EXPECT_EQ(found->torn_bytes, torn.size() - acknowledged.size());
    }
  }
}

// A commit record at `at`, behind so many edits.
std::string CommitRecord(wal::LogPosition at, uint64_t edits, uint64_t synced_up_to) {
  wal::RecordHeader header;
  header.kind = wal::RecordKind::kPad;
  header.first_sequence = edits;
  header.synced_up_to = {at.segment, synced_up_to};
  std::string bytes(wal::kRecordHeaderSize, '\0');
  wal::EncodeRecordHeader(header, bytes.data());
  StoreFixed32(bytes.data(), wal::RecordChecksum(bytes, at));
  return bytes;
}

TEST(ManifestLog, TellsATornTailFromDamageByTheSyncedWatermarkOfLaterRecords) {
  const auto files = NewDirectory();
  Editor editor(files.get());
  ASSERT_TRUE(editor.Create());
  const FileNumber number = editor.log()->number();
  const std::string path = ManifestPath(kDirectory, number);
  const std::string content = ReadFile(files.get(), path);
  const uint64_t bad = content.size();
  for (const uint64_t synced_up_to : {bad, bad + wal::kRecordHeaderSize}) {
    std::string longer = content + std::string(wal::kRecordHeaderSize, 'x');
    longer.append(CommitRecord({ToInteger(number), longer.size()}, 2, synced_up_to));
    ReplaceFile(files.get(), path, longer);
    const auto found = Recover(files.get());
    if (synced_up_to == bad) {
      EXPECT_TRUE(found.ok()) << found.status();
    } else {
      EXPECT_TRUE(absl::IsDataLoss(found.status()));
      EXPECT_THAT(found.status().ToString(), HasSubstr(absl::StrCat(path, " at ", bad)));
    }
  }
}

TEST(ManifestLog, EndsInBoundedTimeOnOverlappingCandidates) {
  const auto files = NewDirectory();
  Editor editor(files.get());
  ASSERT_TRUE(editor.Create());
  const std::string path = ManifestPath(kDirectory, editor.log()->number());
  std::string content = ReadFile(files.get(), path);
  // Headers without end that claim all the rest of the file and a sync of what is before them.
  const uint64_t bad = content.size();
  constexpr size_t kRecords = 100'000;
  content.append(8, '\0');
  for (size_t i = 0; i < kRecords; ++i) {
    wal::RecordHeader header;
    header.payload_size = static_cast<uint32_t>((kRecords - i - 1) * wal::kRecordHeaderSize);
    header.synced_up_to = {ToInteger(editor.log()->number()), bad + 8};
    char bytes[wal::kRecordHeaderSize] = {};
    wal::EncodeRecordHeader(header, bytes);
    content.append(bytes, sizeof(bytes));
  }
  ReplaceFile(files.get(), path, content);
  EXPECT_TRUE(absl::IsDataLoss(Recover(files.get()).status()));
}

// Every byte of manifest and CURRENT, turned over: the right state, or an error that names the
// file.
TEST(ManifestLog, NoticesEveryFlippedBit) {
  const auto files = NewDirectory();
  Editor editor(files.get());
  ASSERT_TRUE(editor.Create());
  for (int i = 0; i < 4; ++i) ASSERT_TRUE(editor.AppendNext());
  const std::string expected = Text(editor.state());
  uint64_t right = 0, errors = 0;
  for (const std::string& path :
       {ManifestPath(kDirectory, editor.log()->number()), CurrentPath(kDirectory)}) {
    const std::string content = ReadFile(files.get(), path);
    for (size_t bit = 0; bit < content.size() * 8; ++bit) {
      std::string damaged = content;
      damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << (bit % 8)));
      ReplaceFile(files.get(), path, damaged);
      const auto found = Recover(files.get());
      if (found.ok()) {
        EXPECT_EQ(Text(found->state), expected) << path << " bit " << bit;
        ++right;
      } else {
        EXPECT_TRUE(absl::IsDataLoss(found.status())) << found.status();
        EXPECT_THAT(found.status().ToString(), HasSubstr(path)) << bit;
        ++errors;
      }
    }
    ReplaceFile(files.get(), path, content);
  }
  std::printf("right=%llu errors=%llu\n", static_cast<unsigned long long>(right),
              static_cast<unsigned long long>(errors));
  EXPECT_GT(errors, right);
}

TEST(ManifestLog, AnswersForEachTruncation) {
  const auto files = NewDirectory();
  Editor editor(files.get());
  ASSERT_TRUE(editor.Create());
  std::vector<std::string> states{Text(editor.state())};
  for (int i = 0; i < 4; ++i) {
    ASSERT_TRUE(editor.AppendNext());
    states.push_back(Text(editor.state()));
  }
  const std::string path = ManifestPath(kDirectory, editor.log()->number());
  const std::string content = ReadFile(files.get(), path);
  for (size_t size = 0; size < content.size(); ++size) {
    ReplaceFile(files.get(), path, content.substr(0, size));
    const auto found = Recover(files.get());
    if (found.ok()) {
      EXPECT_THAT(states, ::testing::Contains(Text(found->state))) << size;
    } else {
      EXPECT_TRUE(absl::IsDataLoss(found.status())) << found.status();
      EXPECT_THAT(found.status().ToString(), HasSubstr("MANIFEST-000002"));
    }
  }
  const std::string current = ReadFile(files.get(), CurrentPath(kDirectory));
  for (size_t size = 0; size < current.size(); ++size) {
    ReplaceFile(files.get(), CurrentPath(kDirectory), current.substr(0, size));
    EXPECT_TRUE(absl::IsDataLoss(Recover(files.get()).status())) << size;
  }
}

// The history of the campaigns: a new database, edits, a switch, edits, a switch.
void RunHistory(Editor* editor) {
  for (int manifest = 0; manifest < 3; ++manifest) {
    while (!editor->Create()) {
    }
    for (int i = 0; i < 5; ++i) {
      // After an error the engine makes a fresh manifest and says its edit again.
      while (!editor->AppendNext()) {
        while (!editor->Create()) {
        }
      }
    }
  }
}

TEST(ManifestCampaign, PowerCutAtEveryOperationUnderEveryPolicy) {
  const auto memory = NewDirectory();
  FaultFileSystem files(memory);
  Editor editor(&files);
  uint64_t points = 0, recovered = 0;
  files.SetObserver([&](const env::Operation&) {
    for (const CrashPolicy policy : env::kAllCrashPolicies) {
      for (uint64_t seed = 0; seed < 8; ++seed) {
        ++points;
        const auto image = memory->CrashClone(policy, seed);
        const auto found = Recover(image.get());
        EXPECT_TRUE(editor.MayBe(found)) << env::CrashPolicyName(policy) << " seed " << seed;
        if (found.ok()) ++recovered;
      }
    }
  });
  RunHistory(&editor);
  files.SetObserver(nullptr);
  std::printf("points=%llu recovered=%llu\n", static_cast<unsigned long long>(points),
              static_cast<unsigned long long>(recovered));
  EXPECT_GT(recovered, points / 2);
}

TEST(ManifestCampaign, AnErrorAtEveryOperation) {
  uint64_t fired = 0, cases = 0;
  for (const Effect effect : {Effect::kFail, Effect::kFailDone, Effect::kShort}) {
    for (uint64_t call = 1; call < 1000; ++call) {
      const auto memory = NewDirectory();
      FaultFileSystem files(memory);
      Editor editor(&files);
      // Mutating calls only: a failed read of CURRENT or a failed removal is the engine's to
      // handle.
      uint64_t hits = 0;
      for (const OperationKind kind :
           {OperationKind::kCreate, OperationKind::kAppend, OperationKind::kSync,
            OperationKind::kClose, OperationKind::kSyncDirectory, OperationKind::kRename}) {
        files.AddRule({.kind = kind, .first_call = call, .effect = effect});
      }
      RunHistory(&editor);
      hits = files.fired();
      ++cases;
      fired += hits;
      EXPECT_TRUE(editor.MayBe(Recover(&files))) << files.DebugString();
      EXPECT_TRUE(editor.MayBe(Recover(memory->CrashClone(CrashPolicy::kSyncedOnly, 1).get())))
          << files.DebugString();
      if (hits == 0) break;
    }
  }
  std::printf("cases=%llu fired=%llu\n", static_cast<unsigned long long>(cases),
              static_cast<unsigned long long>(fired));
  EXPECT_GT(fired, 100u);
}

TEST(ManifestLog, ARenameThatFailedAndHappenedHasHappened) {
  FaultFileSystem files(NewDirectory());
  files.AddRule({.kind = OperationKind::kRename, .effect = Effect::kFailDone});
  Editor editor(&files);
  EXPECT_TRUE(editor.Create());
  EXPECT_EQ(files.fired(), 1u);
  EXPECT_TRUE(Recover(&files).ok());
}

}  // namespace
}  // namespace cambium::manifest
