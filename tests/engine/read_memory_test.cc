// What readers cost in memory: a small budget, many threads, more data than the budget, and one
// file that takes its time.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "cambium/db.h"
#include "env/testing/intercepted_file_system.h"
#include "tests/support/status_test.h"
#include "tests/support/temp_dir.h"
#include "util/random.h"

namespace cambium {
namespace {

// Sanitizers take memory of their own and much time.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kMeasuresMemory = false;
constexpr uint64_t kEntries = 10'000;
#else
constexpr bool kMeasuresMemory = true;
constexpr uint64_t kEntries = 150'000;
#endif

constexpr size_t kBudget = size_t{16} << 20;
constexpr size_t kAllowance = size_t{64} << 20;
constexpr int kReaders = 64;
constexpr auto kDelay = std::chrono::seconds(2);

std::string KeyOf(uint64_t i) {
  std::array<char, 24> key;
  return std::string(key.data(),
                     static_cast<size_t>(std::snprintf(key.data(), key.size(), "key%012llu",
                                                       static_cast<unsigned long long>(i))));
}

// 100 bytes to 4 KiB, three quarters of them incompressible.
std::string ValueOf(uint64_t i) {
  Random random(i);
  const size_t size = 100 + random.Uniform(4000);
  std::string value(size, 'v');
  for (size_t at = 0; at + 8 <= size * 3 / 4; at += 8) {
    const uint64_t word = random.Next();
    value.replace(at, 8, reinterpret_cast<const char*>(&word), 8);
  }
  return value;
}

// Loads the data in a process of its own, whose memory is gone when it ends.
void Load(const std::string& path) {
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    auto db = DB::Open({}, path);
    bool ok = db.ok();
    for (uint64_t i = 0; ok && i < kEntries; ++i) ok = (*db)->Put(KeyOf(i), ValueOf(i)).ok();
    ok = ok && (*db)->Flush().ok() && (*db)->Close().ok();
    _exit(ok ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
}

// Holds up one read, from the call of HoldNext() on, until the call of Release().
class SlowRead final : public env::Interceptor {
 public:
  env::Verdict Before(const env::Operation& operation) override {
    if (operation.kind == env::OperationKind::kRead && hold_.exchange(false)) {
      holding_.store(true);
      while (holding_.load()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return {};
  }
  void After(const env::Operation&, const absl::Status&) override {}

  void HoldNext() {
    hold_.store(true);
    while (!holding_.load()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  void Release() { holding_.store(false); }

 private:
  std::atomic<bool> hold_{false};
  std::atomic<bool> holding_{false};
};

// A line of /proc/self/status, in bytes.
size_t ProcessMemory(const std::string& name) {
  std::ifstream file("/proc/self/status");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with(name)) return std::stoull(line.substr(name.size() + 1)) << 10;
  }
  return 0;
}

// Point reads, batches and short scans, according to the thread's number.
uint64_t Read(DB* db, int thread, const std::atomic<bool>& stop) {
  Random random(static_cast<uint64_t>(thread));
  uint64_t wrong = 0;
  while (!stop.load(std::memory_order_relaxed)) {
    const uint64_t i = random.Uniform(kEntries);
    if (thread % 8 == 0) {
      std::vector<std::string> keys;
      for (uint64_t j = 0; j < 16; ++j) keys.push_back(KeyOf((i + j * 977) % kEntries));
      const std::vector<std::string_view> views(keys.begin(), keys.end());
      std::vector<PinnedValue> values(keys.size());
      std::vector<absl::Status> statuses(keys.size());
      db->MultiGet(views, values, statuses);
      for (uint64_t j = 0; j < 16; ++j) {
        if (!statuses[j].ok() || values[j].view() != ValueOf((i + j * 977) % kEntries)) ++wrong;
      }
    } else if (thread % 8 == 1) {
      const auto it = db->NewIterator();
      it->Seek(KeyOf(i));
      for (uint64_t j = i; j < std::min(i + 20, kEntries); ++j, it->Next()) {
        if (!it->Valid() || it->key() != KeyOf(j)) ++wrong;
      }
    } else {
      PinnedValue value;
      if (!db->Get(KeyOf(i), &value).ok() || value.view() != ValueOf(i)) ++wrong;
    }
  }
  return wrong;
}

TEST(ReadMemory, StaysWithinTheBudgetWhileOneReadTakesSeconds) {
  const test::TempDir directory;
  ASSERT_NO_FATAL_FAILURE(Load(directory.Sub("db")));
  auto slow = std::make_shared<SlowRead>();
  Options options;
  options.memory_budget = kBudget;
  options.file_system = std::make_shared<env::InterceptedFileSystem>(DefaultFileSystem(), slow,
                                                                     env::MappingAccess::kShown);
  auto db = DB::Open(options, directory.Sub("db"));
  CAMBIUM_ASSERT_OK(db.status());
  Options other_options;
  other_options.memory_budget = size_t{1} << 20;
  auto other = DB::Open(other_options, directory.Sub("other"));
  CAMBIUM_ASSERT_OK(other.status());

  std::atomic<bool> stop{false};
  std::atomic<uint64_t> wrong{0};
  std::vector<std::thread> readers;
  for (int i = 0; i < kReaders; ++i) {
    readers.emplace_back([&, i] { wrong += Read(db->get(), i, stop); });
  }
  std::this_thread::sleep_for(std::chrono::seconds(1));
  slow->HoldNext();
  const auto begin = std::chrono::steady_clock::now();
  // The other database works and closes while the read of the first one is held up.
  CAMBIUM_EXPECT_OK((*other)->Put("key", "value"));
  CAMBIUM_EXPECT_OK((*other)->Flush());
  EXPECT_EQ((*other)->Get("key").value(), "value");
  CAMBIUM_EXPECT_OK((*other)->Close());
  other->reset();
  std::this_thread::sleep_until(begin + kDelay);
  slow->Release();
  std::this_thread::sleep_for(std::chrono::seconds(1));
  stop.store(true);
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(wrong.load(), 0u);

  const size_t peak = ProcessMemory("VmHWM:");
  RecordProperty("peak_resident_mib", static_cast<int>(peak >> 20));
  std::printf("peak resident memory: %zu MiB\n", peak >> 20);
  if (kMeasuresMemory) {
    EXPECT_LE(peak, kBudget + kAllowance);
  }
  CAMBIUM_EXPECT_OK((*db)->Close());
}

}  // namespace
}  // namespace cambium
