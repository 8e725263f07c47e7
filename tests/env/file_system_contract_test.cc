// Tests the contract of file_system.h with every FileSystem in the tree.
#include <unistd.h>

#include <cstring>
#include <functional>
#include <thread>
#include <vector>

#include "env/posix_file_system.h"
#include "env/testing/fault_file_system.h"
#include "env/testing/mem_file_system.h"
#include "env/testing/trace_file_system.h"
#include "tests/env/env_test_util.h"

namespace cambium::env {
namespace {

struct Subject {
  std::string name;
  std::function<std::shared_ptr<FileSystem>()> make;
};

void PrintTo(const Subject& subject, std::ostream* out) { *out << subject.name; }

std::shared_ptr<MemFileSystem> MakeMem(MemOptions::LogMapping mapping) {
  return std::make_shared<MemFileSystem>(MemOptions{.log_mapping = mapping});
}

std::vector<Subject> Subjects() {
  return {
      {"Posix", [] { return std::make_shared<PosixFileSystem>(); }},
      {"PosixNotMapped", [] { return std::make_shared<PosixFileSystem>(LogMapping::kNever); }},
      {"Mem", [] { return MakeMem(MemOptions::LogMapping::kMapped); }},
      {"MemNotMapped", [] { return MakeMem(MemOptions::LogMapping::kWriteAtOnly); }},
      {"Fault",
       [] { return std::make_shared<FaultFileSystem>(MakeMem(MemOptions::LogMapping::kMapped)); }},
      {"FaultHidesMapping",
       [] {
         return std::make_shared<FaultFileSystem>(std::make_shared<PosixFileSystem>(),
                                                  MappingAccess::kHidden);
       }},
      {"Trace",
       [] {
         return std::make_shared<TraceFileSystem>(
             MakeMem(MemOptions::LogMapping::kMapped),
             TraceOptions{.classify = [](std::string_view) { return FileClass::kOther; }});
       }},
  };
}

class FileSystemContract : public testing::TestWithParam<Subject> {
 protected:
  void SetUp() override { ASSERT_OK(files_->CreateDirectory(root_)); }

  std::string Path(std::string_view name) const { return root_ + "/" + std::string(name); }

