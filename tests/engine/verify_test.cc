// DB::Verify() beside writers: a sound database is never called damaged, and a damaged one is.
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/file_names.h"
#include "cambium/db.h"
#include "tests/support/model.h"
#include "tests/support/status_test.h"
#include "tests/support/temp_dir.h"

namespace cambium {
namespace {

// Flushes, compactions, rotations and retirements all the time.
Options SmallOptions() {
  Options options;
  options.memory_budget = size_t{1} << 20;
  options.memtable_size = size_t{256} << 10;
  options.target_file_size = uint64_t{256} << 10;
  options.background_threads = 2;
  return options;
}

// Environment: CAMBIUM_VERIFY_ROUNDS, calls of Verify (default 200).
TEST(VerifyTest, SoundDatabaseIsSoundBesideWriters) {
  constexpr int kWriterThreads = 3;
  const test::TempDir dir;
  auto db = DB::Open(SmallOptions(), dir.Sub("db"));
  CAMBIUM_ASSERT_OK(db);
  std::atomic<bool> done{false};
  std::atomic<uint64_t> written{0};
  std::vector<std::thread> writers;
  for (int t = 0; t < kWriterThreads; ++t) {
    writers.emplace_back([&, t] {
      const std::string value(size_t{64} << 10, static_cast<char>('a' + t));
      for (uint64_t i = 0; !done.load(); ++i) {
        // Values of all sizes, so that a record may be of one page or span a rotation.
        const size_t size = i % 3 == 0 ? value.size() : i * 37 % 2000;
        CAMBIUM_EXPECT_OK((*db)->Put(absl::StrCat(t, "/", i % 40),
                                     std::string_view(value).substr(0, size),
                                     {.sync = i % 2 == 0}));
        written.fetch_add(1);
      }
    });
  }
  const uint64_t rounds = test::FromEnvironment("CAMBIUM_VERIFY_ROUNDS", 200);
  absl::Status status;
  for (uint64_t i = 0; i < rounds && status.ok(); ++i) {
    const uint64_t before = written.load();
    status = (*db)->Verify();
    // Each round sees new records: it ends only when some were written.
    while (written.load() == before && status.ok()) std::this_thread::yield();
  }
  done = true;
  for (std::thread& writer : writers) writer.join();
  CAMBIUM_EXPECT_OK(status);
  EXPECT_GT((*db)->GetStats().flushes, 0u);
}

// Turns a byte of a file over.
void Damage(const std::string& path, uint64_t offset) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekg(static_cast<std::streamoff>(offset));
  const char byte = static_cast<char>(file.get() ^ 1);
  file.seekp(static_cast<std::streamoff>(offset));
  file.put(byte);
}

TEST(VerifyTest, DamageOfAnOpenDatabaseIsFoundAndNothingIsAdvised) {
  for (const FileType type : {FileType::kLog, FileType::kManifest, FileType::kTable}) {
    const test::TempDir dir;
    const std::string path = dir.Sub("db");
    auto db = DB::Open(SmallOptions(), path);
    CAMBIUM_ASSERT_OK(db);
    CAMBIUM_ASSERT_OK((*db)->Put("in a table", "value"));
    CAMBIUM_ASSERT_OK((*db)->Flush());
    CAMBIUM_ASSERT_OK((*db)->Put("in the log", "value"));
    CAMBIUM_ASSERT_OK((*db)->WaitForIdle());
    CAMBIUM_ASSERT_OK((*db)->Verify());
    std::string damaged;
    for (const auto& entry : std::filesystem::directory_iterator(path)) {
      const std::string name = entry.path().filename();
      const auto file = ParseFileName(name);
      if (file.has_value() && file->type == type && name > damaged) damaged = name;
    }
    Damage(JoinPath(path, damaged), 130);
    const absl::Status status = (*db)->Verify();
    CAMBIUM_EXPECT_CODE(status, kDataLoss);
    EXPECT_NE(status.ToString().find(damaged), std::string::npos) << status;
    EXPECT_EQ(status.ToString().find("truncate"), std::string::npos) << status;
  }
}

}  // namespace
}  // namespace cambium
