// A database of format version 1, as it was written when the format was fixed, still opens and says
// the same.
//
// CAMBIUM_WRITE_GOLDEN=1 writes the files anew: only ever for a new format version, under a new
// name.
#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>

#include "cambium/db.h"
#include "env/testing/manual_clock.h"
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

// Values with expiries: in level 6, level 0, and the log. The time is that of the test.
Options OptionsAt(uint64_t wall_micros) {
  Options options = SmallOptions();
  options.clock = std::make_shared<env::ManualClock>(0, wall_micros);
  return options;
}
constexpr uint64_t kWritten = 1'700'000'000'000'000;
constexpr int kHours = 90;

WriteOptions ForHours(int hours) {
  WriteOptions options;
  options.ttl = std::chrono::hours(hours);
  return options;
}

void WriteExpiring(const std::string& path) {
  ASSERT_TRUE(DestroyDB(path).ok());
  absl::StatusOr<std::unique_ptr<DB>> db = DB::Open(OptionsAt(kWritten), path);
  ASSERT_TRUE(db.ok()) << db.status();
  for (int i = 0; i < kHours; ++i) {
    ASSERT_TRUE((*db)->Put(KeyOf(i), ValueOf(i), ForHours(i)).ok());
    if (i == kHours / 3) {
      ASSERT_TRUE((*db)->CompactRange().ok());
    }
    if (i == 2 * kHours / 3) {
      ASSERT_TRUE((*db)->Flush().ok());
    }
  }
  ASSERT_TRUE((*db)->Close().ok());
}

// The value of key i expires after i hours, and that of key 0 never.
TEST(GoldenDatabase, WithExpiriesOpensAndSaysTheSame) {
  const std::string golden = CAMBIUM_GOLDEN_DIRECTORY;
  if (std::getenv("CAMBIUM_WRITE_GOLDEN") != nullptr) WriteExpiring(golden + "/db_v1_expiry");
  const test::TempDir scratch;
  const std::string path = scratch.path() + "/db";
  std::filesystem::copy(golden + "/db_v1_expiry", path);
  for (const int hours : {0, 20, 50, 89, 200, 1}) {
    const int reached = hours == 1 ? 200 : hours;  // time does not run back
    absl::StatusOr<std::unique_ptr<DB>> db =
        DB::Open(OptionsAt(kWritten + static_cast<uint64_t>(hours) * 3'600'000'000), path);
    ASSERT_TRUE(db.ok()) << db.status();
    for (int i = 0; i < kHours; ++i) {
      const absl::StatusOr<std::string> value = (*db)->Get(KeyOf(i));
      ASSERT_EQ(value.ok(), i == 0 || i > reached) << hours << " " << i << ": " << value.status();
      if (!value.ok()) continue;
      EXPECT_EQ(*value, ValueOf(i));
    }
    EXPECT_TRUE((*db)->Verify().ok());
    ASSERT_TRUE((*db)->Close().ok());
  }
}

}  // namespace
}  // namespace cambium
