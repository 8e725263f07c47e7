#include "manifest/version.h"

#include <map>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/manifest/manifest_test_util.h"

namespace cambium::manifest {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr char kTree[] =
    "add L0 run 7 file 7 size 10 keys \"c\"..\"x\" seqs 50..60\n"
    "add L0 run 9 file 9 size 20 keys \"a\"..\"m\" seqs 61..70\n"
    "add L5 run 0 file 4 size 100 keys \"d\"..\"k\" seqs 20..40\n"
    "add L5 run 0 file 3 size 100 keys \"a\"..\"c\" seqs 10..45\n"
    "add L5 run 0 file 5 size 100 keys \"m\"..\"z\" seqs 11..12\n";

template <typename Files>
std::vector<uint64_t> Numbers(const Files& files) {
  std::vector<uint64_t> numbers;
  for (const FileRef& file : files) numbers.push_back(ToInteger(file->number));
  return numbers;
}

// The file of that number in `level`, or null.
FileRef Find(const Version& version, int level, uint64_t number) {
  for (const FileRef& file : FilesInLevel(version, level)) {
    if (file->number == FileNumber{number}) return file;
  }
  return nullptr;
}

TEST(Version, SortsRunsByAgeAndFilesByKey) {
  EXPECT_EQ(DebugString(*MakeVersion(kTree)),
            "L0 run 9 bytes 20\n"
            "  file 9 size 20 keys \"a\"..\"m\" seqs 61..70\n"
            "L0 run 7 bytes 10\n"
            "  file 7 size 10 keys \"c\"..\"x\" seqs 50..60\n"
            "L5 run 0 bytes 300\n"
            "  file 3 size 100 keys \"a\"..\"c\" seqs 10..45\n"
            "  file 4 size 100 keys \"d\"..\"k\" seqs 20..40\n"
            "  file 5 size 100 keys \"m\"..\"z\" seqs 11..12\n");
}

TEST(Version, CountsBytesAndFiles) {
  const auto version = MakeVersion(kTree);
  EXPECT_EQ(version->LevelBytes(0), 30u);
  EXPECT_EQ(version->LevelBytes(5), 300u);
  EXPECT_EQ(version->LevelBytes(6), 0u);
  EXPECT_EQ(version->TotalBytes(), 330u);
  EXPECT_EQ(CountFiles(*version, 5), 3u);
  EXPECT_EQ(CountFiles(*version), 5u);
}

TEST(Version, FindsTheFileOfARunThatEndsAtOrAfterAKey) {
  const auto version = MakeVersion(kTree);
  const manifest::Run& run = version->runs(5).front();
  const auto find = [&run](std::string_view key) -> uint64_t {
    const size_t index = FindFileIndex(run, key, Bytewise().Abbreviate(key), Bytewise());
    return index == run.files.size() ? 0 : ToInteger(run.files[index]->number);
  };
  EXPECT_EQ(find(""), 3u);
  EXPECT_EQ(find("a"), 3u);
  EXPECT_EQ(find("bcdefghijk"), 3u);
  EXPECT_EQ(find("c"), 3u);
  EXPECT_EQ(find("ca"), 4u);
  EXPECT_EQ(find("d"), 4u);
  EXPECT_EQ(find("l"), 5u);
  EXPECT_EQ(find("z"), 5u);
  EXPECT_EQ(find("za"), 0u);
}

TEST(Version, FindsFilesWhoseKeysShareTheirFirstBytes) {
  const auto version = MakeVersion(
      "add L1 file 1 keys \"prefix-prefix-a\"..\"prefix-prefix-c\"\n"
      "add L1 file 2 keys \"prefix-prefix-d\"..\"prefix-prefix-f\"\n");
  const auto find = [&run = version->runs(1).front()](std::string_view key) {
    return FindFileIndex(run, key, Bytewise().Abbreviate(key), Bytewise());
  };
  EXPECT_EQ(find("prefix-prefix-b"), 0u);
  EXPECT_EQ(find("prefix-prefix-c"), 0u);
  EXPECT_EQ(find("prefix-prefix-ca"), 1u);
  EXPECT_EQ(find("prefix-prefix-d"), 1u);
  EXPECT_EQ(find("prefix-prefix-g"), 2u);
}

// The end of a range tombstone is not part of its file: the next file may begin there.
TEST(Version, FilesMayTouchAtAnExclusiveEnd) {
  const auto version = MakeVersion(
      "add L1 file 1 keys \"a\"..\"m\" seqs 3..3 range-deletes 1 largest-exclusive\n"
      "add L1 file 2 keys \"m\"..\"p\"\n");
  const manifest::Run& run = version->runs(1).front();
  ASSERT_EQ(run.with_range_deletes.size(), 1u);
  EXPECT_EQ(run.with_range_deletes[0], 0u);
  const auto find = [&run](std::string_view key) {
    return FindFileIndex(run, key, Bytewise().Abbreviate(key), Bytewise());
  };
  EXPECT_EQ(find("l"), 0u);
  EXPECT_EQ(find("m"), 1u);
  EXPECT_EQ(find("q"), 2u);
  EXPECT_EQ(FilesOverlapping(run, {"m", "n"}, Bytewise()).size(), 1u);
  EXPECT_TRUE(version->CheckConsistency(Bytewise()).ok());
  VersionBuilder builder(nullptr, Bytewise());
  ASSERT_TRUE(builder
                  .Apply(ParseEdit("family 0\n"
                                   "  add L1 run 0 file 1 size 1 keys \"a\"..\"m\" seqs 3..3\n"
                                   "  add L1 run 0 file 2 size 1 keys \"m\"..\"p\" seqs 4..4\n")
                             .Family(0))
                  .ok());
  EXPECT_EQ(builder.Build().status().code(), absl::StatusCode::kDataLoss);
}

TEST(Version, ListsTheFilesThatOverlapARange) {
  const auto version = MakeVersion(kTree);
  const auto overlapping = [&version](int level, KeyBounds bounds) {
    return Numbers(FilesInLevel(*version, level, bounds));
  };
  EXPECT_THAT(overlapping(5, {}), ElementsAre(3, 4, 5));
  EXPECT_THAT(overlapping(5, {"c", "d"}), ElementsAre(3, 4));
  EXPECT_THAT(overlapping(5, {"ca", "cz"}), IsEmpty());
  EXPECT_THAT(overlapping(5, {"l", {}}), ElementsAre(5));
  EXPECT_THAT(overlapping(5, {{}, "m"}), ElementsAre(3, 4, 5));
  EXPECT_THAT(overlapping(5, {{}, ""}), IsEmpty());
  EXPECT_THAT(overlapping(5, {"zz", {}}), IsEmpty());
  EXPECT_THAT(overlapping(0, {"a", "b"}), ElementsAre(9));
  EXPECT_THAT(overlapping(0, {"f", "g"}), ElementsAre(9, 7));
}

TEST(Version, ListsJustTheFilesThatOverlap) {
  const auto version = MakeVersion(kTree);
  for (const char* smallest : {"a", "c", "ca", "k", "l", "m", "zz"}) {
    for (const char* largest : {"a", "c", "cz", "d", "l", "m", "zz"}) {
      if (std::string_view(largest) < smallest) continue;
      const KeyBounds bounds{smallest, largest};
      std::vector<uint64_t> expected;
      for (const FileRef& file : version->runs(5).front().files) {
        if (file->smallest_key <= largest && file->largest_key >= smallest) {
          expected.push_back(ToInteger(file->number));
        }
      }
      EXPECT_EQ(Numbers(FilesInLevel(*version, 5, bounds)), expected)
          << smallest << ".." << largest;
    }
  }
}

TEST(VersionBuilder, GivesBackTheBaseWhereNothingChanged) {
  const auto base = MakeVersion(kTree);
  EXPECT_EQ(MakeVersion("flushed 5", base), base);
}

TEST(VersionBuilder, SharesMetadataOfFilesThatStay) {
  const auto base = MakeVersion(kTree);
  const auto next = MakeVersion("delete L5 5", base);
  EXPECT_EQ(Find(*next, 5, 3), Find(*base, 5, 3));
  EXPECT_EQ(Find(*next, 5, 5), nullptr);
}

// Runs that an edit does not change are the base's own.
TEST(VersionBuilder, SharesRunsThatStay) {
  const auto base = MakeVersion(kTree);
  const auto next = MakeVersion("delete L5 5", base);
  for (const size_t run : {0, 1}) {
    EXPECT_TRUE(next->runs(0)[run].files.SharesWith(base->runs(0)[run].files));
  }
  EXPECT_FALSE(next->runs(5)[0].files.SharesWith(base->runs(5)[0].files));
}

// A tree in the making, file by file.
class RandomTree {
 public:
  explicit RandomTree(uint64_t seed) : random_(seed) {}

