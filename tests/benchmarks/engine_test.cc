// Tests the contract of engine.h with the adapter that is linked with this program: a benchmark of
// an adapter that returns wrong results measures nothing.
#include "benchmarks/engines/engine.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "tests/support/status_test.h"
#include "tests/support/temp_dir.h"

namespace cambium::bench {
namespace {

using Pairs = std::vector<std::pair<std::string, std::string>>;
constexpr uint64_t kAll = ~uint64_t{0};
constexpr Durability kLevels[] = {Durability::kNone, Durability::kProcess, Durability::kMachine};

std::string KeyOf(int i) {
  const std::string digits = std::to_string(i);
  return "key" + std::string(6 - digits.size(), '0') + digits;
}

class EngineTest : public testing::Test {
 protected:
  void SetUp() override { Open({}); }
  void TearDown() override { Close(); }

  // Of `settings`, with the test's own place.
  void Open(EngineSettings settings) {
    settings.path = dir_.Sub("parent/db");
    absl::StatusOr<std::unique_ptr<Engine>> engine = OpenEngine(settings);
    CAMBIUM_ASSERT_OK(engine);
    engine_ = std::move(*engine);
    session_ = engine_->NewSession();
  }
  void Close() {
    session_.reset();
    if (engine_ == nullptr) return;
    CAMBIUM_EXPECT_OK(engine_->Close());
    engine_.reset();
  }

  // Keys of [0, count), each with its number as its value.
  void Fill(int count) {
    for (int i = 0; i < count; ++i) {
      CAMBIUM_ASSERT_OK(session_->Put(KeyOf(i), std::to_string(i), Durability::kProcess));
    }
  }
  std::optional<std::string> Get(std::string_view key) {
    std::optional<std::string_view> value;
    CAMBIUM_EXPECT_OK(session_->Get(key, &value));
    return value ? std::optional(std::string(*value)) : std::nullopt;
  }
  static Pairs ReadUpTo(uint64_t limit, Direction direction, Cursor* cursor) {
    Pairs pairs;
    uint64_t bytes = 0;
    const Scanned scanned =
        cursor->Read(limit, direction, [&](std::string_view key, std::string_view value) {
          pairs.emplace_back(key, value);
          bytes += key.size() + value.size();
        });
    EXPECT_EQ(scanned.entries, pairs.size());
    EXPECT_EQ(scanned.bytes, bytes);
    CAMBIUM_EXPECT_OK(cursor->status());
    return pairs;
  }
  Pairs All() {
    const std::unique_ptr<Cursor> cursor = session_->NewCursor();
    cursor->SeekToFirst();
    return ReadUpTo(kAll, Direction::kForward, cursor.get());
  }

