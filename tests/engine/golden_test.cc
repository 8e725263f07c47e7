// A database of format version 1, as it was written when the format was fixed, still opens and says
// the same.
//
// CAMBIUM_WRITE_GOLDEN=1 writes the files anew: only ever for a new format version, under a new
// name.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>

#include "cambium/db.h"
#include "tests/support/temp_dir.h"

namespace cambium {
namespace {

constexpr int kInTables = 500;
constexpr int kInLog = 20;

std::string KeyOf(int i) { return "key" + std::to_string(1000 + i); }
std::string ValueOf(int i) {
  return std::string(static_cast<size_t>(i % 40), 'v') + std::to_string(i);
}

Options SmallOptions() {
  Options options;
  options.memory_budget = size_t{1} << 20;
  options.memtable_size = size_t{64} << 10;
  return options;
}

// Level 6 holds the even keys and level 0 the deletion of every tenth; the log holds the last ones.
void WriteDatabase(const std::string& path) {
  ASSERT_TRUE(DestroyDB(path).ok());
  absl::StatusOr<std::unique_ptr<DB>> db = DB::Open(SmallOptions(), path);
  ASSERT_TRUE(db.ok()) << db.status();
  for (int i = 0; i < kInTables; i += 2) ASSERT_TRUE((*db)->Put(KeyOf(i), ValueOf(i)).ok());
  ASSERT_TRUE((*db)->CompactRange().ok());
  for (int i = 0; i < kInTables; i += 10) ASSERT_TRUE((*db)->Delete(KeyOf(i)).ok());
  ASSERT_TRUE((*db)->Flush().ok());
  WriteBatch batch;
  for (int i = kInTables; i < kInTables + kInLog; ++i) batch.Put(KeyOf(i), ValueOf(i));
  batch.Delete(KeyOf(2));
  ASSERT_TRUE((*db)->Write(batch).ok());
  ASSERT_TRUE((*db)->Close().ok());
}

bool Expected(int i) {
  if (i >= kInTables) return true;
  return i % 2 == 0 && i % 10 != 0 && i != 2;
}

TEST(GoldenDatabase, OfVersion1OpensAndSaysTheSame) {
  const std::string golden = CAMBIUM_GOLDEN_DIRECTORY;
  if (std::getenv("CAMBIUM_WRITE_GOLDEN") != nullptr) WriteDatabase(golden + "/db_v1");
  const test::TempDir scratch;
  const std::string path = scratch.path() + "/db";
  std::filesystem::copy(golden + "/db_v1", path);
  absl::StatusOr<std::unique_ptr<DB>> db = DB::Open(SmallOptions(), path);
  ASSERT_TRUE(db.ok()) << db.status();
  int found = 0;
  for (int i = 0; i < kInTables + kInLog; ++i) {
    const absl::StatusOr<std::string> value = (*db)->Get(KeyOf(i));
    ASSERT_EQ(value.ok(), Expected(i)) << KeyOf(i) << ": " << value.status();
    if (!value.ok()) continue;
    EXPECT_EQ(*value, ValueOf(i));
    ++found;
  }
  const std::unique_ptr<Iterator> iterator = (*db)->NewIterator();
  int walked = 0;
  for (iterator->SeekToFirst(); iterator->Valid(); iterator->Next()) ++walked;
  EXPECT_TRUE(iterator->status().ok()) << iterator->status();
  EXPECT_EQ(walked, found);
  EXPECT_TRUE((*db)->Verify().ok());
}

}  // namespace
}  // namespace cambium