  // Deletes, moves, adds and quarantines some files; what it adds may overlap what is there.
  FamilyEdit Edit() {
    FamilyEdit edit;
    std::vector<AddedFile> files;
    for (const auto& [number, file] : files_) files.push_back(file);
    for (const AddedFile& file : files) {
      if (!OneOf(6)) continue;
      edit.deleted.push_back({file.level, file.file.number});
      files_.erase(file.file.number);
      if (OneOf(3)) Add({Level(), Run(), file.file}, &edit);
    }
    for (int count = Below(4); count > 0; --count) {
      FileMetadata file;
      file.number = file.physical_number = FileNumber{next_number_++};
      const int key = Below(2000);
      file.smallest_key = Key(key);
      file.largest_key = Key(key + Below(20));
      file.smallest_sequence = file.largest_sequence = ToInteger(file.number);
      Add({Level(), Run(), file}, &edit);
    }
    return edit;
  }

  // The edit that adds all of it to an empty tree.
  FamilyEdit Whole() const {
    FamilyEdit edit;
    for (const auto& [number, file] : files_) edit.added.push_back(file);
    return edit;
  }

 private:
  int Below(int bound) { return static_cast<int>(random_() % static_cast<uint64_t>(bound)); }
  bool OneOf(int count) { return Below(count) == 0; }
  int Level() { return 3 + Below(3); }
  uint64_t Run() { return static_cast<uint64_t>(Below(3)); }
  static std::string Key(int i) { return std::string(1, 'k') + std::to_string(10000 + i); }
  void Add(AddedFile file, FamilyEdit* edit) {
    edit->added.push_back(file);
    files_[file.file.number] = std::move(file);
  }

