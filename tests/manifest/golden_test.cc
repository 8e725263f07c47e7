// The manifest of format version 1 as it was first written. To make it anew after a change of the
// format that is meant: CAMBIUM_WRITE_GOLDEN=1 build/tests/manifest/manifest_golden_test
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>

#include "base/file_names.h"
#include "env/testing/mem_file_system.h"
#include "gtest/gtest.h"
#include "manifest/manifest_log.h"
#include "tests/manifest/manifest_test_util.h"

namespace cambium::manifest {
namespace {

constexpr char kGoldenManifest[] = CAMBIUM_GOLDEN_DIR "/manifest_v1";
constexpr char kGoldenCurrent[] = CAMBIUM_GOLDEN_DIR "/current_v1";
constexpr FileNumber kNumber{5};

constexpr char kEdit[] =
    "next-file 20\n"
    "last-sequence 345\n"
    "log 7\n"
    "family 0\n"
    "  flushed 340\n"
    "  add L0 run 9 file 9 size 1024 keys \"apple\"..\"melon\" seqs 300..340 entries 41 tombstones "
    "2 "
    "raw 4100 digest deadbeef01234567\n"
    "  add L5 run 0 file 4 size 65536 keys \"\"..\"\\xff\\x00\" seqs 0..0 entries 900 raw 90000\n"
    "  add L6 run 0 file 6 physical 3 size 77 keys \"k\"..\"k\" seqs 1..5 entries 1\n";
constexpr char kMove[] =
    "next-file 21\n"
    "family 0\n"
    "  delete L5 4\n"
    "  add L6 run 1 file 4 size 65536 keys \"\"..\"\\xff\\x00\" seqs 0..0 entries 900 raw 90000\n"
    "  quarantine L6 6 \"block at 4096\"\n";

std::string ReadDisk(const char* path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

void WriteMemory(FileSystem* files, const std::string& path, const std::string& content) {
  auto file = files->CreateWritable(path);
  ASSERT_TRUE(file.ok());
  ASSERT_TRUE((*file)->Append(content).ok());
  ASSERT_TRUE((*file)->Close().ok());
}

std::string ReadMemory(FileSystem* files, const std::string& path) {
  std::string content(files->FileSize(path).value(), '\0');
  ReadRequest request;
  request.buffer = content.data();
  request.size = content.size();
  files->OpenRandomAccess(path).value()->Read({&request, 1});
  return content;
}

std::shared_ptr<env::MemFileSystem> WriteNow() {
  auto files = std::make_shared<env::MemFileSystem>();
  EXPECT_TRUE(files->CreateDirectory("/db").ok());
  auto log = ManifestLog::Create(files.get(), "/db", kNumber, SnapshotEdit(NewState()));
  EXPECT_TRUE(log.ok()) << log.status();
  EXPECT_TRUE((*log)->Append(ParseEdit(kEdit)).ok());
  EXPECT_TRUE((*log)->Append(ParseEdit(kMove)).ok());
  return files;
}

TEST(ManifestGolden, IsWrittenAsInVersion1) {
  const auto files = WriteNow();
  const std::string manifest = ReadMemory(files.get(), ManifestPath("/db", kNumber));
  const std::string current = ReadMemory(files.get(), CurrentPath("/db"));
  if (std::getenv("CAMBIUM_WRITE_GOLDEN") != nullptr) {
    std::ofstream(kGoldenManifest, std::ios::binary) << manifest;
    std::ofstream(kGoldenCurrent, std::ios::binary) << current;
  }
  EXPECT_EQ(manifest, ReadDisk(kGoldenManifest));
  EXPECT_EQ(current, ReadDisk(kGoldenCurrent));
}

TEST(ManifestGolden, Version1IsRead) {
  env::MemFileSystem files;
  ASSERT_TRUE(files.CreateDirectory("/db").ok());
  WriteMemory(&files, ManifestPath("/db", kNumber), ReadDisk(kGoldenManifest));
  WriteMemory(&files, CurrentPath("/db"), ReadDisk(kGoldenCurrent));
  const auto found = RecoverManifest(&files, "/db", KeyOrders(Bytewise()));
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ(found->edits, 3u);
  EXPECT_EQ(DebugString(SnapshotEdit(found->state)),
            "comparator \"cambium.BytewiseComparator\"\n"
            "database a0a1a2a3a4a5a6a7a8a9aaabacadaeaf\n"
            "next-file 21\n"
            "last-sequence 345\n"
            "log 7\n"
            "family 0\n"
            "  new-family \"default\"\n"
            "  flushed 340\n"
            "  add L0 run 9 file 9 size 1024 keys \"apple\"..\"melon\" seqs 300..340 entries 41 "
            "tombstones 2 raw 4100 digest deadbeef01234567\n"
            "  add L6 run 1 file 4 size 65536 keys \"\"..\"\\xff\\x00\" seqs 0..0 entries 900 raw "
            "90000\n"
            "  add L6 run 0 file 6 physical 3 size 77 keys \"k\"..\"k\" seqs 1..5 entries 1\n"
            "  quarantine L6 6 \"block at 4096\"\n");
}

}  // namespace
}  // namespace cambium::manifest