  test::TempDir dir_;
  std::unique_ptr<Engine> engine_;
  std::unique_ptr<Session> session_;
};

TEST_F(EngineTest, HasANameAndAVersion) {
  EXPECT_FALSE(ThisEngine().name.empty());
  EXPECT_FALSE(ThisEngine().version.empty());
}

TEST_F(EngineTest, PutGetAndDeleteHoldWhateverIsPromised) {
  for (const Durability durability : kLevels) {
    EXPECT_EQ(Get("a"), std::nullopt);
    CAMBIUM_EXPECT_OK(session_->Delete("a", durability));
    CAMBIUM_EXPECT_OK(session_->Put("a", "1", durability));
    EXPECT_EQ(Get("a"), "1");
    CAMBIUM_EXPECT_OK(session_->Put("a", "22", durability));
    EXPECT_EQ(Get("a"), "22");
    EXPECT_EQ(Get("b"), std::nullopt);
    CAMBIUM_EXPECT_OK(session_->Delete("a", durability));
    EXPECT_EQ(Get("a"), std::nullopt);
  }
}

TEST_F(EngineTest, KeepsAnyBytesAndAnEmptyValue) {
  const std::string key("\0\xff\x7f\0", 4);
  const std::string large(100'000, 'x');
  CAMBIUM_ASSERT_OK(session_->Put(key, std::string_view("\0v", 2), Durability::kProcess));
  CAMBIUM_ASSERT_OK(session_->Put("empty", "", Durability::kProcess));
  CAMBIUM_ASSERT_OK(session_->Put("large", large, Durability::kProcess));
  EXPECT_EQ(Get(key), std::string("\0v", 2));
  EXPECT_EQ(Get("empty"), "");
  EXPECT_EQ(Get("large"), large);
  const Pairs expected = {{key, std::string("\0v", 2)}, {"empty", ""}, {"large", large}};
  EXPECT_EQ(All(), expected);
}

TEST_F(EngineTest, ABatchIsWrittenWhole) {
  const Entry entries[] = {{"b", "1"}, {"a", "2"}, {"b", "3"}};
  for (const Durability durability : kLevels) {
    CAMBIUM_EXPECT_OK(session_->PutBatch(entries, durability));
    EXPECT_EQ(All(), (Pairs{{"a", "2"}, {"b", "3"}}));
    CAMBIUM_EXPECT_OK(session_->Delete("a", durability));
    CAMBIUM_EXPECT_OK(session_->Delete("b", durability));
  }
}

TEST_F(EngineTest, MultiGetAnswersInTheOrderOfTheQuestions) {
  Fill(300);
  const std::string keys[] = {KeyOf(200), "nothing", KeyOf(7), KeyOf(200), KeyOf(299), "zzz"};
  const std::vector<std::string_view> asked(std::begin(keys), std::end(keys));
  for (size_t count : {asked.size(), size_t{2}, asked.size()}) {
    std::vector<std::optional<std::string_view>> values(count);
    CAMBIUM_ASSERT_OK(session_->MultiGet(std::span(asked).first(count), values));
    const std::optional<std::string_view> expected[] = {"200", std::nullopt, "7",
                                                        "200", "299",        std::nullopt};
    for (size_t i = 0; i < count; ++i) EXPECT_EQ(values[i], expected[i]) << i;
  }
}

TEST_F(EngineTest, ACursorReadsBothWaysFromBothEnds) {
  Fill(1000);
  const std::unique_ptr<Cursor> cursor = session_->NewCursor();
  cursor->SeekToFirst();
  EXPECT_EQ(cursor->Key(), KeyOf(0));
  Pairs forward = ReadUpTo(10, Direction::kForward, cursor.get());
  ASSERT_EQ(forward.size(), 10u);
  EXPECT_EQ(cursor->Key(), KeyOf(10));
  const Pairs rest = ReadUpTo(kAll, Direction::kForward, cursor.get());
  EXPECT_EQ(cursor->Key(), std::nullopt);
  EXPECT_EQ(cursor->Read(1, Direction::kForward, nullptr).entries, 0u);
  forward.insert(forward.end(), rest.begin(), rest.end());
  ASSERT_EQ(forward.size(), 1000u);
  for (int i = 0; i < 1000; ++i) {
    EXPECT_EQ(forward[static_cast<size_t>(i)], (std::pair{KeyOf(i), std::to_string(i)}));
  }

  cursor->SeekToLast();
  EXPECT_EQ(cursor->Key(), KeyOf(999));
  Pairs reverse = ReadUpTo(kAll, Direction::kReverse, cursor.get());
  EXPECT_EQ(cursor->Key(), std::nullopt);
  EXPECT_EQ(reverse, Pairs(forward.rbegin(), forward.rend()));
  cursor->SeekToFirst();
  EXPECT_EQ(cursor->Read(kAll, Direction::kForward, nullptr).entries, 1000u);
}

TEST_F(EngineTest, ACursorSeeksToTheFirstAtOrAfter) {
  for (int i = 0; i < 500; ++i) {
    CAMBIUM_ASSERT_OK(session_->Put(KeyOf(2 * i), "v", Durability::kProcess));
  }
  const std::unique_ptr<Cursor> cursor = session_->NewCursor();
  for (const int i : {0, 1, 2, 501, 777, 998}) {
    cursor->Seek(KeyOf(i));
    EXPECT_EQ(cursor->Key(), KeyOf((i + 1) / 2 * 2));
  }
  cursor->Seek(KeyOf(999));
  EXPECT_EQ(cursor->Key(), std::nullopt);
  EXPECT_EQ(ReadUpTo(1, Direction::kReverse, cursor.get()), Pairs());
  cursor->Seek("a");
  EXPECT_EQ(cursor->Key(), KeyOf(0));
}

TEST_F(EngineTest, ACursorTurns) {
  Fill(100);
  const std::unique_ptr<Cursor> cursor = session_->NewCursor();
  cursor->Seek(KeyOf(50));
  EXPECT_EQ(ReadUpTo(2, Direction::kReverse, cursor.get()),
            (Pairs{{KeyOf(50), "50"}, {KeyOf(49), "49"}}));
  EXPECT_EQ(cursor->Key(), KeyOf(48));
  EXPECT_EQ(ReadUpTo(3, Direction::kForward, cursor.get()),
            (Pairs{{KeyOf(48), "48"}, {KeyOf(49), "49"}, {KeyOf(50), "50"}}));
  EXPECT_EQ(ReadUpTo(1, Direction::kReverse, cursor.get()), (Pairs{{KeyOf(51), "51"}}));
}

TEST_F(EngineTest, ACursorStaysAmongTheEntriesOfItsMaking) {
  Fill(10);
  const std::unique_ptr<Cursor> cursor = session_->NewCursor();
  CAMBIUM_ASSERT_OK(session_->Put(KeyOf(3), "new", Durability::kProcess));
  CAMBIUM_ASSERT_OK(session_->Delete(KeyOf(4), Durability::kProcess));
  CAMBIUM_ASSERT_OK(session_->Put(KeyOf(10), "10", Durability::kProcess));
  EXPECT_EQ(Get(KeyOf(3)), "new");
  cursor->SeekToFirst();
  const Pairs then = ReadUpTo(kAll, Direction::kForward, cursor.get());
  ASSERT_EQ(then.size(), 10u);
  EXPECT_EQ(then[3].second, "3");
  EXPECT_EQ(All().size(), 10u);
  EXPECT_EQ(All()[3].second, "new");
}

TEST_F(EngineTest, AnEmptyDatabaseHasNothing) {
  EXPECT_EQ(All(), Pairs());
  const std::unique_ptr<Cursor> cursor = session_->NewCursor();
  cursor->SeekToLast();
  EXPECT_EQ(cursor->Key(), std::nullopt);
  EXPECT_EQ(cursor->Read(1, Direction::kReverse, nullptr).entries, 0u);
}

TEST_F(EngineTest, EntriesOutliveCloseAndUpkeep) {
  EngineSettings settings;
  settings.write_buffer_bytes = 64 << 10;
  settings.cache_bytes = 4 << 20;
  settings.block_bytes = 4096;
  settings.file_bytes = 1 << 20;
  settings.filter_bits_per_key = 10;
  settings.compression = "none";
  settings.background_threads = 2;
  Fill(3000);
  const Pairs expected = All();
  Close();
  Open(settings);
  EXPECT_EQ(All(), expected);
  Fill(3000);
  CAMBIUM_EXPECT_OK(engine_->Flush());
  CAMBIUM_EXPECT_OK(engine_->WaitForIdle());
  EXPECT_EQ(All(), expected);
  CAMBIUM_EXPECT_OK(engine_->Compact());
  EXPECT_EQ(All(), expected);
  EXPECT_EQ(Get(KeyOf(2999)), "2999");
  engine_->Describe("stats");
  engine_->Describe("levelstats");
  Close();
  settings = {};
  settings.memory_budget_bytes = 32 << 20;
  Open(settings);
  EXPECT_EQ(All(), expected);
}

TEST_F(EngineTest, ACompressionThatNobodyHasIsRefused) {
  Close();
  EngineSettings settings;
  settings.path = dir_.Sub("parent/db");
  settings.compression = "wool";
  const absl::Status status = OpenEngine(settings).status();
  CAMBIUM_EXPECT_CODE(status, kUnimplemented);
  EXPECT_NE(status.ToString().find(ThisEngine().name), std::string::npos) << status;
}

TEST_F(EngineTest, ADatabaseThatMustExistIsNotMade) {
  Fill(10);
  const Pairs expected = All();
  Close();
  EngineSettings settings;
  settings.must_exist = true;
  Open(settings);
  EXPECT_EQ(All(), expected);
  Close();
  for (const char* const name : {"none", "empty"}) {
    settings.path = dir_.Sub(name);
    if (name[0] == 'e') std::filesystem::create_directory(settings.path);
    const absl::Status status = OpenEngine(settings).status();
    CAMBIUM_EXPECT_CODE(status, kNotFound);
    EXPECT_NE(status.ToString().find(settings.path), std::string::npos) << status;
    EXPECT_EQ(std::filesystem::exists(settings.path), name[0] == 'e');
    EXPECT_TRUE(name[0] != 'e' || std::filesystem::is_empty(settings.path));
  }
}

TEST_F(EngineTest, DestroyRemovesOnlyItsOwnFiles) {
  Fill(10);
  Close();
  const std::filesystem::path path = dir_.Sub("parent/db");
  std::filesystem::create_directory(path / "others");
  CAMBIUM_EXPECT_OK(DestroyEngine(path));
  EXPECT_TRUE(std::filesystem::exists(path / "others"));
  std::filesystem::remove(path / "others");
  EXPECT_TRUE(std::filesystem::is_empty(path));
  Open({});
  EXPECT_EQ(All(), Pairs());
  Close();
  CAMBIUM_EXPECT_OK(DestroyEngine(path));
  EXPECT_TRUE(!std::filesystem::exists(path) || std::filesystem::is_empty(path));
  CAMBIUM_EXPECT_OK(DestroyEngine(path));
}

TEST_F(EngineTest, ThreadsReadAndWriteAtOnce) {
  constexpr int kThreads = 3;
  constexpr int kEach = 300;
  std::atomic<int> wrong = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      const std::unique_ptr<Session> session = engine_->NewSession();
      for (int i = 0; i < kEach; ++i) {
        const std::string key = KeyOf(i * kThreads + t);
        std::optional<std::string_view> value;
        if (!session->Put(key, key, Durability::kProcess).ok()) ++wrong;
        if (!session->Get(key, &value).ok() || value != key) ++wrong;
        if (i % 50 != 0) continue;
        const std::unique_ptr<Cursor> cursor = session->NewCursor();
        cursor->Seek(key);
        if (cursor->Key() != key) ++wrong;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(All().size(), static_cast<size_t>(kThreads * kEach));
}

// The other process is this program begun anew, so that no engine meets a fork.
TEST(EngineDeathTest, AProcessThatEndsLosesNothingThatItWasPromised) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  constexpr const char* kPlace = "CAMBIUM_ENGINE_TEST_PLACE";
  constexpr int kEach = 100;
  std::optional<test::TempDir> dir;
  if (std::getenv(kPlace) == nullptr) {
    ::setenv(kPlace, dir.emplace().Sub("db").c_str(), 1);
  }
  EngineSettings settings;
  settings.path = std::getenv(kPlace);
  const auto write_and_end = [&] {
    auto engine = OpenEngine(settings);
    bool ok = engine.ok();
    const std::unique_ptr<Session> session = ok ? (*engine)->NewSession() : nullptr;
    for (int i = 0; ok && i < kEach; ++i) {
      const std::string key = KeyOf(2 * i), other = KeyOf(2 * i + 1);
      const Entry entries[] = {{other, "batch"}};
      ok = session->Put(key, "one", Durability::kProcess).ok() &&
           session->PutBatch(entries, Durability::kProcess).ok();
    }
    std::_Exit(ok ? 0 : 1);
  };
  EXPECT_EXIT(write_and_end(), testing::ExitedWithCode(0), "");
  ::unsetenv(kPlace);

  auto engine = OpenEngine(settings);
  CAMBIUM_ASSERT_OK(engine);
  std::unique_ptr<Session> session = (*engine)->NewSession();
  std::unique_ptr<Cursor> cursor = session->NewCursor();
  cursor->SeekToFirst();
  EXPECT_EQ(cursor->Read(kAll, Direction::kForward, nullptr).entries, size_t{2} * kEach);
  cursor.reset();
  session.reset();
  CAMBIUM_EXPECT_OK((*engine)->Close());
}

}  // namespace
}  // namespace cambium::bench