  const TemporaryDirectory temporary_;  // the memory file systems use its name alone
  const std::string root_ = temporary_.path() + "/db";
  const std::shared_ptr<FileSystem> files_ = GetParam().make();
};

INSTANTIATE_TEST_SUITE_P(All, FileSystemContract, testing::ValuesIn(Subjects()),
                         [](const auto& subject) { return subject.param.name; });

TEST_P(FileSystemContract, ReadsBackWhatWasAppended) {
  const std::string big(10'000, 'x');
  auto file = files_->CreateWritable(Path("a"));
  ASSERT_OK(file.status());
  ASSERT_OK((*file)->Append("hello "));
  ASSERT_OK((*file)->Append(""));
  ASSERT_OK((*file)->Append(big));
  EXPECT_EQ(ReadAll(*files_, Path("a")), "hello " + big) << "visible before any sync";
  ASSERT_OK((*file)->Sync());
  ASSERT_OK((*file)->Close());
  ASSERT_OK((*file)->Close());
  EXPECT_EQ(*files_->FileSize(Path("a")), big.size() + 6);
  EXPECT_EQ(ReadAt(*files_, Path("a"), 4, 4), "o xx");
}

TEST_P(FileSystemContract, ReadEndsWhereTheFileEnds) {
  ASSERT_OK(WriteNew(*files_, Path("a"), "0123456789"));
  EXPECT_EQ(ReadAt(*files_, Path("a"), 8, 5), "89");
  EXPECT_EQ(ReadAt(*files_, Path("a"), 10, 5), "");
  EXPECT_EQ(ReadAt(*files_, Path("a"), 1'000'000, 5), "");
}

TEST_P(FileSystemContract, CarriesOutAllRequestsOfOneRead) {
  std::string content;
  for (int i = 0; i < 3'000; ++i) content += "line " + std::to_string(i) + "\n";
  ASSERT_OK(WriteNew(*files_, Path("a"), content));
  auto file = files_->OpenRandomAccess(Path("a"));
  ASSERT_OK(file.status());
  EXPECT_EQ(*(*file)->Size(), content.size());
  std::vector<ReadRequest> requests(3);
  std::string buffers[3] = {std::string(100, '?'), std::string(9'000, '?'), std::string(50, '?')};
  const uint64_t offsets[3] = {4'090, 0, content.size() - 20};
  for (size_t i = 0; i < 3; ++i) {
    requests[i].offset = offsets[i];
    requests[i].buffer = buffers[i].data();
    requests[i].size = buffers[i].size();
  }
  (*file)->Read(requests);
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_OK(requests[i].status);
    const std::string expected = content.substr(offsets[i], buffers[i].size());
    EXPECT_EQ(requests[i].bytes_read, expected.size());
    EXPECT_EQ(buffers[i].substr(0, expected.size()), expected);
  }
}

TEST_P(FileSystemContract, NewFileMustBeNew) {
  ASSERT_OK(WriteNew(*files_, Path("a"), "x"));
  EXPECT_TRUE(absl::IsAlreadyExists(files_->CreateWritable(Path("a")).status()));
  EXPECT_TRUE(absl::IsAlreadyExists(files_->CreateLog(Path("a"), 4096).status()));
  EXPECT_EQ(ReadAll(*files_, Path("a")), "x");
}

TEST_P(FileSystemContract, MissingFileIsNotFoundAndNamed) {
  for (const absl::Status& status :
       {files_->OpenRandomAccess(Path("gone")).status(), files_->FileSize(Path("gone")).status(),
        files_->SyncFile(Path("gone")), files_->Remove(Path("gone")),
        files_->Truncate(Path("gone"), 0), files_->Rename(Path("gone"), Path("b")),
        files_->Link(Path("gone"), Path("b")), files_->SyncDirectory(Path("gone")),
        files_->RemoveDirectory(Path("gone")), files_->ListDirectory(Path("gone")).status(),
        files_->CreateWritable(Path("gone/a")).status(),
        files_->FreeSpace(Path("gone")).status()}) {
    EXPECT_TRUE(absl::IsNotFound(status)) << status;
    EXPECT_THAT(MessageOf(status), testing::HasSubstr(Path("gone")));
    EXPECT_THAT(MessageOf(status), testing::HasSubstr("No such file or directory"));
  }
  EXPECT_FALSE(*files_->Exists(Path("gone")));
}

TEST_P(FileSystemContract, FileIsNoDirectory) {
  ASSERT_OK(WriteNew(*files_, Path("a"), "x"));
  EXPECT_EQ(files_->CreateWritable(Path("a/b")).status().code(), absl::StatusCode::kUnavailable);
  EXPECT_FALSE(files_->CreateDirectory(Path("a")).ok());
  EXPECT_FALSE(files_->CreateDirectory(Path("a/b")).ok());
  EXPECT_FALSE(files_->ListDirectory(Path("a")).ok());
  EXPECT_FALSE(files_->SyncDirectory(Path("a")).ok());
  EXPECT_FALSE(files_->RemoveDirectory(Path("a")).ok());
}

TEST_P(FileSystemContract, LogReadsAsZerosAndHasItsSize) {
  auto log = files_->CreateLog(Path("log"), 20'000);
  ASSERT_OK(log.status());
  EXPECT_EQ(*files_->FileSize(Path("log")), 20'000u);
  EXPECT_EQ(ReadAll(*files_, Path("log")), std::string(20'000, '\0'));
  if (char* memory = (*log)->Mapping(); memory != nullptr) {
    (*log)->Populate(0, 20'000);
    (*log)->Populate(4'097, 1);
    (*log)->Populate(20'000, 1);
    EXPECT_EQ(std::string(memory, 20'000), std::string(20'000, '\0'));
  }
  ASSERT_OK((*log)->Close(20'000));
}

TEST_P(FileSystemContract, LogTakesWritesAndStoresAlike) {
  auto log = files_->CreateLog(Path("log"), 20'000);
  ASSERT_OK(log.status());
  std::string expected(20'000, '\0');
  ASSERT_OK((*log)->WriteAt(4'090, "across a page"));
  expected.replace(4'090, 13, "across a page");
  if (char* memory = (*log)->Mapping(); memory != nullptr) {
    EXPECT_EQ(std::string(memory + 4'090, 13), "across a page") << "memory sees what was written";
    std::memcpy(memory + 8'180, "stored", 6);
  } else {
    ASSERT_OK((*log)->WriteAt(8'180, "stored"));
  }
  expected.replace(8'180, 6, "stored");
  ASSERT_OK((*log)->WriteAt(19'997, "end"));
  expected.replace(19'997, 3, "end");
  EXPECT_EQ(ReadAll(*files_, Path("log")), expected) << "readers see what was stored";
  ASSERT_OK((*log)->Sync());
  ASSERT_OK((*log)->Close(20'000));
  EXPECT_EQ(ReadAll(*files_, Path("log")), expected);
}

TEST_P(FileSystemContract, LogRefusesWritesPastItsEnd) {
  auto log = files_->CreateLog(Path("log"), 100);
  ASSERT_OK(log.status());
  EXPECT_FALSE((*log)->WriteAt(98, "abc").ok());
  EXPECT_FALSE((*log)->WriteAt(~uint64_t{0}, "abc").ok());
  EXPECT_OK((*log)->WriteAt(97, "abc"));
  EXPECT_EQ(*files_->FileSize(Path("log")), 100u);
}

TEST_P(FileSystemContract, LogIsCutWhenClosed) {
  auto log = files_->CreateLog(Path("log"), 20'000);
  ASSERT_OK(log.status());
  ASSERT_OK((*log)->WriteAt(0, "some bytes"));
  ASSERT_OK((*log)->Close(4));
  ASSERT_OK((*log)->Close(4));
  EXPECT_EQ(ReadAll(*files_, Path("log")), "some");
  EXPECT_FALSE((*log)->WriteAt(0, "x").ok());
  EXPECT_FALSE((*log)->Sync().ok());
}

TEST_P(FileSystemContract, LogTakesParallelWritesAndSyncs) {
  constexpr size_t kThreads = 4, kRecords = 200, kRecordSize = 37;
  auto log = files_->CreateLog(Path("log"), kThreads * kRecords * kRecordSize);
  ASSERT_OK(log.status());
  char* const memory = (*log)->Mapping();  // the first call comes before it is shared
  std::vector<std::thread> threads;
  for (size_t t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (size_t i = 0; i < kRecords; ++i) {
        const uint64_t offset = (i * kThreads + t) * kRecordSize;
        const std::string record(kRecordSize, static_cast<char>('a' + t));
        EXPECT_EQ((*log)->Mapping(), memory);
        if (memory != nullptr && i % 2 == 0) {
          std::memcpy(memory + offset, record.data(), record.size());
        } else {
          EXPECT_OK((*log)->WriteAt(offset, record));
        }
        if (i % 50 == 0) EXPECT_OK((*log)->Sync());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  const std::string content = ReadAll(*files_, Path("log"));
  for (size_t i = 0; i < content.size(); ++i) {
    ASSERT_EQ(content[i], static_cast<char>('a' + i / kRecordSize % kThreads)) << i;
  }
}

TEST_P(FileSystemContract, DirectoriesAreMadeWithTheirParentsAndListed) {
  ASSERT_OK(files_->CreateDirectory(Path("x/y/z")));
  ASSERT_OK(files_->CreateDirectory(Path("x/y/z")));
  ASSERT_OK(files_->CreateDirectory(Path("x/y/z/")));
  ASSERT_OK(WriteNew(*files_, Path("x/b"), ""));
  ASSERT_OK(WriteNew(*files_, Path("x/a"), ""));
  EXPECT_EQ(*files_->ListDirectory(Path("x")), (std::vector<std::string>{"a", "b", "y"}));
  EXPECT_TRUE(*files_->Exists(Path("x/y")));
  EXPECT_OK(files_->SyncDirectory(Path("x")));
  EXPECT_EQ(files_->RemoveDirectory(Path("x")).code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_OK(files_->RemoveDirectory(Path("x/y/z")));
  EXPECT_FALSE(*files_->Exists(Path("x/y/z")));
}

TEST_P(FileSystemContract, RenameReplacesWhatStood) {
  ASSERT_OK(WriteNew(*files_, Path("a"), "new"));
  ASSERT_OK(WriteNew(*files_, Path("b"), "old"));
  auto reader = files_->OpenRandomAccess(Path("b"));
  ASSERT_OK(reader.status());
  ASSERT_OK(files_->Rename(Path("a"), Path("b")));
  EXPECT_EQ(ReadAll(*files_, Path("b")), "new");
  EXPECT_EQ(*files_->ListDirectory(root_), std::vector<std::string>{"b"});
  EXPECT_EQ(*(*reader)->Size(), 3u) << "an open file outlives its name";
  ASSERT_OK(files_->Rename(Path("b"), Path("b")));
  EXPECT_EQ(ReadAll(*files_, Path("b")), "new");
}

TEST_P(FileSystemContract, RenameCrossesDirectories) {
  ASSERT_OK(files_->CreateDirectory(Path("d")));
  ASSERT_OK(WriteNew(*files_, Path("a"), "content"));
  ASSERT_OK(files_->Rename(Path("a"), Path("d/b")));
  EXPECT_FALSE(*files_->Exists(Path("a")));
  EXPECT_EQ(ReadAll(*files_, Path("d/b")), "content");
}

TEST_P(FileSystemContract, LinkIsASecondName) {
  ASSERT_OK(WriteNew(*files_, Path("a"), "content"));
  ASSERT_OK(files_->Link(Path("a"), Path("b")));
  EXPECT_TRUE(absl::IsAlreadyExists(files_->Link(Path("a"), Path("b"))));
  ASSERT_OK(files_->Truncate(Path("b"), 3));
  EXPECT_EQ(ReadAll(*files_, Path("a")), "con");
  ASSERT_OK(files_->Remove(Path("a")));
  EXPECT_EQ(ReadAll(*files_, Path("b")), "con");
}

TEST_P(FileSystemContract, RemovedFileStaysReadableToWhoHasItOpen) {
  ASSERT_OK(WriteNew(*files_, Path("a"), "content"));
  auto reader = files_->OpenRandomAccess(Path("a"));
  ASSERT_OK(reader.status());
  ASSERT_OK(files_->Remove(Path("a")));
  EXPECT_FALSE(*files_->Exists(Path("a")));
  char buffer[7];
  ReadRequest request{.offset = 0, .buffer = buffer, .size = 7, .bytes_read = 0, .status = {}};
  (*reader)->Read(std::span<ReadRequest>(&request, 1));
  EXPECT_EQ(std::string(buffer, request.bytes_read), "content");
}

TEST_P(FileSystemContract, TruncateCutsAndTheCutBytesAreGone) {
  ASSERT_OK(WriteNew(*files_, Path("a"), std::string(9'000, 'x')));
  ASSERT_OK(files_->Truncate(Path("a"), 4'100));
  ASSERT_OK(files_->Truncate(Path("a"), 5'000));
  EXPECT_EQ(ReadAll(*files_, Path("a")), std::string(4'100, 'x') + std::string(900, '\0'));
}

TEST_P(FileSystemContract, ExclusiveLockIsHeldByOne) {
  auto lock = files_->Lock(Path("LOCK"), LockMode::kExclusive);
  ASSERT_OK(lock.status());
  EXPECT_TRUE(*files_->Exists(Path("LOCK")));
  for (const LockMode mode : {LockMode::kExclusive, LockMode::kShared}) {
    const absl::Status refused = files_->Lock(Path("LOCK"), mode).status();
    EXPECT_TRUE(absl::IsFailedPrecondition(refused)) << refused;
    EXPECT_TRUE(IsLockHeld(refused)) << refused;
    EXPECT_THAT(MessageOf(refused),
                testing::HasSubstr("this process, pid " + std::to_string(::getpid())));
    EXPECT_THAT(MessageOf(refused), testing::HasSubstr(Path("LOCK")));
  }
  lock->reset();
  EXPECT_OK(files_->Lock(Path("LOCK"), LockMode::kExclusive).status());
}

TEST_P(FileSystemContract, SharedLocksExcludeExclusiveOnes) {
  { ASSERT_OK(files_->Lock(Path("LOCK"), LockMode::kExclusive).status()); }
  auto first = files_->Lock(Path("LOCK"), LockMode::kShared);
  auto second = files_->Lock(Path("LOCK"), LockMode::kShared);
  ASSERT_OK(first.status());
  ASSERT_OK(second.status());
  EXPECT_TRUE(IsLockHeld(files_->Lock(Path("LOCK"), LockMode::kExclusive).status()));
  first->reset();
  EXPECT_TRUE(IsLockHeld(files_->Lock(Path("LOCK"), LockMode::kExclusive).status()));
  second->reset();
  EXPECT_OK(files_->Lock(Path("LOCK"), LockMode::kExclusive).status());
}

TEST_P(FileSystemContract, SharedLockOfNoFileIsGrantedAndMakesNone) {
  EXPECT_OK(files_->Lock(Path("LOCK"), LockMode::kShared).status());
  EXPECT_FALSE(*files_->Exists(Path("LOCK")));
  EXPECT_TRUE(absl::IsNotFound(files_->Lock(Path("no/LOCK"), LockMode::kExclusive).status()));
}

TEST_P(FileSystemContract, FreeSpaceIsKnown) {
  const absl::StatusOr<uint64_t> free = files_->FreeSpace(root_);
  ASSERT_OK(free.status());
  EXPECT_GT(*free, 0u);
}

TEST_P(FileSystemContract, SyncFileTakesAFileThatIsNotOpen) {
  ASSERT_OK(WriteNew(*files_, Path("a"), "content"));
  EXPECT_OK(files_->SyncFile(Path("a")));
}

}  // namespace
}  // namespace cambium::env
