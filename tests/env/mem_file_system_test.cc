// MemFileSystem: what each crash policy leaves, what a clone shares with its original, space.
#include "env/testing/mem_file_system.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <map>
#include <set>
#include <thread>
#include <vector>

#include "tests/env/env_test_util.h"

namespace cambium::env {
namespace {

constexpr uint64_t kSeeds = 50;
constexpr size_t kPage = 4096;

// A file system with the directory /db, durable.
std::shared_ptr<MemFileSystem> MakeFiles(const MemOptions& options = {}) {
  auto files = std::make_shared<MemFileSystem>(options);
  EXPECT_OK(files->CreateDirectory("/db"));
  EXPECT_OK(files->SyncDirectory("/"));
  return files;
}

// A durable file of `synced` bytes 's', to which `unsynced` is appended.
void WriteHalfSynced(FileSystem& files, const std::string& path, size_t synced,
                     std::string_view unsynced) {
  auto file = files.CreateWritable(path);
  ASSERT_OK(file.status());
  ASSERT_OK((*file)->Append(std::string(synced, 's')));
  ASSERT_OK((*file)->Sync());
  ASSERT_OK(files.SyncDirectory("/db"));
  ASSERT_OK((*file)->Append(unsynced));
}

// What `path` holds after cuts under that policy, one for each seed.
std::set<std::string> Outcomes(const MemFileSystem& files, const std::string& path,
                               CrashPolicy policy) {
  std::set<std::string> outcomes;
  for (uint64_t seed = 0; seed < kSeeds; ++seed) {
    outcomes.insert(ReadAll(*files.CrashClone(policy, seed), path));
  }
  return outcomes;
}

TEST(MemFileSystem, CutForgetsWhatWasNotSynced) {
  auto files = MakeFiles();
  WriteHalfSynced(*files, "/db/a", 5, "unsynced");
  auto image = files->CrashClone(CrashPolicy::kSyncedOnly, 1);
  EXPECT_EQ(ReadAll(*image, "/db/a"), "sssss");
  EXPECT_EQ(ReadAll(*files, "/db/a"), "sssssunsynced") << "the original goes on";
}

TEST(MemFileSystem, SyncedFileWithoutSyncedEntryIsLost) {
  auto files = MakeFiles();
  ASSERT_OK(WriteNew(*files, "/db/a", "content", Durability::kSynced));
  EXPECT_FALSE(*files->CrashClone(CrashPolicy::kSyncedOnly, 1)->Exists("/db/a"));
  ASSERT_OK(files->SyncDirectory("/db"));
  EXPECT_EQ(ReadAll(*files->CrashClone(CrashPolicy::kSyncedOnly, 1), "/db/a"), "content");
}

TEST(MemFileSystem, SyncedEntryWithoutSyncedFileIsEmpty) {
  auto files = MakeFiles();
  ASSERT_OK(WriteNew(*files, "/db/a", "content"));
  ASSERT_OK(files->SyncDirectory("/db"));
  EXPECT_EQ(ReadAll(*files->CrashClone(CrashPolicy::kSyncedOnly, 1), "/db/a"), "");
  ASSERT_OK(files->SyncFile("/db/a"));
  EXPECT_EQ(ReadAll(*files->CrashClone(CrashPolicy::kSyncedOnly, 1), "/db/a"), "content");
}

TEST(MemFileSystem, DirectoryIsLostWhereItsParentWasNotSynced) {
  MemFileSystem files;
  ASSERT_OK(files.CreateDirectory("/db"));
  ASSERT_OK(WriteNew(files, "/db/a", "content", Durability::kSynced));
  ASSERT_OK(files.SyncDirectory("/db"));
  EXPECT_FALSE(*files.CrashClone(CrashPolicy::kSyncedOnly, 1)->Exists("/db"));
}

TEST(MemFileSystem, RemovalAndRenameComeBackWhereTheDirectoryWasNotSynced) {
  auto files = MakeFiles();
  ASSERT_OK(WriteNew(*files, "/db/a", "a", Durability::kSynced));
  ASSERT_OK(WriteNew(*files, "/db/b", "b", Durability::kSynced));
  ASSERT_OK(WriteNew(*files, "/db/c", "c", Durability::kSynced));
  ASSERT_OK(files->SyncDirectory("/db"));
  ASSERT_OK(files->Remove("/db/a"));
  ASSERT_OK(files->Rename("/db/b", "/db/c"));
  auto image = files->CrashClone(CrashPolicy::kSyncedOnly, 1);
  EXPECT_EQ(*image->ListDirectory("/db"), (std::vector<std::string>{"a", "b", "c"}));
  EXPECT_EQ(ReadAll(*image, "/db/c"), "c");
  ASSERT_OK(files->SyncDirectory("/db"));
  image = files->CrashClone(CrashPolicy::kSyncedOnly, 1);
  EXPECT_EQ(*image->ListDirectory("/db"), std::vector<std::string>{"c"});
  EXPECT_EQ(ReadAll(*image, "/db/c"), "b");
}

TEST(MemFileSystem, ProcessCrashKeepsAllAndALaterCutForgetsIt) {
  auto files = MakeFiles();
  WriteHalfSynced(*files, "/db/a", 3, "unsynced");
  ASSERT_OK(WriteNew(*files, "/db/b", "new"));
  auto restarted = files->CrashClone(CrashPolicy::kEverything, 1);
  EXPECT_EQ(ReadAll(*restarted, "/db/a"), "sssunsynced");
  EXPECT_EQ(ReadAll(*restarted, "/db/b"), "new");
  auto cut = restarted->CrashClone(CrashPolicy::kSyncedOnly, 1);
  EXPECT_EQ(ReadAll(*cut, "/db/a"), "sss");
  EXPECT_FALSE(*cut->Exists("/db/b"));
  ASSERT_OK(restarted->SyncFile("/db/a"));
  ASSERT_OK(restarted->SyncFile("/db/b"));
  ASSERT_OK(restarted->SyncDirectory("/db"));
  cut = restarted->CrashClone(CrashPolicy::kSyncedOnly, 1);
  EXPECT_EQ(ReadAll(*cut, "/db/a"), "sssunsynced");
  EXPECT_EQ(ReadAll(*cut, "/db/b"), "new");
}

TEST(MemFileSystem, ImageOfAPowerCutIsAllOnDisk) {
  auto files = MakeFiles();
  WriteHalfSynced(*files, "/db/a", 3, "unsynced");
  for (const CrashPolicy policy : kAllCrashPolicies) {
    if (policy == CrashPolicy::kEverything) continue;
    auto first = files->CrashClone(policy, 7);
    auto second = first->CrashClone(CrashPolicy::kSyncedOnly, 8);
    EXPECT_EQ(ReadAll(*first, "/db/a"), ReadAll(*second, "/db/a")) << CrashPolicyName(policy);
  }
}

TEST(MemFileSystem, PrefixTearsAnywhereAndKeepsOrder) {
  auto files = MakeFiles();
  WriteHalfSynced(*files, "/db/a", 3, "0123456789");
  const std::set<std::string> outcomes = Outcomes(*files, "/db/a", CrashPolicy::kPrefix);
  EXPECT_GT(outcomes.size(), 5u);
  for (const std::string& outcome : outcomes) {
    EXPECT_EQ(outcome, std::string("sss0123456789").substr(0, std::max<size_t>(outcome.size(), 3)));
  }
}

TEST(MemFileSystem, PrefixOfPositionedWritesIsInTheirOrder) {
  auto files = MakeFiles({.log_mapping = MemOptions::LogMapping::kWriteAtOnly});
  auto log = files->CreateLog("/db/log", 3 * kPage);
  ASSERT_OK(log.status());
  EXPECT_EQ((*log)->Mapping(), nullptr);
  ASSERT_OK((*log)->Sync());
  ASSERT_OK(files->SyncDirectory("/db"));
  ASSERT_OK((*log)->WriteAt(2 * kPage, "first"));
  ASSERT_OK((*log)->WriteAt(0, "second"));
  bool saw_first_alone = false;
  for (const std::string& outcome : Outcomes(*files, "/db/log", CrashPolicy::kPrefix)) {
    ASSERT_EQ(outcome.size(), 3 * kPage);
    const bool first = outcome.substr(2 * kPage, 5) == "first";
    EXPECT_TRUE(first || outcome[0] != 's');
    saw_first_alone |= first && outcome[0] == '\0';
  }
  EXPECT_TRUE(saw_first_alone);
}

// Under `policy` each unit of `unit` bytes is old or new, and every mixture comes up.
void ExpectUnits(CrashPolicy policy, size_t unit) {
  auto files = MakeFiles({.log_mapping = MemOptions::LogMapping::kWriteAtOnly});
  const size_t size = 4 * unit;
  auto log = files->CreateLog("/db/log", size);
  ASSERT_OK(log.status());
  ASSERT_OK((*log)->WriteAt(0, std::string(size, 'o')));
  ASSERT_OK((*log)->Sync());
  ASSERT_OK(files->SyncDirectory("/db"));
  ASSERT_OK((*log)->WriteAt(0, std::string(size, 'n')));
  std::set<std::string> patterns;
  for (const std::string& outcome : Outcomes(*files, "/db/log", policy)) {
    ASSERT_EQ(outcome.size(), size);
    std::string pattern;
    for (size_t i = 0; i < size; i += unit) {
      pattern += outcome[i];
      EXPECT_EQ(outcome.substr(i, unit), std::string(unit, outcome[i]));
    }
    patterns.insert(pattern);
  }
  EXPECT_GT(patterns.size(), 10u);
  EXPECT_LE(patterns.size(), 16u);
}

TEST(MemFileSystem, RandomPagesAreWhole) { ExpectUnits(CrashPolicy::kRandomPages, kPage); }

TEST(MemFileSystem, RandomSectorsAreWhole) { ExpectUnits(CrashPolicy::kRandomSectors, 512); }

TEST(MemFileSystem, RandomUnitsNeverTouchSyncedBytes) {
  auto files = MakeFiles();
  WriteHalfSynced(*files, "/db/a", 700, std::string(5'000, 'u'));
  for (const CrashPolicy policy : {CrashPolicy::kRandomPages, CrashPolicy::kRandomSectors,
                                   CrashPolicy::kGarbageTail, CrashPolicy::kSizeWithoutData}) {
    for (const std::string& outcome : Outcomes(*files, "/db/a", policy)) {
      ASSERT_GE(outcome.size(), 700u);
      EXPECT_EQ(outcome.substr(0, 700), std::string(700, 's')) << CrashPolicyName(policy);
    }
  }
}

TEST(MemFileSystem, SizeWithoutDataLeavesZeros) {
  auto files = MakeFiles();
  WriteHalfSynced(*files, "/db/a", 3, "0123456789");
  EXPECT_EQ(Outcomes(*files, "/db/a", CrashPolicy::kSizeWithoutData),
            std::set<std::string>{"sss" + std::string(10, '\0')});
}

TEST(MemFileSystem, GarbageTailIsAPrefixAndThenNoise) {
  auto files = MakeFiles();
  WriteHalfSynced(*files, "/db/a", 100, std::string(8'000, 'u'));
  const std::string whole = ReadAll(*files, "/db/a");
  const std::set<std::string> outcomes = Outcomes(*files, "/db/a", CrashPolicy::kGarbageTail);
  EXPECT_GT(outcomes.size(), kSeeds / 2);
  for (const std::string& outcome : outcomes) {
    ASSERT_EQ(outcome.size(), whole.size());
    const auto noise = static_cast<size_t>(
        std::mismatch(outcome.begin(), outcome.end(), whole.begin()).first - outcome.begin());
    EXPECT_GE(noise, 100u);
    const auto still_right =
        std::count(outcome.begin() + static_cast<ptrdiff_t>(noise), outcome.end(), 'u');
    EXPECT_LT(static_cast<size_t>(still_right), (whole.size() - noise) / 16 + 20);
  }
}

TEST(MemFileSystem, GarbageStaysOutOfASyncedPartOfALog) {
  auto files = MakeFiles({.log_mapping = MemOptions::LogMapping::kWriteAtOnly});
  auto log = files->CreateLog("/db/log", 2 * kPage);
  ASSERT_OK(log.status());
  ASSERT_OK((*log)->WriteAt(0, "synced"));
  ASSERT_OK((*log)->Sync());
  ASSERT_OK(files->SyncDirectory("/db"));
  ASSERT_OK((*log)->WriteAt(6, "unsynced"));
  std::set<std::string> outcomes = Outcomes(*files, "/db/log", CrashPolicy::kGarbageTail);
  EXPECT_GT(outcomes.size(), 1u);
  for (const std::string& outcome : outcomes) {
    EXPECT_EQ(outcome.substr(0, 6), "synced");
    EXPECT_EQ(outcome.substr(14), std::string(2 * kPage - 14, '\0'));
  }
}

TEST(MemFileSystem, RandomEntriesTakesAnySubset) {
  auto files = MakeFiles();
  for (const char* path : {"/db/a", "/db/b", "/db/c"}) {
    ASSERT_OK(WriteNew(*files, path, "x", Durability::kSynced));
  }
  std::set<std::vector<std::string>> lists;
  for (uint64_t seed = 0; seed < kSeeds; ++seed) {
    lists.insert(*files->CrashClone(CrashPolicy::kRandomEntries, seed)->ListDirectory("/db"));
  }
  EXPECT_EQ(lists.size(), 8u);
}

TEST(MemFileSystem, RenameIsOneChange) {
  auto files = MakeFiles();
  ASSERT_OK(WriteNew(*files, "/db/CURRENT", "old", Durability::kSynced));
  ASSERT_OK(WriteNew(*files, "/db/temp", "new", Durability::kSynced));
  ASSERT_OK(files->SyncDirectory("/db"));
  ASSERT_OK(files->Rename("/db/temp", "/db/CURRENT"));
  std::set<std::string> contents;
  for (uint64_t seed = 0; seed < kSeeds; ++seed) {
    for (const CrashPolicy policy : {CrashPolicy::kRandomEntries, CrashPolicy::kPrefix}) {
      auto image = files->CrashClone(policy, seed);
      const std::string content = ReadAll(*image, "/db/CURRENT");
      EXPECT_EQ(*image->Exists("/db/temp"), content == "old");
      contents.insert(content);
    }
  }
  EXPECT_EQ(contents, (std::set<std::string>{"old", "new"}));
}

TEST(MemFileSystem, PrefixOfEntriesIsInTheirOrder) {
  auto files = MakeFiles();
  for (const char* path : {"/db/1", "/db/2", "/db/3"}) ASSERT_OK(WriteNew(*files, path, ""));
  std::set<std::vector<std::string>> lists;
  for (uint64_t seed = 0; seed < kSeeds; ++seed) {
    lists.insert(*files->CrashClone(CrashPolicy::kPrefix, seed)->ListDirectory("/db"));
  }
  EXPECT_EQ(lists, (std::set<std::vector<std::string>>{{}, {"1"}, {"1", "2"}, {"1", "2", "3"}}));
}

TEST(MemFileSystem, MappedStoresAreUnsyncedUntilSync) {
  auto files = MakeFiles();
  auto log = files->CreateLog("/db/log", 4 * kPage);
  ASSERT_OK(log.status());
  char* memory = (*log)->Mapping();
  ASSERT_NE(memory, nullptr);
  ASSERT_OK((*log)->Sync());
  ASSERT_OK(files->SyncDirectory("/db"));
  std::memcpy(memory, "one", 3);
  std::memcpy(memory + 3 * kPage, "two", 3);
  const std::string zeros(4 * kPage, '\0');
  EXPECT_EQ(ReadAll(*files->CrashClone(CrashPolicy::kSyncedOnly, 1), "/db/log"), zeros);
  const std::string all = ReadAll(*files->CrashClone(CrashPolicy::kEverything, 1), "/db/log");
  EXPECT_EQ(all.substr(0, 3), "one");
  EXPECT_EQ(all.substr(3 * kPage, 3), "two");
  const std::set<std::string> pages = Outcomes(*files, "/db/log", CrashPolicy::kRandomPages);
  EXPECT_EQ(pages.size(), 4u) << "each of two dirty pages is there or not";
  ASSERT_OK((*log)->Sync());
  EXPECT_EQ(ReadAll(*files->CrashClone(CrashPolicy::kSyncedOnly, 1), "/db/log"), all);
}

TEST(MemFileSystem, StoresBeforeCloseAreKept) {
  auto files = MakeFiles();
  auto log = files->CreateLog("/db/log", 2 * kPage);
  ASSERT_OK(log.status());
  std::memcpy((*log)->Mapping(), "stored", 6);
  ASSERT_OK((*log)->Close(6));
  EXPECT_EQ(ReadAll(*files, "/db/log"), "stored");
}

TEST(MemFileSystem, CloneIsAFunctionOfItsSeed) {
  auto files = MakeFiles();
  WriteHalfSynced(*files, "/db/a", 5'000, std::string(5'000, 'u'));
  WriteHalfSynced(*files, "/db/b", 10, std::string(500, 'v'));
  ASSERT_OK(WriteNew(*files, "/db/c", "new"));
  for (const CrashPolicy policy : kAllCrashPolicies) {
    auto one = files->CrashClone(policy, 42);
    auto two = files->CrashClone(policy, 42);
    EXPECT_EQ(one->DebugString(), two->DebugString());
    EXPECT_EQ(ReadAll(*one, "/db/a"), ReadAll(*two, "/db/a"));
    EXPECT_EQ(ReadAll(*one, "/db/b"), ReadAll(*two, "/db/b"));
  }
}

TEST(MemFileSystem, CloneAndOriginalDoNotSeeEachOthersWrites) {
  auto files = MakeFiles();
  auto writer = files->CreateWritable("/db/a");
  ASSERT_OK(writer.status());
  ASSERT_OK((*writer)->Append("shared"));
  auto clone = files->CrashClone(CrashPolicy::kEverything, 1);
  ASSERT_OK((*writer)->Append(" original"));
  ASSERT_OK(clone->Truncate("/db/a", 2));
  ASSERT_OK(clone->Remove("/db/a"));
  EXPECT_EQ(ReadAll(*files, "/db/a"), "shared original");
  EXPECT_FALSE(*clone->Exists("/db/a"));
}

TEST(MemFileSystem, HardLinkStaysOneFileInAnImage) {
  auto files = MakeFiles();
  ASSERT_OK(WriteNew(*files, "/db/a", "content", Durability::kSynced));
  ASSERT_OK(files->Link("/db/a", "/db/b"));
  ASSERT_OK(files->SyncDirectory("/db"));
  auto image = files->CrashClone(CrashPolicy::kSyncedOnly, 1);
  ASSERT_OK(image->Truncate("/db/a", 3));
  EXPECT_EQ(ReadAll(*image, "/db/b"), "con");
}

TEST(MemFileSystem, ImageHoldsNoLock) {
  auto files = MakeFiles();
  auto lock = files->Lock("/db/LOCK", LockMode::kExclusive);
  ASSERT_OK(lock.status());
  auto image = files->CrashClone(CrashPolicy::kEverything, 1);
  EXPECT_OK(image->Lock("/db/LOCK", LockMode::kExclusive).status());
}

TEST(MemFileSystem, FullDiskTakesWhatFitsAndSaysSo) {
  auto files = MakeFiles({.capacity = 100});
  auto file = files->CreateWritable("/db/a");
  ASSERT_OK(file.status());
  ASSERT_OK((*file)->Append(std::string(60, 'x')));
  const absl::Status full = (*file)->Append(std::string(60, 'y'));
  EXPECT_TRUE(absl::IsResourceExhausted(full)) << full;
  EXPECT_EQ(*files->FileSize("/db/a"), 100u);
  EXPECT_EQ(*files->FreeSpace("/db"), 0u);
  EXPECT_TRUE(absl::IsResourceExhausted(files->CreateLog("/db/log", 1).status()));
  EXPECT_FALSE(*files->Exists("/db/log"));
}

TEST(MemFileSystem, SpaceComesBackWithRemovalTruncationReplacementAndCapacity) {
  auto files = MakeFiles({.capacity = 100});
  ASSERT_OK(WriteNew(*files, "/db/a", std::string(40, 'x')));
  ASSERT_OK(WriteNew(*files, "/db/b", std::string(50, 'x')));
  ASSERT_OK(files->Link("/db/a", "/db/a2"));
  ASSERT_OK(files->Remove("/db/a"));
  EXPECT_EQ(*files->FreeSpace("/db"), 10u) << "a name is left";
  ASSERT_OK(files->Truncate("/db/b", 20));
  EXPECT_EQ(*files->FreeSpace("/db"), 40u);
  ASSERT_OK(files->Rename("/db/b", "/db/a2"));
  EXPECT_EQ(*files->FreeSpace("/db"), 80u);
  ASSERT_OK(files->Remove("/db/a2"));
  EXPECT_EQ(*files->FreeSpace("/db"), 100u);
  files->SetCapacity(1'000);
  EXPECT_EQ(*files->FreeSpace("/db"), 1'000u);
}

TEST(MemFileSystem, ImageCountsItsOwnSpace) {
  auto files = MakeFiles({.capacity = 100});
  WriteHalfSynced(*files, "/db/a", 30, std::string(40, 'u'));
  EXPECT_EQ(*files->CrashClone(CrashPolicy::kSyncedOnly, 1)->FreeSpace("/db"), 70u);
  EXPECT_EQ(*files->CrashClone(CrashPolicy::kEverything, 1)->FreeSpace("/db"), 30u);
}

TEST(MemFileSystem, DebugStringListsFilesWithSizes) {
  auto files = MakeFiles();
  WriteHalfSynced(*files, "/db/a", 30, std::string(40, 'u'));
  EXPECT_EQ(files->DebugString(), "/db/ (0 unsynced changes)\n/db/a 70 bytes (30 synced, dirty)\n");
}

TEST(MemFileSystem, FilesOutliveTheFileSystem) {
  auto files = MakeFiles();
  auto writer = files->CreateWritable("/db/a");
  ASSERT_OK(writer.status());
  files.reset();
  EXPECT_OK((*writer)->Append("still here"));
  EXPECT_OK((*writer)->Sync());
}

TEST(MemFileSystem, ClonesAreTakenWhileThreadsWrite) {
  auto files = MakeFiles();
  auto log = files->CreateLog("/db/log", 16 * kPage);
  ASSERT_OK(log.status());
  std::thread storer([&] {
    for (size_t i = 0; i < 16 * kPage / 64; ++i) {
      std::memset((*log)->Mapping() + i * 64, 'm', 64);
      if (i % 64 == 0) EXPECT_OK((*log)->Sync());
    }
  });
  std::thread writer([&] {
    auto file = files->CreateWritable("/db/table");
    EXPECT_OK(file.status());
    for (int i = 0; i < 500; ++i) {
      EXPECT_OK((*file)->Append(std::string(100, 't')));
      if (i % 20 == 0) EXPECT_OK((*file)->Sync());
    }
  });
  for (uint64_t seed = 0; seed < 100; ++seed) {
    auto image = files->CrashClone(kAllCrashPolicies[seed % kAllCrashPolicies.size()], seed);
    const std::vector<std::string> names = *image->ListDirectory("/db");
    for (const std::string& name : names) {
      EXPECT_EQ(ReadAll(*image, "/db/" + name).size(), *image->FileSize("/db/" + name));
      EXPECT_OK(image->Truncate("/db/" + name, 0));
    }
  }
  storer.join();
  writer.join();
  EXPECT_EQ(ReadAll(*files, "/db/log"), std::string(16 * kPage, 'm'));
  EXPECT_EQ(ReadAll(*files, "/db/table"), std::string(50'000, 't'));
}

TEST(MemFileSystem, CloneOfAMebibyteTakesFarLessThanAMillisecond) {
  auto files = MakeFiles({.log_mapping = MemOptions::LogMapping::kWriteAtOnly});
  for (int i = 0; i < 20; ++i) {
    ASSERT_OK(WriteNew(*files, "/db/" + std::to_string(i), std::string(50'000, 'x'),
                       Durability::kSynced));
  }
  ASSERT_OK(files->SyncDirectory("/db"));
  WriteHalfSynced(*files, "/db/a", 64'000, std::string(2'000, 'u'));
  const auto start = std::chrono::steady_clock::now();
  constexpr int kClones = 1'000;
  for (int i = 0; i < kClones; ++i) {
    files->CrashClone(kAllCrashPolicies[static_cast<size_t>(i) % 8], static_cast<uint64_t>(i));
  }
  const auto taken = std::chrono::steady_clock::now() - start;
  const auto micros =
      std::chrono::duration_cast<std::chrono::microseconds>(taken).count() / kClones;
  RecordProperty("micros_per_clone", static_cast<int>(micros));
  EXPECT_LT(micros, 1'000) << "a copy of the bytes crept in";
}

}  // namespace
}  // namespace cambium::env
