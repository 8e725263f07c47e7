#include "base/file_names.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <string>

namespace cambium {
namespace {

std::string Base(const std::string& path) { return path.substr(path.rfind('/') + 1); }

void ExpectMeans(const std::string& name, FileType type, FileNumber number) {
  const auto parsed = ParseFileName(name);
  ASSERT_TRUE(parsed.has_value()) << name;
  EXPECT_EQ(parsed->type, type) << name;
  EXPECT_EQ(ToInteger(parsed->number), ToInteger(number)) << name;
}

TEST(FileNames, LieInTheirDirectory) {
  EXPECT_EQ(JoinPath("/a/b", "c"), "/a/b/c");
  EXPECT_EQ(JoinPath("/a/b/", "c"), "/a/b/c");
  EXPECT_EQ(JoinPath("", "c"), "c");
  EXPECT_EQ(CurrentPath("/db"), "/db/CURRENT");
  EXPECT_EQ(TablePath("/db", FileNumber{7}), "/db/000007.sst");
  EXPECT_EQ(LogPath("/db", FileNumber{6}), "/db/000006.log");
  EXPECT_EQ(ManifestPath("/db", FileNumber{5}), "/db/MANIFEST-000005");
  EXPECT_EQ(TablePath("/db", FileNumber{12345678}), "/db/12345678.sst");
  EXPECT_EQ(TemporaryPath("/db/CURRENT"), "/db/CURRENT.tmp");
}

TEST(FileNames, RoundTrip) {
  ExpectMeans(Base(CurrentPath("/db")), FileType::kCurrent, FileNumber{0});
  ExpectMeans(Base(LockPath("/db")), FileType::kLock, FileNumber{0});
  for (const uint64_t n :
       {uint64_t{0}, uint64_t{1}, uint64_t{999999}, uint64_t{1000000}, UINT64_MAX}) {
    const FileNumber number{n};
    ExpectMeans(Base(TablePath("/db", number)), FileType::kTable, number);
    ExpectMeans(Base(LogPath("/db", number)), FileType::kLog, number);
    ExpectMeans(Base(ManifestPath("/db", number)), FileType::kManifest, number);
    ExpectMeans(Base(TemporaryPath(TablePath("/db", number))), FileType::kTemporary, number);
  }
  ExpectMeans(Base(TemporaryPath(CurrentPath("/db"))), FileType::kTemporary, FileNumber{0});
}

// DestroyDB and the removal of obsolete files touch nothing that does not parse.
TEST(FileNames, ForeignNamesAreNotOurs) {
  for (const std::string_view name : {"",
                                      ".",
                                      "..",
                                      "lost",
                                      "current",
                                      "CURRENT2",
                                      "CURRENTtmp",
                                      ".tmp",
                                      "foo.tmp",
                                      "notes.txt",
                                      "CURRENT.tmp.tmp",
                                      "LOCK ",
                                      "MANIFEST",
                                      "MANIFEST-",
                                      "MANIFEST-5",
                                      "MANIFEST-00000x",
                                      "MANIFEST-000005.log",
                                      "manifest-000005",
                                      ".sst",
                                      ".log",
                                      "7.sst",
                                      "0000007.sst",
                                      "00007.log",
                                      "-00001.sst",
                                      "+00001.sst",
                                      " 00001.sst",
                                      "000001.SST",
                                      "000001.sst ",
                                      "000001.ldb",
                                      "000001",
                                      "0x0001.sst",
                                      "18446744073709551616.sst",
                                      "99999999999999999999999.log",
                                      "000001.sst.bak",
                                      "/000001.sst",
                                      "a000001.sst"}) {
    EXPECT_FALSE(ParseFileName(name).has_value()) << name;
  }
  EXPECT_FALSE(ParseFileName(std::string_view("000001\0.sst", 11)).has_value());
}

}  // namespace
}  // namespace cambium