  std::mt19937_64 random_;
  uint64_t next_number_ = 1;
  std::map<FileNumber, AddedFile> files_;
};

// What is built from the base by looking at the change alone is what is built from all files, and
// is refused where that is.
TEST(VersionBuilder, BuildsFromTheBaseWhatItBuildsFromAllFiles) {
  int refused = 0;
  for (uint64_t seed = 0; seed < 400; ++seed) {
    RandomTree tree(seed);
    std::shared_ptr<const Version> version;
    for (int step = 0; step < 20; ++step) {
      VersionBuilder builder(version, Bytewise());
      for (uint64_t edits = 1 + seed % 3; edits > 0; --edits) {
        ASSERT_TRUE(builder.Apply(tree.Edit()).ok());
      }
      const auto next = builder.Build();
      VersionBuilder from_all(nullptr, Bytewise());
      ASSERT_TRUE(from_all.Apply(tree.Whole()).ok());
      const auto expected = from_all.Build();
      ASSERT_EQ(next.ok(), expected.ok()) << next.status() << expected.status();
      if (!next.ok()) {
        ++refused;
        break;
      }
      version = *next;
      ASSERT_EQ(DebugString(*version), DebugString(**expected));
      ASSERT_TRUE(version->CheckConsistency(Bytewise()).ok());
      for (int level = 0; level < kLevelCount; ++level) {
        for (const manifest::Run& run : version->runs(level)) {
          ASSERT_EQ(run.numbers.size(), run.files.size());
          for (size_t i = 0; i < run.files.size(); ++i) {
            ASSERT_EQ(run.numbers[i], run.files[i]->number);
            ASSERT_EQ(run.largest_abbreviated[i], Bytewise().Abbreviate(run.files[i]->largest_key));
          }
        }
      }
    }
  }
  EXPECT_GT(refused, 20);
  EXPECT_LT(refused, 390);
}

}  // namespace
}  // namespace cambium::manifest
